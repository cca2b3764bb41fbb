//! The sources' files, read on every core there is.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use aux_advisory::{Record, nvd};
use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_io::input::{self, Entry};

/// Which parser a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Nvd,
}

/// A document that could not be read: its name and why.
pub(crate) type Unread = (String, String);

/// Everything the sources hold.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) records: Vec<Record>,
    pub(crate) unread: Vec<Unread>,
    pub(crate) documents: usize,
}

/// Reads every document of every path. Their order does not matter to what is built from them.
pub(crate) fn gather(
    paths: &[(Source, PathBuf)],
    threads: usize,
    keeps_prose: bool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Gathered {
    let files = files(paths);
    let gathered = Mutex::new(Gathered::default());
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some((source, path)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let read = read(*source, path, keeps_prose);
                    if let Ok(mut all) = gathered.lock() {
                        all.records.extend(read.records);
                        all.unread.extend(read.unread);
                        all.documents += read.documents;
                    }
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, files.len());
                }
            });
        }
    });
    let mut gathered = gathered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    gathered.unread.sort();
    gathered
}

/// The files directly in a folder are spread over the threads; largest first, so that none is left for last.
fn files(paths: &[(Source, PathBuf)]) -> Vec<(Source, PathBuf)> {
    let mut files = Vec::new();
    for (source, path) in paths {
        let inside: Vec<PathBuf> =
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        if inside.is_empty() || inside.iter().any(|path| path.is_dir()) || inside.len() > 256 {
            files.push((*source, path.clone()));
        } else {
            files.extend(inside.into_iter().map(|path| (*source, path)));
        }
    }
    files.sort_by_cached_key(|(source, path)| (std::cmp::Reverse(size(path)), *source, path.clone()));
    files
}

fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

fn read(source: Source, path: &Path, keeps_prose: bool) -> Gathered {
    let mut gathered = Gathered::default();
    input::entries(path, DOCUMENT_BYTES_MAX, &mut |entry| match entry {
        Err(error) => gathered.unread.push((error.name().to_owned(), error.message())),
        Ok(entry) => {
            gathered.documents += 1;
            if let Err(message) = document(source, entry, keeps_prose, &mut gathered.records) {
                gathered.unread.push((entry.name.to_owned(), message));
            }
        }
    });
    gathered
}

fn document(source: Source, entry: Entry<'_>, keeps_prose: bool, records: &mut Vec<Record>) -> Result<(), String> {
    let mut keep = |mut record: Record| {
        if !keeps_prose {
            record.title = String::new();
            record.references = Vec::new();
        }
        records.push(record);
    };
    match source {
        Source::Nvd => nvd::read(entry.bytes, &mut keep).map_err(|error| error.to_string()),
    }
}
