//! Flakes as targets, evaluated by a real `nix` in a store of their own: machine by machine, by git, and since earlier.

use std::process::Command;

use crate::world::{Said, World, skipped, text_of};

/// A world with a flake `fleet` whose input `pkgs` is a folder beside it; `None` where there is no `nix` or `git`.
pub(crate) fn fleet() -> Option<World> {
    let world = World::new();
    world.file("conf/nix.conf", "sandbox = false\nbuild-users-group =\nsubstitute = false\n");
    for program in ["nix", "git"] {
        if tool(&world, program).arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
            skipped(&format!("no {program}; `apt-get install nix-bin git` would bring it"));
            return None;
        }
    }
    pkgs(&world, "openssl-1.1.1g", "hello-2.10");
    let flake = include_str!("fleet.nix").replace("@PKGS@", &world.path("pkgs").display().to_string());
    world.file("fleet/flake.nix", &flake);
    lock(&world);
    Some(world)
}

/// The packages the fleet takes.
fn pkgs(world: &World, tls: &str, greeting: &str) {
    world.file("pkgs/flake.nix", &format!("{{ outputs = _: {{ tls = \"{tls}\"; greeting = \"{greeting}\"; }}; }}"));
    // The day of a path is that of its youngest file.
    let day = std::time::UNIX_EPOCH + std::time::Duration::from_hours(450_000);
    for name in ["pkgs/flake.nix", "pkgs"] {
        std::fs::File::open(world.path(name)).unwrap().set_modified(day).unwrap();
    }
}

fn lock(world: &World) {
    std::fs::remove_file(world.path("fleet/flake.lock")).ok();
    let flake = format!("path:{}", world.path("fleet").display());
    run(tool(world, "nix").args(["--extra-experimental-features", "nix-command flakes", "flake", "lock", &flake]));
}

/// Makes `fleet` a git repository and commits what is there.
fn commit(world: &World, message: &str) -> String {
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        run(tool(world, "git").current_dir(world.path("fleet")).args(identity).args(arguments))
    };
    git(&["init", "--quiet", "--initial-branch=main", "."]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "-m", message]);
    git(&["rev-parse", "HEAD"]).trim().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "real peers make the flakes")]
fn tool(world: &World, program: &str) -> Command {
    let mut command = Command::new(program);
    surroundings(world, &mut command);
    command
}

