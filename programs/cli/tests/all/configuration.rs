//! Configuration checks as users meet them: a document, a root folder, a repository, the gate and waivers.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};

use crate::fixtures;
use crate::world::World;

/// A configuration with something of everything: failed, unknown and passed.
fn document() -> Value {
    json!({
        "auxConfiguration": 1,
        "options": {
            "networking.firewall.enable": true,
            "nix.settings.trusted-users": ["root", "@wheel"],
            "nix.settings.require-sigs": true,
            "nix.settings.substituters": ["https://cache.nixos.org/", "https://cache.example.org"],
            "services.openssh.enable": true,
            "services.openssh.settings.PermitRootLogin": "yes",
            "services.openssh.settings.PasswordAuthentication": false,
            "services.openssh.settings.KbdInteractiveAuthentication": false,
            "system.nixos.release": "20.09",
        },
        "unevaluated": ["security.apparmor.enable"],
        "users": [],
        "services": [],
        "builders": [],
        "secretsInStore": [],
        "passwordFreeRules": [],
    })
}

fn checks(report: &Value, state: &str) -> Vec<String> {
    let checks = report["targets"][0]["checks"].as_array().unwrap();
    let ids =
        checks.iter().filter(|check| check["state"] == state).map(|check| check["id"].as_str().unwrap().to_owned());
    ids.collect()
}

