//! From a new feed to a real notification server: dunst, on a screen that nobody sees.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use zbus::{OwnedVariant, connection};

use crate::notifier::Machine;
use crate::peers::peer;
use crate::world::FIXED;

/// No toast goes by itself while a test looks.
const DUNSTRC: &str = "[urgency_low]\ntimeout = 0\n[urgency_normal]\ntimeout = 0\n[urgency_critical]\ntimeout = 0\n";

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().unwrap();
    }
}

/// A screen, and dunst on it.
#[expect(clippy::disallowed_methods, reason = "real programs are what the notifier meets")]
fn dunst(machine: &Machine) -> Option<(Running, Running)> {
    let (xvfb, dunst) = (peer("Xvfb", "xvfb")?, peer("dunst", "dunst")?);
    let mut screen = Command::new(xvfb)
        .args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut number = String::new();
    BufReader::new(screen.stdout.take().unwrap()).read_line(&mut number).unwrap();
    let screen = Running(screen);
    machine.world.file("dunstrc", DUNSTRC);
    let dunst = Command::new(dunst)
        .arg("-config")
        .arg(machine.world.path("dunstrc"))
        .env("DISPLAY", format!(":{}", number.trim()))
        .env("DBUS_SESSION_BUS_ADDRESS", &machine.session.address)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Some((screen, Running(dunst)))
}

/// How many toasts dunst shows or is about to.
fn toasts(machine: &Machine) -> u32 {
    let (service, path) = (Some("org.freedesktop.Notifications"), "/org/freedesktop/Notifications");
    zbus::block_on(async {
        let connection = connection::Builder::address(machine.session.address.as_str()).build().await.unwrap();
        let mut sum = 0;
        for name in ["displayedLength", "waitingLength"] {
            let (asked, properties) = (("org.dunstproject.cmd0", name), Some("org.freedesktop.DBus.Properties"));
            let reply = connection.call_method(service, path, properties, "Get", &asked).await.unwrap();
            let value: OwnedVariant = reply.body().deserialize().unwrap();
            sum += u32::try_from(value).unwrap();
        }
        sum
    })
}

#[test]
fn dunst_shows_one_toast_for_an_advisory_whatever_happens_to_it_or_to_us() {
    let Some(machine) = Machine::new(0) else { return };
    let _daemon = machine.daemon();
    let notifier = machine.notifier();
    let Some(_dunst) = dunst(&machine) else { return };
    machine.world.feed(1, "");
    machine.settle(1);
    assert_eq!(toasts(&machine), 1);
    machine.world.feed(1, FIXED);
    machine.settle(2);
    assert_eq!(toasts(&machine), 1, "a fix has a toast of its own");
    // The worst that a kill can do, and more: nothing of what was shown is written down.
    drop(notifier);
    fs::remove_dir_all(machine.world.path("home-state")).unwrap();
    let _notifier = machine.notifier();
    machine.settle(2);
    assert_eq!(toasts(&machine), 1, "what was shown again stands beside what was there");
    machine.world.feed(2, FIXED);
    machine.settle(3);
    assert_eq!(toasts(&machine), 2);
}
