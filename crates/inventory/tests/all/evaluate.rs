//! Flakes that want to be endless, to build, to set something or to be read through a link, given to a real `nix`.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use aux_inventory::{EvaluateError, Flake, FlakeTarget, Nix, ReadOptions, Step, evaluate_json, read_flake};

/// A flake, and a store of its own.
struct World {
    folder: tempfile::TempDir,
    nix: Nix,
}

impl World {
    /// `None` where there is no `nix`: a failure in CI, a visible skip elsewhere.
    #[expect(clippy::print_stderr, reason = "a missing peer must be seen")]
    fn new(outputs: &str) -> Option<Self> {
        let path = std::env::vars_os().find(|(name, _)| name == "PATH").map(|(_, value)| value).unwrap_or_default();
        let Some(program) = std::env::split_paths(&path).map(|folder| folder.join("nix")).find(|nix| nix.is_file())
        else {
            assert!(std::env::vars_os().all(|(name, _)| name != "CI"), "nix is not installed");
            eprintln!("skipped: no nix; `apt-get install nix-bin` would bring it");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let mut environment: Vec<(OsString, OsString)> = vec![("PATH".into(), path)];
        for (name, place) in [
            ("HOME", "home"),
            ("NIX_STORE_DIR", "store"),
            ("NIX_STATE_DIR", "state"),
            ("NIX_LOCALSTATE_DIR", "state"),
            ("NIX_LOG_DIR", "log"),
            ("NIX_CONF_DIR", "conf"),
        ] {
            environment.push((name.into(), root.join(place).into()));
        }
        for place in ["flake", "conf"] {
            fs::create_dir(root.join(place)).unwrap();
        }
        let settings = b"sandbox = false\nbuild-users-group =\nsubstitute = false\n";
        aux_io::file::replace(root.join("conf/nix.conf"), settings).unwrap();
        aux_io::file::replace(root.join("flake/flake.nix"), outputs.as_bytes()).unwrap();
        Some(Self { folder, nix: Nix::new(program, environment) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn target(&self) -> FlakeTarget {
        FlakeTarget {
            name: "f".to_owned(),
            flake: Flake::of_tree(&self.path("flake")).unwrap(),
            lock: self.path("flake/flake.lock"),
            is_foreign: false,
            system: "x86_64-linux".to_owned(),
        }
    }

    /// What is said of each target, and the steps on the way.
    fn problems(&self, target: &FlakeTarget) -> (Vec<String>, Vec<String>) {
        let options =
            ReadOptions { store_dir: self.path("store"), nix_state_dir: self.path("state"), ..ReadOptions::default() };
        let mut steps = Vec::new();
        let inventories = read_flake(target, &self.nix, &options, &mut |step| {
            steps.push(match step {
                Step::Found(number) => number.to_string(),
                Step::Evaluated(machine) => machine.to_owned(),
            });
        });
        let said = |inventory: &aux_core::Inventory| match inventory.problems.as_slice() {
            [] => format!("{}: {} components", inventory.name, inventory.components.len()),
            [problem, ..] => format!("{}: {}", inventory.name, problem.message),
        };
        (inventories.iter().map(said).collect(), steps)
    }
}

const MACHINES: &str = r#"
  make = name: derivation { inherit name; system = "x86_64-linux"; builder = "/bin/sh"; };
  machine = name: { config.system.build.toplevel = make name; };
"#;

#[test]
fn a_machine_without_end_is_stopped_and_the_others_go_on() {
    let outputs = format!(
        "{{ outputs = _: let {MACHINES} endless = n: endless (n + 1); in {{
            nixosConfigurations = {{ a = machine \"bash-5\"; b = endless 0; c = machine \"curl-8\"; d = abort \"no\"; }}; }}; }}"
    );
    let Some(mut world) = World::new(&outputs) else { return };
    world.nix.time_limit = Duration::from_secs(3);
    let (problems, steps) = world.problems(&world.target());
    assert_eq!(problems[1], "f#nixosConfigurations.a: 1 components");
    assert!(problems[2].contains("did not evaluate"), "stopped by us or by its own stack: {}", problems[2]);
    assert_eq!(problems[3], "f#nixosConfigurations.c: 1 components");
    assert!(problems[4].contains("evaluation aborted with the following error message: 'no'"), "{}", problems[4]);
    let machines = ["a", "b", "c", "d"].map(|name| format!("nixosConfigurations.{name}"));
    assert_eq!((steps[0].as_str(), &steps[1..]), ("4", &machines[..]));
}

#[test]
fn a_flake_sets_nothing_reads_nothing_outside_and_is_not_locked_for_it() {
    let Some(world) = World::new(
        r#"{ nixConfig.allow-import-from-derivation = true; nixConfig.post-build-hook = "/bin/touch"; nixConfig.pure-eval = false;
             inputs.other.url = "path:/nonexistent";
             outputs = { self, ... }: { outside = builtins.readFile "/etc/hostname"; time = builtins.currentTime; }; }"#,
    ) else {
        return;
    };
    let ask = |attribute: &str| evaluate_json(&world.nix, &world.target().flake, &[attribute], None);
    assert!(ask("outside").is_err(), "an input that is not locked");
    assert!(!world.path("flake/flake.lock").exists(), "no lock was written");
    let text = fs::read_to_string(world.path("flake/flake.nix")).unwrap();
    let without = text.replace("inputs.other.url = \"path:/nonexistent\";", "");
    aux_io::file::replace(world.path("flake/flake.nix"), without.as_bytes()).unwrap();
    for attribute in ["outside", "time"] {
        let answer = ask(attribute);
        assert!(matches!(answer, Err(EvaluateError::Failed { .. })), "{attribute} is pure: {answer:?}");
    }
    assert!(matches!(ask("none"), Err(EvaluateError::NoOutput { .. })));
}

#[test]
fn a_lock_that_is_a_link_is_not_followed_and_a_foreign_one_may_name_nothing_here() {
    let Some(world) =
        World::new(&format!("{{ outputs = _: let {MACHINES} in {{ nixosConfigurations.a = machine \"a-1\"; }}; }}"))
    else {
        return;
    };
    std::os::unix::fs::symlink("/etc/passwd", world.path("flake/flake.lock")).unwrap();
    let mut target = world.target();
    assert!(world.problems(&target).0[0].contains("is no regular file"));
    target.is_foreign = true;
    let (problems, steps) = world.problems(&target);
    assert_eq!((problems.len(), steps.len()), (1, 0), "nothing is evaluated");
    fs::remove_file(&target.lock).unwrap();
    let lock = br#"{"version":7,"root":"root","nodes":{"root":{"inputs":{"x":"x"}},"x":{"locked":{"type":"path","path":"/root/.ssh"},
        "original":{"type":"github","owner":"a","repo":"b"}}}}"#;
    aux_io::file::replace(&target.lock, lock).unwrap();
    let (problems, steps) = world.problems(&target);
    assert!(
        problems[0].contains("names /root/.ssh, and a repository from elsewhere may take no input"),
        "{problems:?}"
    );
    assert!(steps.is_empty());
}
