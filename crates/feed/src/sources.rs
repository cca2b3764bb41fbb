//! The sources' files, read on every core there is.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use aux_advisory::kev::{self, Kev};
use aux_advisory::{Record, cve5, nvd, osv, pkg_vulnerabilities};
use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_core::with_causes;
use aux_io::input::{self, Entry};

/// A source of advisories, and the parser for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Nvd,
    Cve5,
    Osv,
    Pkgsrc,
    Kev,
}

impl Source {
    pub const ALL: [Self; 5] = [Self::Nvd, Self::Osv, Self::Kev, Self::Pkgsrc, Self::Cve5];

    /// As commands and folders call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nvd => "nvd",
            Self::Cve5 => "cve5",
            Self::Osv => "osv",
            Self::Pkgsrc => "pkgsrc",
            Self::Kev => "kev",
        }
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|source| source.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no source; there are {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// What is said of a path without any document of its source.
pub(crate) const HOLDS_NOTHING: &str = "holds no document of this source";

/// What is wanted of the sources beside their records.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    /// Titles and references, for a details pack.
    pub(crate) keeps_prose: bool,
    /// Armored public keys one of which must have signed each pkg-vulnerabilities list.
    pub(crate) pkgsrc_keys: Option<Vec<u8>>,
}

/// A document that could not be read: its name and why.
pub(crate) type Unread = (String, String);

/// Everything the sources hold.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) records: Vec<Record>,
    pub(crate) kev: Vec<Kev>,
    pub(crate) unread: Vec<Unread>,
    /// Remarks about documents that were read: an unverified signature, lines passed over.
    pub(crate) remarks: Vec<String>,
    pub(crate) documents: usize,
}

impl Gathered {
    fn append(&mut self, other: Self) {
        self.records.extend(other.records);
        self.kev.extend(other.kev);
        self.unread.extend(other.unread);
        self.remarks.extend(other.remarks);
        self.documents += other.documents;
    }
}

/// Reads every document of every path. Their order does not matter to what is built from them.
pub(crate) fn gather(
    paths: &[(Source, PathBuf)],
    threads: usize,
    wishes: &Wishes,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Gathered {
    let files = files(paths);
    let gathered = Mutex::new(Gathered::default());
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some((source, path)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let read = read(*source, path, wishes);
                    if let Ok(mut all) = gathered.lock() {
                        all.append(read);
                    }
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, files.len());
                }
            });
        }
    });
    let unfinished = paths.iter().filter(|(_, path)| crate::fetch::is_unfinished(path));
    let unfinished: Vec<Unread> = unfinished
        .map(|(_, path)| (path.display().to_string(), "its fetch has not come to its end; fetch it again".to_owned()))
        .collect();
    let mut gathered = gathered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    gathered.unread.extend(unfinished);
    gathered.unread.sort();
    gathered.remarks.sort();
    gathered
}

