//! Slots that change: removed, nested in one another, bound to policies that a key signs and a counter ends.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::swtpm::{Swtpm, swtpm_is_here};
use crate::tang_server::{Tang, tang_is_here};
use crate::world::{World, good};

const REACH: &str = "--slots slots.json --machine web-1";

/// A transcript without what is another each time.
fn settled(world: &World, replaced: &[(String, &str)]) -> String {
    let mut text = world.transcript().to_owned();
    for (real, shown) in replaced {
        text = text.replace(real.as_str(), shown);
    }
    let is_other = |word: &str| word.starts_with("age1") || word.starts_with("AUX-RECOVERY-1");
    let lines = text.lines().map(|line| {
        let words = line.split(' ').map(|word| if is_other(word) { "[RANDOM]" } else { word });
        words.collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[expect(clippy::disallowed_methods, reason = "openssl itself makes the keys")]
fn openssl(world: &World, arguments: &str) {
    let mut command = Command::new("/usr/bin/openssl");
    let status = command.args(arguments.split(' ')).current_dir(world.path("")).stderr(Stdio::null()).status().unwrap();
    assert!(status.success());
}

/// Changes a register as a new boot chain would.
#[expect(clippy::disallowed_methods, reason = "tpm2-tools themselves change the register")]
pub(crate) fn extend(swtpm: &Swtpm, register: u8) {
    let address = swtpm.address();
    let port = address.rsplit(':').next().unwrap();
    let status = Command::new("/usr/bin/tpm2_pcrextend")
        .arg(format!("{register}:sha256={}", "11".repeat(32)))
        .env("TPM2TOOLS_TCTI", format!("swtpm:host=127.0.0.1,port={port}"))
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_slot_is_removed_only_where_something_else_opens_and_would_open_after_a_restart() {
    let mut world = World::empty();
    for (name, key) in [("paper", ""), ("drawer", "--recovery-file paper"), ("safe", "--recovery-file paper")] {
        let printed = good(&world, &format!("secret slot add {name} --recovery {REACH} {key}"));
        world.file(name, &printed);
    }
    let whole = fs::read(world.path("slots.json")).unwrap();
    world.show(&format!("secret slot remove attic {REACH}"));
    world.show(&format!("secret slot remove paper {REACH}"));
    world.show(&format!("secret slot remove paper {REACH} --recovery-file paper"));
    world.show(&format!("secret slot remove paper {REACH} --recovery-file drawer --dry-run"));
    assert_eq!(fs::read(world.path("slots.json")).unwrap(), whole);
    world.show(&format!("secret slot remove paper {REACH} --recovery-file drawer"));
    world.show(&format!("secret slot remove safe {REACH} --recovery-file drawer"));
    world.show(&format!("secret slot remove safe {REACH} --recovery-file drawer --accept-single --json"));
    world.show(&format!("secret slot remove drawer {REACH} --recovery-file drawer --accept-single"));
    world.show(&format!("secret unlock --dry-run {REACH} --recovery-file paper"));
    insta::assert_snapshot!(settled(&world, &[]));
}

#[test]
fn thresholds_within_thresholds_open_as_their_file_says() {
    if !swtpm_is_here() || !tang_is_here() {
        return;
    }
    let mut world = World::empty();
    let (swtpm, first, second) = (Swtpm::start(), Tang::start(), Tang::start());
    let tang = |name: &str, tang: &Tang| {
        format!("[[slots.slots]]\nname = \"{name}\"\ntang = \"{}\"\ntrust = \"{}\"\n", tang.url(), tang.thumbprint())
    };
    let nested = format!(
        "threshold = 2\n[[slots]]\nname = \"tpm\"\ntpm2 = [7]\n[[slots]]\nname = \"typed\"\npassphrase_file = \"typed\"\n\
         [[slots]]\nname = \"servers\"\nthreshold = 1\n{}{}",
        tang("here", &first),
        tang("there", &second)
    );
    world.file("nested/server.toml", &nested).file("nested/typed", "correct horse\n");
    for (name, wrong) in [
        ("syntax", "threshold = "),
        ("word", "threshold = 1\nslots = []\ncolour = 1\n"),
        ("many", "threshold = 2\n[[slots]]\nname = \"a\"\nrecovery = true\n"),
        ("both", "threshold = 1\n[[slots]]\nname = \"a\"\nrecovery = true\ntpm2 = [7]\n"),
        ("none", "threshold = 1\n[[slots]]\nname = \"a\"\n"),
        (
            "deep",
            &format!(
                "threshold = 1\nslots = {}{{ name = \"a\", recovery = true }}{}",
                "[{ name = \"a\", threshold = 1, slots = ".repeat(5),
                " }]".repeat(5)
            )
            .replace("= {", "= [{")
            .replacen("true }", "true }]", 1),
        ),
    ] {
        world.file(&format!("nested/{name}.toml"), wrong);
        let said = world.show(&format!("secret slot add server --nested nested/{name}.toml {REACH}"));
        assert!(said.code == Some(2) && !world.path("slots.json").exists(), "{}", said.shown());
    }
    let tpm = format!("--tpm {}", swtpm.address());
    world.show(&format!("secret slot add server --nested nested/server.toml {tpm} {REACH}"));
    let listed = world.show(&format!("secret slot list {REACH}"));
    let mut replaced =
        vec![(first.url(), "http://tang-a"), (second.url(), "http://tang-b"), (swtpm.address(), "swtpm:TPM")];
    for (line, shown) in listed.stdout.lines().filter(|line| line.contains("by key")).zip(["KEY-A", "KEY-B"]) {
        replaced.push((line.rsplit(' ').next().unwrap().to_owned(), shown));
    }
    good(&world, &format!("secret unlock --output with-all {tpm} {REACH}"));
    drop(first);
    good(&world, &format!("secret unlock --output with-one-server {tpm} {REACH}"));
    extend(&swtpm, 7);
    world.show(&format!("secret unlock --dry-run {tpm} {REACH}"));
    good(&world, &format!("secret unlock --output with-a-person --passphrase-file nested/typed {tpm} {REACH}"));
    let identity = |name: &str| fs::read(world.path(name)).unwrap();
    assert!(identity("with-all") == identity("with-one-server") && identity("with-all") == identity("with-a-person"));
    insta::assert_snapshot!(settled(&world, &replaced));
}

#[test]
fn a_signed_policy_opens_until_the_counter_has_gone_past_it() {
    if !swtpm_is_here() || !Path::new("/usr/bin/openssl").exists() {
        return;
    }
    let mut world = World::empty();
    let swtpm = Swtpm::start();
    let tpm = format!("--tpm {}", swtpm.address());
    openssl(&world, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out signing.pem");
    openssl(&world, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.pem");
    openssl(&world, "pkey -in signing.pem -pubout -out policy.pem");
    good(&world, &format!("secret slot add tpm --policy-key policy.pem {tpm} {REACH}"));
    let unlock = format!("secret unlock --dry-run --policies policies.json {tpm} {REACH}");
    let sign = "secret slot sign";
    // A counter that is not there has no value to sign for.
    world.show(&format!("{sign} first --key signing.pem --tpm2 7 --counter 0x01500020 --output policies.json {tpm}"));
    world.show(&format!("secret slot count 0x01500020 --dry-run {tpm}"));
    good(&world, &format!("secret slot count 0x01500020 {tpm}"));
    good(&world, &format!("{sign} first --key signing.pem --tpm2 7 --counter 0x01500020 --output policies.json {tpm}"));
    let value: u64 = good(&world, &format!("secret slot count 0x01500020 --dry-run --json {tpm}"))
        .lines()
        .find_map(|line| line.trim().strip_prefix("\"value\": ")?.trim_end_matches(',').parse().ok())
        .unwrap();
    assert!(good(&world, &unlock).contains("opens"));
    // The next generation is signed where no TPM is: its registers are predicted.
    let predicted = good(&world, &format!("{sign} now --key other.pem --tpm2 7 --output elsewhere.json --json {tpm}"));
    let registers = serde_json::from_str::<serde_json::Value>(&predicted).unwrap()["registers"]["7"].clone();
    let pcr = format!("--pcr 7={}", registers.as_str().unwrap());
    let next = format!(
        "{sign} second --key signing.pem {pcr} --counter 0x01500020 --most {} --output policies.json --json",
        value + 1
    );
    let signed: serde_json::Value = serde_json::from_str(&good(&world, &next)).unwrap();
    assert_eq!(
        (&signed["schema"], &signed["policies"]),
        (&"aux.secret-slot-sign/1".into(), &serde_json::json!(["first", "second"]))
    );
    // The new generation runs: the older one opens nothing any more.
    good(&world, &format!("secret slot count 0x01500020 {tpm}"));
    assert!(good(&world, &unlock).contains("opens"));
    good(&world, &format!("secret slot count 0x01500020 {tpm}"));
    let refused = world.run(&unlock);
    assert!(refused.code == Some(1) && refused.stdout.contains("tpm2"), "{}", refused.shown());
    // What another key signed is no policy of this slot, although it would hold.
    let refused = world.run(&unlock.replace("policies.json", "elsewhere.json"));
    assert!(refused.code == Some(1) && refused.stdout.contains("sign"), "{}", refused.shown());
    world.file("broken.json", "{");
    world.show(&format!("{sign} third --key signing.pem {pcr} --output broken.json"));
    world.show(&format!("{sign} third --key policy.pem {pcr} --output policies.json"));
    world.show(&format!("{sign} third --key signing.pem --pcr 7=11 --output policies.json"));
    world.show(&format!("{sign} third --key signing.pem {pcr} {pcr} --output policies.json"));
    let replaced = vec![(swtpm.address(), "swtpm:TPM"), (pcr, "--pcr 7=PCR7")];
    insta::assert_snapshot!(settled(&world, &replaced));
}
