//! The files of accepted findings that a command was given.

use std::path::PathBuf;

use aux_audit::Waivers;
use aux_core::limits::DOCUMENT_BYTES_MAX;

use crate::failure::Failure;

/// Reads waiver files in their order; one that cannot be read is an error, because a finding it accepts would come back.
pub(crate) fn read<'p>(files: impl IntoIterator<Item = &'p PathBuf>) -> Result<Waivers, Failure> {
    let mut waivers = Waivers::default();
    for file in files {
        let bytes = aux_io::input::read(file, DOCUMENT_BYTES_MAX)?;
        waivers.read_bytes(&file.display().to_string(), &bytes).map_err(Failure::new)?;
    }
    Ok(waivers)
}
