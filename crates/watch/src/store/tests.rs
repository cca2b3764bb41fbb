//! The database: whole rounds in it, two programs at once, and files that are not ours.

use aux_audit::{FeedFacts, Gate, TargetReport, Verdict};
use aux_core::{Finding, Package, Severity, State, TargetKind};
use jiff::Timestamp;

use super::*;
use crate::{EventKind, Watched};

fn report(ids: &[&str]) -> TargetReport {
    let package = Package { name: "zlib".into(), version: "1.2.11".into(), purl: "pkg:nix/zlib@1.2.11".into() };
    let finding =
        |id: &&str| Finding { severity: Severity::High, ..Finding::new(*id, package.clone(), State::Affected) };
    TargetReport {
        checks: None,
        name: "web".into(),
        kind: TargetKind::NameList,
        components: 1,
        inputs: Vec::new(),
        problems: Vec::new(),
        findings: ids.iter().map(finding).collect(),
    }
}

fn record(store: &mut Store, report: &TargetReport, is_dry: bool) -> Vec<EventKind> {
    let watched = Watched::target("web", 60);
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    let feed = FeedFacts { serial: 3, built: now, age_seconds: 0, advisories: 9 };
    let audited = Audited {
        watched: &watched,
        report,
        feed: &feed,
        verdict: Verdict::Fail,
        fail_on: "any",
        fingerprint: Some("f".into()),
        feed_fingerprint: None,
        audited: now,
    };
    let events = store.record(&audited, &Gate::read("any").unwrap(), is_dry).unwrap();
    events.iter().map(|event| event.kind).collect()
}

#[test]
fn a_report_is_stored_with_what_it_raises_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    assert_eq!(record(&mut store, &report(&["CVE-2020-1", "CVE-2020-2"]), true), [EventKind::New; 2]);
    assert!(store.last_audits().unwrap().is_empty(), "a dry run stores nothing");
    assert_eq!(record(&mut store, &report(&["CVE-2020-1"]), false), [EventKind::New]);
    assert_eq!(record(&mut store, &report(&["CVE-2020-1", "CVE-2020-2"]), false), [EventKind::New]);
    drop(store);
    let mut store = Store::open(folder.path()).unwrap();
    assert!(record(&mut store, &report(&["CVE-2020-2", "CVE-2020-1"]), false).is_empty());
    let last = store.last_audit("web").unwrap().unwrap();
    assert_eq!((last.verdict.as_str(), last.feed_serial, last.components), ("fail", 3, 1));
    assert_eq!(store.findings("web").unwrap()[0].id, "CVE-2020-2");
    let waiting = store.waiting(10).unwrap();
    assert_eq!(waiting.iter().map(|raised| raised.number).collect::<Vec<_>>(), [1, 2]);
    store.handed_over(&[1]).unwrap();
    assert_eq!(store.waiting(10).unwrap().len(), 1);
    assert_eq!(store.events_after(0, 10).unwrap().len(), 2);
    assert_eq!(store.events_after(1, 10).unwrap()[0].event.covers, [EventKind::New]);
}

#[test]
fn targets_are_added_once_and_removed_with_all_that_is_known_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let web = Watched::target("web", 60);
    store.add(&web, Timestamp::UNIX_EPOCH).unwrap();
    assert!(matches!(store.add(&web, Timestamp::UNIX_EPOCH), Err(StoreError::Twice { .. })));
    assert_eq!(store.watched().unwrap(), [web]);
    record(&mut store, &report(&["CVE-2020-1"]), false);
    assert!(store.remove("web").unwrap() && !store.remove("web").unwrap());
    assert!(store.last_audit("web").unwrap().is_none() && store.findings("web").unwrap().is_empty());
}

#[test]
fn a_system_that_leaves_the_configuration_shows_nothing_and_keeps_what_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    record(&mut store, &report(&["CVE-2020-1"]), false);
    store.keep_only(&["other"]).unwrap();
    assert!(store.last_audits().unwrap().is_empty());
    assert!(record(&mut store, &report(&["CVE-2020-1"]), false).is_empty());
}

#[test]
fn two_programs_that_open_a_new_folder_at_once_both_get_it() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Store::open(folder.path()).map(drop))).collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_newer_database_and_a_file_that_is_none_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    drop(store);
    let file = rusqlite::Connection::open(folder.path().join(FILE_NAME)).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    drop(file);
    let error = Store::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("watch.sqlite: the watch database was written by a newer aux"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    aux_io::file::replace(folder.path().join(FILE_NAME), &[b'x'; 4_096]).unwrap();
    let error = Store::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("watch.sqlite: the watch database is damaged"), "{error}");
}
