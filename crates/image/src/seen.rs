//! Which revisions of the vulnerability list were seen before: who serves an older one hides what was found since.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aux_core::limits::{IMAGE_SEEN_BYTES_MAX, IMAGE_SEEN_MAX};
use aux_io::file::{self, FileError};
use aux_io::input::{self, InputError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::list::{ListFacts, is_older};

const SCHEMA: &str = "aux.image-seen/1";

/// Revisions and when they were committed, kept in one small file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    revisions: BTreeMap<String, Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: String,
    revisions: BTreeMap<String, Timestamp>,
}

/// Why what was seen cannot be told or kept. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum SeenError {
    #[error("{0}")]
    Read(InputError),
    #[error("{}: is not what was seen of vulnerability lists: {cause}", path.display())]
    Document { path: PathBuf, cause: String },
    #[error("{0}")]
    Write(FileError),
}

impl Seen {
    /// Reads the file; where there is none, nothing was seen.
    pub fn read(path: &Path) -> Result<Self, SeenError> {
        let bytes = match input::read(path, IMAGE_SEEN_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(InputError::Missing { .. }) => return Ok(Self::default()),
            Err(error) => return Err(SeenError::Read(error)),
        };
        let wrong = |cause: String| SeenError::Document { path: path.to_owned(), cause };
        let document: Document = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        if document.schema != SCHEMA {
            return Err(wrong(format!("it is a `{}` document, not `{SCHEMA}`", document.schema)));
        }
        Ok(Self { revisions: document.revisions })
    }

    /// The newest revision seen that existed at a moment: a day in the past is judged by the lists of that day.
    pub fn newest(&self, at: Timestamp) -> Option<&str> {
        let existed = self.revisions.iter().filter(|(_, committed)| **committed <= at);
        existed
            .map(|(revision, _)| revision.as_str())
            .reduce(|newest, next| if is_older(newest, next) { next } else { newest })
    }

    /// Notes a list; true where that is news.
    pub fn note(&mut self, facts: &ListFacts) -> bool {
        let (Some(revision), Some(committed)) = (&facts.revision, facts.committed) else { return false };
        let is_news = self.revisions.insert(revision.clone(), committed) != Some(committed);
        while self.revisions.len() > IMAGE_SEEN_MAX {
            let oldest = self.revisions.iter().min_by_key(|(_, committed)| **committed);
            let Some(oldest) = oldest.map(|(revision, _)| revision.clone()) else { break };
            self.revisions.remove(&oldest);
        }
        is_news
    }

    /// Puts the file in place, and the folder it lies in.
    pub fn write(&self, path: &Path) -> Result<(), SeenError> {
        if let Some(folder) = path.parent() {
            file::create_private_folder(folder).map_err(SeenError::Write)?;
        }
        let document = Document { schema: SCHEMA.to_owned(), revisions: self.revisions.clone() };
        // A document of strings always serializes.
        let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
        text.push('\n');
        file::replace(path, text.as_bytes()).map_err(SeenError::Write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::VulnerabilityList;

    fn facts(revision: &str, day: &str) -> ListFacts {
        let text = format!("# $NetBSD: p,v {revision} {day} 00:00:00 x Exp $\n#FORMAT 1.1.0\na<1 x u\n");
        VulnerabilityList::read(text.as_bytes(), None).unwrap().facts().clone()
    }

    #[test]
    fn the_newest_revision_of_a_day_is_by_number_and_not_by_text() {
        let mut seen = Seen::default();
        assert!(seen.note(&facts("1.9", "2011/01/01")) && seen.note(&facts("1.10", "2011/02/01")));
        assert!(!seen.note(&facts("1.10", "2011/02/01")));
        let newest = |day: &str| seen.newest(format!("{day}T12:00:00Z").parse().unwrap());
        assert_eq!(
            (newest("2010-12-31"), newest("2011-01-15"), newest("2020-01-01")),
            (None, Some("1.9"), Some("1.10"))
        );
    }

    #[test]
    fn what_was_seen_is_read_back_and_a_strange_file_is_not_taken_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/seen.json");
        assert_eq!(Seen::read(&path).unwrap(), Seen::default());
        let mut seen = Seen::default();
        seen.note(&facts("1.9", "2011/01/01"));
        seen.write(&path).unwrap();
        assert_eq!(Seen::read(&path).unwrap(), seen);
        file::replace(&path, b"{}").unwrap();
        assert!(matches!(Seen::read(&path), Err(SeenError::Document { .. })));
    }
}
