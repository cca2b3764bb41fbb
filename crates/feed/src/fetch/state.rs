//! `fetch.json`: what is here, where it came from, and how far an interrupted fetch came.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_io::input::{self, InputError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FetchError, time};

const SCHEMA: &str = "aux.fetch/1";
const NAME: &str = "fetch.json";

/// The whole document, and where it lies.
#[derive(Debug, Clone)]
pub(super) struct State {
    path: PathBuf,
    pub(super) sources: BTreeMap<String, SourceState>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: String,
    sources: BTreeMap<String, SourceState>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceState {
    /// When a fetch of this source last came to its end.
    #[serde(default, with = "time", skip_serializing_if = "Option::is_none")]
    pub(super) completed: Option<Timestamp>,
    /// When everything, and not only changes, was last looked at.
    #[serde(default, with = "time", skip_serializing_if = "Option::is_none")]
    pub(super) full: Option<Timestamp>,
    /// By path below the folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) files: BTreeMap<String, FileState>,
    /// OSV: the newest change that is here, by ecosystem.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) newest: BTreeMap<String, String>,
    /// NVD's API: up to which moment changes are here.
    #[serde(default, with = "time", skip_serializing_if = "Option::is_none")]
    pub(super) changes_until: Option<Timestamp>,
    /// NVD's API: pages of a fetch that has not come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) paging: Option<Paging>,
}

/// A file as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileState {
    /// Without credentials.
    pub(super) url: String,
    pub(super) bytes: u64,
    /// Of the file as it lies here.
    pub(super) sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_modified: Option<String>,
    /// What the publisher's own checksum file said, of the unpacked document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stated_sha256: Option<String>,
    #[serde(default, with = "time", skip_serializing_if = "Option::is_none")]
    pub(super) fetched: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    #[serde(with = "time")]
    pub(super) started: Option<Timestamp>,
    /// The window of changes; both absent where everything is fetched.
    #[serde(default, with = "time", skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Timestamp>,
    #[serde(default, with = "time", skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Timestamp>,
    pub(super) next_index: u64,
    pub(super) files: BTreeMap<String, FileState>,
}

/// Whether `path` is a source's folder whose first fetch never came to its end: a build from it would lack the rest.
pub(crate) fn is_unfinished(path: &Path) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return false;
    };
    let Ok(state) = State::read(folder) else { return false };
    state.sources.get(name).is_some_and(|source| source.completed.is_none())
}

impl State {
    pub(super) fn read(folder: &Path) -> Result<Self, FetchError> {
        let path = folder.join(NAME);
        let wrong = |cause: String| FetchError::State { path: path.clone(), cause };
        let bytes = match input::read(&path, DOCUMENT_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(InputError::Missing { .. }) => return Ok(Self { path, sources: BTreeMap::new() }),
            Err(error) => return Err(wrong(error.message())),
        };
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        match value.get("schema").and_then(serde_json::Value::as_str) {
            Some(SCHEMA) => {}
            Some(other) => return Err(wrong(format!("its schema is `{other}`, and this program knows {SCHEMA}"))),
            None => return Err(wrong(format!("it has no `schema`; {SCHEMA} is wanted"))),
        }
        let document: Document = serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { path, sources: document.sources })
    }

    pub(super) fn write(&self) -> Result<(), FetchError> {
        let document = Document { schema: SCHEMA.to_owned(), sources: self.sources.clone() };
        let mut text = serde_json::to_string_pretty(&document)
            .map_err(|error| FetchError::State { path: self.path.clone(), cause: error.to_string() })?;
        text.push('\n');
        Ok(aux_io::file::replace(&self.path, text.as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page's example is read and written back as it stands.
    #[test]
    fn the_example_of_the_page_is_the_document() {
        let page = include_str!("../../../../docs/formats/fetch.md");
        let example = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        aux_io::file::replace(&path, example.as_bytes()).unwrap();
        State::read(folder.path()).unwrap().write().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), example);
    }

    #[test]
    fn a_newer_document_and_one_with_words_unknown_here_are_refused() {
        for wrong in [r#"{"schema":"aux.fetch/2","sources":{}}"#, r#"{"sources":{}}"#, "{", ""] {
            let folder = tempfile::tempdir().unwrap();
            aux_io::file::replace(folder.path().join(NAME), wrong.as_bytes()).unwrap();
            assert!(matches!(State::read(folder.path()), Err(FetchError::State { .. })), "{wrong}");
        }
        let folder = tempfile::tempdir().unwrap();
        let unknown = r#"{"schema":"aux.fetch/1","sources":{"kev":{"colour":"red"}}}"#;
        aux_io::file::replace(folder.path().join(NAME), unknown.as_bytes()).unwrap();
        assert!(State::read(folder.path()).unwrap_err().to_string().contains("colour"));
    }
}
