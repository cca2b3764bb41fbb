//! The files of one source: downloaded, believed only when their parser could read them, then put in place.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aux_core::hexadecimal;
use aux_core::limits::FETCH_FILE_BYTES_MAX;
use aux_io::http::{Request, Url};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::door::{Door, Manners, Tries, Trouble, is_trouble};
use super::partial::Partial;
use super::state::{FileState, SourceState, State};
use super::{Base, FetchError, FetchRequest, time};
use crate::sources;

/// A source's files and what the state knows of them.
pub(super) struct Files<'a> {
    pub(super) request: &'a FetchRequest,
    pub(super) door: &'a Door<'a>,
    source: sources::Source,
    state: &'a mut State,
}

/// What to download.
pub(super) struct Wanted<'w> {
    pub(super) url: &'w Url,
    /// Below the output folder.
    pub(super) file: &'w str,
    /// Further headers, such as what to accept.
    pub(super) headers: &'w [(String, String)],
}

impl<'a> Files<'a> {
    pub(super) fn new(
        request: &'a FetchRequest,
        source: sources::Source,
        door: &'a Door<'a>,
        state: &'a mut State,
    ) -> Self {
        Self { request, door, source, state }
    }

    pub(super) fn now(&self) -> Timestamp {
        time::whole_seconds(self.request.now)
    }

    pub(super) fn base(&self, base: Base) -> Result<Url, FetchError> {
        Ok(self.request.bases.of(base)?)
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.request.output.join(file)
    }

    pub(super) fn state(&mut self) -> &mut SourceState {
        self.state.sources.entry(self.source.as_str().to_owned()).or_default()
    }

    pub(super) fn save(&self) -> Result<(), FetchError> {
        self.state.write()
    }

    /// What the state says of a file, where the file is still here as it was.
    pub(super) fn known(&mut self, file: &str) -> Option<FileState> {
        let length = fs::metadata(self.path(file)).ok()?.len();
        self.state().files.get(file).filter(|known| known.bytes == length).cloned()
    }

    /// A small document that is not kept.
    pub(super) fn document(&self, request: &Request) -> Result<Vec<u8>, FetchError> {
        let (response, bytes) = self.door.document(request, Manners::Ordinary, self.request.now)?;
        if response.is_success() { Ok(bytes) } else { Err(response.unexpected().into()) }
    }

    /// Downloads a file and puts it in place once `check` has read it; false where it is unchanged.
    pub(super) fn download(
        &mut self,
        wanted: &Wanted<'_>,
        check: &mut dyn FnMut(&Path, &mut FileState) -> Result<(), FetchError>,
    ) -> Result<bool, FetchError> {
        let partial = Partial::of(&self.request.output, wanted.file)?;
        let known = self.known(wanted.file).filter(|_| !self.request.is_full);
        let known = known.filter(|known| known.url == wanted.url.to_string());
        let Some(mut file) = self.transfer(wanted, &partial, known.as_ref())? else { return Ok(false) };
        let (bytes, sha256) = digest(partial.path())?;
        file.bytes = bytes;
        file.sha256 = sha256;
        file.fetched = Some(self.now());
        if let Err(error) = check(partial.path(), &mut file) {
            // What cannot be read would not be mended by its rest.
            partial.discard()?;
            return Err(error);
        }
        partial.finish(&self.path(wanted.file))?;
        let is_changed = self.state().files.get(wanted.file).is_none_or(|known| known.sha256 != file.sha256);
        self.state().files.insert(wanted.file.to_owned(), file);
        self.save()?;
        Ok(is_changed)
    }

