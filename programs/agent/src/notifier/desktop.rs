//! The session bus: who shows toasts there, and what people do with them.

use std::time::Duration;

use aux_alert::notification::{NOTIFIER, PATH, SERVICE, receipt};
use zbus::fdo::{RequestNameFlags, RequestNameReply};
use zbus::message::Type;
use zbus::{Connection, MatchRule, Message, connection};

use crate::agent::{has_owner, owner_rule, patient};

/// Something that happened to a toast or to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The server came or went.
    Server { is_here: bool },
    /// Somebody pressed a button of a toast, which the receipt names.
    Invoked { receipt: String },
    /// A toast is gone.
    Closed { receipt: String },
}

/// Connects to the session bus. Who stays waits for a server as long as it takes.
pub(crate) fn connect(patience: Option<Duration>) -> Result<Connection, String> {
    zbus::block_on(patient(connection::Builder::session(), patience).build()).map_err(|error| {
        format!(
            "the session bus cannot be reached: {error}; toasts are shown over it, so run this in a desktop session \
             (DBUS_SESSION_BUS_ADDRESS)"
        )
    })
}

/// Takes the name that one notifier of a session has, so that nothing is shown by two.
pub(crate) fn take_name(connection: &Connection) -> Result<(), String> {
    let flags = RequestNameFlags::DO_NOT_QUEUE;
    let taken = || "a notifier shows toasts in this session already; `aux-notifier --once` works beside it".to_owned();
    match zbus::block_on(connection.request_name_with_flags(NOTIFIER, flags)) {
        Ok(RequestNameReply::PrimaryOwner | RequestNameReply::AlreadyOwner) => Ok(()),
        Ok(_) | Err(zbus::Error::NameTaken) => Err(taken()),
        Err(error) => Err(format!("the session bus: {error}")),
    }
}

/// Whether somebody shows toasts.
pub(crate) fn has_server(connection: &Connection) -> bool {
    let bus = Some("org.freedesktop.DBus");
    let asked = connection.call_method(bus, "/org/freedesktop/DBus", bus, "NameHasOwner", &SERVICE);
    let reply = zbus::block_on(asked).and_then(|reply| reply.body().deserialize::<bool>());
    reply.unwrap_or(false)
}

/// The signals that are listened to.
pub(crate) fn rules() -> Result<Vec<MatchRule<'static>>, zbus::Error> {
    let mut rules = vec![owner_rule(SERVICE)?];
    for member in ["ActionInvoked", "NotificationClosed"] {
        // Some servers send these to whom they concern, some to everybody: no rule about the sender fits both.
        let rule = MatchRule::builder().msg_type(Type::Signal).interface(SERVICE).path(PATH);
        rules.push(rule.member(member).build()?);
    }
    Ok(rules)
}

/// What a signal says. Toasts of others are told from ours by the receipts that were kept.
pub(crate) fn seen(connection: &Connection, message: &Message) -> Option<Seen> {
    let header = message.header();
    let of_toast = |id: u32| Some(receipt(connection, header.sender()?.as_str(), id));
    match header.member()?.as_str() {
        "NameOwnerChanged" => Some(Seen::Server { is_here: has_owner(message) }),
        "ActionInvoked" => {
            let (id, _key): (u32, String) = message.body().deserialize().ok()?;
            Some(Seen::Invoked { receipt: of_toast(id)? })
        }
        "NotificationClosed" => {
            let (id, _reason): (u32, u32) = message.body().deserialize().ok()?;
            Some(Seen::Closed { receipt: of_toast(id)? })
        }
        _ => None,
    }
}
