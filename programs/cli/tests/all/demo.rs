//! The examples a stranger meets first: the fleet shows what an audit can say, and a row is there because its advisory is.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const TARGETS: [&str; 3] = ["web.drvs", "image.pkgsrc.json", "appliance.cdx.json"];
/// The day after the newest example advisory, as in `scripts/demo.sh`.
const DAY: &str = "2024-08-15";

#[test]
fn the_fleet_shows_every_state_a_finding_can_have() {
    let folder = tempfile::tempdir().unwrap();
    let (code, report) = audit(&build(&examples().join("advisories"), folder.path()));
    assert_eq!(code, 1, "what the fleet has must fail the default gate");
    assert_eq!(report["verdict"], "fail");
    let rows = rows(&report);
    let states: BTreeSet<&str> = rows.iter().map(|row| row.state.as_str()).collect();
    assert_eq!(states, BTreeSet::from(["affected", "fixed_by_patch", "not_affected", "unknown", "unreviewed"]));
    for (id, package, state) in [
        ("CVE-2021-3156", "sudo", "affected"),
        ("CVE-2021-23017", "nginx", "fixed_by_patch"),
        // The patch's file name says nothing, the URL it was fetched from does.
        ("CVE-2022-0530", "unzip", "fixed_by_patch"),
        ("CVE-2023-4911", "glibc", "not_affected"),
        ("CVE-2014-8266", "portal", "unreviewed"),
        ("CVE-2015-8271", "rtmpdump", "unknown"),
        ("CVE-2023-40225", "haproxy", "affected"),
    ] {
        let found = rows.iter().find(|row| row.id == id && row.package == package);
        assert_eq!(found.map(|row| row.state.as_str()), Some(state), "{id} on {package}");
    }
    let findings: Vec<&Value> = report["targets"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|target| target["findings"].as_array().unwrap())
        .collect();
    assert!(findings.iter().any(|finding| finding["kev"] == true));
    assert!(findings.iter().any(|finding| finding["class"] == "critical"));
}

#[test]
fn removing_an_advisory_removes_its_rows_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let (_, report) = audit(&build(&examples().join("advisories"), folder.path()));
    let before = rows(&report);
    for (file, id) in [("nvd/servers.json", "CVE-2024-6387"), ("nvd/system.json", "CVE-2021-3156")] {
        let copy = folder.path().join(id);
        copy_folder(&examples().join("advisories"), &copy);
        let mut document: Value = serde_json::from_slice(&fs::read(copy.join(file)).unwrap()).unwrap();
        document["vulnerabilities"].as_array_mut().unwrap().retain(|item| item["cve"]["id"] != id);
        write(&copy.join(file), &document.to_string());
        let (_, report) = audit(&build(&copy, folder.path()));
        let after = rows(&report);
        let gone: Vec<&Row> = before.difference(&after).collect();
        assert!(!gone.is_empty() && gone.iter().all(|row| row.id == id), "{id}: {gone:?}");
        assert!(after.is_subset(&before), "{id} brought a new row");
    }
}

/// One line of a report, as far as this test cares.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    target: String,
    package: String,
    version: String,
    id: String,
    state: String,
}

fn rows(report: &Value) -> BTreeSet<Row> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut rows = BTreeSet::new();
    for target in report["targets"].as_array().unwrap() {
        assert_eq!(target["problems"], Value::Array(vec![]), "{}", target["name"]);
        for finding in target["findings"].as_array().unwrap() {
            rows.insert(Row {
                target: text(&target["name"]),
                package: text(&finding["package"]["name"]),
                version: text(&finding["package"]["version"]),
                id: text(&finding["id"]),
                state: text(&finding["state"]),
            });
        }
    }
    rows
}

/// Compiles a folder of advisories together with the repository's triage.
fn build(advisories: &Path, into: &Path) -> PathBuf {
    let feed = into.join("feed.auxdb");
    let triage = examples().join("../triage");
    let output = aux(&[
        "feed".as_ref(),
        "build".as_ref(),
        "--nvd".as_ref(),
        &advisories.join("nvd"),
        "--osv".as_ref(),
        &advisories.join("osv"),
        "--kev".as_ref(),
        &advisories.join("kev.json"),
        "--pkgsrc".as_ref(),
        &advisories.join("pkg-vulnerabilities"),
        "--triage".as_ref(),
        &triage,
        "--output".as_ref(),
        &feed,
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    feed
}

fn audit(feed: &Path) -> (i32, Value) {
    let fleet = TARGETS.map(|target| examples().join("fleet").join(target));
    let mut arguments: Vec<&Path> = vec!["audit".as_ref(), "--json".as_ref(), "--as-of".as_ref(), DAY.as_ref()];
    arguments.extend(["--feed".as_ref(), feed]);
    arguments.extend(fleet.iter().map(PathBuf::as_path));
    let output = aux(&arguments);
    let report = serde_json::from_slice(&output.stdout);
    (output.status.code().unwrap(), report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))))
}

#[expect(clippy::disallowed_methods, reason = "the command is tested as its users run it, as a process")]
fn aux(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_aux")).args(arguments).env_clear().output().unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "nobody reads this file while it is written")]
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}