    /// `None` where the server says that what is here is the newest.
    fn transfer(
        &self,
        wanted: &Wanted<'_>,
        partial: &Partial,
        known: Option<&FileState>,
    ) -> Result<Option<FileState>, FetchError> {
        let mut tries = Tries::new(self.request.now);
        loop {
            let begun = partial.begun(wanted.url);
            let mut request = Request::get(wanted.url.clone(), FETCH_FILE_BYTES_MAX);
            request.headers = wanted.headers.to_vec();
            match (begun, known) {
                (Some((note, have)), _) => {
                    request.range_start = Some(have);
                    (request.etag, request.last_modified) = (note.etag, note.last_modified);
                    request.limit_bytes = FETCH_FILE_BYTES_MAX.saturating_sub(have);
                }
                (None, Some(known)) => {
                    (request.etag, request.last_modified) = (known.etag.clone(), known.last_modified.clone());
                }
                (None, None) => {}
            }
            let trouble = match self.door.once(&request) {
                Err(error) => Trouble::Failed(error),
                Ok(response) if response.is_unchanged() => return Ok(None),
                // The part is as long as the whole, or longer than what is there now: it is begun anew.
                Ok(response) if response.status == 416 && request.range_start.is_some() => {
                    partial.discard()?;
                    Trouble::later(&response)
                }
                Ok(response) if is_trouble(&response, Manners::Ordinary) => Trouble::later(&response),
                Ok(response) if !response.is_success() => return Err(response.unexpected().into()),
                Ok(response) => {
                    let received = partial.receive(wanted.url, response, self.door, wanted.file)?;
                    match received.cut {
                        None => {
                            let (etag, last_modified) = (received.etag, received.last_modified);
                            let url = wanted.url.to_string();
                            return Ok(Some(FileState { url, etag, last_modified, ..FileState::default() }));
                        }
                        Some(error) => {
                            if received.has_progress && error.is_passing() {
                                tries.progressed();
                            }
                            Trouble::Failed(error)
                        }
                    }
                }
            };
            tries.again(self.door, wanted.url, trouble)?;
        }
    }

    /// Puts bytes in place that are whole already.
    pub(super) fn keep(&self, file: &str, bytes: &[u8], url: &Url) -> Result<FileState, FetchError> {
        let path = self.path(file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|cause| FetchError::Folder { path: folder.to_owned(), cause })?;
        }
        aux_io::file::replace(&path, bytes)?;
        Ok(FileState {
            url: url.to_string(),
            bytes: bytes.len() as u64,
            sha256: hexadecimal(&Sha256::digest(bytes)),
            fetched: Some(self.now()),
            ..FileState::default()
        })
    }

    /// Removes a file that something newer stands in for.
    pub(super) fn remove(&mut self, file: &str) -> Result<(), FetchError> {
        let path = self.path(file);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(FetchError::Write { path, cause }),
        }
        self.state().files.remove(file);
        Ok(())
    }

    /// Says that the source is complete.
    pub(super) fn complete(&mut self) -> Result<(), FetchError> {
        let now = self.now();
        self.state().completed = Some(now);
        self.save()
    }

    /// How many files are here, and their bytes.
    pub(super) fn kept(&mut self) -> (usize, u64) {
        let files = &self.state().files;
        (files.len(), files.values().map(|file| file.bytes).sum())
    }

    pub(super) fn source(&self) -> sources::Source {
        self.source
    }

    /// The next download of a file is unconditional.
    pub(super) fn forget_tags(&mut self, file: &str) {
        if let Some(known) = self.state().files.get_mut(file) {
            (known.etag, known.last_modified) = (None, None);
        }
    }
}

/// Whether a source's own parser reads a file; says how many documents it holds.
pub(super) fn check(source: sources::Source, path: &Path, url: &Url) -> Result<usize, FetchError> {
    sources::check(source, path).map_err(|cause| FetchError::Unreadable { url: url.clone(), cause })
}

/// Length and SHA-256 of a file.
fn digest(path: &Path) -> Result<(u64, String), FetchError> {
    let failed = |cause| FetchError::Write { path: path.to_owned(), cause };
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 128 << 10];
    let mut bytes = 0;
    loop {
        match file.read(&mut chunk).map_err(failed)? {
            0 => return Ok((bytes, hexadecimal(&hash.finalize()))),
            read => {
                hash.update(chunk.get(..read).unwrap_or_default());
                bytes += read as u64;
            }
        }
    }
}
