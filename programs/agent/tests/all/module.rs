//! The NixOS module, evaluated by a real nix in a module system of our own; what it writes down, the agent must read.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::peers::peer;
use crate::world::World;

#[expect(clippy::disallowed_methods, reason = "nix itself evaluates the module")]
fn evaluated(world: &World, configuration: &str) -> Option<Output> {
    let nix = peer("nix-instantiate", "nix-bin")?;
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nix/tests/module.nix").canonicalize().unwrap();
    let expression = format!("import {} {{ configuration = {configuration}; }}", module.display());
    let mut command = Command::new(nix);
    command
        .args(["--readonly-mode", "--eval", "--strict", "--json", "-E", &expression])
        .env("HOME", world.path("home"))
        .env("NIX_STATE_DIR", world.path("nix-state"));
    Some(command.output().unwrap())
}

fn settings(world: &World, configuration: &str) -> Option<Value> {
    let output = evaluated(world, configuration)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_machine_gets_its_units_its_schedule_and_its_settings() {
    let world = World::new(1);
    let configuration = r#"{ services.aux = { enable = true; feed.url = "https://feed.example"; feed.root = "/etc/aux/root.json";
        schedule = "hourly"; targets = [ "/srv/web" ]; alertOn = "kev"; }; }"#;
    let Some(made) = settings(&world, configuration) else { return };
    assert_eq!(made["refused"], serde_json::json!([]));
    assert_eq!(made["timer"], serde_json::json!(["", "hourly"]));
    assert_eq!(made["services"], serde_json::json!(["auxd", "auxd-round"]));
    assert_eq!(made["sessions"], serde_json::json!({ "aux-notifier": ["graphical-session.target"] }));
    assert_eq!(made["proxies"], serde_json::json!({ "auxd": {}, "auxd-round": {} }));
    assert_eq!(made["packages"], serde_json::json!(["aux"]));
    assert_eq!(made["polkit"], true);
    assert_eq!(made["settings"]["feed_url"], "https://feed.example");
    assert_eq!(made["settings"]["agent"]["alert_on"], "kev");
    assert_eq!(made["settings"]["agent"]["targets"], serde_json::json!(["/srv/web"]));
}

#[test]
fn a_machine_that_does_not_enable_it_is_left_alone() {
    let world = World::new(1);
    let Some(made) = settings(&world, "{ }") else { return };
    assert_eq!(made["services"], serde_json::json!([]));
    assert_eq!((&made["settings"], &made["polkit"]), (&Value::Null, &Value::Bool(false)));
    assert_eq!(made["sessions"], serde_json::json!({}));
}

#[test]
fn toasts_can_be_left_out_of_a_machine() {
    let world = World::new(1);
    let configuration = r#"{ services.aux = { enable = true; feed.file = "/feed"; notifier.enable = false; }; }"#;
    let Some(made) = settings(&world, configuration) else { return };
    assert_eq!((&made["sessions"], &made["refused"]), (&serde_json::json!({}), &serde_json::json!([])));
}

/// Every key that the room of alerts has, as a machine's configuration writes it.
const CHANNELS: &str = r#"{
    notification = true; queue = "QUEUE"; line = "/run/aux/motd";
    webhook.team = { url_file = "/secrets/url"; secret_file = "/secrets/key"; certificates = "/ca.pem"; allow_insecure = false; };
    webhook.plain = { url = "http://127.0.0.1:9/aux"; };
    mail.team = { server = "mail.example.org"; port = 587; encryption = "starttls"; certificates = "/ca.pem"; user = "aux";
      password_file = "/secrets/mail"; from = "aux@example.org"; to = [ "team@example.org" ]; };
}"#;

#[test]
fn channels_of_the_module_are_what_the_room_of_alerts_reads() {
    let world = World::new(1);
    let write = |channels: &str| {
        let configuration = format!(
            r#"{{ services.aux = {{ enable = true; feed.file = "{}"; machine = false; targets = [ "{}" ];
            maxAgeHours = 876000; channels = {channels}; settings.agent = {{ state = "{}"; runtime = "{}"; }}; }}; }}"#,
            world.path("feed.auxdb").display(),
            world.path("names").display(),
            world.path("state").display(),
            world.path("run").display()
        );
        let made = settings(&world, &configuration)?;
        world.file("aux.toml", &toml::to_string(&made["settings"]).unwrap());
        Some(made)
    };
    let queue = world.path("alerts.sqlite").display().to_string();
    let Some(made) = write(&CHANNELS.replace("QUEUE", &queue)) else { return };
    let read: aux_alert::Settings = serde_json::from_value(made["settings"]["alert"].clone()).unwrap();
    assert_eq!((read.notification, read.webhook.len(), read.mail.len()), (Some(true), 2, 1));
    assert_eq!(read.queue_file().display().to_string(), queue);
    // Two channels lack their secrets, which are remarks of the round and no reason to judge nothing.
    let round = world.round();
    let remarks = round["remarks"].to_string();
    for part in ["webhook.team: the secret cannot be read: /secrets/url", "mail.team: the secret cannot be read"] {
        assert!(remarks.contains(part), "{remarks}");
    }
    write(r#"{ webhook.team.uri = "https://hooks.example.org"; }"#).unwrap();
    let refused = world.run("--once");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && said.contains("[alert]") && said.contains("`uri`"), "{said}");
}

#[test]
fn what_cannot_work_is_refused_with_the_option_to_set() {
    let world = World::new(1);
    let Some(made) = settings(&world, "{ services.aux.enable = true; }") else { return };
    assert!(made["refused"][0].as_str().unwrap().contains("services.aux.feed.file"), "{made}");
    let made = settings(&world, r#"{ services.aux = { enable = true; feed.url = "https://f"; }; }"#).unwrap();
    assert!(made["refused"][0].as_str().unwrap().contains("pinned root"), "{made}");
    for (wrong, said) in [
        ("{ services.aux.enabled = true; }", "no option is called services.aux.enabled"),
        (r"{ services.aux = { enable = true; everyHours = 0; }; }", "services.aux.everyHours is not of type"),
    ] {
        let output = evaluated(&world, wrong).unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(said), "{error}");
    }
}

#[test]
fn the_agent_reads_what_the_module_writes() {
    let world = World::new(1);
    let path = |name: &str| world.path(name).display().to_string();
    let configuration = format!(
        r#"{{ services.aux = {{ enable = true; feed.file = "{}"; machine = false; targets = [ "{}" ]; failOn = "any";
        maxAgeHours = 876000; metricsFile = "{}"; settings.agent = {{ state = "{}"; runtime = "{}"; }}; }}; }}"#,
        path("feed.auxdb"),
        path("names"),
        path("aux.prom"),
        path("state"),
        path("run"),
    );
    let Some(made) = settings(&world, &configuration) else { return };
    world.file("aux.toml", &toml::to_string(&made["settings"]).unwrap());
    assert_eq!(world.round()["events"].as_array().unwrap().len(), 3);
    assert!(world.text("aux.prom").contains("aux_findings{"));
}
