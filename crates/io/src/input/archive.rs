//! The entries of a tar, read in memory only: nothing is ever written where a tar says.

use super::entries::{Visit, hand_over};
use super::{InputError, read_bounded};
use aux_core::limits::{ENTRIES_MAX, ENTRY_HEADER_BYTES_MAX, UNPACKED_BYTES_MAX};
use std::cell::Cell;
use std::io::{self, Read};
use std::path::{Component, Path};

/// A tar is a sequence of such blocks (POSIX.1-2017, pax, "ustar Interchange Format").
pub(super) const TAR_BLOCK_BYTES: usize = 512;

/// Whether unpacked bytes begin a tar: by the magic at offset 257, or by name for archives older than the magic.
pub fn looks_like_tar(name: &str, start: &[u8]) -> bool {
    if start.get(257..262) == Some(b"ustar") {
        return true;
    }
    let name = name.to_ascii_lowercase();
    [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".txz"].iter().any(|suffix| name.ends_with(suffix))
}

/// Hands every file of an unpacked tar to `visit`; links and devices are passed over.
pub fn archive(name: &str, reader: &mut dyn Read, limit_bytes: u64, visit: &mut Visit<'_>) {
    let header_bytes_left = Cell::new(Some(ENTRY_HEADER_BYTES_MAX));
    let mut source = Watched { name, reader, zeros: 0, header_bytes_left: &header_bytes_left };
    if let Err(error) = files(name, &mut source, limit_bytes, visit) {
        return visit(Err(error));
    }
    // The tar reader takes an archive that simply stops for one that ends.
    if source.zeros < TAR_BLOCK_BYTES as u64 {
        let cause = io::Error::new(io::ErrorKind::UnexpectedEof, "the end marker is missing");
        return visit(Err(InputError::Archive { name: name.to_owned(), cause }));
    }
    // Padding is read to its end, so that a packed archive's checksum is looked at and nothing hides behind the marker.
    let marker = source.zeros;
    header_bytes_left.set(None);
    match io::copy(&mut source, &mut io::sink()) {
        Ok(padding) if source.zeros == marker + padding => {}
        Ok(_) => {
            let cause = io::Error::new(io::ErrorKind::InvalidData, "there is more data after its end marker");
            visit(Err(InputError::Archive { name: name.to_owned(), cause }));
        }
        Err(error) => visit(Err(archive_error(name, error))),
    }
}

/// Visits the files until the end marker; an error that ends the whole archive is returned, others are visited.
fn files(name: &str, source: &mut Watched<'_>, limit_bytes: u64, visit: &mut Visit<'_>) -> Result<(), InputError> {
    let header_bytes_left = source.header_bytes_left;
    let mut archive = tar::Archive::new(source);
    let entries = archive.entries().map_err(|error| archive_error(name, error))?;
    let mut bytes = Vec::new();
    let mut total_bytes = 0_u64;
    for (index, entry) in entries.enumerate() {
        if index >= ENTRIES_MAX {
            return Err(InputError::Entries { name: name.to_owned(), limit: ENTRIES_MAX });
        }
        // After a damaged header nothing tells where the next one begins.
        let mut entry = entry.map_err(|error| archive_error(name, error))?;
        header_bytes_left.set(None);
        total_bytes = total_bytes.saturating_add(entry.size());
        if total_bytes > UNPACKED_BYTES_MAX {
            return Err(InputError::UnpackedBytes { name: name.to_owned(), limit_bytes: UNPACKED_BYTES_MAX });
        }
        let kind = entry.header().entry_type();
        if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() {
            bytes.clear();
            // Entries may be packed themselves, so what they unpack to counts too.
            total_bytes = total_bytes.saturating_add(file(name, &mut entry, &mut bytes, limit_bytes, visit)?);
        }
        // What is left is passed over here and not by the tar reader, whose own reading is bounded below.
        io::copy(&mut entry, &mut io::sink()).map_err(|error| archive_error(name, error))?;
        header_bytes_left.set(Some(ENTRY_HEADER_BYTES_MAX));
    }
    Ok(())
}

/// Visits one file of the archive; says how many bytes it unpacked to beyond its own.
fn file(
    name: &str,
    entry: &mut tar::Entry<'_, impl Read>,
    bytes: &mut Vec<u8>,
    limit_bytes: u64,
    visit: &mut Visit<'_>,
) -> Result<u64, InputError> {
    let inner = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    let shown = format!("{name}!{}", inner.trim_start_matches("./"));
    match check_path(&inner) {
        PathCheck::Escapes => visit(Err(InputError::Escape { name: shown })),
        PathCheck::Hidden => {}
        PathCheck::Plain if entry.size() > limit_bytes => {
            visit(Err(InputError::TooLarge { name: shown, limit_bytes }));
        }
        PathCheck::Plain => {
            read_bounded(entry, bytes, limit_bytes).map_err(|error| archive_error(&shown, error))?;
            // The tar reader ends a file early where the archive ends, and calls that success.
            if bytes.len() as u64 != entry.size() {
                return Err(InputError::Archive { name: shown, cause: io::ErrorKind::UnexpectedEof.into() });
            }
            return Ok(hand_over(&shown, bytes, limit_bytes, visit));
        }
    }
    Ok(0)
}

/// Watches what the tar reader reads: whether the archive ends as it should, and how much a header makes it keep.
struct Watched<'a> {
    name: &'a str,
    reader: &'a mut dyn Read,
    /// Zero bytes read last, which is how a tar says that it is whole.
    zeros: u64,
    /// Bytes a header may still take, where one is being read; the tar reader keeps long names of any length.
    header_bytes_left: &'a Cell<Option<u64>>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        if let Some(left) = self.header_bytes_left.get() {
            let Some(left) = left.checked_sub(read as u64) else {
                let name = format!("{}: the header of an entry", self.name);
                return Err(io::Error::other(InputError::TooLarge { name, limit_bytes: ENTRY_HEADER_BYTES_MAX }));
            };
            self.header_bytes_left.set(Some(left));
        }
        let part = buffer.get(..read).unwrap_or_default();
        let zeros = part.iter().rev().take_while(|byte| **byte == 0).count();
        self.zeros = if zeros == read { self.zeros + zeros as u64 } else { zeros as u64 };
        Ok(read)
    }
}

/// The errors of [`super::Input`] pass through the tar reader wrapped; anything else is the archive's own damage.
fn archive_error(name: &str, error: io::Error) -> InputError {
    let error = match error.downcast::<InputError>() {
        Ok(own) => return own,
        Err(error) => error,
    };
    // The tar reader wraps causes in an error of its own that keeps them as its source.
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(current) = cause {
        if let Some(own) = current.downcast_ref::<InputError>() {
            let name = own.name().to_owned();
            return InputError::Archive { name, cause: io::Error::other(own.message()) };
        }
        cause = current.source();
    }
    InputError::Archive { name: name.to_owned(), cause: error }
}

pub(super) enum PathCheck {
    Plain,
    Hidden,
    Escapes,
}

/// A path that leaves the archive can do nothing here, but marks the archive as made to harm.
pub(super) fn check_path(inner: &str) -> PathCheck {
    let mut hidden = false;
    for component in Path::new(inner).components() {
        match component {
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return PathCheck::Escapes,
            Component::Normal(name) => hidden |= name.as_encoded_bytes().starts_with(b"."),
            Component::CurDir => {}
        }
    }
    if hidden { PathCheck::Hidden } else { PathCheck::Plain }
}
