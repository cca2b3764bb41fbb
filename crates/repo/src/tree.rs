//! The files of a revision, listed and read where they are stored, without laying them out.

use std::ffi::OsStr;
use std::path::Path;

use aux_core::limits::{REPOSITORY_BYTES_MAX, REPOSITORY_FILE_BYTES_MAX, REPOSITORY_FILES_MAX};

use crate::target::is_inside;
use crate::{GitError, Repository, Revision};

/// One thing in a revision's tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// From the root, with slashes.
    pub path: String,
    pub kind: EntryKind,
    pub size_bytes: u64,
    object: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    File,
    Link,
    /// Another repository, which is never fetched.
    Submodule,
}

/// Why the files of a revision could not be read. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("{0}")]
    Git(GitError),
    #[error("`{0}` is not in that revision")]
    Missing(String),
    #[error("`{path}` is a {kind} and no file, so it is not read")]
    NoFile { path: String, kind: &'static str },
    #[error("`{0}` leads out of the repository, or into what git keeps, and is refused")]
    Outside(String),
    #[error("`{path}` has {size_bytes} bytes, more than {REPOSITORY_FILE_BYTES_MAX} (REPOSITORY_FILE_BYTES_MAX)")]
    FileSize { path: String, size_bytes: u64 },
    #[error("more than {REPOSITORY_FILES_MAX} files (REPOSITORY_FILES_MAX)")]
    Files,
    #[error("its files have more than {REPOSITORY_BYTES_MAX} bytes together (REPOSITORY_BYTES_MAX)")]
    Bytes,
    #[error("git listed something that is not understood: `{0}`")]
    Listing(String),
}

impl Repository {
    /// Every file, link and submodule of a revision, sorted as git sorts them, within the bounds of a repository.
    pub fn list(&self, revision: &Revision) -> Result<Vec<Entry>, TreeError> {
        let words = ["ls-tree", "-r", "-z", "--long", "--full-tree", revision.as_str()];
        let listing = self.run(words.map(OsStr::new)).map_err(TreeError::Git)?;
        let mut entries = Vec::new();
        let mut total_bytes = 0_u64;
        for line in listing.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let entry = entry(line)?;
            if entry.size_bytes > REPOSITORY_FILE_BYTES_MAX {
                return Err(TreeError::FileSize { path: entry.path, size_bytes: entry.size_bytes });
            }
            total_bytes = total_bytes.saturating_add(entry.size_bytes);
            if total_bytes > REPOSITORY_BYTES_MAX {
                return Err(TreeError::Bytes);
            }
            entries.push(entry);
            if entries.len() > REPOSITORY_FILES_MAX {
                return Err(TreeError::Files);
            }
        }
        Ok(entries)
    }

    /// The bytes of one file of a revision. A link is refused, wherever it leads.
    pub fn read(&self, revision: &Revision, path: &str) -> Result<Vec<u8>, TreeError> {
        if !is_inside(path) {
            return Err(TreeError::Outside(path.to_owned()));
        }
        let words = ["ls-tree", "-z", "--long", "--full-tree", revision.as_str(), "--", path];
        let listing = self.run(words.map(OsStr::new)).map_err(TreeError::Git)?;
        let line = listing.split(|byte| *byte == 0).next().filter(|line| !line.is_empty());
        let entry = entry(line.ok_or_else(|| TreeError::Missing(path.to_owned()))?)?;
        if entry.kind != EntryKind::File || entry.path != path {
            return Err(TreeError::NoFile { path: path.to_owned(), kind: entry.kind.as_str() });
        }
        if entry.size_bytes > REPOSITORY_FILE_BYTES_MAX {
            return Err(TreeError::FileSize { path: entry.path, size_bytes: entry.size_bytes });
        }
        self.run(["cat-file", "blob", entry.object.as_str()].map(OsStr::new)).map_err(TreeError::Git)
    }
}

impl EntryKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Link => "symbolic link",
            Self::Submodule => "submodule or folder",
        }
    }
}

/// `100644 blob 8c7e… 12<tab>path`, as `git ls-tree --long` writes it.
fn entry(line: &[u8]) -> Result<Entry, TreeError> {
    let text = String::from_utf8_lossy(line);
    let wrong = || TreeError::Listing(text.chars().take(200).collect());
    let Some((facts, path)) = text.split_once('\t') else { return Err(wrong()) };
    let mut facts = facts.split_whitespace();
    let (Some(mode), Some(_), Some(object), Some(size)) = (facts.next(), facts.next(), facts.next(), facts.next())
    else {
        return Err(wrong());
    };
    // A name that is no UTF-8 came back changed, and would be another name.
    if !is_inside(path) || std::str::from_utf8(line).is_err() {
        return Err(TreeError::Outside(path.to_owned()));
    }
    let kind = match mode {
        "100644" | "100755" | "100664" => EntryKind::File,
        "120000" => EntryKind::Link,
        "160000" | "040000" => EntryKind::Submodule,
        _ => return Err(wrong()),
    };
    let size_bytes = if size == "-" { 0 } else { size.parse().map_err(|_| wrong())? };
    Ok(Entry { path: path.to_owned(), kind, size_bytes, object: object.to_owned() })
}

/// Where a link in a tree leads, seen from the root; `None` where that is outside.
pub(crate) fn leads_inside(link: &str, destination: &Path) -> bool {
    use std::path::Component;
    let mut depth = link.matches('/').count();
    for component in destination.components() {
        match component {
            Component::Normal(name) if name.eq_ignore_ascii_case(".git") => return false,
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_listing_is_understood_or_refused() {
        let id = "8c7e5a667f1b771847fe88c01c3de34413a1b220";
        let file = entry(format!("100644 blob {id}      12\ta b/c").as_bytes()).unwrap();
        assert_eq!((file.path.as_str(), file.kind, file.size_bytes), ("a b/c", EntryKind::File, 12));
        let link = entry(format!("160000 commit {id}       -\tsub").as_bytes()).unwrap();
        assert_eq!(link.kind, EntryKind::Submodule);
        for path in ["../x", "/etc/passwd", ".git/config", "a/.GIT/hooks/x", "a//b", "a\\b"] {
            let line = format!("100644 blob {id} 12\t{path}");
            assert!(matches!(entry(line.as_bytes()), Err(TreeError::Outside(_))), "{path}");
        }
        assert!(matches!(entry(b"100644 blob\tx"), Err(TreeError::Listing(_))));
    }

    #[test]
    fn links_may_lead_anywhere_inside_and_nowhere_else() {
        for (link, destination, wanted) in [
            ("a", "b", true),
            ("a/b", "../c", true),
            ("a/b/c", "../../d/../e", true),
            ("a", "../b", false),
            ("a/b", "../../c", false),
            ("a", "/etc/passwd", false),
            ("a", ".git/config", false),
        ] {
            assert_eq!(leads_inside(link, Path::new(destination)), wanted, "{link} to {destination}");
        }
    }
}
