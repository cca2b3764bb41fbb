//! The three commands of README.md, from nothing to a service that reads its generated secret, run as they stand there.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::corpora::in_ci;
use crate::guest::Guest;
use crate::secret_machine::{Server, asked};
use crate::world::{World, skipped};

/// The block of the README, line by line.
fn commands() -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let text = fs::read_to_string(readme).unwrap();
    let blocks = text.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    let block = blocks.filter(|block| block.contains("aux secret init")).collect::<Vec<_>>();
    let [block] = block.as_slice() else { panic!("{} blocks of README.md begin secrets", block.len()) };
    let lines = block.lines().filter(|line| !line.starts_with("# needs "));
    lines.map(|line| line.strip_prefix("$ ").expect("a command a line").to_owned()).collect()
}

/// A machine: its own folders for state, configuration and units, `aux` on the path, and a systemctl that notes what it is told.
fn machine() -> World {
    let world = World::empty();
    fs::create_dir(world.outside("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_aux"), world.outside("bin/aux")).unwrap();
    world.file("../bin/systemctl", "#!/bin/sh\necho \"$*\" >> ../told\n");
    fs::set_permissions(world.outside("bin/systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
    let unit =
        "[Unit]\nDescription=A database\n\n[Service]\nExecStart=/bin/sh -c 'cat $CREDENTIALS_DIRECTORY/db-password'\n";
    world.file("../units/postgresql.service", unit);
    world
}

#[expect(clippy::disallowed_methods, reason = "the commands are run as their readers run them, in a shell")]
fn shell(world: &World, line: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line).current_dir(world.path("")).env_clear().stdin(Stdio::null());
    command.env("PATH", format!("{}:/usr/bin:/bin", world.outside("bin").display()));
    command.env("HOME", world.outside("home")).env("XDG_CONFIG_HOME", world.outside("config"));
    command.env("XDG_STATE_HOME", world.outside("state"));
    // systemd.unit(5): what is named here comes before the system's own folders, which the colon stands for.
    command.env("SYSTEMD_UNIT_PATH", format!("{}:", world.outside("units").display()));
    command
}

fn good(world: &World, line: &str) -> String {
    let said = world.finish(&mut shell(world, line));
    assert_eq!(said.code, Some(0), "{line}: {}", said.shown());
    said.stdout
}

/// What stands behind a key in a unit.
fn of_unit(world: &World, file: &str, key: &str) -> String {
    let text = fs::read_to_string(world.outside("units").join(file)).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("{key} in {text}"));
    line.to_owned()
}

