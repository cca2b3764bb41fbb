//! Toasts on a desktop: the Desktop Notifications Specification 1.2, over the session's D-Bus.
//!
//! A toast that was shown when nobody could write that down any more is shown again, with the same tag: servers that know
//! tags put it in the place of the first.

use std::collections::BTreeMap;
use std::time::Duration;

use aux_core::limits::{ALERT_SEND_SECONDS_MAX, ALERT_TOASTS_MAX, EVENTS_KEPT_MAX};
use jiff::Timestamp;
use zbus::{Connection, Variant, connection};

use crate::digest::short_name;
use crate::{Channel, Event, Message, SendError, wording};

/// The name and interface of the server, and its object.
pub const SERVICE: &str = "org.freedesktop.Notifications";
pub const PATH: &str = "/org/freedesktop/Notifications";
/// The name that the notifier of a session has, so that there is one.
pub const NOTIFIER: &str = "org.auxolotl.AuxNotifier1";

/// `urgency` ("Urgency Levels"): critical stays on the screen until somebody closes it.
const NORMAL: u8 = 1;
const CRITICAL: u8 = 2;
/// `expire_timeout`: as the server likes.
const EXPIRE_DEFAULT: i32 = -1;

/// A button: its key, which comes back in `ActionInvoked`, and its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub key: String,
    pub label: String,
}

/// The notification server of one session.
pub struct Notification {
    name: String,
    bus: Bus,
    actions: Vec<Action>,
}

enum Bus {
    /// Connected to when there is something to show.
    Address(String),
    /// A connection of a caller that stays.
    Open(Connection),
}

/// A connection, and who is at its other end.
struct Session {
    connection: Connection,
    /// The server's own name on the bus: another one that took its place does not have its toasts.
    owner: String,
    capabilities: Vec<String>,
}

/// A toast as the server is asked to show it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Toast {
    replaces: u32,
    /// The same for the same toast, however often it is shown.
    tag: String,
    summary: String,
    body: String,
    urgency: u8,
}

impl Notification {
    /// The server on the bus of this address, `DBUS_SESSION_BUS_ADDRESS` in a session; opens no connection.
    pub fn new(name: &str, address: &str) -> Self {
        Self { name: name.to_owned(), bus: Bus::Address(address.to_owned()), actions: Vec::new() }
    }

    /// The server on a bus that is connected to, for a caller that stays. It waits as long as that connection does.
    pub fn over(name: &str, connection: &Connection) -> Self {
        Self { name: name.to_owned(), bus: Bus::Open(connection.clone()), actions: Vec::new() }
    }

    /// Buttons, for a caller that stays and listens to `ActionInvoked`. They are left out where the server shows none.
    #[must_use]
    pub fn with_actions(mut self, actions: Vec<Action>) -> Self {
        self.actions = actions;
        self
    }

    /// Shows the first, or all as one where they are many: each toast is confirmed before the next is shown.
    async fn show_next(&mut self, messages: &[Message]) -> Result<Vec<Option<String>>, zbus::Error> {
        let limit = Duration::from_secs(ALERT_SEND_SECONDS_MAX);
        let connection = match &self.bus {
            Bus::Open(connection) => connection.clone(),
            Bus::Address(address) => {
                connection::Builder::address(address.as_str()).method_timeout(limit).build().await?
            }
        };
        // Asked anew each time: servers come and go, and differ in what they can.
        let session = Session::open(connection).await?;
        if let (Some(first), ..=ALERT_TOASTS_MAX) = (messages.first(), messages.len()) {
            let id = session.show(&toast(first, &session), &self.actions).await?;
            return Ok(vec![Some(session.receipt(id))]);
        }
        let id = session.show(&summed_up(messages, &session), &self.actions).await?;
        let receipt = summary_receipt(&session.receipt(id));
        Ok(vec![Some(receipt); messages.len()])
    }
}

/// What is kept of a toast: the bus, the server on it, and the server's number for it.
pub fn receipt(connection: &Connection, owner: &str, id: u32) -> String {
    format!("{} {owner} {id}", connection.server_guid())
}

/// What is kept of a toast that many events share. No later event may take its place.
pub fn summary_receipt(receipt: &str) -> String {
    format!("summary {receipt}")
}

impl Session {
    async fn open(connection: Connection) -> Result<Self, zbus::Error> {
        // The first question starts the server where the bus knows how to.
        let reply = connection.call_method(Some(SERVICE), PATH, Some(SERVICE), "GetCapabilities", &()).await?;
        let capabilities: Vec<String> = reply.body().deserialize()?;
        let bus = Some("org.freedesktop.DBus");
        let reply = connection.call_method(bus, "/org/freedesktop/DBus", bus, "GetNameOwner", &SERVICE).await?;
        let owner: String = reply.body().deserialize()?;
        Ok(Self { connection, owner, capabilities })
    }

    fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|own| own == capability)
    }

    async fn show(&self, toast: &Toast, actions: &[Action]) -> Result<u32, zbus::Error> {
        let shown = if self.can("actions") { actions } else { &[] };
        let buttons: Vec<&str> = shown.iter().flat_map(|action| [action.key.as_str(), action.label.as_str()]).collect();
        let hints = BTreeMap::from([
            ("urgency", Variant::from(toast.urgency)),
            ("category", Variant::from("device.error")),
            ("desktop-entry", Variant::from("aux")),
            // No standard has a word for it; dunst has the first, mako and swaync the second.
            ("x-dunst-stack-tag", Variant::from(toast.tag.as_str())),
            ("x-canonical-private-synchronous", Variant::from(toast.tag.as_str())),
        ]);
        let call = (
            "aux",
            toast.replaces,
            "security-low",
            toast.summary.as_str(),
            toast.body.as_str(),
            buttons,
            hints,
            EXPIRE_DEFAULT,
        );
        // To this very server: the number of a toast to update means nothing to the next one.
        let server = Some(self.owner.as_str());
        let reply = self.connection.call_method(server, PATH, Some(SERVICE), "Notify", &call).await?;
        reply.body().deserialize()
    }

    fn receipt(&self, id: u32) -> String {
        receipt(&self.connection, &self.owner, id)
    }

    /// The toast to update, if this very server showed one about the same subject.
    fn replaced(&self, earlier: Option<&str>) -> u32 {
        let id = earlier.and_then(|earlier| earlier.rsplit_once(' ')).and_then(|(_, id)| id.parse().ok());
        id.filter(|id| earlier == Some(self.receipt(*id).as_str())).unwrap_or(0)
    }

    /// A body for this server: some read a little HTML and have to be given entities ("Markup").
    fn body(&self, lines: &[String]) -> String {
        let text = lines.join("\n");
        if self.can("body-markup") {
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
        } else {
            text
        }
    }
}

fn toast(message: &Message, session: &Session) -> Toast {
    let event = &message.event;
    let mut lines = vec![format!("Package: {} {}", wording::word(&event.package), wording::word(&event.version))];
    lines.extend(wording::about(event));
    lines.push(format!("What to do: {}", wording::advice(event)));
    lines.extend(wording::more(event).map(|url| format!("Read more: {url}")));
    let headline = wording::headline(event);
    let (summary, body) = if session.can("body") {
        (headline, session.body(&lines))
    } else {
        // Nothing but the summary is shown: it has to say what to do as well.
        (format!("{headline}; {}", wording::advice(event)), String::new())
    };
    let subject = [event.system.as_str(), event.advisory.as_str(), event.package.as_str()];
    Toast {
        replaces: session.replaced(message.earlier.as_deref()),
        tag: short_name(subject),
        summary,
        body,
        urgency: urgency(event),
    }
}

/// Many at once, as one toast that names the worst.
fn summed_up(messages: &[Message], session: &Session) -> Toast {
    let mut events: Vec<&Event> = messages.iter().map(|message| &message.event).collect();
    events.sort_by_key(|event| !event.is_critical);
    let named = events.iter().take(ALERT_TOASTS_MAX).map(|event| wording::headline(event));
    let mut lines: Vec<String> = named.collect();
    lines.push(format!("and {} more", events.len().saturating_sub(ALERT_TOASTS_MAX)));
    lines.push("What to do: see them all with aux alert list, and aux audit".to_owned());
    let urgency = events.iter().map(|event| urgency(event)).max().unwrap_or(NORMAL);
    let critical = events.iter().filter(|event| event.is_critical).count();
    let critical = if critical > 0 { format!(", {critical} critical") } else { String::new() };
    Toast {
        replaces: 0,
        tag: short_name(messages.first().map(|first| first.id.as_str())),
        summary: format!("{} security alerts{critical}", events.len()),
        body: session.body(&lines),
        urgency,
    }
}

/// The bus knows no server, or could not start the one it knows (D-Bus Specification, "Message Bus Starting Services").
fn is_absence(error: &str) -> bool {
    let error = error.strip_prefix("org.freedesktop.DBus.Error.");
    error.is_some_and(|error| ["ServiceUnknown", "NameHasNoOwner", "Spawn."].iter().any(|name| error.starts_with(name)))
}

/// Only the team's class is worth a toast that does not go away; a high score is not.
fn urgency(event: &Event) -> u8 {
    if event.is_critical { CRITICAL } else { NORMAL }
}

impl Channel for Notification {
    fn name(&self) -> &str {
        &self.name
    }

    fn batch_max(&self) -> u32 {
        // Whatever waits is one toast.
        EVENTS_KEPT_MAX
    }

    fn send(&mut self, messages: &[Message], _: Timestamp) -> Result<Vec<Option<String>>, SendError> {
        zbus::block_on(self.show_next(messages)).map_err(|error| {
            let error = error.to_string();
            if is_absence(&error) {
                return SendError::passing("no notification server runs in this session");
            }
            SendError::passing(format!("the session bus: {}", wording::word(&error)))
        })
    }
}
