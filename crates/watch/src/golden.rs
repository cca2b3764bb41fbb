//! The pages of our formats promise the keys that we write, no more and no fewer.

use std::collections::BTreeSet;

use aux_audit::{FeedFacts, Gate, TargetReport, Verdict};
use aux_core::{Finding, Fix, Package, Problem, Scope, Score, Severity, State as FindingState, TargetKind};
use jiff::Timestamp;
use serde_json::Value;

use crate::state::{Belief, Standing, State};
use crate::{Attempt, Audited, Outcome, Report, Store, SystemOutcome, Watched, answer};

/// Every path of keys in a document; the entries of a list share one.
fn keys(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let path = format!("{path}.{key}");
                keys(field, &path, into);
                into.insert(path);
            }
        }
        Value::Array(entries) => entries.iter().for_each(|entry| keys(entry, path, into)),
        _ => {}
    }
}

fn keys_of(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    keys(value, "", &mut found);
    found
}

/// The n-th JSON example of a page.
fn example(page: &str, number: usize) -> Value {
    let text = page.split("```json").nth(number).and_then(|rest| rest.split("```").next()).unwrap();
    serde_json::from_str(text).unwrap()
}

fn finding() -> Finding {
    let package = Package { name: "openssl".into(), version: "1.1.1g".into(), purl: "pkg:nix/openssl@1.1.1g".into() };
    Finding {
        severity: Severity::Critical,
        score: Score::from_tenths(98),
        scope: Scope::Runtime,
        path: ["nixos-system".into(), "openssl".into()].into(),
        fixed_versions: vec!["1.1.1l".into()],
        fixes: vec![Fix { channel: "nixos-21.05".into(), version: "1.1.1l".into(), revision: None }],
        ..Finding::new("CVE-2021-3711", package, FindingState::Affected)
    }
}

/// A store that has audited one system, and its state a moment later.
fn audited(folder: &std::path::Path, problems: Vec<Problem>) -> (Store, State, Report) {
    let mut store = Store::open(folder).unwrap();
    let (watched, now) = (Watched::this_machine(60), Timestamp::from_second(1_700_000_000).unwrap());
    let report = TargetReport {
        checks: None,
        name: "this machine".into(),
        kind: TargetKind::Closure,
        components: 542,
        inputs: Vec::new(),
        findings: vec![finding()],
        problems,
    };
    let verdict = if report.problems.is_empty() { Verdict::Fail } else { Verdict::Unknown };
    let feed = FeedFacts { serial: 7, built: now, age_seconds: 0, advisories: 1 };
    let audited = Audited {
        watched: &watched,
        report: &report,
        feed: &feed,
        verdict,
        fail_on: "any",
        fingerprint: None,
        feed_fingerprint: None,
        audited: now,
    };
    let events = store.record(&audited, &Gate::read("any").unwrap(), false).unwrap();
    store.note_attempt(&Attempt { at: now, failure: None }).unwrap();
    let belief = Belief { max_age_seconds: 60, feed_signed: None, now };
    let state = State::read(&store, &[watched], belief).unwrap();
    let systems = vec![SystemOutcome { name: "this machine".into(), audited: None }];
    (store, state, Report::new(now, false, Ok(Outcome { systems, events }), Vec::new()))
}

#[test]
fn the_examples_of_the_pages_have_the_keys_of_the_documents() {
    let folder = tempfile::tempdir().unwrap();
    let (store, state, report) = audited(folder.path(), Vec::new());
    let socket = include_str!("../../../docs/formats/agent-socket.md");
    let findings = serde_json::to_value(answer::findings(&state, Some(&store), true).unwrap()).unwrap();
    assert_eq!(keys_of(&example(socket, 1)), keys_of(&findings));
    let plan = serde_json::to_value(answer::steps(&state, Some(&store)).unwrap()).unwrap();
    assert_eq!(keys_of(&example(socket, 2)), keys_of(&plan["steps"][0]));
    let events = serde_json::to_value(answer::events(&state, Some(&store), 0, 10).unwrap()).unwrap();
    for key in events["events"][0].as_object().unwrap().keys() {
        assert!(socket.contains(&format!("`{key}`")), "{key} is not explained");
    }
    let watch = include_str!("../../../docs/formats/watch.md");
    assert_eq!(keys_of(&example(watch, 1)), keys_of(&serde_json::to_value(&report).unwrap()));
}

#[test]
fn age_problems_and_failed_rounds_take_the_verdict_away() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, state, _) = audited(folder.path(), Vec::new());
    assert_eq!((state.standing, state.verdict), (Standing::Current, "fail"));
    let (watched, now) = ([Watched::this_machine(60)], state.at);
    let later = |seconds: i64| Timestamp::from_second(now.as_second() + seconds).unwrap();
    let belief = |now, feed_signed| Belief { max_age_seconds: 60, feed_signed, now };
    let read = |store: &Store, belief| State::read(store, &watched, belief).unwrap();
    assert_eq!(read(&store, belief(later(61), None)).verdict, "unknown");
    assert_eq!(read(&store, belief(later(30), Some(later(-90)))).standing, Standing::Stale);
    // A clock that runs far behind cannot judge age.
    assert_eq!(read(&store, belief(later(-90_000), None)).standing, Standing::Stale);
    assert_eq!(State::read(&store, &[], belief(now, None)).unwrap().verdict, "unknown");
    assert_eq!(read(&store, belief(now, None)).verdict, "fail");
    store.note_attempt(&Attempt { at: now, failure: Some("no feed".into()) }).unwrap();
    assert_eq!(read(&store, belief(now, None)).standing, Standing::Stale);
    let (_, state, _) = audited(folder.path(), vec![Problem::new("x", "cannot be read")]);
    assert_eq!((state.standing, state.verdict), (Standing::Unknown, "unknown"));
}
