//! Toasts on a real session bus: a recording service that is a peer like any other, and dunst on a screen of its own.
#![expect(
    clippy::disallowed_types,
    clippy::used_underscore_binding,
    clippy::needless_pass_by_value,
    clippy::unused_self,
    reason = "the interface macro's own code, and arguments as the specification has them"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aux_alert::desktop::{Desktop, look};
use aux_alert::notification::{Action, NOTIFIER, Notification};
use aux_alert::{Channel, Message, SendError};
use zbus::{Connection, OwnedVariant, connection, interface};

use crate::peer::{Peer, command, message, now, program, script};

/// What `Notify` was called with.
#[derive(Debug, Clone, PartialEq)]
struct Shown {
    replaces: u32,
    summary: String,
    body: String,
    actions: Vec<String>,
    urgency: Option<u8>,
}

/// A notification server that writes down what it is asked to show.
struct Recorder {
    capabilities: Vec<String>,
    shown: Arc<Mutex<Vec<Shown>>>,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Recorder {
    fn get_capabilities(&self) -> Vec<String> {
        self.capabilities.clone()
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        ("recorder\u{1b}[2J".to_owned(), "these tests".to_owned(), "1".to_owned(), "1.2".to_owned())
    }

    #[expect(clippy::too_many_arguments, reason = "the specification's")]
    fn notify(
        &self,
        _app_name: String,
        replaces: u32,
        _icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        hints: BTreeMap<String, OwnedVariant>,
        _expire_timeout: i32,
    ) -> u32 {
        let urgency = hints.get("urgency").and_then(|urgency| u8::try_from(urgency.clone()).ok());
        let mut shown = self.shown.lock().unwrap();
        shown.push(Shown { replaces, summary, body, actions, urgency });
        if replaces == 0 { 100 + u32::try_from(shown.len()).unwrap() } else { replaces }
    }
}

/// A session bus, and its address.
fn bus() -> Option<(Peer, String)> {
    let mut peer = Peer::start(
        command(program("dbus-daemon")?).args(["--nofork", "--print-address", "--config-file"]).arg(script("bus.xml")),
    );
    let address = peer.line();
    Some((peer, address))
}

struct Server {
    shown: Arc<Mutex<Vec<Shown>>>,
    connection: Connection,
}

impl Server {
    fn start(address: &str, capabilities: &[&str]) -> Self {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let capabilities = capabilities.iter().map(|capability| (*capability).to_owned()).collect();
        let recorder = Recorder { capabilities, shown: shown.clone() };
        let connection = zbus::block_on(async {
            connection::Builder::address(address)
                .name("org.freedesktop.Notifications")
                .serve_at("/org/freedesktop/Notifications", recorder)
                .build()
                .await
        });
        Self { shown, connection: connection.unwrap() }
    }

    fn last(&self) -> Shown {
        self.shown.lock().unwrap().last().unwrap().clone()
    }

