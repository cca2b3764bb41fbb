//! NAR, Nix's archive of one store object ([format](../../../../docs/formats/nar.md)): read and written as a stream.
//!
//! There is exactly one NAR of a tree, and the reader takes no other: what it reads, [`Writer`] writes back byte for byte.

mod error;
mod listing;
mod name;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use error::{NarError, NarProblem, NarWriteError};
pub use listing::{Listing, ListingError};
pub use name::NameProblem;
pub use read::{Content, Event, Reader};
pub use write::Writer;

use std::io::{Read, Write};

/// What every NAR begins with.
const MAGIC: &[u8] = b"nix-archive-1";

/// Reads a NAR to its end, strictly, and hands each event to `each`; contents it leaves unread are passed over.
pub fn read<R: Read>(
    source: R,
    each: &mut dyn FnMut(&Event<'_>, &mut dyn Read) -> std::io::Result<()>,
) -> Result<(), NarError> {
    let mut reader = Reader::new(source);
    while let Some((event, mut content)) = reader.next_with_content()? {
        let offset = content.offset();
        each(&event, &mut content).map_err(|error| NarError::of_read(offset, error))?;
    }
    Ok(())
}

/// Writes what it reads: the same bytes, or an error.
pub fn copy<R: Read, W: Write>(reader: &mut Reader<R>, writer: &mut Writer<W>) -> Result<(), CopyError> {
    while let Some((event, mut content)) = reader.next_with_content()? {
        match event {
            Event::Directory => writer.directory()?,
            Event::Entry { name } => writer.entry(name)?,
            Event::Symlink { target } => writer.symlink(target)?,
            Event::Leave => writer.leave()?,
            Event::File { is_executable, size, .. } => {
                writer.file(is_executable, size)?;
                copy_content(&mut content, writer)?;
                writer.end_file()?;
            }
        }
    }
    Ok(())
}

/// Why a NAR was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Read(#[from] NarError),
    #[error(transparent)]
    Write(#[from] NarWriteError),
}

fn copy_content<R: Read, W: Write>(content: &mut Content<'_, R>, writer: &mut Writer<W>) -> Result<(), CopyError> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let offset = content.offset();
        let length = content.read(&mut buffer).map_err(|error| NarError::of_read(offset, error))?;
        match buffer.get(..length) {
            None | Some([]) => return Ok(()),
            Some(bytes) => writer.content(bytes)?,
        }
    }
}
