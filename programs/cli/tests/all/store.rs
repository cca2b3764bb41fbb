//! One end-to-end run: a closure in a store that a real `nix` made, audited by its path.

use std::process::Command;

use crate::world::World;

const SYSTEM: &str = r#"
let
  make = name: inputs: derivation {
    inherit name inputs;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" "echo $inputs > $out" ];
  };
  zlib = make "zlib-1.2.11" [ ];
  openssl = make "openssl-1.1.1g" [ zlib ];
in make "web-server-1" [ openssl ]
"#;

#[test]
#[expect(clippy::disallowed_methods, reason = "a real nix makes the store, and CI must have one")]
fn a_closure_of_a_real_store_is_audited_by_its_path() {
    let world = World::new();
    world.file("system.nix", SYSTEM);
    world.file("conf/nix.conf", "sandbox = false\nbuild-users-group =\nsubstitute = false\n");
    let folders = [
        ("NIX_STORE_DIR", "store"),
        ("NIX_STATE_DIR", "state"),
        ("NIX_LOCALSTATE_DIR", "state"),
        ("NIX_LOG_DIR", "log"),
        ("NIX_CONF_DIR", "conf"),
    ];
    let mut build = Command::new("nix-build");
    build.args(["system.nix", "-o", "result"]).current_dir(world.path("")).env("HOME", world.outside("home"));
    build.envs(folders.map(|(name, folder)| (name, world.path(folder))));
    let Ok(output) = build.output() else {
        assert!(std::env::var_os("CI").is_none(), "nix is not installed");
        eprintln!("skipped: no nix-build; `apt-get install nix-bin` would bring it");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut command = world.command("audit result --feed feed.auxdb --json");
    command.envs([("NIX_STORE_DIR", world.path("store")), ("NIX_STATE_DIR", world.path("state"))]);
    let said = world.finish(&mut command);
    assert_eq!(said.code, Some(1), "{}", said.shown());
    let report = said.json();
    let target = &report["targets"][0];
    assert_eq!((&target["kind"], &target["components"]), (&"closure".into(), &3.into()));
    let finding =
        target["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == "CVE-2020-10001").unwrap();
    assert_eq!(finding["scope"], "runtime");
    assert_eq!(finding["path"], serde_json::json!(["web-server-1", "openssl-1.1.1g"]));
    assert!(finding["outputs"][0].as_str().unwrap().ends_with("-openssl-1.1.1g"));
}