    fn stop(self) {
        zbus::block_on(self.connection.close()).unwrap();
    }
}

fn channel(address: &str) -> Notification {
    let action = Action { key: "audit".to_owned(), label: "Show".to_owned() };
    Notification::new("notification", address).with_actions(vec![action])
}

fn send(channel: &mut Notification, messages: &[Message]) -> Vec<Option<String>> {
    channel.send(messages, now()).unwrap()
}

#[test]
fn a_toast_names_package_action_and_where_to_read_more_and_is_updated_in_place() {
    let Some((_bus, address)) = bus() else { return };
    let server = Server::start(&address, &["body", "actions"]);
    let mut toasts = channel(&address);
    let receipts = send(&mut toasts, &[message("CVE-1")]);
    let first = server.last();
    assert_eq!(first.summary, "vulnerable: openssl 1.0.1f on web-1: CVE-1");
    for part in ["Package: openssl 1.0.1f", "What to do: update openssl to 1.0.1g", "Read more: https://nvd.nist.gov/"]
    {
        assert!(first.body.contains(part), "{}", first.body);
    }
    assert_eq!((first.replaces, first.urgency, first.actions.len()), (0, Some(1), 2));
    let mut later = message("CVE-1");
    later.event.is_critical = true;
    later.earlier = receipts[0].clone();
    send(&mut toasts, &[later.clone()]);
    assert_eq!((server.last().replaces, server.last().urgency), (101, Some(2)));
    // A server that was started anew counts from the beginning: the old id may be another program's toast.
    server.stop();
    let server = Server::start(&address, &["body"]);
    send(&mut channel(&address), &[later]);
    assert_eq!(server.last().replaces, 0);
    assert_eq!(server.last().actions, Vec::<String>::new());
}

#[test]
fn foreign_text_is_escaped_where_markup_is_read_and_only_there() {
    let Some((_bus, address)) = bus() else { return };
    let mut hostile = message("CVE-1");
    hostile.event.package = "<img src=\"file:///etc/shadow\">&\u{1b}[2J\u{202e}".to_owned();
    let server = Server::start(&address, &["body", "body-markup"]);
    send(&mut channel(&address), &[hostile.clone()]);
    let escaped = server.last();
    assert!(escaped.body.contains("&lt;img src=\"file:///etc/shadow\"&gt;&amp;\\u{1b}[2J"), "{}", escaped.body);
    server.stop();
    let server = Server::start(&address, &["body"]);
    send(&mut channel(&address), &[hostile.clone()]);
    let plain = server.last();
    assert!(plain.body.contains("<img src=") && !plain.body.contains("&lt;"), "{}", plain.body);
    server.stop();
    let server = Server::start(&address, &[]);
    send(&mut channel(&address), &[hostile]);
    assert_eq!(server.last().body, "");
    assert!(server.last().summary.contains("update"), "{}", server.last().summary);
    for text in [escaped.summary, escaped.body, plain.summary, plain.body, server.last().summary] {
        assert!(!text.chars().any(|character| character != '\n' && aux_core::visible::is_unsafe(character)));
    }
}

#[test]
fn many_at_once_are_one_toast() {
    let Some((_bus, address)) = bus() else { return };
    let server = Server::start(&address, &["body"]);
    let mut messages: Vec<Message> = (0..50).map(|number| message(&format!("CVE-{number}"))).collect();
    messages[30].event.is_critical = true;
    assert_eq!(send(&mut channel(&address), &messages).len(), 50);
    assert_eq!(server.shown.lock().unwrap().len(), 1);
    let toast = server.last();
    assert_eq!(toast.summary, "50 security alerts, 1 critical");
    assert!(toast.body.starts_with("critical: openssl 1.0.1f on web-1: CVE-30\n"), "{}", toast.body);
    assert_eq!(toast.urgency, Some(2));
}

#[test]
fn a_session_without_a_server_or_without_a_bus_is_worth_another_attempt() {
    let Some((_bus, address)) = bus() else { return };
    let error = channel(&address).send(&[message("CVE-1")], now()).unwrap_err();
    assert_eq!(error, SendError::passing("no notification server runs in this session"));
    let error = channel("unix:path=/nonexistent/bus").send(&[message("CVE-1")], now()).unwrap_err();
    assert!(matches!(&error, SendError::Passing { .. }), "{error}");
}

#[test]
fn a_look_at_a_session_names_its_server_and_notifier_and_starts_nothing() {
    let Some((_bus, address)) = bus() else { return };
    let nobody = Desktop { server: None, can_start: false, has_notifier: false };
    assert_eq!(look(&address).unwrap(), nobody);
    let _server = Server::start(&address, &[]);
    let notifier = zbus::block_on(connection::Builder::address(address.as_str()).name(NOTIFIER).build()).unwrap();
    let server = Some(r"recorder\u{1b}[2J 1".to_owned());
    assert_eq!(look(&address).unwrap(), Desktop { server, can_start: false, has_notifier: true });
    drop(notifier);
    let error = look("unix:path=/nonexistent/bus").unwrap_err().to_string();
    assert!(error.starts_with("the session bus: "), "{error}");
}

/// The desktop's own way: the bus starts dunst, which shows toasts on a screen that nobody sees.
#[test]
fn dunst_shows_a_toast_and_updates_it_in_place() {
    let (Some(screen), Some(daemon), Some(_)) = (program("Xvfb"), program("dbus-daemon"), program("dunst")) else {
        return;
    };
    let mut screen =
        Peer::start(command(screen).args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"]));
    let display = format!(":{}", screen.line());
    let mut bus =
        Peer::start(command(daemon).args(["--session", "--nofork", "--print-address"]).env("DISPLAY", &display));
    let address = bus.line();
    let mut toasts = channel(&address);
    let receipts = send(&mut toasts, &[message("CVE-1")]);
    let mut later = message("CVE-1");
    later.event.is_critical = true;
    later.earlier = receipts[0].clone();
    let updated = send(&mut toasts, &[later]);
    assert_eq!(updated, receipts);
    assert_eq!(toasts_of_dunst(&address), 1);
    send(&mut toasts, &[message("CVE-2")]);
    assert_eq!(toasts_of_dunst(&address), 2);
}

/// How many toasts dunst shows or is about to.
fn toasts_of_dunst(address: &str) -> u32 {
    let (service, path) = (Some("org.freedesktop.Notifications"), "/org/freedesktop/Notifications");
    zbus::block_on(async {
        let connection = connection::Builder::address(address).build().await.unwrap();
        let mut sum = 0;
        for name in ["displayedLength", "waitingLength"] {
            let asked = ("org.dunstproject.cmd0", name);
            let properties = Some("org.freedesktop.DBus.Properties");
            let reply = connection.call_method(service, path, properties, "Get", &asked).await.unwrap();
            let value: OwnedVariant = reply.body().deserialize().unwrap();
            sum += u32::try_from(value).unwrap();
        }
        sum
    })
}
