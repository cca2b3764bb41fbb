//! A binary package unpacked in memory: what its list names, with the modes the list gives, and nothing that escapes.
//!
//! `pkg_create(1)` describes the archive and its `+CONTENTS`. Nothing of a package runs: neither its scripts nor `@exec`.

use std::collections::BTreeMap;
use std::io::Read;

use aux_core::limits::{ENTRIES_MAX, IMAGE_LAYER_BYTES_MAX};
use pkgsrc::archive::{Archive, Compression, PkgHash};
use pkgsrc::plist::{self, PlistEntry};

/// A file in front of a package's files that says something of it, bytes.
const METADATA_BYTES_MAX: u64 = 64 << 20;
/// What a signed package begins with (`ar(5)`).
const AR_MAGIC: &[u8] = b"!<arch>\n";
const AR_HEADER_BYTES: usize = 60;

/// What a package brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// `curl-7.61.1`
    pub full_name: String,
    /// By path from the root.
    pub nodes: BTreeMap<String, Node>,
    /// `+CONTENTS`, `+DESC` and the like, for the package database.
    pub metadata: BTreeMap<String, Vec<u8>>,
    /// What it wanted to run when it is installed, which did not happen.
    pub not_run: Vec<String>,
}

/// One thing at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Folder,
    File { bytes: Vec<u8>, mode: u32 },
    Link { target: String },
}

/// Why a package cannot go into an image. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
#[error("{package}: {reason}")]
pub struct PackageError {
    pub package: String,
    pub reason: String,
}

/// Unpacks a package; `prefix` is where it must be made for, `setuid` the files that may be setuid or setgid.
pub fn unpack(
    full_name: &str,
    bytes: &[u8],
    prefix: &str,
    setuid: &std::collections::BTreeSet<String>,
) -> Result<Unpacked, PackageError> {
    let read = || -> Result<Unpacked, String> {
        let tarball = if bytes.starts_with(AR_MAGIC) { signed(bytes)? } else { bytes };
        let entries = entries(tarball)?;
        let contents = entries.iter().find(|entry| entry.path == "+CONTENTS").ok_or("it has no +CONTENTS")?;
        let list = list(&contents.bytes, full_name, prefix)?;
        assemble(full_name, entries, list, setuid)
    };
    read().map_err(|reason| PackageError { package: full_name.to_owned(), reason })
}

/// The tarball of a signed package, which its block hashes must fit.
fn signed(bytes: &[u8]) -> Result<&[u8], String> {
    let mut rest = bytes.get(AR_MAGIC.len()..).unwrap_or_default();
    let mut hash: Option<PkgHash> = None;
    while let Some((header, after)) = rest.split_at_checked(AR_HEADER_BYTES) {
        let field = |from: usize, to: usize| {
            String::from_utf8_lossy(header.get(from..to).unwrap_or_default()).trim().trim_end_matches('/').to_owned()
        };
        let size: usize = field(48, 58).parse().map_err(|_| "its ar archive is damaged".to_owned())?;
        // BSD writes a long name in front of the bytes.
        let name = field(0, 16);
        let extra: usize =
            name.strip_prefix("#1/").map_or(Ok(0), str::parse).map_err(|_| "its ar archive is damaged")?;
        let member = after.get(..size).ok_or("its ar archive is cut short")?;
        let long = String::from_utf8_lossy(member.get(..extra).unwrap_or_default()).trim_end_matches('\0').to_owned();
        let name = if extra > 0 { long } else { name };
        let member = member.get(extra..).unwrap_or_default();
        if name == "+PKG_HASH" {
            let text = std::str::from_utf8(member).map_err(|_| "its +PKG_HASH is no text")?;
            hash = Some(text.parse().map_err(|error| format!("its +PKG_HASH: {error}"))?);
        } else if !name.starts_with('+') {
            let hash = hash.ok_or("it is signed, and has no +PKG_HASH")?;
            return match hash.verify(member) {
                Ok(true) => Ok(member),
                Ok(false) => Err("its block hashes do not fit".to_owned()),
                Err(error) => Err(format!("its block hashes do not fit: {error}")),
            };
        }
        rest = after.get(size + size % 2..).unwrap_or_default();
    }
    Err("its ar archive holds no package".to_owned())
}

struct Entry {
    path: String,
    bytes: Vec<u8>,
    mode: u32,
    kind: Kind,
}

enum Kind {
    File,
    Link(String),
    HardLink(String),
}

fn entries(tarball: &[u8]) -> Result<Vec<Entry>, String> {
    let damaged = |error: &dyn std::fmt::Display| format!("its archive is damaged or cut short: {error}");
    let compression = Compression::from_magic(tarball).unwrap_or(Compression::None);
    let mut archive = Archive::with_compression(tarball, compression).map_err(|error| damaged(&error))?;
    let mut found = Vec::new();
    let mut total_bytes = 0_u64;
    for entry in archive.entries().map_err(|error| damaged(&error))? {
        let mut entry = entry.map_err(|error| damaged(&error))?;
        let path = String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| "a name in it is not UTF-8")?;
        let path = path.trim_start_matches("./").trim_end_matches('/').to_owned();
        let header = entry.header();
        let mode = header.mode().map_err(|error| damaged(&error))? & 0o7777;
        let is_folder = header.entry_type().is_dir();
        let kind = match header.entry_type() {
            kind if kind.is_file() || kind.is_contiguous() => Kind::File,
            kind if kind.is_symlink() => Kind::Link(target(&entry)?),
            kind if kind.is_hard_link() => Kind::HardLink(target(&entry)?),
            _ if is_folder => continue,
            _ => return Err(format!("`{path}` is neither a file nor a link")),
        };
        let limit = if path.starts_with('+') { METADATA_BYTES_MAX } else { IMAGE_LAYER_BYTES_MAX };
        total_bytes = total_bytes.saturating_add(entry.size());
        if entry.size() > limit || total_bytes > IMAGE_LAYER_BYTES_MAX || found.len() >= ENTRIES_MAX {
            return Err(format!("it unpacks to more than {IMAGE_LAYER_BYTES_MAX} bytes (IMAGE_LAYER_BYTES_MAX)"));
        }
        let size = entry.size();
        let mut bytes = Vec::new();
        entry.by_ref().take(size).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        if bytes.len() as u64 != size {
            return Err(damaged(&"a file in it ends early"));
        }
        found.push(Entry { path, bytes, mode, kind });
    }
    Ok(found)
}