/// The files directly in a folder are spread over the threads; largest first, so that none is left for last.
fn files(paths: &[(Source, PathBuf)]) -> Vec<(Source, PathBuf)> {
    const SPREAD_MAX: usize = 256;
    let mut files = Vec::new();
    for (source, path) in paths {
        let inside: Vec<PathBuf> =
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        let is_flat = inside.iter().all(|path| path.is_file());
        if inside.is_empty() || !is_flat || inside.len() > SPREAD_MAX {
            files.push((*source, path.clone()));
        } else {
            let shown: Vec<PathBuf> = inside.into_iter().filter(|path| !is_hidden(path)).collect();
            let paths = if shown.is_empty() { vec![path.clone()] } else { shown };
            files.extend(paths.into_iter().map(|path| (*source, path)));
        }
    }
    files.sort_by_cached_key(|(source, path)| (std::cmp::Reverse(size(path)), *source, path.clone()));
    files
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

fn read(source: Source, path: &Path, wishes: &Wishes) -> Gathered {
    let mut gathered = Gathered::default();
    input::entries(path, DOCUMENT_BYTES_MAX, &mut |entry| match entry {
        Err(error) => gathered.unread.push((error.name().to_owned(), error.message())),
        Ok(entry) if is_beside(source, entry) => {}
        Ok(entry) => {
            gathered.documents += 1;
            if let Err(message) = document(source, entry, wishes, &mut gathered) {
                gathered.unread.push((entry.name.to_owned(), message));
            }
        }
    });
    // A source that is named and holds nothing is a mistake, and the feed would lack it in silence.
    if gathered.documents == 0 && gathered.unread.is_empty() {
        gathered.unread.push((path.display().to_string(), HOLDS_NOTHING.to_owned()));
    }
    gathered
}

/// Whether every document of a path can be read; says how many there are, or what is wrong with the first that cannot.
pub(crate) fn check(source: Source, path: &Path) -> Result<usize, String> {
    let mut gathered = Gathered::default();
    let mut wrong = None;
    input::entries(path, DOCUMENT_BYTES_MAX, &mut |entry| match entry {
        Err(error) => wrong = wrong.take().or(Some(error.message())),
        Ok(entry) if is_beside(source, entry) => {}
        Ok(entry) => {
            gathered.documents += 1;
            if let Err(message) = document(source, entry, &Wishes::default(), &mut gathered) {
                wrong = wrong.take().or(Some(message));
            }
            // Only the reading matters here, and an ecosystem's records would fill memory.
            gathered.records.clear();
        }
    });
    match (wrong, gathered.documents) {
        (Some(message), _) => Err(message),
        (None, 0) => Err(HOLDS_NOTHING.to_owned()),
        (None, documents) => Ok(documents),
    }
}

/// Archives of records carry licences, read-mes and statements beside them.
fn is_beside(source: Source, entry: Entry<'_>) -> bool {
    let name = entry.name.rsplit(['/', '!']).next().unwrap_or(entry.name);
    let is_inner = entry.name.contains('!');
    match source {
        Source::Osv => is_inner && !is_json(name),
        Source::Cve5 => is_inner && !(name.starts_with("CVE-") && is_json(name)),
        Source::Nvd | Source::Pkgsrc | Source::Kev => false,
    }
}

fn is_json(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

fn document(source: Source, entry: Entry<'_>, wishes: &Wishes, into: &mut Gathered) -> Result<(), String> {
    let Gathered { records, kev, remarks, .. } = into;
    let mut keep = |mut record: Record| {
        if !wishes.keeps_prose {
            record.title = String::new();
            record.references = Vec::new();
        }
        records.push(record);
    };
    match source {
        Source::Nvd => nvd::read(entry.bytes, &mut keep).map_err(|error| with_causes(&error)),
        Source::Cve5 => cve5::read(entry.bytes, &mut keep).map_err(|error| with_causes(&error)),
        Source::Osv => osv::read(entry.bytes, &mut keep).map_err(|error| with_causes(&error)),
        Source::Pkgsrc => pkgsrc(entry, wishes, &mut keep).map(|said| remarks.extend(said)),
        Source::Kev => kev::read(entry.bytes).map(|catalogue| kev.push(catalogue)).map_err(|error| with_causes(&error)),
    }
}

/// Reads a pkg-vulnerabilities list; its signature is verified where a key is at hand, and remarked on where not.
fn pkgsrc(entry: Entry<'_>, wishes: &Wishes, keep: &mut dyn FnMut(Record)) -> Result<Vec<String>, String> {
    let list = pkg_vulnerabilities::read(entry.bytes, keep).map_err(|error| with_causes(&error))?;
    let mut remarks: Vec<String> =
        list.problems.iter().map(|(line, message)| format!("{}:{line}: {message}", entry.name)).collect();
    match (&list.signature, &wishes.pkgsrc_keys) {
        (None, Some(_)) => return Err("it carries no signature, and a key was given to check one".to_owned()),
        (Some(signature), Some(keys)) => {
            let signer = signature.verify(keys).map_err(|error| format!("its signature: {error}"))?;
            remarks.push(format!("{}: signed by {}", entry.name, signer.fingerprint));
        }
        (Some(_), None) => {
            remarks.push(format!("{}: its signature was not verified, for want of a key (--pkgsrc-key)", entry.name));
        }
        (None, None) => {}
    }
    Ok(remarks)
}
