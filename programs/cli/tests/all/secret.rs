//! Secrets of a fleet: begun, declared, shown, rotated, checked, and never seen where they should not be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use insta::assert_snapshot;

use crate::world::{World, good};

/// Identities of age that belong to nobody, and their recipients.
const KEYS: [(&str, &str, &str); 3] = [ADMIN, OTHER, MACHINE];
const ADMIN: (&str, &str, &str) = (
    "admin",
    "AGE-SECRET-KEY-14QHMRAG5GRPANQ7K65S9JEY4DAZRCDLYHE8QLWUHNUJD623482DS3NTJL8",
    "age1ef6puedulhmdv229aewsxk9t9k8ch7fxmwuz60p3vlrhyhylm95qnsgxg6",
);
const OTHER: (&str, &str, &str) = (
    "other",
    "AGE-SECRET-KEY-1DCYWFYXPFAUAAFX0DPJF299ETRVFJ5R58HX62Q6Q9TYH6U59HL0QUFHRMX",
    "age12agv4rers907eev4rwyrpqfkt6u6hvsz4kzn3nkpxhppalspu5kqvq9739",
);
const MACHINE: (&str, &str, &str) = (
    "web1",
    "AGE-SECRET-KEY-135ATYNU4T2XS5UKZJJC5GQ3VGWHMD3WFP2GM3SG55AW90K4NL44ST2Z7KJ",
    "age1qck925gz4ppaaz0q682l47yf24nxzjq8mzhj6gd722qfsluzrq3qyynx7w",
);

fn world() -> World {
    let world = World::empty();
    for (name, identity, _) in KEYS {
        world.file(&format!("{name}.key"), &format!("{identity}\n"));
        fs::set_permissions(world.path(&format!("{name}.key")), fs::Permissions::from_mode(0o600)).unwrap();
    }
    world
}

fn begun() -> World {
    let world = world();
    let (one, other) = (ADMIN.2, OTHER.2);
    good(
        &world,
        &format!("secret init fleet --recipient {one} --recipient {other} --identity admin.key --identity other.key"),
    );
    world
}

/// What is random, or hangs on it, is named and not shown.
fn masked(text: &str) -> String {
    let mut masked = text.to_owned();
    for (name, _, recipient) in KEYS {
        masked = masked.replace(recipient, &format!("[{name}]"));
    }
    masked
}

