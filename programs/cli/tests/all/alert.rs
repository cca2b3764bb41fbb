//! `aux alert`: the snippet of a shell, a queue that is listed, channels that are tried, and configuration that is wrong.

use crate::world::{World, write};

#[test]
fn a_hook_is_printed_for_each_shell_and_names_the_line() {
    let world = World::empty();
    for shell in ["bash", "zsh", "fish", "motd"] {
        let said = world.run(&format!("alert hook {shell}"));
        assert_eq!(said.code, Some(0), "{}", said.shown());
        assert!(
            said.stdout.contains("file='/run/aux/motd'") || said.stdout.contains("file '/run/aux/motd'"),
            "{shell}"
        );
    }
    assert_eq!(world.run("alert hook csh").code, Some(2));
}

#[test]
fn without_a_queue_or_a_channel_there_is_no_answer_and_a_hint() {
    let mut world = World::empty();
    world.show("alert list --queue none.sqlite");
    world.show("alert test");
    world.show("alert test --channel webhook.none");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn channels_that_cannot_be_set_up_are_named_and_secrets_are_not_shown() {
    let mut world = World::empty();
    let table = "[alert.webhook.team]\nurl = \"https://hooks.example.org/token\"\nsecret_file = \"secret\"\n\
                 [alert.mail.team]\nserver = \"mail.example.org\"\nencryption = \"none\"\nfrom = \"a@b.org\"\nto = [\"c@d.org\"]\n";
    write(&world.outside("config/aux/aux.toml"), table.as_bytes());
    write(&world.outside("config/aux/secret"), b"not a secret of webhooks\n");
    world.show("alert test");
    // The document has an id made of the moment, which no snapshot can hold.
    let said = world.run("alert test --channel mail.team --json");
    assert_eq!(said.code, Some(1), "{}", said.shown());
    assert_eq!(said.json()["channels"][0]["result"], "not_set_up");
    assert!(said.json()["id"].as_str().unwrap().starts_with("test_"));
    write(&world.outside("config/aux/aux.toml"), b"[alert.webhook.team]\nuri = \"https://hooks.example.org/token\"\n");
    world.show("alert test");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_checkout_has_no_say_in_where_alerts_go() {
    let world = World::empty();
    world.file("aux.toml", "[alert.webhook.evil]\nurl = \"https://evil.example\"\n");
    let said = world.run("config show");
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("not in files beside a target"), "{}", said.shown());
}
