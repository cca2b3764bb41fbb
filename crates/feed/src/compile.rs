//! `feed build`: from source files and a triage folder to the bytes of an index.

use std::path::PathBuf;

use aux_advisory::Record;
use aux_advisory::index::{self, Facts};
use aux_advisory::merge;
use aux_advisory::triage::{Triage, TriageError};
use aux_core::limits::PUBLIC_KEYS_BYTES_MAX;
use aux_io::input::{self, InputError};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::sources::{Gathered, Source, Wishes, gather};
use crate::triage::read_triage;

/// What to build from.
#[derive(Debug, Clone, Default)]
pub struct BuildRequest {
    pub nvd: Vec<PathBuf>,
    pub osv: Vec<PathBuf>,
    pub cve5: Vec<PathBuf>,
    pub pkgsrc: Vec<PathBuf>,
    pub kev: Vec<PathBuf>,
    pub triage: Option<PathBuf>,
    /// Files of armored public keys; with any, every pkgsrc list must be signed by one of the keys.
    pub pkgsrc_keys: Vec<PathBuf>,
    /// Leave out what was published after this day.
    pub as_of: Option<Date>,
    /// How many threads may read.
    pub threads: usize,
    /// Keep titles and references for a details pack.
    pub keeps_prose: bool,
}

/// A compiled index and what went into it.
#[derive(Debug, Clone)]
pub struct Built {
    pub index: Vec<u8>,
    /// Titles and references, where they were asked for.
    pub details: Option<Vec<u8>>,
    pub advisories: usize,
    pub documents: usize,
    pub remarks: Vec<String>,
}

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("nothing to build from: name at least one source")]
    NoSource,
    #[error("the sources hold no advisory")]
    NoAdvisory,
    #[error("of the source documents, {} cannot be read", unread.len())]
    Unread {
        /// Name and reason.
        unread: Vec<(String, String)>,
    },
    #[error("wrong entries in the triage folder: {}", errors.len())]
    Triage { errors: Vec<TriageError> },
    #[error("the public keys cannot be read")]
    Keys(#[source] InputError),
}

/// The merged records of a request, and the team's decisions about them.
pub(crate) struct Material {
    pub(crate) records: Vec<Record>,
    pub(crate) triage: Triage,
    pub(crate) documents: usize,
    pub(crate) remarks: Vec<String>,
}

/// Builds an index. An unreadable document or a wrong decision stops it: a feed that silently lacks a source lies.
pub fn build(request: &BuildRequest, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Built, BuildError> {
    let material = material(request, progress)?;
    if material.records.is_empty() {
        return Err(BuildError::NoAdvisory);
    }
    let facts = Facts { serial: 0, built: built(&material.records, request.as_of) };
    let details = request.keeps_prose.then(|| index::compile_details(&material.records, &facts));
    Ok(Built {
        advisories: material.records.len(),
        documents: material.documents,
        remarks: material.remarks,
        details,
        index: index::compile(material.records, &material.triage, &facts),
    })
}

/// Reads and merges everything a request names.
pub(crate) fn material(
    request: &BuildRequest,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Material, BuildError> {
    let paths = paths(request);
    if paths.is_empty() {
        return Err(BuildError::NoSource);
    }
    let folder = request.triage.as_deref().map(read_triage).unwrap_or_default();
    if !folder.errors.is_empty() {
        return Err(BuildError::Triage { errors: folder.errors });
    }
    let wishes = Wishes { keeps_prose: request.keeps_prose, pkgsrc_keys: keys(&request.pkgsrc_keys)? };
    let gathered = gather(&paths, request.threads, &wishes, progress);
    if !gathered.unread.is_empty() {
        return Err(BuildError::Unread { unread: gathered.unread });
    }
    let Gathered { records, kev, remarks, documents, .. } = gathered;
    let records = match request.as_of {
        Some(day) => merge::as_of(records, day),
        None => records,
    };
    let mut records = merge::merge(records);
    for catalogue in kev {
        catalogue.mark(&mut records, request.as_of);
    }
    Ok(Material { records, triage: folder.triage, documents, remarks })
}

fn keys(files: &[PathBuf]) -> Result<Option<Vec<u8>>, BuildError> {
    let read = |path: &PathBuf| input::read(path, PUBLIC_KEYS_BYTES_MAX as u64).map_err(BuildError::Keys);
    let keys = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok((!keys.is_empty()).then(|| keys.concat()))
}

fn paths(request: &BuildRequest) -> Vec<(Source, PathBuf)> {
    let sources = [
        (Source::Nvd, &request.nvd),
        (Source::Osv, &request.osv),
        (Source::Cve5, &request.cve5),
        (Source::Pkgsrc, &request.pkgsrc),
        (Source::Kev, &request.kev),
    ];
    sources.into_iter().flat_map(|(source, paths)| paths.iter().map(move |path| (source, path.clone()))).collect()
}

/// The feed's own date: the day it was asked for, or the newest change in its sources. The clock has no part in it.
fn built(records: &[Record], as_of: Option<Date>) -> Timestamp {
    let asked = as_of.and_then(|day| day.to_zoned(TimeZone::UTC).ok()).map(|zoned| zoned.timestamp());
    let newest = records.iter().filter_map(|record| record.modified.max(record.published)).max();
    asked.or(newest).unwrap_or(Timestamp::UNIX_EPOCH)
}
