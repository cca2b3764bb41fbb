//! `aux config show`: every setting and where it came from.

use crate::world::{World, write};

#[test]
fn every_setting_is_shown_with_its_file() {
    let mut world = World::empty();
    world.show("config show");
    write(&world.outside("config/aux/aux.toml"), b"feed = \"/srv/feed.auxdb\"\nstrict_waivers = true\n");
    world.file("aux.toml", "fail_on = \"kev\"\nwaivers = [\"a.toml\", \"b.toml\"]\n");
    world.file("fleet/aux.toml", "fail_on = \"none\"\n");
    world.show("config show fleet");
    world.show("config show fleet --json");
    world.file("fleet/aux.toml", "feeds = \"x\"\n");
    world.show("config show fleet");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn channels_of_alerts_are_shown_and_their_secrets_are_not() {
    let mut world = World::empty();
    let table = "[alert]\nnotification = true\nqueue = \"alerts.sqlite\"\n\
                 [alert.webhook.team]\nurl = \"https://me:hunter2@hooks.example.org:8443/T0/hunter2?key=hunter2\"\n\
                 secret_file = \"webhook.secret\"\n\
                 [alert.webhook.chat]\nurl_file = \"chat.url\"\nallow_insecure = true\n\
                 [alert.webhook.broken]\nurl = \"hunter2\"\n\
                 [alert.mail.team]\nserver = \"mail.example.org\"\nuser = \"aux\"\npassword_file = \"mail.password\"\n\
                 from = \"aux@example.org\"\nto = [\"a@example.org\", \"b@example.org\"]\n";
    write(&world.outside("config/aux/aux.toml"), table.as_bytes());
    for secret in ["webhook.secret", "chat.url", "mail.password"] {
        write(&world.outside(&format!("config/aux/{secret}")), b"hunter2\n");
    }
    world.show("config show");
    world.show("config show --json");
    assert!(!world.transcript().contains("hunter2"));
    write(&world.outside("config/aux/aux.toml"), b"[alert.mail.team]\npassword = \"hunter2\"\n");
    world.show("config show");
    insta::assert_snapshot!(world.transcript());
}
