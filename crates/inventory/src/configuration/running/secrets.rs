//! Secrets that others can read: files that the store holds, and files whose permissions let everybody in.

use std::os::unix::fs::PermissionsExt;

use aux_core::Fact;
use aux_core::limits::{FOLDER_DEPTH_MAX, SECRET_START_BYTES_MAX, SYSTEM_ENTRIES_MAX};

use crate::configuration::private_key;
use crate::configuration::system_root::{SystemRoot, Unread};

/// Others may read; others may pass through.
const READ: u32 = 0o004;
const PASS: u32 = 0o001;

/// Everything below these is a secret.
const FOLDERS: &[&str] = &[
    "/etc/secrets",
    "/etc/wireguard",
    "/etc/secureboot/keys",
    "/run/agenix",
    "/run/keys",
    "/run/secrets",
    "/var/lib/sbctl/keys",
    "/var/lib/secrets",
];
/// Files that are secrets.
const FILES: &[&str] =
    &["/etc/shadow", "/etc/nix/secret-key", "/etc/nix/key.private", "/var/lib/tailscale/tailscaled.state"];
/// Folder, beginning and end of names that are secrets.
const PATTERNS: &[(&str, &str, &str)] = &[
    ("/etc/ssh", "ssh_host_", "_key"),
    ("/root/.ssh", "id_", ""),
    ("/etc/nix", "", ".sec"),
    ("/etc/nix", "", ".secret"),
];

pub(super) fn readable(root: &SystemRoot) -> Fact<Vec<String>> {
    let mut search = Search { root, found: Vec::new(), looked: 0, hidden: None };
    for file in FILES {
        search.file(file);
    }
    for (folder, begin, end) in PATTERNS {
        search.matching(folder, begin, end);
    }
    for name in root.entries("/home").unwrap_or_default() {
        search.matching(&format!("/home/{name}/.ssh"), "id_", "");
    }
    for name in root.entries("/var/lib/acme").unwrap_or_default() {
        search.file(&format!("/var/lib/acme/{name}/key.pem"));
    }
    for folder in FOLDERS {
        search.folder(folder, FOLDER_DEPTH_MAX);
    }
    let Search { found, looked, hidden, .. } = search;
    match hidden {
        Some(why) if found.is_empty() => Fact::unseen(why),
        _ if looked == 0 => Fact::unseen("there is none of the files of secrets that are looked for"),
        _ => Fact::seen(found, format!("modes of {looked} files and folders")),
    }
}

struct Search<'r> {
    root: &'r SystemRoot,
    found: Vec<String>,
    looked: usize,
    hidden: Option<String>,
}

impl Search<'_> {
    /// Whether others can get as far as this, by every folder above it; `None` where it is not there.
    fn mode(&mut self, path: &str) -> Option<u32> {
        let mut above = String::new();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            above = format!("{above}/{name}");
            let metadata = match self.root.metadata(&above) {
                Ok(metadata) => metadata,
                Err(Unread::Absent) => return None,
                Err(Unread::Hidden(why)) => {
                    self.hidden.get_or_insert(why);
                    return None;
                }
            };
            let mode = metadata.permissions().mode();
            if above == path {
                self.looked += 1;
                return Some(mode);
            }
            if mode & PASS == 0 {
                // Nobody but its owner and group gets past this folder, so what is below is not everybody's.
                self.looked += 1;
                return None;
            }
        }
        None
    }

    fn file(&mut self, path: &str) {
        let Some(mode) = self.mode(path) else { return };
        if mode & READ != 0 && self.root.metadata(path).is_ok_and(|metadata| metadata.is_file()) {
            self.found.push(format!("{path} (mode {:04o})", mode & 0o7777));
        }
    }

    fn matching(&mut self, folder: &str, begin: &str, end: &str) {
        for name in self.names(folder) {
            if name.starts_with(begin) && name.ends_with(end) && !has_ending(&name, &["pub"]) {
                self.file(&format!("{folder}/{name}"));
            }
        }
    }

    /// Names in a folder that others can pass through.
    fn names(&mut self, folder: &str) -> Vec<String> {
        if self.mode(folder).is_none_or(|mode| mode & PASS == 0) {
            return Vec::new();
        }
        match self.root.entries(folder) {
            Ok(names) => names,
            Err(error) => {
                self.hidden.get_or_insert(error.why(folder));
                Vec::new()
            }
        }
    }

    fn folder(&mut self, folder: &str, depth_left: usize) {
        for name in self.names(folder) {
            let path = format!("{folder}/{name}");
            if self.looked > SYSTEM_ENTRIES_MAX || depth_left == 0 {
                self.hidden.get_or_insert(format!(
                    "{folder} holds more than is looked at (SYSTEM_ENTRIES_MAX, FOLDER_DEPTH_MAX)"
                ));
                return;
            }
            // A certificate lies beside its key and is for everybody.
            let is_public = has_ending(&name, &["pub", "crt", "cer", "esl", "auth"]);
            let is_public = is_public || self.is_certificate(&path);
            match self.root.metadata(&path) {
                Ok(metadata) if metadata.is_dir() => self.folder(&path, depth_left - 1),
                Ok(_) if !is_public => self.file(&path),
                _ => {}
            }
        }
    }

    fn is_certificate(&self, path: &str) -> bool {
        has_ending(path, &["pem"])
            && self
                .root
                .start(path, SECRET_START_BYTES_MAX)
                .is_ok_and(|bytes| bytes.starts_with(b"-----BEGIN CERTIFICATE"))
    }
}

/// Whether a file's name ends in one of these, after a dot.
fn has_ending(name: &str, endings: &[&str]) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending))
}

/// Private keys among the files of `/etc` that lead into the store.
pub(super) fn in_store(root: &SystemRoot) -> Fact<Vec<String>> {
    if !root.exists("/etc/static") {
        return Fact::unseen("there is no /etc/static, so files of the store that the system uses are not known");
    }
    let (mut found, mut files, mut hidden) = (Vec::new(), 0_usize, None);
    let mut queue = vec![("/etc/static".to_owned(), FOLDER_DEPTH_MAX)];
    while let Some((folder, depth_left)) = queue.pop() {
        let names = match root.entries(&folder) {
            Ok(names) => names,
            Err(error) => {
                hidden = hidden.or_else(|| Some(error.why(&folder)));
                continue;
            }
        };
        for name in names {
            let path = format!("{folder}/{name}");
            files += 1;
            if files > SYSTEM_ENTRIES_MAX || depth_left == 0 {
                hidden =
                    hidden.or_else(|| Some("/etc/static holds more than is looked at (SYSTEM_ENTRIES_MAX)".to_owned()));
                break;
            }
            match root.metadata(&path) {
                Ok(metadata) if metadata.is_dir() => queue.push((path, depth_left - 1)),
                Ok(metadata) if metadata.is_file() => {
                    let bytes = root.start(&path, SECRET_START_BYTES_MAX).unwrap_or_default();
                    if let Some(kind) = private_key::kind(&bytes) {
                        found.push(format!("{} ({kind})", path.replacen("/etc/static", "/etc", 1)));
                    }
                }
                _ => {}
            }
        }
    }
    match hidden {
        Some(why) if found.is_empty() => Fact::unseen(why),
        _ => Fact::seen(found, format!("{files} files of /etc")),
    }
}