fn surroundings(world: &World, command: &mut Command) {
    let path = std::env::vars_os().find(|(name, _)| name == "PATH").map(|(_, value)| value).unwrap();
    command.current_dir(world.path("")).env("HOME", world.outside("home")).env("PATH", path);
    for (name, folder) in [
        ("NIX_STORE_DIR", "store"),
        ("NIX_STATE_DIR", "state"),
        ("NIX_LOCALSTATE_DIR", "state"),
        ("NIX_LOG_DIR", "log"),
        ("NIX_CONF_DIR", "conf"),
    ] {
        command.env(name, world.path("").canonicalize().unwrap().join(folder));
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn aux(world: &World, arguments: &str) -> Said {
    let mut command = world.command(arguments);
    surroundings(world, &mut command);
    let mut said = world.finish(&mut command);
    // Whichever processor the tests run on.
    let system = format!("{}-linux", std::env::consts::ARCH);
    said.stdout = said.stdout.replace(&system, "[SYSTEM]").replace(&system.replace('_', "\\_"), "[SYSTEM]");
    said
}

fn shown(world: &World, lines: &[&str]) -> String {
    let said = lines.iter().map(|arguments| format!("$ aux {arguments}\n{}", aux(world, arguments).shown()));
    text_of(said)
}

#[test]
fn each_machine_of_a_flake_is_audited_and_one_that_does_not_evaluate_is_its_own_problem() {
    let Some(world) = fleet() else { return };
    insta::assert_snapshot!(shown(
        &world,
        &[
            "audit fleet --feed feed.auxdb",
            "audit fleet --feed feed.auxdb --allow-incomplete --format markdown",
            "audit fleet --feed feed.auxdb --no-eval",
        ],
    ));
    let report = aux(&world, "audit fleet --feed feed.auxdb --json").json();
    // Its configuration is asked for by its name, which nix would not read where it names an attribute.
    let targets = report["targets"].as_array().unwrap();
    let odd = targets.iter().find(|target| target["name"].as_str().unwrap().contains("odd")).unwrap().to_string();
    assert!(odd.contains("AUX-C001") && !odd.contains("cannot be evaluated"), "{odd}");
    let kinds: Vec<_> = report["targets"].as_array().unwrap().iter().map(|target| &target["kind"]).collect();
    assert_eq!(kinds[0], "flake-lock");
    assert!(kinds[1..].iter().all(|kind| *kind == "flake-output"));
    let built = std::fs::read_dir(world.path("store")).unwrap().map(|entry| entry.unwrap().file_name());
    let built: Vec<_> =
        built.map(|name| name.into_string().unwrap()).filter(|name| name.contains("nixos-system")).collect();
    assert!(
        !built.is_empty() && built.iter().all(|name| name.strip_suffix(".drv").is_some()),
        "an audit builds nothing: {built:?}"
    );
}

#[test]
fn without_nix_a_flake_is_read_by_its_lock_and_the_answer_is_none() {
    let Some(world) = fleet() else { return };
    let said = world.run("audit fleet --feed feed.auxdb");
    assert_eq!(said.code, Some(2));
    assert!(
        said.stdout.contains("no machine and no package: there is no\n    `nix` to evaluate it"),
        "{}",
        said.stdout
    );
}

#[test]
fn a_repository_is_audited_by_its_address_without_a_checkout() {
    let Some(world) = fleet() else { return };
    let revision = commit(&world, "first");
    run(tool(&world, "git").args(["clone", "--quiet", "--bare", "fleet", "fleet.git"]));
    let address = format!("git+file://{}", world.path("").canonicalize().unwrap().join("fleet.git").display());
    let report = aux(&world, &format!("audit {address}?ref=main --feed feed.auxdb --json")).json();
    let here = aux(&world, "audit fleet --feed feed.auxdb --json").json();
    let findings = |report: &serde_json::Value| -> Vec<serde_json::Value> {
        report["targets"].as_array().unwrap().iter().map(|target| target["findings"].clone()).collect()
    };
    assert_eq!(findings(&report), findings(&here), "by address and in a folder is the same");
    let itself = &report["targets"][0]["inputs"][0];
    assert_eq!((&itself["name"], &itself["revision"]), (&"self".into(), &revision.as_str().into()));
    let cached = |name: &str| std::fs::read_dir(world.outside(name)).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> =
        cached("home/.cache/aux/repositories").filter(|name| name.to_string_lossy().contains("scratch")).collect();
    assert!(left.is_empty(), "what was laid out is gone: {left:?}");
    insta::assert_snapshot!(
        shown(
            &world,
            &[
                &format!("audit {address}?ref=none --feed feed.auxdb"),
                &format!("audit {address}?dir=none --feed feed.auxdb"),
                "audit git+file:///nonexistent --feed feed.auxdb",
                "audit git+ssh://-oProxyCommand=x/a --feed feed.auxdb",
                "audit ext::sh --feed feed.auxdb",
                "audit github:a/b?ref=--upload-pack=x --feed feed.auxdb",
            ],
        )
        .replace(&world.path("").canonicalize().unwrap().display().to_string(), "[WORLD]/work")
    );
}

#[test]
fn an_update_says_what_it_fixed_what_it_brought_in_and_what_changed() {
    let Some(world) = fleet() else { return };
    let first = commit(&world, "first");
    std::fs::copy(world.path("fleet/flake.lock"), world.path("old.lock")).unwrap();
    // The update brings a fixed openssl and, with the greeting, an affected zlib-ng's elder.
    pkgs(&world, "openssl-1.1.1k", "curl-7.0");
    lock(&world);
    commit(&world, "update");
    let by_lock = shown(&world, &["audit fleet --since old.lock --allow-incomplete --feed feed.auxdb"]);
    let by_revision = shown(&world, &["audit fleet --since HEAD~1 --allow-incomplete --feed feed.auxdb"]);
    let plain = |text: &str| text.replace("old.lock", "OLD").replace("HEAD~1", "OLD");
    assert_eq!(plain(&by_lock), plain(&by_revision), "a lock and a revision give the same answer");
    let backwards = "audit fleet --since HEAD --allow-incomplete --feed feed.auxdb";
    run(tool(&world, "git").current_dir(world.path("fleet")).args(["checkout", "--quiet", &first, "--", "flake.lock"]));
    insta::assert_snapshot!(
        by_lock
            + &shown(
                &world,
                &[
                    backwards,
                    &format!("{backwards} --format markdown"),
                    "audit fleet --since HEAD --feed feed.auxdb --format sarif",
                    "audit fleet --since none --feed feed.auxdb",
                    "audit fleet --since=--all --feed feed.auxdb",
                    "audit fleet --since feed.auxdb --feed feed.auxdb",
                    "audit fleet fleet --since HEAD --feed feed.auxdb",
                ],
            )
    );
    let said = aux(&world, &format!("{backwards} --json"));
    assert_eq!((said.code, &said.json()["schema"]), (Some(1), &"aux.changes/1".into()));
    // What was there before stops an update only where that is asked for.
    let same = "audit fleet --since flake.lock --allow-incomplete --feed feed.auxdb";
    std::fs::copy(world.path("fleet/flake.lock"), world.path("flake.lock")).unwrap();
    assert_eq!(aux(&world, same).code, Some(0));
    assert_eq!(aux(&world, &format!("{same} --gate-all")).code, Some(1));
}

#[test]
fn any_target_can_be_compared_with_an_earlier_file() {
    let mut world = World::new();
    world.file("old", "openssl-1.1.1g\nzlib-1.2.11\nhello-2.10\n");
    world.file("new", "openssl-1.1.1k\nzlib-1.2.11\nhello-2.12\n");
    world.show("audit new --since old --feed feed.auxdb");
    world.show("audit old --since new --feed feed.auxdb");
    world.show("audit new --since nowhere --feed feed.auxdb");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_flake_check_passes_and_fails_as_the_audit_does_and_builds_no_machine() {
    let Some(world) = fleet() else { return };
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    world.bytes("package/bin/aux", &std::fs::read(env!("CARGO_BIN_EXE_aux")).unwrap());
    std::fs::set_permissions(
        world.path("package/bin/aux"),
        <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755),
    )
    .unwrap();
    let expression = include_str!("checks.nix").replace("@ROOT@", &root.display().to_string());
    world.file("checks.nix", &expression);
    let build = |name: &str| tool(&world, "nix-build").args(["checks.nix", "-A", name, "-o", name]).output().unwrap();
    let passing = build("good");
    assert!(passing.status.success(), "{}", String::from_utf8_lossy(&passing.stderr));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(world.path("good")).unwrap()).unwrap();
    assert_eq!((&report["verdict"], &report["summary"]["components"]), (&"pass".into(), &1.into()));
    let failing = build("bad");
    let log = String::from_utf8_lossy(&failing.stderr).into_owned();
    assert!(!failing.status.success() && log.contains("FAIL") && log.contains("openssl 1.1.1g"), "{log}");
    let names: Vec<_> =
        std::fs::read_dir(world.path("store")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let is_machine = |name: &std::ffi::OsString| name.to_string_lossy().ends_with("-nixos-system");
    assert!(!names.iter().any(is_machine), "{names:?}");
}

#[test]
fn templates_are_sound_and_their_audits_are_commands_there_are() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/ci");
    let world = World::empty();
    let (mut audits, mut syncs) = (0, 0);
    for name in ["github.yml", "gitlab.yml", "forgejo.yml"] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        for line in text.lines().filter_map(|line| line.split_once("aux audit ").map(|(_, line)| line)) {
            // An option that is not there is a usage error, told before it is seen that nothing was synced.
            let said = world.run(&format!("audit {}", line.replace(['"', '$'], "")));
            assert!(said.stderr.contains("no feed to audit against"), "{name}: {line}: {}", said.stderr);
            audits += 1;
        }
        for line in text.lines().filter_map(|line| line.split_once("aux feed sync ").map(|(_, line)| line)) {
            let line = line.replace("$AUX_FEED_URL", "file:///nowhere").replace("$RUNNER_TEMP", "/nowhere");
            let said = world.run(&format!("feed sync {}", line.replace('"', "")));
            assert!(said.stderr.contains("feed-root.json: no such file"), "{name}: {line}: {}", said.stderr);
            syncs += 1;
        }
        let checked = python(&folder.join(name));
        let Some(checked) = checked else { continue };
        assert!(checked.status.success(), "{name}: {}", String::from_utf8_lossy(&checked.stderr));
    }
    assert_eq!((audits, syncs), (6, 3));
}

/// A YAML file against what its host asks of one.
#[expect(clippy::disallowed_methods, reason = "PyYAML is the peer that reads YAML")]
fn python(path: &std::path::Path) -> Option<std::process::Output> {
    const CHECK: &str = "
import sys, yaml
with open(sys.argv[1]) as file:
    document = yaml.safe_load(file)
if 'jobs' in document:
    # YAML 1.1 reads the key `on` as a truth value, and so do the hosts.
    assert document.get(True) or document.get('on'), 'nothing starts it'
    for job in document['jobs'].values():
        assert job['runs-on'] and job['steps']
        for step in job['steps']:
            assert ('uses' in step) != ('run' in step), step
else:
    job = document['audit']
    assert job['script'] and all(isinstance(line, str) for line in job['script'] + job['before_script']), job
";
    let there = Command::new("python3").args(["-c", "import yaml"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "PyYAML is not installed");
        skipped("no PyYAML; `apt-get install python3-yaml` would bring it");
        return None;
    }
    Some(Command::new("python3").args(["-c", CHECK]).arg(path).output().unwrap())
}
