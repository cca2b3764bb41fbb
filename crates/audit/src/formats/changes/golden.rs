//! What the changes look like, kept as snapshots, and what holds for all of their formats.

use std::collections::BTreeSet;

use aux_core::{Class, Component, Ecosystem, Finding, FlakeInput, Inventory, Problem, TargetKind};
use insta::assert_snapshot;
use serde_json::Value;

use super::{Format, Options, render};
use crate::formats::{escape, sample};
use crate::{Changes, Gate, Report, Side, TargetReport, Terms, compare};

const OPTIONS: Options<'static> = Options { tool_version: "0.1.0", width: 80, colour: false };

fn finding(id: &str, name: &str, version: &str, tenths: u8) -> Finding {
    sample::finding(id, name, version, Some(tenths))
}

fn input(revision: &str) -> FlakeInput {
    FlakeInput {
        name: "nixpkgs".to_owned(),
        follows: None,
        source: "github:NixOS/nixpkgs".to_owned(),
        branch: Some("nixos-24.05".to_owned()),
        revision: Some(revision.repeat(40)),
        last_modified: "2024-05-31T00:00:00Z".parse().ok(),
    }
}

type Machine<'m> = (&'m str, &'m [(&'m str, &'m str)], Vec<Finding>);

fn state(revision: &str, machines: Vec<Machine<'_>>) -> (Vec<Inventory>, Report) {
    let mut report = sample::clean_report();
    report.targets.clear();
    let mut flake = Inventory::new(".", TargetKind::FlakeLock);
    flake.inputs.push(input(revision));
    let mut all = vec![(flake, Vec::new())];
    for (name, packages, findings) in machines {
        let mut inventory = Inventory::new(format!(".#nixosConfigurations.{name}"), TargetKind::FlakeOutput);
        let named = |(name, version): &(&str, &str)| Component::named(Ecosystem::NIX, *name, *version, "out");
        inventory.components = packages.iter().map(named).collect();
        if packages.is_empty() {
            inventory.problems.push(Problem::new(&inventory.name, format!("did not evaluate: {}", sample::HOSTILE)));
        }
        all.push((inventory, findings));
    }
    for (inventory, findings) in &all {
        report.targets.push(TargetReport {
            name: inventory.name.clone(),
            kind: inventory.kind,
            components: inventory.components.len(),
            inputs: inventory.inputs.clone(),
            problems: inventory.problems.clone(),
            findings: findings.clone(),
        });
    }
    (all.into_iter().map(|(inventory, _)| inventory).collect(), report)
}

fn changes() -> Changes {
    let mut grave = finding("CVE-2024-0001", "openssl", "3.0.13", 91);
    grave.class = Class::Critical;
    let old = [("openssl", "3.0.13"), ("curl", "8.3.0"), ("bash", "5.2"), (sample::HOSTILE, "1")];
    let new = [("openssl", "3.0.15"), ("curl", "8.5.0"), ("bash", "5.2"), ("xz", "5.6.0")];
    let curl = || finding("CVE-2023-38545", "curl", "8.3.0", 98);
    let before = state(
        "a",
        vec![
            ("web", &old, vec![grave.clone(), curl(), finding("CVE-2024-0002", "bash", "5.2", 40)]),
            ("db", &old, vec![grave, curl(), finding("CVE-2024-0009", sample::HOSTILE, "1", 50)]),
            ("old", &[], vec![]),
            ("gone", &old, vec![curl()]),
        ],
    );
    let mut xz = finding("CVE-2024-3094", "xz", "5.6.0", 100);
    xz.fixed_versions = vec!["5.6.2".to_owned()];
    let now = state(
        "b",
        vec![
            ("web", &new, vec![xz.clone(), finding("CVE-2024-0002", "bash", "5.2", 40)]),
            ("db", &new, vec![xz]),
            ("old", &new, vec![]),
            ("fresh", &[("bash", "5.2")], vec![]),
        ],
    );
    let gate = Gate::read("severity:high").unwrap();
    let terms = Terms { gate: &gate, gates_all: false, allow_incomplete: false };
    let side = |(inventories, report): &'static (Vec<Inventory>, Report)| Side { inventories, report };
    // Leaked once a test: the sides borrow.
    let (before, now) = (Box::leak(Box::new(before)), Box::leak(Box::new(now)));
    compare("flake.lock of main", side(before), side(now), terms)
}

#[test]
fn the_table_of_an_update() {
    assert_snapshot!(render(Format::Table, &changes(), OPTIONS).unwrap());
}

#[test]
fn the_comment_on_an_update() {
    assert_snapshot!(render(Format::Markdown, &changes(), OPTIONS).unwrap());
}

#[test]
fn the_document_of_an_update() {
    assert_snapshot!(render(Format::Json, &changes(), OPTIONS).unwrap());
}

#[test]
fn no_format_steers_a_terminal_or_depends_on_anything_else() {
    for format in [Format::Table, Format::Markdown, Format::Json] {
        let text = render(format, &changes(), OPTIONS).unwrap();
        assert_eq!(Some(&text), render(format, &changes(), OPTIONS).as_ref());
        assert!(text.ends_with('\n'));
        assert!(!text.chars().any(|character| character != '\n' && escape::is_unsafe(character)), "{format:?}");
    }
    assert_eq!(render(Format::Sarif, &changes(), OPTIONS), None);
}

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

#[test]
fn the_example_of_the_page_has_the_keys_of_the_document() {
    let page = include_str!("../../../../../docs/formats/changes-json.md");
    let example = page.split("```json").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let (mut promised, mut written) = (BTreeSet::new(), BTreeSet::new());
    keys(&serde_json::from_str(example).unwrap(), "", &mut promised);
    keys(&serde_json::from_str(&render(Format::Json, &changes(), OPTIONS).unwrap()).unwrap(), "", &mut written);
    // A finding is that of aux.audit/1, and explained there.
    let own = |keys: &BTreeSet<String>| -> Vec<String> {
        let is_own = |key: &&String| {
            !["introduced.", "remaining.", "finding."].iter().any(|part| key.contains(&format!(".{part}")))
        };
        keys.iter().filter(is_own).cloned().collect()
    };
    assert_eq!(own(&promised), own(&written));
    let text = page.rsplit("```").next().unwrap();
    for key in own(&written) {
        let name = key.rsplit('.').next().unwrap();
        assert!(text.contains(name), "{key} is not explained");
    }
}
