//! The entries of a zip archive, read in memory only: nothing is ever written where a zip says.

use super::archive::{PathCheck, check_path};
use super::entries::{Entry, Visit, hand_over};
use super::{InputError, read_bounded};
use aux_core::limits::{ENTRIES_MAX, UNPACK_RATIO_FREE_BYTES, UNPACK_RATIO_MAX, UNPACKED_BYTES_MAX};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use zip::ZipArchive;
use zip::result::ZipError;

/// Bytes needed to tell a zip.
pub(super) const MAGIC_BYTES: usize = 4;

/// Whether bytes begin a zip, which may be empty (PKWARE "APPNOTE.TXT", sections 4.3.7 and 4.3.16).
pub(super) fn looks_like_zip(start: &[u8]) -> bool {
    matches!(start, [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..])
}

/// Hands every file of a zip to `visit`; a zip inside it is opened too, and one inside that is a document.
pub(super) fn archive(name: &str, reader: impl Read + Seek, limit_bytes: u64, visit: &mut Visit<'_>) {
    let mut unpacked = Unpacked { bytes: 0, packed_bytes: 0 };
    if let Err(error) = files(name, reader, limit_bytes, &mut unpacked, visit) {
        visit(Err(error));
    }
}

/// What came out so far, and of how much.
struct Unpacked {
    bytes: u64,
    packed_bytes: u64,
}

impl Unpacked {
    fn add(&mut self, name: &str, bytes: u64) -> Result<(), InputError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > UNPACKED_BYTES_MAX {
            return Err(InputError::UnpackedBytes { name: name.to_owned(), limit_bytes: UNPACKED_BYTES_MAX });
        }
        if self.bytes > UNPACK_RATIO_FREE_BYTES && self.bytes / self.packed_bytes.max(1) > UNPACK_RATIO_MAX {
            return Err(InputError::UnpackRatio { name: name.to_owned(), limit: UNPACK_RATIO_MAX });
        }
        Ok(())
    }
}

/// An error that ends the whole archive is returned, others are visited.
fn files(
    name: &str,
    mut reader: impl Read + Seek,
    limit_bytes: u64,
    unpacked: &mut Unpacked,
    visit: &mut Visit<'_>,
) -> Result<(), InputError> {
    let length = reader.seek(SeekFrom::End(0)).map_err(|cause| InputError::of_file(name, cause))?;
    let is_outer = unpacked.packed_bytes == 0;
    if is_outer {
        unpacked.packed_bytes = length;
    }
    let mut archive = ZipArchive::new(reader).map_err(|error| damaged(name, error))?;
    if archive.len() > ENTRIES_MAX {
        return Err(InputError::Entries { name: name.to_owned(), limit: ENTRIES_MAX });
    }
    let mut bytes = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| damaged(name, error))?;
        let inner = entry.name().map_err(|error| damaged(name, error))?.into_owned();
        let shown = format!("{name}!{inner}");
        if !entry.is_file() {
            continue;
        }
        match check_path(&inner) {
            PathCheck::Escapes => {
                visit(Err(InputError::Escape { name: shown }));
                continue;
            }
            PathCheck::Hidden => continue,
            PathCheck::Plain => {}
        }
        bytes.clear();
        let is_whole = read_bounded(&mut entry, &mut bytes, limit_bytes)
            .map_err(|cause| InputError::Archive { name: shown.clone(), cause })?;
        unpacked.add(name, bytes.len() as u64)?;
        if !is_whole {
            visit(Err(InputError::TooLarge { name: shown, limit_bytes }));
        } else if is_outer && looks_like_zip(&bytes) {
            files(&shown, Cursor::new(&bytes), limit_bytes, unpacked, visit)?;
        } else if looks_like_zip(&bytes) {
            visit(Ok(Entry { name: &shown, bytes: &bytes }));
        } else {
            let more = hand_over(&shown, &bytes, limit_bytes, visit);
            unpacked.add(name, more)?;
        }
    }
    Ok(())
}

fn damaged(name: &str, error: ZipError) -> InputError {
    let cause = match error {
        ZipError::Io(cause) => cause,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    };
    InputError::Archive { name: name.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::write::SimpleFileOptions;

    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn visited(bytes: &[u8], limit_bytes: u64) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        crate::file::replace(&path, bytes).unwrap();
        let mut seen = Vec::new();
        let base = folder.path().display().to_string();
        for from in [path.as_path(), folder.path()] {
            let mut found = Vec::new();
            crate::input::entries(from, limit_bytes, &mut |entry| {
                found.push(match entry {
                    Ok(entry) => format!("{}={}", entry.name, String::from_utf8_lossy(entry.bytes)),
                    Err(error) => error.to_string(),
                });
            });
            seen.push(found.into_iter().map(|line| line.replace(&format!("{base}/"), "")).collect::<Vec<_>>());
        }
        assert_eq!(seen[0], seen[1], "a zip is the same by itself and in a folder");
        seen.swap_remove(0)
    }

    #[test]
    fn every_file_comes_out_also_of_a_zip_in_a_zip() {
        let inner = zip(&[("cves/CVE-1.json", b"{}")]);
        let outer =
            zip(&[("one.json", b"1"), ("cves.zip", &inner), (".hidden", b"x"), ("big.json", &vec![b'z'; 50_000])]);
        let seen = visited(&outer, 1 << 20);
        assert_eq!(seen[..2], ["a.zip!one.json=1", "a.zip!cves.zip!cves/CVE-1.json={}"]);
        assert!(seen.len() == 3 && seen[2].starts_with("a.zip!big.json=zzz"));
        // Larger than the buffer a folder is read with.
        let noise: Vec<u8> = (0..100_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        assert_eq!(visited(&zip(&[("noise", &noise), ("last", b"l")]), 1 << 20).len(), 2);
        assert_eq!(visited(&zip(&[]), 10), Vec::<String>::new());
    }

    #[test]
    fn what_leaves_the_zip_is_too_large_or_damaged_is_refused() {
        let escaping = zip(&[("../../etc/passwd", b"x"), ("good", b"g")]);
        assert_eq!(
            visited(&escaping, 10),
            ["a.zip!../../etc/passwd: the entry's path leaves the archive", "a.zip!good=g"]
        );
        assert_eq!(visited(&zip(&[("a", b"12345")]), 4), ["a.zip!a: larger than the 4 bytes allowed here"]);
        let mut damaged = zip(&[("a", &[b'a'; 500])]);
        damaged[35] ^= 0x55;
        assert!(visited(&damaged, 1000)[0].starts_with("a.zip!a: damaged or truncated archive:"));
        let whole = zip(&[("a", b"1"), ("b", b"2")]);
        assert!(visited(&whole[..whole.len() - 8], 10)[0].starts_with("a.zip: damaged or truncated archive:"));
    }

    #[test]
    fn a_bomb_is_refused_by_what_it_unpacks_to() {
        let zeros = vec![0; 90 << 20];
        let bomb = zip(&[("a", &zip(&[("0", &zeros)]))]);
        let seen = visited(&bomb, 1 << 30);
        assert!(seen[0].contains("UNPACK_RATIO_MAX"), "{}", &seen[0][..80.min(seen[0].len())]);
    }
}
