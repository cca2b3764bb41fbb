//! Fetching from wherever a URL points: a web server, or a file of this machine that answers in the same words.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::time::{Duration, UNIX_EPOCH};

use crate::http::body::{Body, Bounds};
use crate::http::{ByteRange, HttpClient, HttpError, Method, Request, Response, Url};

/// Fetches `https://`, `http://` and `file://` alike.
///
/// A file has a tag made of its time and size, so that an unchanged one answers 304; a missing one answers 404, and a
/// range beyond its end 416, as a web server would.
#[derive(Debug, Clone)]
pub struct Source {
    client: HttpClient,
}

impl Source {
    pub fn new(client: HttpClient) -> Self {
        Self { client }
    }

    pub fn fetch(&self, request: &Request) -> Result<Response, HttpError> {
        if request.url.is_file() { file(request) } else { self.client.fetch(request) }
    }
}

fn file(request: &Request) -> Result<Response, HttpError> {
    let url = &request.url;
    let failed = |cause| HttpError::File { url: url.clone(), cause };
    if request.method != Method::Get {
        return Err(HttpError::Request { url: url.clone(), cause: "nothing can be sent to a file".to_owned() });
    }
    let path = url.file_path().ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
    let opened = File::open(&path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    let (mut file, metadata) = match opened {
        Ok((file, metadata)) if metadata.is_file() => (file, metadata),
        Ok(_) => return Err(failed(io::Error::other("it is not a regular file"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(answer(url, 404)),
        Err(error) => return Err(failed(error)),
    };
    let length_bytes = metadata.len();
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let etag = format!("\"{:x}-{length_bytes:x}\"", modified.as_nanos());
    let is_same = request.etag.as_ref() == Some(&etag);
    // A part is only asked for to complete an earlier one: of another version it would be of no use.
    let start = request.range_start.filter(|_| is_same || request.etag.is_none());
    if is_same && request.range_start.is_none() {
        return Ok(Response { etag: Some(etag), ..answer(url, 304) });
    }
    let start = match start {
        Some(start) if start >= length_bytes => return Ok(answer(url, 416)),
        Some(start) => start,
        None => 0,
    };
    if length_bytes - start > request.limit_bytes {
        return Err(HttpError::TooLarge { url: url.clone(), limit_bytes: request.limit_bytes });
    }
    file.seek(SeekFrom::Start(start)).map_err(failed)?;
    let is_partial = request.range_start.is_some() && start > 0;
    let bounds = Bounds { limit_bytes: request.limit_bytes, ..unbounded(url) };
    Ok(Response {
        etag: Some(etag),
        range: is_partial.then_some(ByteRange { start, total_bytes: Some(length_bytes) }),
        body: Body::new(Box::new(file), bounds, Some(length_bytes - start), true),
        ..answer(url, if is_partial { 206 } else { 200 })
    })
}

/// An answer without a body.
fn answer(url: &Url, status: u16) -> Response {
    Response {
        url: url.clone(),
        status,
        etag: None,
        last_modified: None,
        content_type: None,
        content_encoding: None,
        retry_after: None,
        range: None,
        location: None,
        headers: Vec::new(),
        body: Body::new(Box::new(io::empty()), unbounded(url), Some(0), true),
    }
}

/// A disk is neither slow nor endless.
fn unbounded(url: &Url) -> Bounds {
    Bounds {
        url: url.clone(),
        limit_bytes: 0,
        deadline: None,
        total_limit: Duration::ZERO,
        speed_bytes_per_second_min: 0,
        speed_window: Duration::from_secs(1),
    }
}
