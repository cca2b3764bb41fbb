//! What a person sees who presses a toast's button: the page about the advisory, or the list where a toast stands for many.
//!
//! The desktop portal opens it, outside of this program's confinement; where there is none, `xdg-open` does, by way of the
//! session's own service manager where that started us.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use aux_alert::{Event, wording};
use zbus::{Connection, Fd, Variant};

use crate::say;

const PORTAL: &str = "org.freedesktop.portal.Desktop";
const PORTAL_PATH: &str = "/org/freedesktop/portal/desktop";
const OPEN_URI: &str = "org.freedesktop.portal.OpenURI";

/// The list that is shown for a toast that stands for many.
const LIST: &str = "alerts.txt";

/// What is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    Page(String),
    Text(PathBuf),
}

/// Opens what the events of one toast are about, in a thread of its own: a desktop may take its time.
pub(crate) fn open(connection: &Connection, events: &[Event], folder: &Path) {
    let thing = match events {
        [] => return,
        [only] => wording::page(only).map_or_else(|| written(events, folder), |page| Ok(Thing::Page(page))),
        _ => written(events, folder),
    };
    let thing = match thing {
        Ok(thing) => thing,
        Err(reason) => return say::warn(&reason),
    };
    let connection = connection.clone();
    thread::spawn(move || {
        let by_portal = zbus::block_on(ask_portal(&connection, &thing));
        let Err(portal) = by_portal else { return };
        if let Err(reason) = run_opener(&thing) {
            say::warn(&format!("nothing opens it here: {portal}; {reason}"));
        }
    });
}

/// The events as a text file of the user's own.
fn written(events: &[Event], folder: &Path) -> Result<Thing, String> {
    let mut text = String::new();
    for event in events {
        text.push_str(&wording::lines(event).join("\n  "));
        text.push_str("\n\n");
    }
    text.push_str("Everything that is known now: aux audit\nWhy one of them: aux audit --explain ID\n");
    let path = folder.join(LIST);
    aux_io::file::replace(&path, text.as_bytes()).map_err(|error| error.to_string())?;
    Ok(Thing::Text(path))
}

/// `org.freedesktop.portal.OpenURI`: `OpenURI` for what is on the web, `OpenFile` for a file, which it is handed open.
async fn ask_portal(connection: &Connection, thing: &Thing) -> Result<(), String> {
    let options: BTreeMap<&str, Variant<'_>> = BTreeMap::new();
    let (portal, interface) = (Some(PORTAL), Some(OPEN_URI));
    let reply = match thing {
        Thing::Page(page) => {
            let body = ("", page.as_str(), options);
            connection.call_method(portal, PORTAL_PATH, interface, "OpenURI", &body).await
        }
        Thing::Text(path) => {
            let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let body = ("", Fd::from(&file), options);
            connection.call_method(portal, PORTAL_PATH, interface, "OpenFile", &body).await
        }
    };
    reply.map(drop).map_err(|error| format!("no portal: {error}"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is started belongs to the desktop and outlives every limit of ours"
)]
fn run_opener(thing: &Thing) -> Result<(), String> {
    let is_service = env::var_os("INVOCATION_ID").is_some();
    let mut command = if is_service { Command::new("systemd-run") } else { Command::new("xdg-open") };
    if is_service {
        // A child of ours would be confined as we are, which no browser bears.
        command.args(["--user", "--quiet", "--collect", "--", "xdg-open"]);
    }
    match thing {
        Thing::Page(page) => command.arg(page),
        Thing::Text(path) => command.arg(path),
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().map_err(|error| format!("no xdg-open: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("xdg-open failed ({status})")) }
}