fn target(entry: &tar::Entry<'_, impl Read>) -> Result<String, String> {
    let bytes = entry.link_name_bytes().ok_or("a link in it leads nowhere")?;
    String::from_utf8(bytes.into_owned()).map_err(|_| "a link in it is not UTF-8".to_owned())
}

/// What `+CONTENTS` says.
struct List {
    /// Paths from the root with the mode that is given, by the path in the archive.
    files: BTreeMap<String, (String, Option<u32>)>,
    commands: Vec<String>,
}

fn list(contents: &[u8], full_name: &str, prefix: &str) -> Result<List, String> {
    let mut list = List { files: BTreeMap::new(), commands: Vec::new() };
    let (mut folder, mut mode, mut is_ignored) = (prefix.to_owned(), None, false);
    for entry in plist::parse(contents) {
        match entry.map_err(|error| format!("its +CONTENTS: {error}"))? {
            PlistEntry::Name(name) if name != full_name => {
                return Err(format!("it calls itself {name}"));
            }
            PlistEntry::Cwd(path) => {
                let path = path.to_string_lossy();
                let path = path.trim_matches('/');
                if path != "." {
                    if path != prefix {
                        return Err(format!("it is made for /{path}, and the image has /{prefix}"));
                    }
                    path.clone_into(&mut folder);
                }
            }
            PlistEntry::Mode(text) => {
                let parse = |text: &str| u32::from_str_radix(text, 8).map_err(|_| format!("its mode `{text}` is none"));
                mode = text.as_deref().map(parse).transpose()?;
            }
            PlistEntry::Ignore => is_ignored = true,
            PlistEntry::Exec(command) => list.commands.push(command.to_string_lossy().into_owned()),
            PlistEntry::File(path) => {
                let path = path.to_str().ok_or("a name in its +CONTENTS is not UTF-8")?.to_owned();
                if !std::mem::take(&mut is_ignored) {
                    list.files.insert(path.clone(), (format!("{folder}/{path}"), mode));
                }
            }
            _ => {}
        }
    }
    Ok(list)
}

fn assemble(
    full_name: &str,
    entries: Vec<Entry>,
    mut list: List,
    setuid: &std::collections::BTreeSet<String>,
) -> Result<Unpacked, String> {
    let mut unpacked = Unpacked {
        full_name: full_name.to_owned(),
        nodes: BTreeMap::new(),
        metadata: BTreeMap::new(),
        not_run: std::mem::take(&mut list.commands),
    };
    for Entry { path, bytes, mode, kind } in entries {
        if path.starts_with('+') && !path.contains('/') {
            if path == "+INSTALL" {
                unpacked.not_run.push("+INSTALL".to_owned());
            }
            unpacked.metadata.insert(path, bytes);
            continue;
        }
        if !is_plain(&path) {
            return Err(format!("the path `{path}` leads out of the image"));
        }
        let Some((place, listed)) = list.files.remove(&path) else {
            return Err(format!("`{path}` is in its archive, and not in its +CONTENTS"));
        };
        let mode = listed.unwrap_or(mode);
        let node = match kind {
            Kind::File => Node::File { bytes, mode },
            Kind::Link(target) if leads_out(&place, &target) => {
                return Err(format!("the link `{path}` leads out of the image, to {target}"));
            }
            Kind::Link(target) => Node::Link { target },
            Kind::HardLink(target) => {
                let target = target.trim_start_matches("./");
                let place = place.strip_suffix(&path).map(|folder| format!("{folder}{target}"));
                let node = place.and_then(|place| unpacked.nodes.get(&place)).cloned();
                node.ok_or_else(|| format!("the link `{path}` is to `{target}`, which does not stand before it"))?
            }
        };
        if let Node::File { mode, .. } = &node
            && mode & 0o6000 != 0
            && !setuid.contains(&place)
        {
            let word = if mode & 0o4000 != 0 { "setuid" } else { "setgid" };
            return Err(format!(
                "`{place}` is {word} ({mode:04o}), and the specification does not list it under setuid"
            ));
        }
        unpacked.nodes.insert(place, node);
    }
    match list.files.keys().find(|path| !path.starts_with('+')) {
        Some(missing) => Err(format!("`{missing}` is in its +CONTENTS, and not in its archive")),
        None => Ok(unpacked),
    }
}

fn is_plain(path: &str) -> bool {
    !path.starts_with('/') && path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains('\0')
}

/// Whether a relative link climbs above the root.
fn leads_out(place: &str, target: &str) -> bool {
    let mut depth = if target.starts_with('/') { 0 } else { place.split('/').count() - 1 };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return true,
            },
            _ => depth += 1,
        }
    }
    false
}
