//! How bytes reach the TUF library: through our own door, counted, resumed where they stopped, kept where they are wanted.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use aux_core::limits::{FEED_ATTEMPTS_MAX, INDEX_BYTES_MAX};
use aux_io::http::{Body, HttpError, Request, Url};
use aux_io::source::Source;
use bytes::Bytes;
use futures_core::Stream;
use tough::{Transport, TransportError, TransportErrorKind, TransportStream};

use crate::progress::Progress;

/// Bytes handed over at once.
const CHUNK_BYTES: usize = 64 << 10;

/// What went over the wire.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub requests: u64,
    pub bytes: u64,
    /// Metadata whose name carries its version, as it came: it never changes, so it need not come again.
    pub metadata: BTreeMap<String, Vec<u8>>,
    /// The first failure that is not a missing file.
    pub failure: Option<HttpError>,
}

/// The transport of one sync.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    source: Source,
    tally: Arc<Mutex<Tally>>,
    /// Metadata of the sync before.
    kept: Option<PathBuf>,
    /// What targets lie below; everything else is metadata.
    targets: url::Url,
    /// Where interrupted targets wait.
    partial: PathBuf,
    progress: Progress,
}

impl Wire {
    pub(crate) fn new(
        source: Source,
        targets: url::Url,
        kept: Option<PathBuf>,
        partial: PathBuf,
        progress: Progress,
    ) -> Self {
        Self { source, tally: Arc::default(), kept, targets, partial, progress }
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, url: &url::Url) -> Result<TransportStream, TransportError> {
        let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default().to_owned();
        let is_target = url.as_str().starts_with(self.targets.as_str());
        let is_kept = !is_target && is_versioned(&name) && !name.ends_with(".root.json");
        if is_kept && let Some(bytes) = self.kept.as_ref().and_then(|folder| fs::read(folder.join(&name)).ok()) {
            self.tally().metadata.insert(name, bytes.clone());
            return Ok(Box::pin(Whole(Some(Bytes::from(bytes)))));
        }
        let refused = |error: HttpError| self.refused(url, error);
        let url = Url::parse(url.as_str()).map_err(|error| refused(HttpError::Url(error)))?;
        let mut download = Download {
            wire: self.clone(),
            url,
            body: None,
            received: 0,
            attempts: 0,
            replay: None,
            keep: None,
            collect: is_kept.then(|| (name.clone(), Vec::new())),
        };
        if is_target {
            download.resume(&self.partial.join(format!("{name}.part"))).map_err(refused)?;
        }
        download.connect().map_err(refused)?;
        Ok(Box::pin(Chunks(Mutex::new(download))))
    }

    fn refused(&self, url: &url::Url, error: HttpError) -> TransportError {
        let is_missing = matches!(error, HttpError::Status { status: 404 | 410, .. });
        let kind = if is_missing { TransportErrorKind::FileNotFound } else { TransportErrorKind::Other };
        let text = error.to_string();
        if !is_missing {
            self.tally().failure.get_or_insert(error);
        }
        TransportError::new_with_cause(kind, url.as_str(), text)
    }
}

/// `12.targets.json` never changes; `timestamp.json` does.
fn is_versioned(name: &str) -> bool {
    name.split_once('.').is_some_and(|(version, _)| version.parse::<u64>().is_ok())
}

#[async_trait]
impl Transport for Wire {
    async fn fetch(&self, url: url::Url) -> Result<TransportStream, TransportError> {
        self.open(&url)
    }
}

/// Bytes that are here already.
struct Whole(Option<Bytes>);

