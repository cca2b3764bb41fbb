//! `aux.image-publish/1`; docs/formats/image-publish.md says what every field means.

use aux_audit::formats::json_document;
use serde::Serialize;

use super::{Built, Published};

/// The name and version of the format.
pub const SCHEMA: &str = "aux.image-publish/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    image: ImageOutput<'a>,
    place: &'a str,
    state: &'static str,
    uuid: &'a str,
    digest: Option<&'a str>,
    channels: &'a [String],
    sent_bytes: u64,
    present_bytes: u64,
}

#[derive(Serialize)]
struct ImageOutput<'a> {
    name: &'a str,
    version: &'a str,
    uuid: &'a str,
    origin: Option<&'a str>,
    channels: &'a [String],
}

/// Writes what was done as one document.
pub fn json(built: &Built, published: &Published) -> String {
    json_document(&Document {
        schema: SCHEMA,
        image: ImageOutput {
            name: &built.name,
            version: &built.version,
            uuid: &built.uuid,
            origin: built.origin.as_deref(),
            channels: &built.channels,
        },
        place: &published.place,
        state: published.state.as_str(),
        uuid: &published.uuid,
        digest: published.digest.as_deref(),
        channels: &published.channels,
        sent_bytes: published.sent_bytes,
        present_bytes: published.present_bytes,
    })
}
