//! The NixOS module, evaluated by a real nix in a module system of our own; what it starts, the server must understand.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::corpora::in_ci;

#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "nix itself evaluates the module")]
fn evaluated(configuration: &str) -> Option<Value> {
    let folder = tempfile::tempdir().unwrap();
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nix/tests/server.nix").canonicalize().unwrap();
    let expression = format!("import {} {{ configuration = {configuration}; }}", module.display());
    let output = Command::new("nix-instantiate")
        .args(["--readonly-mode", "--eval", "--strict", "--json", "-E", &expression])
        .env("HOME", folder.path())
        .env("NIX_STATE_DIR", folder.path().join("state"))
        .output();
    let Ok(output) = output else {
        assert!(!in_ci(), "nix-instantiate is not installed");
        eprintln!("skipped: no nix-instantiate; `apt-get install nix-bin` would bring it");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the server itself says which options it has")]
fn a_machine_that_enables_it_starts_the_server_with_options_it_has() {
    let configuration = r#"{
        services.aux-server = { enable = true; listen = "[::1]:81"; feed = "/srv/feed.auxdb"; };
        networking.proxy.envVars.https_proxy = "http://proxy.example:3128";
    }"#;
    let Some(made) = evaluated(configuration) else { return };
    assert_eq!(made["packages"], json!(["aux"]));
    let unit = &made["services"]["aux-server"];
    assert_eq!(unit["wantedBy"], json!(["multi-user.target"]));
    assert_eq!(unit["environment"]["https_proxy"], "http://proxy.example:3128");
    assert_eq!(unit["serviceConfig"]["ExecStart"][0], "");
    let started = unit["serviceConfig"]["ExecStart"][1].as_str().unwrap();
    assert!(started.ends_with(" --listen [::1]:81 --store-dir /nix/store --feed /srv/feed.auxdb"), "{started}");
    // `--help` ends what is well-formed before it begins.
    let arguments = started.split(' ').skip(1).chain(["--help"]);
    let helped = Command::new(env!("CARGO_BIN_EXE_aux-server")).args(arguments).output().unwrap();
    assert!(helped.status.success(), "{}", String::from_utf8_lossy(&helped.stderr));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the server itself says which options it has")]
fn a_bucket_and_what_nobody_else_may_read_reach_the_server() {
    let configuration = r#"{
        services.aux-server = {
            enable = true; keep = "chunks"; objects = "s3://nars/team"; objectsEndpoint = "https://s3.example.org";
            objectsCredentialsFile = "/run/keys/s3"; records = "postgres://aux@db.example.org/aux";
            recordsPasswordFile = "/run/keys/db"; signingKeyFile = "/run/keys/cache";
            netrcFile = "/etc/nix/netrc";
        };
    }"#;
    let Some(made) = evaluated(configuration) else { return };
    let service = &made["services"]["aux-server"]["serviceConfig"];
    // A condition within a unit is left to the module system that there really is.
    assert_eq!(service["LoadCredential"]["condition"], true);
    let credentials = json!([
        "signing-key:/run/keys/cache",
        "records-password:/run/keys/db",
        "objects:/run/keys/s3",
        "netrc:/etc/nix/netrc",
    ]);
    assert_eq!(service["LoadCredential"]["content"], credentials);
    let started = service["ExecStart"][1].as_str().unwrap().replace('\'', "");
    let arguments = started.split(' ').skip(1).chain(["--help"]);
    let helped = Command::new(env!("CARGO_BIN_EXE_aux-server")).args(arguments).output().unwrap();
    assert!(helped.status.success(), "{started}: {}", String::from_utf8_lossy(&helped.stderr));
    assert!(started.contains(" --signing-key-file %d/signing-key --records "), "{started}");
    assert!(
        started.contains(" --objects-credentials-file %d/objects --netrc-file %d/netrc --keep chunks"),
        "{started}"
    );
}

#[test]
fn a_machine_that_does_not_enable_it_is_left_alone() {
    let Some(made) = evaluated("{ }") else { return };
    assert_eq!(made, json!({ "services": {}, "packages": [] }));
}