impl Stream for Whole {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

/// A download that goes on after an interruption, within this process and after it.
struct Download {
    wire: Wire,
    url: Url,
    body: Option<Body>,
    /// Bytes handed over, those of an earlier process included.
    received: u64,
    attempts: u32,
    /// What an earlier process already had.
    replay: Option<File>,
    /// Where the bytes are kept while the whole is not there.
    keep: Option<File>,
    collect: Option<(String, Vec<u8>)>,
}

impl Download {
    /// Takes up what an earlier process left.
    fn resume(&mut self, path: &Path) -> Result<(), HttpError> {
        let failed = |cause| HttpError::File { url: self.url.clone(), cause };
        let mut options = OpenOptions::new();
        let keep = options.create(true).append(true).open(path).map_err(failed)?;
        self.received = keep.metadata().map_err(failed)?.len();
        if self.received > 0 {
            self.replay = Some(File::open(path).map_err(failed)?);
        }
        self.keep = Some(keep);
        Ok(())
    }

    /// Asks for what is missing.
    fn connect(&mut self) -> Result<(), HttpError> {
        let mut request = Request::get(self.url.clone(), INDEX_BYTES_MAX);
        request.range_start = Some(self.received).filter(|received| *received > 0);
        self.attempts += 1;
        self.wire.tally().requests += 1;
        let response = self.wire.source.fetch(&request)?;
        match response.status {
            206 => self.body = Some(response.body),
            // All of it is here: the hash decides whether it is the right one.
            416 => self.body = None,
            200 if self.received == 0 => self.body = Some(response.body),
            // The server cannot continue: everything comes again, and the library has not seen a byte yet.
            200 if self.replay.is_some() || self.attempts == 1 => {
                self.replay = None;
                self.received = 0;
                if let Some(keep) = &self.keep {
                    keep.set_len(0).map_err(|cause| HttpError::File { url: self.url.clone(), cause })?;
                }
                self.body = Some(response.body);
            }
            200 => return Err(HttpError::Range { url: self.url.clone(), asked: self.received }),
            _ => return Err(response.unexpected()),
        }
        Ok(())
    }

    /// The next bytes; empty at the end.
    fn next(&mut self) -> Result<Vec<u8>, HttpError> {
        let mut chunk = vec![0; CHUNK_BYTES];
        if let Some(replay) = &mut self.replay {
            let read = replay.read(&mut chunk).map_err(|cause| HttpError::File { url: self.url.clone(), cause })?;
            chunk.truncate(read);
            if read > 0 {
                return Ok(chunk);
            }
            self.replay = None;
            chunk.resize(CHUNK_BYTES, 0);
        }
        loop {
            let Some(body) = &mut self.body else { return Ok(Vec::new()) };
            match body.read(&mut chunk) {
                Ok(read) => {
                    chunk.truncate(read);
                    return self.took(chunk);
                }
                Err(error) => {
                    let error = HttpError::of_read(error, &self.url);
                    if !error.is_passing() || self.attempts >= FEED_ATTEMPTS_MAX {
                        return Err(error);
                    }
                    self.connect()?;
                }
            }
        }
    }

    fn took(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>, HttpError> {
        self.received += chunk.len() as u64;
        if let Some(keep) = &mut self.keep {
            keep.write_all(&chunk).map_err(|cause| HttpError::File { url: self.url.clone(), cause })?;
        }
        if let Some((name, bytes)) = &mut self.collect {
            if chunk.is_empty() {
                self.wire.tally().metadata.insert(std::mem::take(name), std::mem::take(bytes));
            } else {
                bytes.extend_from_slice(&chunk);
            }
        }
        self.wire.tally().bytes += chunk.len() as u64;
        self.wire.progress.tell(chunk.len() as u64);
        Ok(chunk)
    }
}

/// A download as the library takes it. The lock is never contended: it only makes the stream shareable.
struct Chunks(Mutex<Download>);

impl Stream for Chunks {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let download = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        Poll::Ready(match download.next() {
            Ok(chunk) if chunk.is_empty() => None,
            Ok(chunk) => Some(Ok(Bytes::from(chunk))),
            Err(error) => {
                let wire = download.wire.clone();
                // Shown without credentials; the library's own type would show them.
                let shown = download.url.to_string();
                let text = error.to_string();
                wire.tally().failure.get_or_insert(error);
                Some(Err(TransportError::new_with_cause(TransportErrorKind::Other, shown, text)))
            }
        })
    }
}
