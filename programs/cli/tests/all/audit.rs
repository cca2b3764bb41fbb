//! `aux audit`: every kind of target, every format, the gate, the configuration.

use std::fs;

use serde_json::{Value, json};

use crate::fixtures::{self, put_derivation};
use crate::world::{World, skipped, write};

fn graph(world: &World) {
    put_derivation(world, "system", "zlib-1.2.11", &[], "");
    let patch = "/nix/store/11111111111111111111111111111111-CVE-2020-10002.patch";
    put_derivation(world, "patched", "zlib-1.2.11", &[], patch);
    put_derivation(world, "system", "openssl-1.1.1g", &["zlib-1.2.11"], "");
    put_derivation(world, "system", "server-1.0", &["openssl-1.1.1g"], "");
}

#[test]
fn every_kind_of_target_is_told_by_its_content_and_audited() {
    let mut world = World::new();
    graph(&world);
    world.file("names", "openssl-1.1.1g\nhello-2.10\n");
    world.file("purls", "pkg:nix/openssl@1.1.1g\npkg:npm/left-pad@1.2.0\n");
    world.file("pkg_info", "openssl-1.1.1gnb1   Secure Socket Layer\nzlib-1.2.11   Compression\n");
    world.file("manifest", r#"{"v": 2, "uuid": "x", "pkgsrc": ["openssl-1.1.1g"]}"#);
    world.file("sbom.cdx", &fixtures::cyclonedx());
    world.file("sbom.spdx", &fixtures::spdx());
    world.file("closure", &fixtures::path_info());
    world.file("drvs", &fixtures::derivation_json());
    world.file("lock", &fixtures::flake_lock());
    for target in [
        "system",
        "names",
        "purls",
        "pkg_info",
        "manifest",
        "sbom.cdx",
        "sbom.spdx",
        "closure",
        "drvs",
        "lock",
        "patched",
    ] {
        world.show(&format!("audit {target} --feed feed.auxdb"));
    }
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn standard_input_is_told_by_content_too() {
    let world = World::new();
    for (input, kind) in [
        ("openssl-1.1.1g\n".to_owned(), "name-list"),
        ("pkg:nix/openssl@1.1.1g\n".to_owned(), "purl-list"),
        ("openssl-1.1.1gnb1\n".to_owned(), "pkgsrc-list"),
        (r#"{"v": 2, "uuid": "x", "pkgsrc": ["openssl-1.1.1g"]}"#.to_owned(), "triton-manifest"),
        (fixtures::cyclonedx(), "cyclonedx"),
        (fixtures::spdx(), "spdx"),
        (fixtures::path_info(), "path-info"),
        (fixtures::derivation_json(), "derivation-json"),
        (fixtures::derivation("openssl-1.1.1g", &[], ""), "derivation-graph"),
    ] {
        let said = world.run_with("audit - --feed feed.auxdb --json", input.as_bytes());
        let report = said.json();
        assert_eq!(report["targets"][0]["kind"], kind);
        assert_eq!(report["targets"][0]["components"].as_u64().unwrap().min(1), 1, "{kind}");
    }
}

#[test]
fn every_format_says_the_same_in_its_own_way() {
    let mut world = World::new();
    world.file("names", "openssl-1.1.1g\nzlib-1.2.11\nbolt-1.0\ncurl-7.0\n");
    for format in ["table", "json", "sarif", "openvex", "cyclonedx", "markdown", "junit"] {
        let said = world.show(&format!("audit names --feed feed.auxdb --format {format}"));
        assert_eq!(said.code, Some(1), "{format}: {}", said.shown());
    }
    let json = world.run("audit names --feed feed.auxdb --format json").stdout;
    assert_eq!(world.run("audit names --feed feed.auxdb --json").stdout, json, "--json is --format json");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn fixes_are_split_by_the_branch_that_is_followed() {
    let mut world = World::new();
    world.file("names", "openssl-1.1.1g\nzlib-1.2.11\n");
    let fix_of = |world: &World, branch: &str, name: &str| {
        let document = world.run(&format!("audit names --feed feed.auxdb --json {branch}")).json();
        let findings = document["targets"][0]["findings"].as_array().unwrap().clone();
        findings.into_iter().find(|finding| finding["package"]["name"] == name).unwrap()["fix"].clone()
    };
    for (branch, openssl, zlib) in [
        ("", Value::Null, Value::Null),
        ("--branch nixos-20.09", json!("now"), json!("none")),
        ("--branch nixos-20.03", json!("rebase"), json!("none")),
        ("--branch nixos-20.03 --branch nixos-20.09", json!("now"), json!("none")),
    ] {
        assert_eq!(fix_of(&world, branch, "openssl"), openssl, "{branch}");
        assert_eq!(fix_of(&world, branch, "zlib"), zlib, "{branch}");
    }
    world.show("audit names --feed feed.auxdb --branch nixos-20.09");
    world.show("audit names --feed feed.auxdb --branch nixos-20.03");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_report_goes_to_a_file_whole_or_not_at_all() {
    let world = World::new();
    world.file("names", "openssl-1.1.1g\n");
    let report = world.run("audit names --feed feed.auxdb --json").stdout;
    let said = world.run("audit names --feed feed.auxdb --json --output out.json");
    assert_eq!((said.stdout.as_str(), said.code), ("", Some(1)));
    assert_eq!(fs::read_to_string(world.path("out.json")).unwrap(), report);
    let said = world.run("audit names --feed feed.auxdb --json --output -");
    assert_eq!(said.stdout, report, "- is standard output");
    assert!(!world.path("-").exists());
    let said = world.run("audit names --feed feed.auxdb --output none/out.json");
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("none/out.json: cannot be written"), "{}", said.stderr);
}

#[test]
fn each_word_of_the_gate_fails_on_what_it_names() {
    let world = World::new();
    // openssl: critical class, exploited, fixable; zlib: medium, fixed upstream only; bolt: unreviewed; curl: unknown.
    for (name, failing) in [
        (
            "openssl-1.1.1g",
            "class:critical class:important severity:low severity:medium severity:high severity:critical fixable kev any severity:high+fixable kev+fixable",
        ),
        ("zlib-1.2.11", "severity:low severity:medium any"),
        ("bolt-1.0", "unreviewed unreviewed+severity:high none,unreviewed"),
        ("curl-7.0", "unknown"),
        ("hello-1.0", ""),
    ] {
        world.file("name", &format!("{name}\n"));
        let words = "class:critical class:important severity:low severity:medium severity:high severity:critical fixable kev \
                     unreviewed unreviewed+severity:high none,unreviewed unknown config:high any none severity:high+fixable \
                     kev+fixable";
        for word in words.split_whitespace() {
            let said = world.run(&format!("audit name --feed feed.auxdb --fail-on {word} -q"));
            let wanted = i32::from(failing.split_whitespace().any(|one| one == word));
            assert_eq!(said.code, Some(wanted), "{name} under {word}");
        }
    }
}

#[test]
fn an_explanation_tells_both_why_and_why_not() {
    let mut world = World::new();
    graph(&world);
    for arguments in [
        "system --explain CVE-2020-10001",
        "system --explain cve-2020-10001",
        "system --explain CVE-2020-10005",
        "patched --explain CVE-2020-10002",
        "system --explain GHSA-aaaa-bbbb-cccc",
        "system --explain CVE-2020-10003 --json",
        "system --explain CVE-1999-0001",
        "system nowhere --explain CVE-2020-10001",
        "system nowhere --explain CVE-2020-10001 --allow-incomplete",
    ] {
        world.show(&format!("audit {arguments} --feed feed.auxdb"));
    }
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn runtime_only_leaves_out_what_a_build_needs() {
    let world = World::new();
    graph(&world);
    let components = |arguments: &str| {
        world.run(&format!("audit system --feed feed.auxdb --json {arguments}")).json()["summary"]["components"].clone()
    };
    // A graph alone does not tell; what is not known to be build-only stays.
    assert_eq!(components(""), components("--runtime-only"));
}

#[test]
fn the_nearest_configuration_holds_and_flags_win() {
    let mut world = World::new();
    world.file("deep/er/names", "zlib-1.2.11\n");
    world.show("audit deep/er/names");
    write(&world.outside("config/aux/aux.toml"), b"feed = \"../../work/feed.auxdb\"\n");
    world.show("audit deep/er/names -q");
    world.file("aux.toml", "fail_on = \"severity:low\"\n");
    world.show("audit deep/er/names -q");
    world.file("deep/aux.toml", "fail_on = \"none\"\n");
    world.show("audit deep/er/names -q");
    world.show("audit deep/er/names -q --fail-on any");
    world.file("deep/aux.toml", "fail-on = \"none\"\n");
    world.show("audit deep/er/names -q");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_machine_without_nix_is_told_what_was_looked_for() {
    if std::path::Path::new("/run/current-system").exists() {
        skipped("this machine runs NixOS");
        return;
    }
    let world = World::new();
    let mut command = world.command("audit --feed feed.auxdb --only packages");
    let said = world.finish(command.env("NIX_STATE_DIR", world.outside("state")).env("COLUMNS", "200"));
    assert_eq!(said.code, Some(2));
    insta::assert_snapshot!(said.shown());
}
