//! Secrets on a machine that boots: a real systemd starts the units that the NixOS module makes, and asks `aux secret serve`.

use serde_json::{Value, json};

use crate::guest::{Boot, Guest};
use crate::secret_machine::{add, fleet};
use crate::secret_nix::evaluated;
use crate::world::{World, good};

/// What a unit that was given a credential says of it: its own user may read it, and nobody else.
const SHOW: &str = r#"#!/bin/sh
# show UNIT FILE
exec 2>&1
printf '%s user=%s %s value=%s\n' "$1" "$(id -u)" "$(stat -c 'mode=%a owner=%u:%g bytes=%s' "$2")" "$(cat "$2")"
"#;

/// What is looked at once the machine is up; `INSTALL` is the module's own command.
const TRIAL: &str = r#"#!/bin/sh
exec 2>&1
of() { systemctl show -p "$1" --value "$2"; }
echo "failed $(systemctl --failed --no-legend --plain | cut -d' ' -f1 | paste -sd' ')"
for unit in thief stranger orphan; do echo "refused $unit: $(of ActiveState $unit) $(of Result $unit) $(of ExecMainStatus $unit)"; done
echo "folder $(stat -f -c %T /run/aux/secrets) $(stat -L -c %a:%u /run/aux/secrets /run/aux/secrets/current | paste -sd' ')"
echo "socket $(stat -c '%a %u' /run/aux/cred.sock)"
echo "nobody $(setpriv --reuid 34 --regid 34 --clear-groups cat /run/aux/secrets/current/tls-key 2>&1)"
web=$(of InvocationID web) steady=$(of InvocationID steady) server=$(of MainPID aux-secrets)
echo "current $(readlink /run/aux/secrets/current)"

cp -r /trial/rotated/. /etc/secrets/
INSTALL --restart | sed 's/^/install /'
echo "current $(readlink /run/aux/secrets/current)"
[ "$web" != "$(of InvocationID web)" ] && echo "restarted web"
[ "$steady" != "$(of InvocationID steady)" ] && echo "restarted steady"
systemctl restart postgresql

cp -r /trial/fleet/. /etc/secrets/
systemctl restart postgresql
[ "$server" = "$(of MainPID aux-secrets)" ] && echo "served by one process"
grep -rlFf /trial/values /etc /run /var /tmp /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | sort | sed 's/^/holds a value: /'
journalctl -b -o cat -u aux-secrets -u aux-secrets-install | sed 's/^/log /'
echo "journal $(journalctl -b -o cat | grep -cFf /trial/values)"
"#;

/// A service that says what it was given, once.
fn shows(name: &str, file: &str, more: &Value) -> Value {
    let mut unit = json!({ "wantedBy": ["multi-user.target"], "serviceConfig": {
        "Type": "oneshot", "RemainAfterExit": true, "StandardOutput": "file:/dev/ttyS1",
        "ExecStart": format!("/trial/bin/show {name} {file}"),
    } });
    let settings = unit["serviceConfig"].as_object_mut().unwrap();
    settings.extend(more.as_object().unwrap().clone());
    unit
}

/// The module's units, and those of services that use secrets.
fn units(world: &World) -> Option<Value> {
    let shown = |name: &str, file: &str, more: Value| shows(name, file, &more).to_string().replace('\'', "");
    let from_json = |text: String| format!("builtins.fromJSON ''{text}''");
    let credential = "%d/db-password";
    let foreign = json!({ "DynamicUser": true, "LoadCredential": "db-password:/run/aux/cred.sock" });
    let unknown = json!({ "LoadCredential": "db-password:/run/aux/cred.sock" });
    let unheard = json!({ "LoadCredential": "db-password:/run/aux/nobody.sock" });
    let services = [
        ("postgresql", shown("postgresql", credential, json!({ "DynamicUser": true }))),
        ("web", shown("web", "/run/aux/secrets/current/tls-key", json!({ "User": "www-data" }))),
        ("steady", shown("steady", "/run/aux/secrets/current/token", json!({}))),
        ("thief", shown("thief", credential, foreign)),
        ("stranger", shown("stranger", credential, unknown)),
        ("orphan", shown("orphan", credential, unheard)),
    ];
    let services = services.map(|(name, unit)| format!("{name} = {};", from_json(unit))).concat();
    let configuration = format!(
        "{{ systemd.services = {{ {services} }}; services.aux-secrets = {{ enable = true; machine = \"web1\";
            identity = \"/etc/web1.key\"; repository = \"{}\"; }}; }}",
        world.path("fleet").display()
    );
    let made = evaluated(world, &configuration)?.to_string();
    // The same package and repository, where the machine has them.
    let made = made.replace("/nix/store/00000000000000000000000000000000-aux/bin/", "/trial/bin/");
    Some(serde_json::from_str(&made.replace(&world.path("fleet").display().to_string(), "/etc/secrets")).unwrap())
}

