//! The agent over the system bus: `org.auxolotl.Aux1`, for software centers and the notifier of a session.
#![expect(clippy::disallowed_types, reason = "the macro's own code names one, and nothing iterates over it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;

use serde_json::{Map, Value};
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedVariant, Variant, connection, fdo, interface};

use crate::answers::{Question, answered};
use crate::policykit;
use crate::settings::Settings;
use crate::watching::Wake;

pub(crate) const NAME: &str = "org.auxolotl.Aux1";
pub(crate) const PATH: &str = "/org/auxolotl/Aux1";

/// A dictionary of the bus, `a{sv}`.
type Fields = BTreeMap<String, OwnedVariant>;

struct Agent {
    settings: Arc<Settings>,
    wake: Sender<Wake>,
}

#[interface(name = "org.auxolotl.Aux1")]
impl Agent {
    /// How things stand.
    #[zbus(out_args("status"))]
    fn get_status(&self) -> fdo::Result<Fields> {
        Ok(self.split(Question::Status, "systems")?.0)
    }

    /// Findings of every watched system: alarms and what could not be told, or all of them.
    #[zbus(out_args("status", "findings"))]
    fn list_findings(&self, all: bool) -> fdo::Result<(Fields, Vec<Fields>)> {
        let (status, systems) = self.split(Question::Findings { all }, "systems")?;
        let mut findings = Vec::new();
        for system in systems {
            let name = system.get("name").cloned().unwrap_or_default();
            for finding in system.get("findings").and_then(Value::as_array).into_iter().flatten() {
                let mut finding = finding.as_object().cloned().unwrap_or_default();
                finding.insert("system".to_owned(), name.clone());
                findings.push(fields(&finding)?);
            }
        }
        Ok((status, findings))
    }

    /// What to do, a step for each package.
    #[zbus(out_args("status", "steps"))]
    fn get_plan(&self) -> fdo::Result<(Fields, Vec<Fields>)> {
        let (status, steps) = self.split(Question::Plan, "steps")?;
        Ok((status, each(&steps)?))
    }

    /// Events after a number, oldest first.
    #[zbus(out_args("status", "events"))]
    fn list_events(&self, after: u64, limit: u32) -> fdo::Result<(Fields, Vec<Fields>)> {
        let (status, events) = self.split(Question::Events { after, limit }, "events")?;
        Ok((status, each(&events)?))
    }

    /// Audits again now, if PolicyKit allows it. Returns when that is begun; `RoundFinished` says when it is done.
    async fn refresh(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<()> {
        let sender = header.sender().ok_or_else(|| fdo::Error::AccessDenied("nobody asks".to_owned()))?;
        policykit::check(connection, sender.as_str(), policykit::REFRESH).await?;
        self.wake.send(Wake::Refresh).map_err(|_| fdo::Error::Failed("the agent is ending".to_owned()))
    }

    /// A round of the agent ended: with an empty text, or with why nothing could be judged.
    #[zbus(signal)]
    async fn round_finished(emitter: &SignalEmitter<'_>, failure: &str) -> zbus::Result<()>;

    /// Something that an answer holds is different now.
    #[zbus(signal)]
    async fn findings_changed(emitter: &SignalEmitter<'_>, last_event: u64) -> zbus::Result<()>;
}

impl Agent {
    /// The answer as a dictionary, and one list of it apart.
    fn split(&self, question: Question, list: &str) -> fdo::Result<(Fields, Vec<Map<String, Value>>)> {
        let mut document = answered(&self.settings, question);
        self.wake.send(Wake::Answered).ok();
        let head = document.as_object_mut().ok_or_else(|| fdo::Error::Failed("the state cannot be read".to_owned()))?;
        let entries = head.remove(list);
        let entries = entries.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok((fields(head)?, entries.iter().filter_map(|entry| entry.as_object().cloned()).collect()))
    }
}

fn each(objects: &[Map<String, Value>]) -> fdo::Result<Vec<Fields>> {
    objects.iter().map(fields).collect()
}

fn fields(object: &Map<String, Value>) -> fdo::Result<Fields> {
    let mut fields = Fields::new();
    for (name, value) in object {
        if let Some(value) = variant(value)? {
            fields.insert(name.clone(), value);
        }
    }
    Ok(fields)
}

/// The bus has no null: what is null is left out.
fn variant(value: &Value) -> fdo::Result<Option<OwnedVariant>> {
    let owned = |value: Variant<'_>| {
        OwnedVariant::try_from(value).map(Some).map_err(|error| fdo::Error::Failed(error.to_string()))
    };
    match value {
        Value::Null => Ok(None),
        Value::Bool(value) => owned(Variant::from(*value)),
        Value::String(value) => owned(Variant::from(value.as_str())),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => owned(Variant::from(number)),
            (None, Some(number)) => owned(Variant::from(number)),
            (None, None) => owned(Variant::from(number.as_f64().unwrap_or_default())),
        },
        Value::Object(object) => owned(Variant::from(fields(object)?)),
        Value::Array(entries) if entries.iter().any(Value::is_object) => {
            let entries: Vec<Fields> =
                entries.iter().filter_map(Value::as_object).map(fields).collect::<fdo::Result<_>>()?;
            owned(Variant::from(entries))
        }
        Value::Array(entries) => {
            let text = |entry: &Value| entry.as_str().map_or_else(|| entry.to_string(), str::to_owned);
            owned(Variant::from(entries.iter().map(text).collect::<Vec<String>>()))
        }
    }
}

/// A connection that serves the agent.
pub(crate) struct Served {
    connection: Connection,
}

/// Takes the name on the system bus. The library's own thread serves from then on.
pub(crate) fn serve(settings: &Arc<Settings>, wake: &Sender<Wake>) -> Result<Served, String> {
    let agent = Agent { settings: Arc::clone(settings), wake: wake.clone() };
    let connection =
        zbus::block_on(async { connection::Builder::system().name(NAME).serve_at(PATH, agent).build().await });
    let connection = connection.map_err(|error: zbus::Error| format!("the system bus: {error}"))?;
    let (watched, wake) = (connection.clone(), wake.clone());
    thread::spawn(move || {
        zbus::block_on(watched.closed());
        // Nobody listens where the daemon itself ends.
        wake.send(Wake::BusGone).ok();
    });
    Ok(Served { connection })
}

impl Served {
    /// Tells listeners that a round ended.
    pub(crate) fn finished(&self, failure: &str) -> Result<(), String> {
        let emitter = SignalEmitter::new(&self.connection, PATH).map_err(|error| error.to_string())?;
        zbus::block_on(Agent::round_finished(&emitter, failure)).map_err(|error| error.to_string())
    }

    /// Tells listeners that something is different.
    pub(crate) fn changed(&self, last_event: u64) -> Result<(), String> {
        let emitter = SignalEmitter::new(&self.connection, PATH).map_err(|error| error.to_string())?;
        zbus::block_on(Agent::findings_changed(&emitter, last_event)).map_err(|error| error.to_string())
    }
}
