//! `feed build`: from source files and a triage folder to the bytes of an index.

use std::path::PathBuf;

use aux_advisory::Record;
use aux_advisory::index::{self, Facts};
use aux_advisory::triage::TriageError;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::sources::{Source, gather};
use crate::triage::read_triage;

/// What to build from.
#[derive(Debug, Clone, Default)]
pub struct BuildRequest {
    pub nvd: Vec<PathBuf>,
    pub triage: Option<PathBuf>,
    /// Leave out what was published after this day.
    pub as_of: Option<Date>,
    /// How many threads may read.
    pub threads: usize,
}

/// A compiled index and what went into it.
#[derive(Debug, Clone)]
pub struct Built {
    pub index: Vec<u8>,
    pub advisories: usize,
    pub documents: usize,
}

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("nothing to build from: name at least one source")]
    NoSource,
    #[error("{} of the source documents cannot be read", unread.len())]
    Unread {
        /// Name and reason.
        unread: Vec<(String, String)>,
    },
    #[error("{} entries of the triage folder are wrong", errors.len())]
    Triage { errors: Vec<TriageError> },
}

/// Builds an index. An unreadable document or a wrong decision stops it: a feed that silently lacks a source lies.
pub fn build(request: &BuildRequest, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Built, BuildError> {
    let paths: Vec<(Source, PathBuf)> = request.nvd.iter().map(|path| (Source::Nvd, path.clone())).collect();
    if paths.is_empty() {
        return Err(BuildError::NoSource);
    }
    let folder = request.triage.as_deref().map(read_triage).unwrap_or_default();
    if !folder.errors.is_empty() {
        return Err(BuildError::Triage { errors: folder.errors });
    }
    let gathered = gather(&paths, request.threads, false, progress);
    if !gathered.unread.is_empty() {
        return Err(BuildError::Unread { unread: gathered.unread });
    }
    let mut records = gathered.records;
    if let Some(day) = request.as_of {
        records.retain(|record| record.published.is_none_or(|time| time.to_zoned(TimeZone::UTC).date() <= day));
    }
    records.sort_by(|left, right| left.id.cmp(&right.id));
    let facts = Facts { serial: 0, built: built(&records, request.as_of) };
    let advisories = records.len();
    let index = index::compile(records, &folder.triage, &facts);
    Ok(Built { index, advisories, documents: gathered.documents })
}

/// The feed's own date: the day it was asked for, or the newest change in its sources. The clock has no part in it.
fn built(records: &[Record], as_of: Option<Date>) -> Timestamp {
    let asked = as_of.and_then(|day| day.to_zoned(TimeZone::UTC).ok()).map(|zoned| zoned.timestamp());
    let newest = records.iter().filter_map(|record| record.modified.max(record.published)).max();
    asked.or(newest).unwrap_or(Timestamp::UNIX_EPOCH)
}