fn value(world: &World, name: &str) -> String {
    good(world, &format!("secret show {name} -m web1 --repo fleet --identity web1.key --output -"))
}

/// Starts the machine with these units; `trial` is what is done once it is up.
fn boot(guest: &Guest, world: &World, units: &Value, trial: &str) -> Boot {
    for (name, unit) in units["services"].as_object().unwrap() {
        let mut unit = unit.clone();
        if name == "thief" {
            // So that their lines in the log are in this order.
            unit["after"] = json!(["stranger.service"]);
        }
        guest.unit(&format!("{name}.service"), &unit);
    }
    guest.unit("aux-secrets.socket", &units["sockets"]["aux-secrets"]);
    guest.file("bin/show", 0o755, SHOW);
    guest.file("bin/trial", 0o755, trial);
    guest.file("etc/web1.key", 0o600, &std::fs::read_to_string(world.path("web1.key")).unwrap());
    let service = json!({ "after": ["multi-user.target"], "serviceConfig": {
        "Type": "oneshot", "StandardOutput": "file:/dev/ttyS1", "ExecStart": "/trial/bin/trial",
        "ExecStopPost": "systemctl poweroff --force --force",
    } });
    guest.unit("trial.service", &service);
    let wants = json!(["multi-user.target", "trial.service"]);
    guest.unit("trial.target", &json!({ "wants": wants, "after": wants }));
    guest.boot("")
}

#[test]
fn a_machine_that_boots_gives_each_unit_its_own_secrets_and_restarts_those_that_changed() {
    let Some(guest) = Guest::new() else { return };
    let world = fleet();
    add(&world, "db-password", "--type password --unit postgresql.service");
    add(&world, "token", "--type hex --unit steady.service --file");
    let more = "--type p256 --unit web.service --file --mode 0440 --repo fleet --identity admin.key";
    good(&world, &format!("secret add tls-key --owner www-data {more}"));
    let Some(units) = units(&world) else { return };
    for to in ["fleet", "etc/secrets"] {
        guest.copy(&world.path("fleet"), to);
    }
    let names = ["db-password", "token", "tls-key"];
    let first = names.map(|name| value(&world, name));
    for name in ["db-password", "tls-key"] {
        good(&world, &format!("secret rotate {name} --repo fleet --identity admin.key"));
    }
    let second = names.map(|name| value(&world, name));
    guest.copy(&world.path("fleet"), "rotated");
    let line = |value: &String| value.lines().max_by_key(|line| line.len()).unwrap().to_owned();
    let values: Vec<String> = first.iter().chain(&second).map(line).collect();
    guest.file("values", 0o600, &(values.join("\n") + "\n"));
    let install = units["services"]["aux-secrets-install"]["serviceConfig"]["ExecStart"].as_str().unwrap();
    let boot = boot(&guest, &world, &units, &TRIAL.replace("INSTALL", install));

    // Each unit has its own, for its own user alone: before the rotation, after it, and after an old state was put back.
    let given = |unit: &str, value: &String| {
        let said = boot.said.lines().filter(|line| line.starts_with(&format!("{unit} user=")));
        let told = format!("{value}\n");
        (said.count(), boot.said.matches(&format!("value={}", told.trim_end())).count())
    };
    assert_eq!((given("postgresql", &first[0]), given("postgresql", &second[0])), ((3, 1), (3, 2)), "{}", boot.said);
    assert_eq!((given("web", &first[2]), given("web", &second[2])), ((2, 1), (2, 1)), "{}", boot.said);
    assert_eq!((given("steady", &first[1]), &first[1]), ((1, 1), &second[1]), "{}", boot.said);
    for line in boot.lines("postgresql") {
        let user = line.strip_prefix("user=").unwrap().split(' ').next().unwrap();
        assert!(user != "0" && line.contains(&format!(" mode=400 owner={user}:0 ")), "{line}");
    }
    assert!(boot.lines("web").iter().all(|line| line.starts_with("user=33 mode=440 owner=33:")), "{}", boot.said);

    // What is refused is not even started, and neither is what nobody answers.
    for unit in ["thief", "stranger", "orphan"] {
        assert!(boot.lines(unit).is_empty(), "{unit}: {}", boot.said);
    }
    insta::assert_snapshot!(boot.said.lines().filter(|line| is_shown(line)).collect::<Vec<_>>().join("\n"));
}

/// What no time or random number changes.
fn is_shown(line: &str) -> bool {
    let starts =
        ["failed ", "refused ", "folder ", "socket ", "nobody ", "current ", "install ", "restarted ", "served "];
    let is_log = line.starts_with("log aux: ") && !line.contains("served");
    is_log || starts.iter().chain(&["holds ", "journal "]).any(|start| line.starts_with(start))
}
