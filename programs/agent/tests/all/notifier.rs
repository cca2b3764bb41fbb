//! From a new feed to a toast: the real agent on a system bus of its own, the notifier between that and a session's bus.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::channel;

use aux_alert::{Delivery, DeliveryState, Queue};

use crate::bus::Bus;
use crate::session::{Notifier, Server, command, opened, portal};
use crate::world::{CRITICAL, Daemon, FIXED, World};

/// As the design says.
const IDLE_KIBIBYTES_MAX: u64 = 20 * 1_024;

/// The queue of the user.
pub(crate) const QUEUE: &str = "home-state/aux/notifier.sqlite";

/// One package on two buses.
pub(crate) struct Machine {
    pub(crate) world: World,
    pub(crate) system: Bus,
    pub(crate) session: Bus,
}

impl Machine {
    /// Watches zlib alone, so that a feed with one advisory more raises one event.
    pub(crate) fn new(advisories: usize) -> Option<Self> {
        let world = World::new(advisories);
        world.file("names", "zlib-1.2.11\n");
        let (system, session) = (Bus::start(&world)?, Bus::named(&world, "session")?);
        Some(Self { world, system, session })
    }

    pub(crate) fn daemon(&self) -> Daemon {
        self.world.daemon(Some(&self.system.address))
    }

    pub(crate) fn notifier(&self) -> Notifier {
        Notifier::start(&self.world, &self.system, &self.session)
    }

    pub(crate) fn server(&self) -> Server {
        Server::start(&self.session, &["body", "actions"])
    }

    /// Waits until the notifier has written down that it has shown so many events.
    pub(crate) fn settle(&self, count: usize) {
        settled(&self.world.path(QUEUE), count);
    }

    /// The headline of an advisory on zlib.
    fn headline(&self, what: &str, advisory: &str) -> String {
        format!("{what}: zlib 1.2.11 on {}: {advisory}", self.world.path("names").display())
    }