#[test]
fn from_nothing_to_a_secret_in_a_file() {
    let mut world = begun();
    let machine = MACHINE.2;
    world.show(&format!("secret enroll web1 --repo fleet --recipient {machine} --identity admin.key"));
    world.show("secret add db-password --type password --unit postgresql.service --repo fleet --identity admin.key");
    world.show("secret show db-password --machine web1 --repo fleet --identity web1.key");
    world.show("secret show db-password --machine web1 --repo fleet --identity web1.key --output password");
    world.show("secret list --repo fleet");
    world.show("secret rotate db-password --repo fleet --identity admin.key");
    world.show("secret blast-radius web1 --repo fleet");
    let shown = masked(world.transcript());
    assert_snapshot!(shown);
    let file = world.path("password");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let value = fs::read_to_string(file).unwrap();
    assert!(value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert!(!shown.contains(&value));
}

#[test]
fn one_recipient_alone_must_be_meant() {
    let world = world();
    let one = ADMIN.2;
    let said = world.run(&format!("secret init fleet --recipient {one} --recipient {one}"));
    assert_eq!(said.code, Some(2));
    assert!(!world.path("fleet").exists() && said.stderr.contains("--accept-single-recipient"), "{}", said.shown());
    let said =
        world.run(&format!("secret init fleet --recipient {one} --identity other.key --accept-single-recipient"));
    assert!(said.code == Some(2) && said.stderr.contains("belongs to none of the recipients"), "{}", said.shown());
    good(&world, &format!("secret init fleet --recipient {one} --identity admin.key --accept-single-recipient"));
    assert_eq!(world.run("secret lint fleet").code, Some(1));
    // What is there is never begun again.
    assert_eq!(world.run(&format!("secret init fleet --recipient {one} --accept-single-recipient")).code, Some(2));
}

#[test]
fn a_check_says_good_drift_or_that_it_cannot_tell() {
    let world = begun();
    good(&world, &format!("secret enroll web1 --repo fleet --recipient {} --identity admin.key", MACHINE.2));
    good(&world, "secret add ssh-host --type ssh-ed25519 --repo fleet --identity other.key");
    let codes = |world: &World| {
        [world.run("secret check fleet").code, world.run("secret check fleet --identity admin.key").code]
            .map(Option::unwrap)
    };
    assert_eq!(codes(&world), [0, 0]);
    assert_eq!(world.run("secret check fleet --identity web1.key").code, Some(2));
    let path = |name: &str| world.path("fleet").join(name);
    let with = |name: &str, change: &dyn Fn(String) -> String| {
        let before = fs::read(path(name)).unwrap();
        let changed = change(String::from_utf8_lossy(&before).into_owned());
        world.file(&format!("fleet/{name}"), &changed);
        let codes = codes(&world);
        world.bytes(&format!("fleet/{name}"), &before);
        codes
    };
    assert_eq!(
        with("aux-secrets.toml", &|text| text
            .replace("type = \"ssh-ed25519\"", "type = \"ssh-ed25519\"\nmode = \"0440\"")),
        [1, 1]
    );
    assert_eq!(with("machines/web1/scope.age", &|text| text + "x"), [1, 1]);
    assert_eq!(with("aux-secrets.json", &|text| text.replace("\"serial\": 3", "\"serial\": 4")), [2, 2]);
    assert_eq!(with("aux-secrets.json.sig", &|_| String::new()), [2, 2]);
    assert_eq!(with("allowed_signers", &|_| String::new()), [2, 2]);
    assert_eq!(with("aux-secrets.toml", &|text| text + "\n[x]\n"), [2, 2]);
    let document = world.run("secret check fleet --identity admin.key --json").json();
    assert_eq!((&document["schema"], &document["result"]), (&"aux.secret-check/1".into(), &"good".into()));
    assert_eq!(document["computed"], serde_json::json!([]));
    // A signer from outside is believed instead of the repository's own list.
    world.file(
        "signers",
        "aux-secrets ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILlK971/ssfUDoEFwxsOOMJALtoB6WJsjsj4Ag9rwR27\n",
    );
    assert_eq!(world.run("secret check fleet --signers signers").code, Some(2));
    fs::copy(path("allowed_signers"), world.path("signers")).unwrap();
    assert!(good(&world, "secret check fleet --signers signers").contains("named by --signers"));
}

#[test]
fn an_envelope_is_set_shown_and_refused_where_it_was_moved() {
    let world = begun();
    good(&world, &format!("secret enroll web1 --repo fleet --recipient {} --identity admin.key", MACHINE.2));
    for name in ["api-key", "other-key"] {
        good(
            &world,
            &format!("secret add {name} --type envelope --scope machine:web1 --repo fleet --identity admin.key"),
        );
        let said = world.run_with(
            &format!("secret set {name} --repo fleet --identity admin.key"),
            format!("value of {name}\n").as_bytes(),
        );
        assert_eq!(said.code, Some(0), "{}", said.shown());
    }
    let show = |world: &World| world.run("secret show api-key -m web1 --repo fleet --identity web1.key --output -");
    assert_eq!(show(&world).stdout, "value of api-key");
    let file = |name: &str| world.path("fleet/secrets/machine-web1").join(name);
    let first = fs::read(file("api-key.age")).unwrap();
    fs::copy(file("other-key.age"), file("api-key.age")).unwrap();
    let said = show(&world);
    assert!(said.code == Some(2) && said.stderr.contains("was moved or renamed"), "{}", said.shown());
    world.bytes("fleet/secrets/machine-web1/api-key.age", &first);
    assert_eq!(world.run_with("secret set api-key --repo fleet --identity admin.key", b"newer").code, Some(0));
    assert_eq!(show(&world).stdout, "newer");
    world.bytes("fleet/secrets/machine-web1/api-key.age", &first);
    let said = show(&world);
    assert!(said.code == Some(2) && said.stderr.contains("an old file was put back"), "{}", said.shown());
}

#[test]
fn an_editor_is_given_the_value_in_memory_and_what_it_leaves_is_set() {
    let world = begun();
    good(&world, "secret add motd --type envelope --scope admin --repo fleet --identity admin.key");
    let edit = |editor: &str| {
        let mut command = world.command("secret edit motd --repo fleet --identity admin.key");
        world.finish(command.env("EDITOR", editor).env("PATH", "/usr/bin:/bin"))
    };
    let said = edit("/bin/sh -c 'printf first > \"$0\"'");
    assert_eq!(said.code, Some(0), "{}", said.shown());
    let said = edit("/bin/sh -c 'test \"$(cat \"$0\")\" = first && printf second >> \"$0\"'");
    assert_eq!(said.code, Some(0), "{}", said.shown());
    assert!(edit("true").stderr.contains("nothing was changed"));
    assert!(edit("false").stderr.contains("nothing was written"));
    assert_eq!(good(&world, "secret show motd --repo fleet --identity other.key --output -"), "firstsecond");
    let said = world.run("secret edit motd --repo fleet --identity admin.key");
    assert!(said.code == Some(2) && said.stderr.contains("no editor is named"), "{}", said.shown());
}

#[test]
fn whoever_can_write_the_declaration_is_given_no_key_unseen() {
    let world = begun();
    let text = fs::read_to_string(world.path("fleet/aux-secrets.toml")).unwrap();
    world.file(
        "fleet/aux-secrets.toml",
        &text.replace("recovery = [\n", &format!("recovery = [\n    \"{}\",\n", MACHINE.2)),
    );
    let said = world.run("secret add token --type hex --repo fleet --identity admin.key");
    assert!(said.code == Some(2) && said.stderr.contains("names other people"), "{}", said.shown());
    assert_eq!(world.run("secret rekey --repo fleet --identity admin.key").code, Some(2));
    assert_eq!(world.run("secret check fleet --identity web1.key").code, Some(2));
    good(&world, "secret rekey --repo fleet --identity admin.key --yes");
    assert_eq!(world.run("secret check fleet --identity web1.key").code, Some(0));
}

#[test]
fn no_value_is_seen_in_output_repository_or_logs() {
    let world = begun();
    let mut said = String::new();
    let mut note = |said_now: crate::world::Said| said += &said_now.shown();
    note(world.run(&format!("secret enroll web1 --repo fleet --recipient {} --identity admin.key", MACHINE.2)));
    let types = ["hex", "base64", "password", "passphrase", "ssh-ed25519", "wireguard", "age-x25519", "p256"];
    for word in types {
        note(world.run(&format!("secret add of-{word} --type {word} --repo fleet --identity admin.key --json")));
    }
    note(world.run("secret add key --type envelope --scope machine:web1 --repo fleet --identity admin.key"));
    note(world.run_with("secret set key --repo fleet --identity admin.key", b"canary-value-of-an-envelope"));
    for arguments in ["rotate of-hex", "rotate --machine web1", "rekey --all", "rotate --epoch"] {
        note(world.run(&format!("secret {arguments} --repo fleet --identity admin.key")));
    }
    note(world.run("secret check fleet --identity admin.key"));
    note(world.run("secret lint fleet --identity admin.key"));
    note(world.run("secret show key -m web1 --repo fleet --identity other.key --json"));
    let mut canaries = vec!["canary-value-of-an-envelope".to_owned(), ADMIN.1.to_owned(), MACHINE.1.to_owned()];
    for word in types {
        let value = good(&world, &format!("secret show of-{word} -m web1 --repo fleet --identity web1.key --output -"));
        // Of keys in many lines, the middle one is the key.
        let lines: Vec<&str> = value.lines().collect();
        canaries.push(lines[lines.len() / 2].to_owned());
    }
    let files = texts(&world.path("fleet"));
    for canary in &canaries {
        assert!(canary.len() >= 16 && !said.contains(canary.as_str()), "a value was printed");
        assert!(
            files.iter().all(|bytes| !bytes.windows(canary.len()).any(|window| window == canary.as_bytes())),
            "a value lies in the repository"
        );
    }
    // A lint that would not find it proves nothing.
    assert_eq!(world.run("secret lint fleet --identity admin.key").code, Some(0));
    world.file("fleet/notes", &format!("the token is {}\n", canaries[3]));
    let said = world.run("secret lint fleet --identity admin.key");
    assert!(said.code == Some(1) && said.stdout.contains("fleet/notes: holds the value of of-hex"), "{}", said.shown());
    assert!(!said.stdout.contains(&canaries[3]));
}

fn texts(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { texts(&path) } else { vec![fs::read(path).unwrap()] }).collect()
}

#[test]
fn values_come_from_agenix_and_go_back_as_files_of_age() {
    let world = begun();
    good(&world, &format!("secret enroll web1 --repo fleet --recipient {} --identity admin.key", MACHINE.2));
    good(&world, "secret add token --type hex --repo fleet --identity admin.key");
    let export =
        format!("secret export --machine web1 --recipient {} --output out --repo fleet --identity web1.key", OTHER.2);
    good(&world, &export);
    good(&world, "secret add group-less --type envelope --scope admin --repo fleet --identity admin.key");
    fs::rename(world.path("out/token.age"), world.path("out/Old-Token.age")).unwrap();
    good(&world, "secret import out/Old-Token.age --scope machine:web1 --repo fleet --identity other.key");
    let show =
        |name: &str| good(&world, &format!("secret show {name} -m web1 --repo fleet --identity web1.key --output -"));
    assert_eq!(show("old-token"), show("token"));
    assert_eq!(
        world.run("secret import out/Old-Token.age --scope machine:web1 --repo fleet --identity admin.key").code,
        Some(2)
    );
}
