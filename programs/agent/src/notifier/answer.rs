//! An answer of the agent as it comes over the bus, read back into an event.

use std::collections::BTreeMap;

use aux_watch::{Event, EventKind, Known, Subject};
use serde::Deserialize;
use serde_json::{Map, Value};
use zbus::{OwnedVariant, Variant};

/// A dictionary of the bus, `a{sv}`.
pub(crate) type Fields = BTreeMap<String, OwnedVariant>;

/// An event and its number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Numbered {
    pub(crate) number: u64,
    pub(crate) event: Event,
}

/// An event of `aux.events/1`; keys that are not known are ignored, as docs/formats/agent-socket.md asks.
#[derive(Deserialize)]
struct Written {
    number: u64,
    event: String,
    system: String,
    advisory: String,
    package: String,
    raised: String,
    finding: Known,
}

/// One event of an answer; the error is a sentence.
pub(crate) fn numbered(fields: &Fields) -> Result<Numbered, String> {
    let written: Written = serde_json::from_value(json_of(fields)).map_err(|error| error.to_string())?;
    let kind: EventKind = written.event.parse().map_err(|_| format!("`{}` is no kind of event", written.event))?;
    let raised = written.raised.parse().map_err(|error: jiff::Error| error.to_string())?;
    let subject = Subject { system: written.system, advisory: written.advisory, package: written.package };
    let event = Event { subject, kind, covers: vec![kind], finding: written.finding, raised };
    Ok(Numbered { number: written.number, event })
}

/// A whole number of an answer.
pub(crate) fn whole(fields: &Fields, name: &str) -> u64 {
    fields.get(name).and_then(|value| json(value).as_u64()).unwrap_or_default()
}

/// A dictionary as a document.
pub(crate) fn json_of(fields: &Fields) -> Value {
    Value::Object(fields.iter().map(|(name, value)| (name.clone(), json(value))).collect())
}

fn json(value: &Variant<'_>) -> Value {
    match value {
        Variant::Bool(value) => Value::from(*value),
        Variant::U8(number) => Value::from(*number),
        Variant::I16(number) => Value::from(*number),
        Variant::U16(number) => Value::from(*number),
        Variant::I32(number) => Value::from(*number),
        Variant::U32(number) => Value::from(*number),
        Variant::I64(number) => Value::from(*number),
        Variant::U64(number) => Value::from(*number),
        Variant::F64(number) => Value::from(*number),
        Variant::Str(text) => Value::from(text.as_str()),
        Variant::Variant(inner) => json(inner),
        Variant::Array(entries) => Value::Array(entries.iter().map(json).collect()),
        Variant::Dict(entries) => {
            let entry = |(name, value): (&Variant<'_>, &Variant<'_>)| match name {
                Variant::Str(name) => Some((name.as_str().to_owned(), json(value))),
                _ => None,
            };
            Value::Object(entries.iter().filter_map(entry).collect::<Map<_, _>>())
        }
        // Nothing else is in an answer.
        _ => Value::Null,
    }
}
