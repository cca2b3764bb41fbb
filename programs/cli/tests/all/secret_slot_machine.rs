//! A machine without a key in a file: its secrets open by its slots, or by a key in its TPM, and not after a change.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::secret_machine::{Server, asked};
use crate::secret_slot_change::extend;
use crate::swtpm::{Swtpm, swtpm_is_here};
use crate::tang_server::{Tang, tang_is_here};
use crate::world::{World, good};

const ADMIN: (&str, &str) = (
    "AGE-SECRET-KEY-14QHMRAG5GRPANQ7K65S9JEY4DAZRCDLYHE8QLWUHNUJD623482DS3NTJL8",
    "age1ef6puedulhmdv229aewsxk9t9k8ch7fxmwuz60p3vlrhyhylm95qnsgxg6",
);

/// A fleet whose one machine has this recipient, and a secret that is a file and a credential.
fn fleet(world: &World, recipient: &str) {
    world.file("admin.key", &format!("{}\n", ADMIN.0));
    fs::set_permissions(world.path("admin.key"), fs::Permissions::from_mode(0o600)).unwrap();
    good(world, &format!("secret init fleet --recipient {} --accept-single-recipient", ADMIN.1));
    good(world, &format!("secret enroll web-1 --repo fleet --recipient {recipient} --identity admin.key"));
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let secret = format!(
        "\n[secrets.token]\ntype = \"hex\"\nunits = [\"app.service\"]\nfile = true\nowner = \"{user}\"\ngroup = \"{group}\"\n"
    );
    let text = fs::read_to_string(world.path("fleet/aux-secrets.toml")).unwrap() + &secret;
    world.file("fleet/aux-secrets.toml", &text);
    good(world, "secret rekey --repo fleet --identity admin.key");
}

fn install(opener: &str) -> String {
    format!("secret install --repo fleet --machine web-1 --to secrets --accept-disk {opener}")
}

fn installed(world: &World) -> String {
    fs::read_to_string(world.path("secrets/current/token")).unwrap()
}

/// What a unit is given by a server that opens the machine's keys so.
fn served(world: &World, opener: &str) -> String {
    let serve = format!("secret serve --repo fleet --machine web-1 --listen cred.sock --json {opener}");
    let mut child = world.command(&serve).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let _server = Server(child);
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("ready"), "{first}");
    asked(&world.path("cred.sock"), "app.service/token")
}

#[test]
fn slots_of_a_tpm_and_servers_open_what_is_installed_and_served() {
    if !swtpm_is_here() || !tang_is_here() {
        return;
    }
    let world = World::empty();
    let (swtpm, first, second) = (Swtpm::start(), Tang::start(), Tang::start());
    let opener = format!("--slots slots.json --tpm {}", swtpm.address());
    let servers = format!(
        "--tang {} --trust {} --tang {} --trust {}",
        first.url(),
        first.thumbprint(),
        second.url(),
        second.thumbprint()
    );
    good(&world, &format!("secret slot add servers --threshold 2 --tpm2 7 {servers} --machine web-1 {opener}"));
    let listed: serde_json::Value =
        serde_json::from_str(&good(&world, "secret slot list --slots slots.json --machine web-1 --json")).unwrap();
    fleet(&world, listed["recipient"].as_str().unwrap());
    good(&world, &install(&opener));
    let value = installed(&world);
    assert_eq!(value.len(), 64);
    assert_eq!(served(&world, &opener), value);
    // One of the three may fail.
    drop(first);
    good(&world, "secret rotate token --repo fleet --identity admin.key");
    good(&world, &install(&opener));
    assert!(installed(&world) != value && served(&world, &opener) == installed(&world));
    // Two may not: then nothing is changed, and it is said what each slot wants.
    let kept = installed(&world);
    extend(&swtpm, 7);
    good(&world, "secret rotate token --repo fleet --identity admin.key");
    let refused = world.run(&install(&opener));
    assert!(refused.code == Some(2) && refused.stderr.contains("PCR 7 has another value"), "{}", refused.shown());
    assert_eq!(installed(&world), kept);
}

