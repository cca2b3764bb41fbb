//! The agent on the system bus: asked for events, and listened to.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_core::Stream;
use serde_json::Value;
use zbus::message::Type;
use zbus::{Connection, MatchRule, Message, MessageStream, connection};

use crate::answer::{Fields, Numbered, json_of, numbered, whole};

const NAME: &str = "org.auxolotl.Aux1";
const PATH: &str = "/org/auxolotl/Aux1";

/// Events asked for at once; the rest follows.
pub(crate) const PAGE: u32 = 500;

/// The agent, whether it runs or not.
pub(crate) struct Agent {
    pub(crate) connection: Connection,
}

/// What the agent says of its events.
pub(crate) struct Page {
    /// The number of its newest.
    pub(crate) last_event: u64,
    pub(crate) events: Vec<Numbered>,
    /// Whether this was all there is after the number that was asked for.
    pub(crate) is_last: bool,
    /// Events that cannot be read, and the first one's reason.
    pub(crate) unreadable: Option<(usize, String)>,
}

/// Why the agent gives no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    #[error("no agent runs on this machine; as root: systemctl enable --now auxd.service")]
    Absent,
    #[error("the agent gives no answer: {0}")]
    Answer(String),
}

impl Agent {
    /// Connects to the system bus, whether the agent is there or not. Who stays waits for answers as long as it takes.
    pub(crate) fn connect(patience: Option<Duration>) -> Result<Self, String> {
        let connection = zbus::block_on(patient(connection::Builder::system(), patience).build());
        let connection = connection.map_err(|error| {
            format!("the system bus cannot be reached: {error}; the agent is asked over it (DBUS_SYSTEM_BUS_ADDRESS)")
        })?;
        Ok(Self { connection })
    }

    /// Events with higher numbers, oldest first.
    pub(crate) fn events_after(&self, number: u64) -> Result<Page, AgentError> {
        let question = (number, PAGE);
        let asked = self.connection.call_method(Some(NAME), PATH, Some(NAME), "ListEvents", &question);
        let reply = zbus::block_on(asked).map_err(|error| failure(&error))?;
        let answer: Result<(Fields, Vec<Fields>), _> = reply.body().deserialize();
        let (status, rows) = answer.map_err(|error| AgentError::Answer(error.to_string()))?;
        let is_last = rows.len() < PAGE as usize;
        let mut events = Vec::new();
        let mut unreadable: Option<(usize, String)> = None;
        for row in &rows {
            match numbered(row) {
                Ok(event) => events.push(event),
                Err(reason) => unreadable.get_or_insert((0, reason)).0 += 1,
            }
        }
        Ok(Page { last_event: whole(&status, "last_event"), events, is_last, unreadable })
    }

    /// What stands now, by system, advisory and package; `None` where the agent does not know for sure.
    pub(crate) fn standing(&self) -> Result<Option<BTreeSet<[String; 3]>>, AgentError> {
        let asked = self.connection.call_method(Some(NAME), PATH, Some(NAME), "ListFindings", &false);
        let reply = zbus::block_on(asked).map_err(|error| failure(&error))?;
        let answer: Result<(Fields, Vec<Fields>), _> = reply.body().deserialize();
        let (status, findings) = answer.map_err(|error| AgentError::Answer(error.to_string()))?;
        if word(&json_of(&status), "/standing") != "current" {
            return Ok(None);
        }
        let subject = |finding: &Fields| {
            let finding = json_of(finding);
            [word(&finding, "/system"), word(&finding, "/id"), word(&finding, "/package/name")]
        };
        Ok(Some(findings.iter().map(subject).collect()))
    }

    /// Its signals, and the bus's when it comes and goes.
    pub(crate) fn rules() -> Result<Vec<MatchRule<'static>>, zbus::Error> {
        let changed = MatchRule::builder().msg_type(Type::Signal).sender(NAME).interface(NAME);
        Ok(vec![changed.member("FindingsChanged").build()?, owner_rule(NAME)?])
    }
}

fn word(document: &Value, place: &str) -> String {
    document.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A connection that gives up on an answer after a while, where there is a limit.
pub(crate) fn patient(builder: connection::Builder<'_>, patience: Option<Duration>) -> connection::Builder<'_> {
    match patience {
        Some(limit) => builder.method_timeout(limit),
        None => builder,
    }
}

fn failure(error: &zbus::Error) -> AgentError {
    let text = error.to_string();
    let is_absent = ["ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected"]
        .iter()
        .any(|name| text.starts_with(&format!("org.freedesktop.DBus.Error.{name}")));
    if is_absent { AgentError::Absent } else { AgentError::Answer(text) }
}

/// The bus's signal that a name has another owner, or none.
pub(crate) fn owner_rule(name: &str) -> Result<MatchRule<'static>, zbus::Error> {
    let bus = "org.freedesktop.DBus";
    let rule = MatchRule::builder().msg_type(Type::Signal).sender(bus).interface(bus);
    Ok(rule.member("NameOwnerChanged").arg(0, name.to_owned()).build()?.to_owned())
}

/// Of a `NameOwnerChanged`, whether the name has an owner now.
pub(crate) fn has_owner(message: &Message) -> bool {
    let names: Result<(String, String, String), _> = message.body().deserialize();
    names.is_ok_and(|(_, _, new)| !new.is_empty())
}

/// Hands every message that meets a rule to `each`, in the order the bus sent them for a rule, until the connection is
/// gone. Subscribed when `ready` is called.
pub(crate) fn listen(
    connection: &Connection,
    rules: Vec<MatchRule<'static>>,
    ready: impl FnOnce(),
    each: impl Fn(&Message),
) -> Result<(), zbus::Error> {
    zbus::block_on(async {
        let mut streams = Vec::new();
        for rule in rules {
            streams.push(MessageStream::for_match_rule(rule, connection, None).await?);
        }
        ready();
        std::future::poll_fn(|context| {
            for stream in &mut streams {
                loop {
                    match Stream::poll_next(std::pin::Pin::new(&mut *stream), context) {
                        std::task::Poll::Ready(Some(Ok(message))) => each(&message),
                        std::task::Poll::Ready(Some(Err(_))) => {}
                        std::task::Poll::Ready(None) => return std::task::Poll::Ready(()),
                        std::task::Poll::Pending => break,
                    }
                }
            }
            std::task::Poll::Pending
        })
        .await;
        Ok(())
    })
}
