//! A download that survives being cut or killed: its bytes so far, and what they are of.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_io::http::{HttpError, Response, Url};
use aux_io::input;
use serde::{Deserialize, Serialize};

use super::FetchError;
use super::door::Door;

/// Bytes asked of a body at once.
const CHUNK_BYTES: usize = 128 << 10;

/// The hidden folder of downloads that have not come to their end.
pub(super) const FOLDER: &str = ".partial";

/// A file being downloaded, in the hidden folder where no build looks.
pub(super) struct Partial {
    path: PathBuf,
    note_path: PathBuf,
}

/// What the bytes are of; without a tag or date nobody can tell that the rest fits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) url: String,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

impl Partial {
    pub(super) fn of(folder: &Path, file: &str) -> Result<Self, FetchError> {
        let hidden = folder.join(FOLDER);
        fs::create_dir_all(&hidden).map_err(|cause| FetchError::Folder { path: hidden.clone(), cause })?;
        let name = file.replace('/', "-");
        Ok(Self { path: hidden.join(&name), note_path: hidden.join(format!("{name}.of.json")) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is here of `url` and can be continued.
    pub(super) fn begun(&self, url: &Url) -> Option<(Note, u64)> {
        let bytes = input::read(&self.note_path, DOCUMENT_BYTES_MAX).ok()?;
        let note: Note = serde_json::from_slice(&bytes).ok()?;
        let have = fs::metadata(&self.path).ok()?.len();
        let has_strong_tag = note.etag.as_ref().is_some_and(|etag| !etag.starts_with("W/"));
        let fits = note.url == url.to_string() && (has_strong_tag || note.last_modified.is_some());
        (fits && have > 0).then_some((note, have))
    }

    /// Takes the body of an answer: appended to what is here where it is the rest of it.
    pub(super) fn receive(
        &self,
        asked: &Url,
        mut response: Response,
        door: &Door<'_>,
        file: &str,
    ) -> Result<Received, FetchError> {
        let start = response.range.filter(|_| response.is_partial()).map_or(0, |range| range.start);
        if start == 0 {
            self.discard()?;
            let note = Note {
                url: asked.to_string(),
                etag: response.etag.clone(),
                last_modified: response.last_modified.clone(),
            };
            let text = serde_json::to_vec(&note).map_err(|error| self.failed(io::Error::other(error)))?;
            aux_io::file::replace(&self.note_path, &text)?;
        }
        let options = OpenOptions::new().create(true).append(true).open(&self.path);
        let mut output = options.map_err(|cause| self.failed(cause))?;
        let total_bytes = response.body.length_bytes().map(|length| start + length);
        let cut =
            self.copy(&mut response, &mut output, &mut |bytes| door.progress(file, start + bytes, total_bytes))?;
        output.sync_all().map_err(|cause| self.failed(cause))?;
        door.received(response.body.received_bytes());
        let has_progress = response.body.received_bytes() > 0;
        Ok(Received { etag: response.etag, last_modified: response.last_modified, cut, has_progress })
    }

    fn copy(
        &self,
        response: &mut Response,
        output: &mut File,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<HttpError>, FetchError> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match response.body.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(read) => {
                    let part = chunk.get(..read).unwrap_or_default();
                    output.write_all(part).map_err(|cause| self.failed(cause))?;
                    progress(response.body.received_bytes());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Ok(Some(HttpError::of_read(error, &response.url))),
            }
        }
    }

    /// Puts the whole download where it belongs.
    pub(super) fn finish(&self, target: &Path) -> Result<(), FetchError> {
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(|cause| FetchError::Folder { path: folder.to_owned(), cause })?;
        }
        fs::rename(&self.path, target)
            .and_then(|()| target.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()))
            .map_err(|cause| FetchError::Write { path: target.to_owned(), cause })?;
        self.discard()
    }

    pub(super) fn discard(&self) -> Result<(), FetchError> {
        for path in [&self.path, &self.note_path] {
            match fs::remove_file(path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(cause) => return Err(FetchError::Write { path: path.clone(), cause }),
            }
        }
        Ok(())
    }

    fn failed(&self, cause: io::Error) -> FetchError {
        FetchError::Write { path: self.path.clone(), cause }
    }
}

/// What came of one answer.
pub(super) struct Received {
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    /// Why the body did not come to its end.
    pub(super) cut: Option<HttpError>,
    pub(super) has_progress: bool,
}