/// A root folder of a small NixOS.
fn system(world: &World) {
    let text = |name: &str, text: &str| world.file(&format!("root/{name}"), text);
    text("etc/NIXOS", "");
    text("etc/os-release", "ID=nixos\nVERSION_ID=\"20.09\"\n");
    text("etc/nix/nix.conf", "trusted-users = root @wheel\nsandbox = relaxed\nallowed-users = @wheel\n");
    text(
        "nix/store/x-etc/ssh/sshd_config",
        "PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
    );
    fs::create_dir_all(world.path("root/etc/ssh")).unwrap();
    symlink("/nix/store/x-etc", world.path("root/etc/static")).unwrap();
    symlink("/etc/static/ssh/sshd_config", world.path("root/etc/ssh/sshd_config")).unwrap();
    text("proc/sys/kernel/dmesg_restrict", "1\n");
    text("proc/sys/kernel/kptr_restrict", "0\n");
    text("sys/module/apparmor/parameters/enabled", "Y\n");
    text("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
    text("run/systemd/units/invocation:firewall.service", "");
    text("etc/systemd/system/web.service", "[Service]\nExecStart=/bin/web\n");
    text("run/systemd/units/invocation:web.service", "");
}

#[test]
fn an_evaluated_configuration_is_told_by_its_content_and_checked() {
    let mut world = World::new();
    world.file("web.json", &document().to_string());
    let said = world.show("audit web.json --feed feed.auxdb");
    assert_eq!(said.code, Some(0), "checks fail where asked");
    for format in ["json", "sarif", "markdown", "junit"] {
        world.show(&format!("audit web.json --feed feed.auxdb --only config --format {format}"));
    }
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_running_system_is_read_below_its_root() {
    let mut world = World::new();
    system(&world);
    world.show("audit --feed feed.auxdb --only config --root root");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_configuration_is_judged_without_a_feed_and_says_so() {
    let world = World::empty();
    world.file("web.json", &document().to_string());
    let said = world.run("audit web.json --only config --json");
    assert_eq!((said.code, &said.json()["feed"]), (Some(0), &Value::Null), "{}", said.shown());
    let with_feed = World::new().run("audit --only config --feed feed.auxdb --root . --json");
    assert!(with_feed.json()["feed"]["advisories"].is_number(), "a feed that is named is shown");
    for format in ["table", "sarif", "markdown", "junit", "cyclonedx", "openvex"] {
        let said = world.run(&format!("audit web.json --only config --format {format}"));
        assert_eq!(said.code, Some(0), "{format}: {}", said.shown());
    }
    let packages = world.run("audit web.json");
    assert!(packages.code == Some(2) && packages.stderr.contains("no feed to audit against"), "{}", packages.shown());
}

#[test]
fn an_empty_root_passes_nothing() {
    let world = World::new();
    fs::create_dir(world.path("empty")).unwrap();
    let said = world.run("audit --feed feed.auxdb --only config --root empty --json");
    assert!(checks(&said.json(), "passed").is_empty(), "{}", said.stdout);
    assert!(checks(&said.json(), "failed").is_empty(), "{}", said.stdout);
    assert!(checks(&said.json(), "unknown").len() > 15, "{}", said.stdout);
}

#[test]
fn permissions_decide_which_secrets_everybody_can_read() {
    let world = World::new();
    system(&world);
    for (name, mode) in
        [("etc/ssh/ssh_host_rsa_key", 0o644), ("run/secrets/token", 0o400), ("etc/wireguard/wg0", 0o644)]
    {
        world.file(&format!("root/{name}"), "secret");
        fs::set_permissions(world.path(&format!("root/{name}")), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(world.path("root/etc/wireguard"), fs::Permissions::from_mode(0o700)).unwrap();
    let report = world.run("audit --feed feed.auxdb --only config --root root --json").json();
    let all = report["targets"][0]["checks"].as_array().unwrap();
    let check = all.iter().find(|check| check["id"] == "AUX-C015").unwrap();
    assert_eq!(check["state"], "failed");
    let text = check["evidence"][0]["text"].as_str().unwrap();
    assert!(text.contains("/etc/ssh/ssh_host_rsa_key (mode 0644)"), "{text}");
    assert!(!text.contains("wg0") && !text.contains("token"), "{text}");
}

#[test]
fn a_repository_is_checked_for_keys_locks_age_and_release() {
    let mut world = World::new();
    world.file("fleet/flake.nix", "{ inputs.nixpkgs.url = \"github:NixOS/nixpkgs/nixos-20.09\"; }\n");
    world.file("fleet/flake.lock", &fixtures::flake_lock());
    let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----\n";
    world.file("fleet/hosts/web/key.pem", key);
    world.show("audit fleet --feed feed.auxdb --only config --as-of 2021-07-15");
    let report = world.run("audit fleet --feed feed.auxdb --json --as-of 2021-07-15").json();
    assert_eq!(checks(&report, "failed"), ["AUX-C014", "AUX-C024", "AUX-C023"]);
    fs::remove_file(world.path("fleet/flake.lock")).unwrap();
    world.show("audit fleet --feed feed.auxdb --only config");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn the_gate_and_waivers_hold_for_checks() {
    let world = World::new();
    world.file("web.json", &document().to_string());
    let code = |arguments: &str| world.run(&format!("audit web.json --feed feed.auxdb -q {arguments}")).code;
    for word in ["config:high", "config:low", "any", "unknown", "config:medium+unknown"] {
        assert_eq!(code(&format!("--fail-on {word}")), Some(1), "{word}");
    }
    for word in ["config:critical", "severity:low", "fixable", "none"] {
        assert_eq!(code(&format!("--fail-on {word}")), Some(0), "{word}");
    }
    assert_eq!(code("--fail-on any --only packages"), Some(2), "there is no package in it");
    let ids = r#"ids = ["AUX-C001", "AUX-C005", "AUX-C007", "AUX-C024"]"#;
    world.file("w.toml", &format!("[[waiver]]\n{ids}\nreason = \"a lab\"\nexpires = 2021-06-30\n"));
    assert_eq!(code("--fail-on config:high --waivers w.toml"), Some(0));
    assert_eq!(code("--fail-on config:high --waivers w.toml --as-of 2021-07-01"), Some(1), "it ended");
    world.file("names", "hello-1\n");
    let strict = "--waivers w.toml --strict-waivers";
    let said = world.run(&format!("audit names --feed feed.auxdb {strict}"));
    assert_eq!(said.code, Some(0), "a waiver of checks is not missed where nothing is checked: {}", said.shown());
    world.file("aux.toml", "allowed_substituters = [\"https://cache.example.org\"]\n");
    let report = world.run("audit web.json --feed feed.auxdb --json").json();
    assert!(checks(&report, "passed").contains(&"AUX-C010".to_owned()));
}

#[test]
fn without_a_configuration_there_are_no_checks_unless_they_are_asked_for() {
    let mut world = World::new();
    world.file("names", "hello-1\n");
    let report = world.run("audit names --feed feed.auxdb --json").json();
    assert!(report["targets"][0].get("checks").is_none());
    assert_eq!(world.show("audit names --feed feed.auxdb --only config").code, Some(2));
    world.file("web.json", &document().to_string());
    assert!(
        world.run("audit web.json --feed feed.auxdb --only packages --json").json()["targets"][0]
            .get("checks")
            .is_none()
    );
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn what_is_wrong_is_said_and_is_no_answer() {
    let mut world = World::new();
    world.file("newer.json", r#"{"auxConfiguration": 2, "options": {}}"#);
    world.file("odd.json", r#"{"auxConfiguration": 1, "options": []}"#);
    world.file("cut.json", r#"{"auxConfiguration": 1, "options": {"#);
    for arguments in
        ["newer.json", "odd.json", "cut.json", "--root work", "--only config --root none", "--only everything"]
    {
        let said = world.show(&format!("audit {arguments} --feed feed.auxdb"));
        assert_eq!(said.code, Some(2), "{}", said.shown());
    }
    insta::assert_snapshot!(world.transcript());
}