#[test]
fn three_commands_of_the_readme_lead_to_a_service_that_reads_its_secret() {
    let commands = commands();
    assert_eq!(commands.len(), 3, "{commands:?}");
    let world = machine();
    for line in &commands {
        good(&world, line);
    }
    let told = fs::read_to_string(world.outside("told")).unwrap();
    assert_eq!(
        told,
        "daemon-reload\nenable --now aux-secrets.socket\ntry-restart -- aux-secrets.service postgresql.service\n"
    );
    let (name, socket) = {
        let line = of_unit(&world, "postgresql.service.d/50-aux-secrets.conf", "LoadCredential=");
        let (name, socket) = line.split_once(':').unwrap();
        (name.to_owned(), socket.to_owned())
    };
    assert_eq!(of_unit(&world, "aux-secrets.socket", "ListenStream="), socket);
    // The server as its unit starts it, on a socket that systemd's own program hands over.
    let started = of_unit(&world, "aux-secrets.service", "ExecStart=");
    let path = world.path("cred.sock");
    let line = format!("exec systemd-socket-activate -l '{}' {started}", path.display());
    let Some(_server) = activated(&world, &line) else { return };
    // And the service as systemd asks for it.
    let value = asked(&path, &format!("postgresql.service/{name}"));
    assert!(value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{value}");
    // Another unit gets zeros, more than a credential may hold, so that systemd does not start it.
    assert!(asked(&path, "nginx.service/db-password").bytes().all(|byte| byte == 0));
    // The key that was put away opens everything alone, and the machine's own opens what the machine has.
    let checked = good(&world, "aux secret check secrets --identity safe.key");
    assert!(checked.contains("check values and public halves: as derived"), "{checked}");
    let own = world.outside("state/aux/identity");
    let machine = started.split(' ').skip_while(|word| *word != "--machine").nth(1).unwrap();
    let shown = good(&world, &format!("aux secret show {name} -m {machine} --repo secrets -i {} -o -", own.display()));
    assert_eq!(shown, value);
    assert_ne!(
        world.finish(&mut shell(&world, &format!("aux secret check secrets -i {}", own.display()))).code,
        Some(0)
    );
    for secret in [own, world.outside("config/aux/secrets-identity"), world.path("safe.key")] {
        assert_eq!(fs::metadata(secret).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

/// A server behind systemd's own program for sockets; nothing where it is not installed.
fn activated(world: &World, line: &str) -> Option<Server> {
    let mut child = shell(world, line).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let is_there = lines.any(|line| line.contains("Listening on"));
    let server = Server(child);
    if is_there {
        // Whoever serves must not wait for somebody who reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        return Some(server);
    }
    assert!(!in_ci(), "systemd-socket-activate is not installed");
    skipped("no systemd-socket-activate; `apt-get install systemd` would bring it");
    None
}

#[test]
fn units_are_what_systemd_takes_and_follow_what_is_declared() {
    let world = machine();
    for line in commands() {
        good(&world, &line);
    }
    let verified =
        shell(&world, "systemd-analyze verify postgresql.service aux-secrets.socket aux-secrets.service").output();
    match verified {
        Ok(output) if output.status.code() != Some(127) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && !said.contains("aux-secrets"), "{said}");
        }
        _ => {
            assert!(!in_ci(), "systemd-analyze is not installed");
            skipped("no systemd-analyze; `apt-get install systemd` would bring it");
        }
    }
    let units = "aux secret units --repo secrets";
    assert!(good(&world, units).contains("are as they should be"));
    // A new value is another drop-in, so that the service is restarted.
    good(&world, "aux secret rotate db-password --repo secrets");
    let planned = good(&world, &format!("{units} --dry-run"));
    assert!(planned.contains("systemctl try-restart -- postgresql.service"), "{planned}");
    good(&world, units);
    // A secret that is a file brings what installs it; a service that no secret names any more loses its drop-in.
    let text = fs::read_to_string(world.path("secrets/aux-secrets.toml")).unwrap();
    world.file(
        "secrets/aux-secrets.toml",
        &text
            .replace("postgresql.service", "mail@.service")
            .replace("type = \"password\"", "type = \"password\"\nfile = true"),
    );
    good(&world, "aux secret rekey --repo secrets");
    let said = good(&world, &format!("{units} --json"));
    let document: serde_json::Value = serde_json::from_str(&said).unwrap();
    let kinds: Vec<_> =
        document["changes"].as_array().unwrap().iter().map(|one| format!("{} {}", one["kind"], one["path"])).collect();
    assert_eq!(
        kinds,
        [
            "\"added\" \"aux-secrets-install.service\"",
            "\"added\" \"mail@.service.d/50-aux-secrets.conf\"",
            "\"removed\" \"postgresql.service.d/50-aux-secrets.conf\"",
        ]
    );
    assert!(!world.outside("units/postgresql.service.d").exists());
    // What somebody else wrote is left as it is.
    world.file("../units/mail@.service.d/50-aux-secrets.conf", "[Service]\n");
    let refused = world.finish(&mut shell(&world, units));
    assert!(refused.code == Some(2) && refused.stderr.contains("somebody else wrote it"), "{}", refused.shown());
}

#[test]
fn a_fleet_that_is_there_is_never_begun_again_and_no_key_is_made_for_it() {
    let world = machine();
    good(&world, "aux secret init secrets --here --machine web1 --json > made");
    let made: serde_json::Value = serde_json::from_slice(&fs::read(world.path("made")).unwrap()).unwrap();
    assert_eq!((&made["schema"], &made["machine"]), (&"aux.secret-init-here/1".into(), &"web1".into()));
    let kept = fs::read(world.outside("config/aux/secrets-identity")).unwrap();
    let said = world.finish(&mut shell(&world, "aux secret init secrets --here"));
    assert!(
        said.code == Some(2) && said.stdout.is_empty() && said.stderr.contains("fleet here already"),
        "{}",
        said.shown()
    );
    // Another fleet goes on with the keys that are there.
    good(&world, "aux secret init other --here --machine web1 > other.key");
    assert_eq!(fs::read(world.outside("config/aux/secrets-identity")).unwrap(), kept);
    good(&world, "aux secret check other --identity ../config/aux/secrets-identity");
    // A key that nobody could take is no key: nothing is begun.
    let said = world.finish(&mut shell(&world, "aux secret init third --here > /dev/full"));
    assert!(said.code == Some(2) && !world.path("third/seed.age").exists(), "{}", said.shown());
}

/// What is done on the machine once it is up: the commands, and then what a person would do next.
const TRIAL: &str = "#!/bin/sh
exec 2>&1
set -e
export PATH=/trial/bin:$PATH HOME=/root
cd /root
COMMANDS
systemctl start postgresql
name=$(sed -n 's/^ExecStart=.*--machine \\([^ ]*\\).*/\\1/p' /etc/systemd/system/aux-secrets.service)
echo \"shown $(aux secret show db-password --machine $name --repo secrets --identity /var/lib/aux/identity --output -)\"
aux secret rotate db-password --repo secrets > /dev/null
aux secret units --repo secrets --start | sed 's/^/again /'
echo \"shown $(aux secret show db-password --machine $name --repo secrets --identity /var/lib/aux/identity --output -)\"
echo \"modes $(stat -c %a safe.key /var/lib/aux/identity .config/aux/secrets-identity | paste -sd' ')\"
echo \"failed $(systemctl --failed --no-legend --plain | cut -d' ' -f1 | paste -sd' ')\"
journalctl -b -o cat -u aux-secrets | sed 's/^/log /'
";

#[test]
fn the_same_commands_on_a_machine_that_boots_without_landlock_give_a_unit_its_secret_and_the_next_one() {
    let Some(guest) = Guest::new() else { return };
    let show = "#!/bin/sh\nexec 2>&1\necho \"given $(cat $CREDENTIALS_DIRECTORY/db-password) to user $(id -u)\"\n";
    guest.file("bin/show", 0o755, show);
    guest.file("bin/trial", 0o755, &TRIAL.replace("COMMANDS", &commands().join("\n")));
    let service = |more: serde_json::Value| {
        let mut unit =
            serde_json::json!({ "serviceConfig": { "Type": "oneshot", "StandardOutput": "file:/dev/ttyS1" } });
        unit["serviceConfig"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        unit
    };
    let database = serde_json::json!({ "DynamicUser": true, "RemainAfterExit": true, "ExecStart": "/trial/bin/show" });
    guest.unit("postgresql.service", &service(database));
    let trial = serde_json::json!({
        "ExecStart": "/trial/bin/trial", "ExecStopPost": "systemctl poweroff --force --force",
    });
    guest.unit("trial.service", &service(trial));
    let wants = serde_json::json!(["multi-user.target", "trial.service"]);
    guest.unit("trial.target", &serde_json::json!({ "wants": wants, "after": wants }));
    let boot = guest.boot("secretmem.enable=1 lsm=lockdown,yama,integrity");
    let (given, shown) = (boot.lines("given"), boot.lines("shown"));
    let [first, second] = shown.as_slice() else { panic!("{}\n{}", boot.said, boot.console) };
    assert!(first != second && first.len() == 32, "{}", boot.said);
    for (given, shown) in given.iter().zip(&shown) {
        let (value, user) = given.split_once(" to user ").unwrap();
        assert!(value == *shown && user != "0", "{}", boot.said);
    }
    assert_eq!(given.len(), 2, "{}", boot.said);
    assert_eq!(boot.lines("modes"), ["600 600 600"]);
    // The other machine that boots (secret_boot.rs) has it the other way round.
    for line in [
        "keys are in memory that neither /proc nor a core shows (memfd_secret)",
        "files are not closed: this kernel has no landlock, or it is off",
        "system calls that serving does not need are closed (seccomp)",
    ] {
        assert!(boot.lines("log aux:").contains(&line), "{line}: {}", boot.said);
    }
    assert!(boot.said.contains("again systemctl try-restart -- postgresql.service"), "{}", boot.said);
    assert!(boot.said.lines().any(|line| line.trim() == "failed"), "{}", boot.said);
}
