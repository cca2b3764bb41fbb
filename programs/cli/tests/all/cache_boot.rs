//! The cache server on a machine that boots: a real systemd gives its unit the key it signs with, and the passwords it has.

use std::path::Path;

use aux_nix::signature::{KeyName, SecretKey};
use serde_json::json;

use crate::corpora::in_ci;
use crate::guest::Guest;
use crate::world::skipped;

/// What the NixOS module adds to the unit (`nix/server.nix`).
const DROP_IN: &str = "[Service]\nLoadCredential=signing-key:/etc/cache-key\nLoadCredential=netrc:/etc/netrc\nExecStart=\n\
    ExecStart=/trial/bin/aux-server --data /var/lib/aux-cache --listen 127.0.0.1:8180 \
    --signing-key-file %d/signing-key --netrc-file %d/netrc\n";

/// Waits for what the server says first, and tells what is there then.
const TRIAL: &str = r#"#!/bin/sh
exec 2>&1
said() { journalctl -b --no-tail -f -o cat -u aux-server | grep -m1 -e 'public key' -e 'error: '; }
systemctl start aux-server
echo "said $(said)"
echo "credential $(stat -c '%a' /run/credentials/aux-server.service/signing-key /run/credentials/aux-server.service/netrc | paste -sd' ')"
echo "user $(stat -c '%u' /run/credentials/aux-server.service/signing-key)"
echo "folder $(ls /var/lib/private/aux-cache | grep -e signing-key -e admin-token | paste -sd' ')"
echo "holds $(journalctl -b -o cat | grep -cFf /trial/values)"
"#;

#[test]
fn systemd_hands_the_server_its_signing_key_which_stays_out_of_its_folder() {
    let Some(guest) = Guest::new() else { return };
    let server = Path::new(env!("CARGO_BIN_EXE_aux")).with_file_name("aux-server");
    if !server.exists() {
        assert!(!in_ci(), "aux-server is not built");
        return skipped("no aux-server beside aux; `cargo build -p aux-server` would make it");
    }
    guest.program(&server);
    let key = SecretKey::new(KeyName::parse("team-1").unwrap(), zeroize::Zeroizing::new([3; 32])).unwrap();
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nix/units/aux-server.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    guest.file("etc/systemd/system/aux-server.service", 0o644, &unit);
    guest.file("etc/systemd/system/aux-server.service.d/module.conf", 0o644, DROP_IN);
    guest.file("etc/cache-key", 0o600, &format!("{}\n", key.reveal().as_str()));
    guest.file("etc/netrc", 0o600, "default login nix password s3cret-of-ours\n");
    let secret = key.reveal().split_once(':').unwrap().1.to_owned();
    guest.file("values", 0o600, &format!("{secret}\ns3cret-of-ours\n"));
    guest.file("bin/trial", 0o755, TRIAL);
    let trial = json!({ "serviceConfig": {
        "Type": "oneshot", "StandardOutput": "file:/dev/ttyS1", "ExecStart": "/trial/bin/trial",
        "ExecStopPost": "systemctl poweroff --force --force",
    } });
    guest.unit("trial.service", &trial);
    let wants = json!(["multi-user.target", "trial.service"]);
    guest.unit("trial.target", &json!({ "wants": wants, "after": wants }));
    let boot = guest.boot("");
    let shown = format!("{}\n{}", boot.said, boot.console);
    assert_eq!(boot.lines("said"), [format!("public key: {}", key.public())], "{shown}");
    // This systemd has a filesystem without access control lists for them; the other form is tried in crates/io/src/private.rs.
    assert_eq!(boot.lines("credential"), ["400 400"], "{shown}");
    assert!(boot.lines("user") != ["0"], "{shown}");
    assert_eq!((boot.lines("folder"), boot.lines("holds")), (vec!["admin-token"], vec!["0"]), "{shown}");
}
