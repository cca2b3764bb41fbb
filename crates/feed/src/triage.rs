//! Reads a triage folder from disk.

use std::path::Path;

use aux_advisory::triage::{self, Place, Triage, TriageError};
use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_io::input;

/// A folder's decisions, and everything wrong with its files.
#[derive(Debug, Clone, Default)]
pub struct TriageFolder {
    pub triage: Triage,
    pub errors: Vec<TriageError>,
}

/// Reads every `.toml` file below `folder`, in the order of their names.
pub fn read_triage(folder: &Path) -> TriageFolder {
    let mut read = TriageFolder::default();
    let mut errors = Vec::new();
    let mut files = 0_usize;
    input::entries(folder, DOCUMENT_BYTES_MAX, &mut |entry| match entry {
        Err(error) => errors.push(at_top(error.name(), error.message())),
        Ok(entry) if Path::new(entry.name).extension().is_none_or(|extension| extension != "toml") => {}
        Ok(entry) => match std::str::from_utf8(entry.bytes).inspect(|_| files += 1) {
            Ok(text) => errors.extend(triage::read(entry.name, text, &mut read.triage)),
            Err(_) => errors.push(at_top(entry.name, "it is not UTF-8 text".to_owned())),
        },
    });
    if files == 0 && errors.is_empty() {
        let message = "holds no .toml file, so it decides nothing; name the triage folder".to_owned();
        errors.push(at_top(&folder.display().to_string(), message));
    }
    read.errors = errors;
    read
}

fn at_top(file: &str, message: String) -> TriageError {
    TriageError { place: Place { file: file.to_owned(), line: 1 }, message }
}