    /// The notifier, run to its end: exit code, what it answered, what it said.
    fn run(&self, arguments: &str) -> (Option<i32>, String, String) {
        let mut command = command(&self.world, &self.system.address, &self.session.address, arguments);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

/// Waits until a queue has so many events and all are delivered, and returns how.
pub(crate) fn settled(queue: &Path, count: usize) -> Vec<Delivery> {
    loop {
        let listed = Queue::open(queue).unwrap().list(u32::MAX).unwrap();
        let is_delivered = |delivery: &Delivery| matches!(delivery.state, DeliveryState::Delivered { .. });
        if listed.len() >= count && listed.iter().all(|listed| listed.deliveries.iter().any(is_delivered)) {
            return listed.into_iter().flat_map(|listed| listed.deliveries).collect();
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_new_advisory_is_one_toast_which_a_fix_and_the_teams_word_update_in_place() {
    let Some(machine) = Machine::new(0) else { return };
    let (_daemon, server, notifier) = (machine.daemon(), machine.server(), machine.notifier());
    assert_eq!(server.rest(), []);
    machine.world.feed(1, "");
    let first = server.next();
    assert_eq!(first.summary, machine.headline("vulnerable", "CVE-2021-10001"));
    assert_eq!((first.replaces, first.urgency, first.actions.len()), (0, 1, 4));
    machine.settle(1);
    drop(notifier);
    let notifier = machine.notifier();
    assert_eq!(server.rest(), [], "shown again after a restart");
    machine.world.feed(1, FIXED);
    let fixed = server.next();
    assert_eq!(fixed.summary, machine.headline("fix available", "CVE-2021-10001"));
    assert_eq!((fixed.replaces, fixed.urgency), (first.id, 1));
    machine.world.feed(1, &format!("{FIXED}{CRITICAL}"));
    let critical = server.next();
    assert_eq!((critical.replaces, critical.urgency), (first.id, 2));
    // What the user closed is shown anew, and not in the place of something that is gone.
    server.close(first.id);
    machine.world.feed(2, &format!("{FIXED}{CRITICAL}"));
    assert_eq!(server.next().replaces, 0);
    machine.settle(4);
    drop(notifier);
    machine.notifier();
    assert_eq!(server.rest(), []);
}

#[test]
fn a_toast_that_was_closed_is_not_updated_but_shown_anew() {
    let Some(machine) = Machine::new(1) else { return };
    let (_daemon, server, _notifier) = (machine.daemon(), machine.server(), machine.notifier());
    let first = server.next();
    server.close(first.id);
    machine.world.feed(1, FIXED);
    assert_eq!(server.next().replaces, 0);
}

#[test]
fn whoever_comes_last_of_agent_server_and_notifier_is_waited_for() {
    let Some(machine) = Machine::new(1) else { return };
    // Nobody is there.
    let mut notifier = machine.notifier();
    let daemon = machine.daemon();
    notifier.wait_for("no notification server runs in this session");
    let server = machine.server();
    assert_eq!(server.next().summary, machine.headline("vulnerable", "CVE-2021-10001"));
    // The server goes, something is raised, another one comes: the toast is not one of its own.
    machine.settle(1);
    server.stop();
    machine.world.feed(1, FIXED);
    notifier.wait_for("no notification server runs in this session");
    let server = machine.server();
    let fixed = server.next();
    assert!(fixed.summary.starts_with("fix available") && fixed.replaces == 0, "{fixed:?}");
    // The agent goes and comes back with news.
    drop(daemon);
    machine.world.feed(2, FIXED);
    let _daemon = machine.daemon();
    assert!(server.next().summary.contains("CVE-2021-10002"));
    assert_eq!(server.rest(), []);
}

#[test]
fn a_slow_server_is_waited_for_and_shown_everything_once() {
    let Some(machine) = Machine::new(0) else { return };
    let (_daemon, server, _notifier) = (machine.daemon(), machine.server(), machine.notifier());
    server.gate.close();
    machine.world.feed(1, "");
    server.wait_until_asked();
    machine.world.feed(2, "");
    machine.world.round();
    server.gate.open();
    let summaries = [server.next().summary, server.next().summary];
    assert!(summaries[0].contains("CVE-2021-10001") && summaries[1].contains("CVE-2021-10002"), "{summaries:?}");
    assert_eq!(server.rest(), []);
}

/// A receiver of webhooks that answers nothing until it is told to.
#[test]
fn a_slow_receiver_of_webhooks_does_not_delay_a_toast() {
    let Some(machine) = Machine::new(0) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (release, released) = channel::<()>();
    let receiver = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        released.recv().unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        // Held open until the other side has read it.
        stream.read_to_end(&mut Vec::new()).ok();
    });
    let world = &machine.world;
    world.file("aux.toml", &format!("{}\n[alert.webhook.team]\nurl = \"{url}\"\n", world.text("aux.toml")));
    let (_daemon, server, _notifier) = (machine.daemon(), machine.server(), machine.notifier());
    machine.world.feed(1, "");
    assert!(server.next().summary.contains("CVE-2021-10001"));
    release.send(()).unwrap();
    receiver.join().unwrap();
    // The first attempt was still under way, and has succeeded since.
    let deliveries = settled(&machine.world.path("state/alerts.sqlite"), 1);
    assert_eq!(deliveries.iter().map(|delivery| delivery.attempts).collect::<Vec<_>>(), [1]);
}

#[test]
fn many_at_once_are_one_toast_and_its_button_opens_the_list() {
    let Some(machine) = Machine::new(700) else { return };
    let (_daemon, server) = (machine.daemon(), machine.server());
    let (_portal, pages) = portal(&machine.session);
    let _notifier = machine.notifier();
    let many = server.next();
    assert_eq!((many.summary.as_str(), server.rest()), ("700 security alerts", Vec::new()));
    server.press(many.id);
    let list = opened(&pages);
    assert_eq!(list.matches("vulnerable: zlib").count(), 700, "{list}");
    // The toast of many is nobody's to update.
    machine.world.feed(700, FIXED);
    let fixed = server.next();
    assert_eq!(fixed.replaces, 0);
    server.press(fixed.id);
    assert_eq!(opened(&pages), "https://nvd.nist.gov/vuln/detail/CVE-2021-10001");
    // Toasts of other programs are none of ours.
    server.press(9_999);
    server.press(fixed.id);
    assert_eq!(opened(&pages), "https://nvd.nist.gov/vuln/detail/CVE-2021-10001");
}

#[test]
fn a_server_without_actions_is_given_none_and_without_a_portal_xdg_open_opens() {
    let Some(machine) = Machine::new(1) else { return };
    let _daemon = machine.daemon();
    let plain = Server::start(&machine.session, &["body"]);
    drop(machine.notifier());
    assert_eq!(plain.next().actions, Vec::<String>::new());
    plain.stop();

    let server = machine.server();
    let (pipe, programs) = (machine.world.path("pipe"), machine.world.path("programs"));
    fs::create_dir(&programs).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    machine.world.file("programs/xdg-open", &format!("#!/bin/sh\necho \"$1\" >'{}'\n", pipe.display()));
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(programs.join("xdg-open"), executable).unwrap();
    let mut command = command(&machine.world, &machine.system.address, &machine.session.address, "");
    let mut child = command.env("PATH", &programs).spawn().unwrap();
    machine.world.feed(2, "");
    server.press(server.next().id);
    assert_eq!(fs::read_to_string(pipe).unwrap(), "https://nvd.nist.gov/vuln/detail/CVE-2021-10002\n");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_agent_that_began_anew_is_read_from_its_beginning_and_nothing_is_shown_twice() {
    let Some(machine) = Machine::new(3) else { return };
    let (daemon, server) = (machine.daemon(), machine.server());
    drop(machine.notifier());
    assert_eq!([server.next(), server.next(), server.next()].len(), 3);
    drop(daemon);
    fs::remove_dir_all(machine.world.path("state")).unwrap();
    let _daemon = machine.daemon();
    // As many events as before, with the same numbers; one of them is another one.
    machine.world.file("names", "openssl-1.1.1g\n");
    machine.world.round();
    let _notifier = machine.notifier();
    assert_eq!(server.rest().iter().filter(|shown| shown.summary.contains("zlib")).count(), 0);
    let shown = machine.run("--dry-run");
    assert_eq!((shown.0, shown.1.as_str()), (Some(0), "nothing new\n"), "{}", shown.2);
}

#[test]
fn a_user_who_was_never_told_anything_is_told_what_still_stands() {
    let Some(machine) = Machine::new(2) else { return };
    let _daemon = machine.daemon();
    machine.world.file("names", "zlib-1.2.11\nopenssl-1.1.1g\n");
    machine.world.round();
    machine.world.file("names", "openssl-1.1.1g\n");
    machine.world.round();
    let (code, answer, said) = machine.run("--dry-run");
    assert_eq!((code, answer.matches("openssl").count(), answer.matches("zlib").count()), (Some(0), 2, 0), "{said}");
    let (server, _notifier) = (machine.server(), machine.notifier());
    assert!(server.next().summary.contains("openssl") && server.next().summary.contains("openssl"));
    assert_eq!(server.rest(), []);
}

#[test]
fn a_second_notifier_is_refused_and_toasts_can_be_switched_off() {
    let Some(machine) = Machine::new(0) else { return };
    let (_daemon, _server, _notifier) = (machine.daemon(), machine.server(), machine.notifier());
    let (code, _, said) = machine.run("");
    assert_eq!(code, Some(2));
    assert!(said.contains("a notifier shows toasts in this session already"), "{said}");
    fs::create_dir_all(machine.world.path("home-config/aux")).unwrap();
    machine.world.file("home-config/aux/aux.toml", "[alert]\nnotification = false\n");
    let (code, _, said) = machine.run("");
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "aux-notifier: toasts are switched off: [alert] notification = false\n")
    );
}

#[test]
fn once_shows_what_waits_and_a_dry_run_changes_nothing() {
    let Some(machine) = Machine::new(1) else { return };
    let (code, _, said) = machine.run("--dry-run");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no agent runs on this machine; as root: systemctl enable --now auxd.service"), "{said}");
    let daemon = machine.daemon();
    let line = machine.headline("vulnerable", "CVE-2021-10001") + "\n";
    for _ in 0..2 {
        assert_eq!(machine.run("--dry-run").1, format!("would show: {line}"));
    }
    assert!(!machine.world.path("home-state").exists(), "a dry run leaves something behind");
    let (code, answer, said) = machine.run("--once");
    assert_eq!((code, answer), (Some(2), format!("waiting: {line}")));
    assert!(said.contains("no notification server runs in this session; start one, such as dunst"), "{said}");
    let server = machine.server();
    drop(daemon);
    // What was read is shown, also where the agent is gone since.
    let (code, answer, _) = machine.run("--once --json");
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((code, &answer["shown"][0]["advisory"]), (Some(2), &"CVE-2021-10001".into()));
    let _daemon = machine.daemon();
    let nothing = r#"{"schema":"aux.notifier/1","dry_run":false,"shown":[],"waiting":[],"problems":[]}"#;
    assert_eq!(machine.run("--once --json").1.trim_end(), nothing);
    assert_eq!(server.rest().len(), 1);
    assert_eq!(machine.run("--json").0, Some(2));
}

#[test]
fn without_a_bus_it_says_which_and_what_it_is_for() {
    let Some(machine) = Machine::new(0) else { return };
    let nowhere = format!("unix:path={}", machine.world.path("nowhere").display());
    let run = |system: &str, session: &str| {
        let output = command(&machine.world, system, session, "").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = run(&machine.system.address, &nowhere);
    assert!(said.contains("the session bus cannot be reached") && said.contains("desktop session"), "{said}");
    let said = run(&nowhere, &machine.session.address);
    assert!(said.contains("the system bus cannot be reached"), "{said}");
}

#[test]
fn it_ends_with_its_session_and_fails_without_the_system_bus() {
    let Some(Machine { world, system, session }) = Machine::new(0) else { return };
    let mut notifier = Notifier::start(&world, &system, &session);
    drop(session);
    assert_eq!(notifier.child.wait().unwrap().code(), Some(0));
    let session = Bus::named(&world, "another-session").unwrap();
    let mut notifier = Notifier::start(&world, &system, &session);
    drop(system);
    notifier.wait_for("the system bus is gone, and the agent with it");
    assert_eq!(notifier.child.wait().unwrap().code(), Some(2));
}

#[test]
fn an_idle_notifier_is_small() {
    let Some(machine) = Machine::new(2_000) else { return };
    let (_daemon, _server, notifier) = (machine.daemon(), machine.server(), machine.notifier());
    let status = fs::read_to_string(format!("/proc/{}/status", notifier.child.id())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kibibytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kibibytes <= IDLE_KIBIBYTES_MAX, "{kibibytes} KiB");
}
