//! Which uploads were begun and where they go on, in one small file of the user's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aux_core::limits::{IMAGE_SEEN_BYTES_MAX, IMAGE_UPLOADS_MAX};
use aux_io::file;
use aux_io::input;
use serde::{Deserialize, Serialize};

use super::PublishError;

const SCHEMA: &str = "aux.image-uploads/1";

/// Begun uploads by what they are of. What cannot be read is forgotten: an upload can always begin anew.
#[derive(Debug)]
pub struct Uploads {
    path: PathBuf,
    begun: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    schema: String,
    uploads: BTreeMap<String, String>,
}

impl Uploads {
    /// Reads the file; nothing was begun where there is none.
    pub fn read(path: &Path) -> Self {
        let document = input::read(path, IMAGE_SEEN_BYTES_MAX).ok();
        let document: Option<Document> = document.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let begun = document.filter(|document| document.schema == SCHEMA).map(|document| document.uploads);
        Self { path: path.to_owned(), begun: begun.unwrap_or_default() }
    }

    pub(super) fn place(&self, key: &str) -> Option<&str> {
        self.begun.get(key).map(String::as_str)
    }

    /// Notes where an upload goes on; `None` where it is over.
    pub(super) fn note(&mut self, key: &str, place: Option<&str>) -> Result<(), PublishError> {
        let is_news = match place {
            Some(place) => self.begun.insert(key.to_owned(), place.to_owned()).as_deref() != Some(place),
            None => self.begun.remove(key).is_some(),
        };
        while self.begun.len() > IMAGE_UPLOADS_MAX {
            self.begun.pop_first();
        }
        if !is_news {
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            file::create_private_folder(folder)?;
        }
        let document = Document { schema: SCHEMA.to_owned(), uploads: self.begun.clone() };
        // A document of strings always serializes.
        let text = serde_json::to_string_pretty(&document).unwrap_or_default();
        Ok(file::replace(&self.path, text.as_bytes())?)
    }
}
