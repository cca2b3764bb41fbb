//! A store made by a real `nix`, read back through its database and through `nix-store`.

use crate::corpora::in_ci;
use aux_core::{Inventory, Scope, TargetKind};
use aux_inventory::{ReadOptions, read, read_machine};
use aux_io::file;
use aux_io::process::{Command, ProcessError, run};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin";

/// Four derivations with two outputs each; the builder only writes down what it was given.
const SYSTEM: &str = r#"
let
  make = name: inputs: built name inputs [ ];
  built = name: inputs: tools: derivation {
    inherit name inputs tools;
    src = ./fix.patch;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    outputs = [ "out" "bin" ];
    args = [ "-c" "echo $inputs > $out; echo $out > $bin" ];
  };
  zlib = make "zlib-1.2.11" [ ];
  openssl = make "openssl-3.0.13" [ zlib ];
  cmake = make "cmake-3.28.1" [ ];
  curl = built "curl-8.6.0" [ openssl.bin zlib ] [ cmake ];
in make "web-server-1" [ curl ./fix.patch ]
"#;

struct Store {
    folder: tempfile::TempDir,
    root: String,
}

impl Store {
    /// `None` where there is no Nix to make one with.
    fn make() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::create_dir(at.join("conf")).unwrap();
        fs::create_dir(at.join("home")).unwrap();
        file::replace(at.join("conf/nix.conf"), b"sandbox = false\nbuild-users-group =\nsubstitute = false\n").unwrap();
        file::replace(at.join("system.nix"), SYSTEM.as_bytes()).unwrap();
        file::replace(at.join("fix.patch"), b"a patch\n").unwrap();
        let mut build = Command::new("nix-build", Duration::from_mins(2)).argument(at.join("system.nix"));
        build = build.argument("-o").argument(at.join("result"));
        build.environment = environment(at);
        match run(&build) {
            Ok(output) => Some(Self { root: String::from_utf8(output).unwrap().trim().to_owned(), folder }),
            Err(ProcessError::Missing { .. }) => {
                assert!(!in_ci(), "nix is not installed");
                eprintln!("skipped: no nix-build; `apt-get install nix-bin` would bring it");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn options(&self) -> ReadOptions {
        let at = self.folder.path();
        ReadOptions {
            environment: environment(at),
            nix_state_dir: at.join("state"),
            store_dir: at.join("store"),
            current_system: at.join("none"),
            root: at.to_path_buf(),
            ..ReadOptions::default()
        }
    }
}

fn environment(at: &Path) -> Vec<(OsString, OsString)> {
    let mut environment = vec![("PATH".into(), PATH.into()), ("HOME".into(), at.join("home").into())];
    for (name, folder) in [
        ("NIX_STORE_DIR", "store"),
        ("NIX_STATE_DIR", "state"),
        ("NIX_LOCALSTATE_DIR", "state"),
        ("NIX_LOG_DIR", "log"),
        ("NIX_CONF_DIR", "conf"),
    ] {
        environment.push((name.into(), at.join(folder).into()));
    }
    environment
}

fn names(inventory: &Inventory) -> Vec<(&str, &str)> {
    inventory.components.iter().map(|one| (&*one.name, &*one.version)).collect()
}

const CLOSURE: [(&str, &str); 4] = [("curl", "8.6.0"), ("openssl", "3.0.13"), ("web-server", "1"), ("zlib", "1.2.11")];

#[test]
fn a_closure_is_read_from_the_database_with_shortest_paths() {
    let Some(store) = Store::make() else { return };
    let result = store.folder.path().join("result");
    // By its path, by a link to it, and by something inside it.
    for target in [PathBuf::from(&store.root), result] {
        let inventory = read(target.to_str().unwrap(), &store.options());
        assert_eq!(inventory.kind, TargetKind::Closure);
        assert!(inventory.problems.is_empty(), "{:?}", inventory.problems);
        assert_eq!(names(&inventory), CLOSURE);
        let [curl, openssl, _, zlib] = &inventory.components[..] else { panic!() };
        assert_eq!(inventory.path_to(zlib), ["web-server-1", "curl-8.6.0", "zlib-1.2.11"]);
        assert_eq!(openssl.outputs.len(), 2, "{:?}", openssl.outputs);
        assert_eq!(curl.scope, Scope::Runtime);
    }
}

#[test]
fn a_derivation_of_the_store_tells_what_runs_from_what_only_builds() {
    let Some(store) = Store::make() else { return };
    let ask = Command::new("nix-store", Duration::from_mins(1)).argument("--query").argument("--deriver");
    let mut ask = ask.argument(&store.root);
    ask.environment = environment(store.folder.path());
    let deriver = String::from_utf8(run(&ask).unwrap()).unwrap();
    let inventory = read(deriver.trim(), &store.options());
    assert_eq!(inventory.kind, TargetKind::DerivationGraph);
    let scope = |name: &str| inventory.components.iter().find(|one| one.name == name).unwrap().scope;
    assert_eq!([scope("openssl"), scope("cmake")], [Scope::Runtime, Scope::Build]);
}

#[test]
fn without_a_database_nix_store_is_asked_and_without_both_it_is_a_problem() {
    let Some(store) = Store::make() else { return };
    let hidden = store.folder.path().join("elsewhere");
    let mut options = ReadOptions { nix_state_dir: hidden, ..store.options() };
    let inventory = read(&store.root, &options);
    assert!(inventory.components.is_empty());
    assert!(inventory.problems[0].message.contains("no such database"), "{:?}", inventory.problems);
    options.nix_store_program = Some(PathBuf::from("nix-store"));
    let inventory = read(&store.root, &options);
    assert!(inventory.problems.is_empty(), "{:?}", inventory.problems);
    assert_eq!(names(&inventory), CLOSURE);
}

#[test]
fn a_path_the_store_does_not_have_is_a_problem() {
    let Some(store) = Store::make() else { return };
    let absent = store.root.replace("web-server-1", "web-server-2");
    let inventory = read(&absent, &store.options());
    assert!(inventory.problems[0].message.contains("no valid path"), "{:?}", inventory.problems);
    assert!(inventory.components.is_empty());
}

#[test]
fn this_machine_is_its_profiles() {
    let Some(store) = Store::make() else { return };
    let profiles = store.folder.path().join("state/profiles");
    fs::create_dir_all(&profiles).unwrap();
    std::os::unix::fs::symlink(&store.root, profiles.join("web-1-link")).unwrap();
    std::os::unix::fs::symlink("web-1-link", profiles.join("web")).unwrap();
    let inventory = read_machine(&store.options());
    assert!(inventory.problems.is_empty(), "{:?}", inventory.problems);
    assert_eq!(names(&inventory), CLOSURE);
}