#[test]
fn nothing_is_made_to_hang_on_slots_that_one_failure_closes() {
    let mut world = World::empty();
    let printed = good(&world, "secret slot add paper --recovery --slots slots.json --machine web-1");
    world.file("paper", &printed);
    let listed: serde_json::Value =
        serde_json::from_str(&good(&world, "secret slot list --slots slots.json --machine web-1 --json")).unwrap();
    fleet(&world, listed["recipient"].as_str().unwrap());
    let units = "secret units --repo fleet --machine web-1 --slots slots.json --output units";
    world.show(units);
    assert!(!world.path("units").exists());
    // The state folder of a machine whose only slot this is.
    fs::create_dir_all(world.outside("state/aux")).unwrap();
    fs::copy(world.path("slots.json"), world.outside("state/aux/slots.json")).unwrap();
    let mut command = world.command("secret init begun --here --machine web-1");
    let said = world.finish(command.env("XDG_STATE_HOME", world.outside("state")));
    assert!(
        said.code == Some(2) && said.stdout.is_empty() && said.stderr.contains("add a second slot"),
        "{}",
        said.shown()
    );
    assert!(!world.path("begun/seed.age").exists());
    good(&world, "secret slot add drawer --recovery --slots slots.json --machine web-1 --recovery-file paper");
    fs::copy(world.path("slots.json"), world.outside("state/aux/slots.json")).unwrap();
    let mut command = world.command("secret init begun --here --machine web-1");
    let said = world.finish(command.env("XDG_STATE_HOME", world.outside("state")));
    assert_eq!(said.code, Some(0), "{}", said.shown());
    // A second slot is there, but a person would be needed for both: a unit has none.
    world.show(&format!("{units} --recovery-file paper"));
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_key_in_the_tpm_is_a_recipient_and_opens_only_there_and_while_its_policy_holds() {
    if !swtpm_is_here() {
        return;
    }
    let world = World::empty();
    let (swtpm, other) = (Swtpm::start(), Swtpm::start());
    let key = format!("--tpm-key tpm-key.json --tpm {}", swtpm.address());
    let said = world.run(&format!("secret slot recipient {key}"));
    assert!(said.code == Some(2) && said.stderr.contains("there is no key yet"), "{}", said.shown());
    let recipient = good(&world, &format!("secret slot recipient --tpm2 7 {key}"));
    assert!(recipient.starts_with("age1tag1"), "{recipient}");
    assert_eq!(good(&world, "secret slot recipient --tpm-key tpm-key.json"), recipient);
    let said = world.run(&format!("secret slot recipient --tpm2 7,11 {key}"));
    assert!(said.code == Some(2) && said.stderr.contains("there is a key already"), "{}", said.shown());
    fleet(&world, recipient.trim());
    good(&world, &install(&key));
    let value = installed(&world);
    assert_eq!(served(&world, &key), value);
    // A server asks the TPM again when there is something new.
    let serve = format!("secret serve --repo fleet --machine web-1 --listen again.sock --json {key}");
    let mut child = world.command(&serve).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let server = Server(child);
    assert!(lines.next().unwrap().unwrap().contains("\"ready\""));
    good(&world, "secret rotate --machine web-1 --repo fleet --identity admin.key");
    let next = asked(&world.path("again.sock"), "app.service/token");
    drop(server);
    good(&world, &install(&key));
    assert!(next == installed(&world) && next != value);
    let value = next;
    let elsewhere = world.run(&install(&key.replace(&swtpm.address(), &other.address())));
    assert!(elsewhere.code == Some(2) && elsewhere.stderr.contains("another TPM"), "{}", elsewhere.shown());
    // Units name the key's file, and nothing of what is in it.
    good(&world, &format!("secret units --repo fleet --machine web-1 --output units {key}"));
    let server = fs::read_to_string(world.path("units/aux-secrets.service")).unwrap();
    assert!(server.contains("--tpm-key") && server.contains("CAP_DAC_OVERRIDE"), "{server}");
    extend(&swtpm, 7);
    let refused = world.run(&install(&key));
    assert!(refused.code == Some(2) && refused.stderr.contains("PCR 7 has another value"), "{}", refused.shown());
    assert_eq!(installed(&world), value);
}
