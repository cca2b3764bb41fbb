//! What Nix asks of a cache or view, and what it puts.

use std::io;
use std::sync::Arc;

use aux_core::limits::{CACHE_NOTE_BYTES_MAX, NARINFO_BYTES_MAX};
use aux_nix::Sha256;
use aux_nix::cache_info::CacheInfo;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ACCEPT_RANGES, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, HeaderValue};
use hyper::header::{IF_NONE_MATCH, IF_RANGE, RANGE, VIA};
use hyper::{HeaderMap, Method, Request, StatusCode};

use super::answer::{Answer, NAR, NARINFO, TEXT, bytes, head};
use super::body::Body;
use super::failure::Failure;
use super::range::{Part, is_known, part};
use super::request::{pieces, whole};
use super::route::{NoteKind, Resource};
use super::{Server, blocking, pulled};
use crate::access::{Caller, Right};
use crate::catalogue::{Nar, SharedSpace};
use crate::names::{PathHash, SpaceName, UploadName, parse_pulled_name};
use crate::objects::{ObjectError, ObjectName, Stored};
use crate::packing::Packing;
use crate::push::NarTerms;
use crate::upstream::Via;

const READ: &str = "GET, HEAD";
const READ_AND_PUT: &str = "GET, HEAD, PUT";

/// Answers a request about a resource of a cache or view.
pub(super) async fn answer(
    server: &Arc<Server>,
    request: Request<Incoming>,
    (name, resource): (SpaceName, Resource),
) -> Result<Answer, Failure> {
    match *request.method() {
        Method::GET | Method::HEAD => {
            let space = readable(server, &name, request.headers())?;
            get(server, &space, resource, &request).await
        }
        Method::PUT => {
            let caller = server.cache.caller(header(request.headers(), &AUTHORIZATION));
            caller.may(Right::Push, Some(&name))?;
            let space = server.cache.space(&name).ok_or(Failure::NotFound)?;
            put(server, space, resource, (caller, request)).await
        }
        _ => Err(Failure::Method { allowed: READ_AND_PUT }),
    }
}

/// The cache or view, if it is there and the caller may read it. Whether it is there is told to nobody else.
fn readable(server: &Server, name: &SpaceName, headers: &HeaderMap) -> Result<SharedSpace, Failure> {
    let space = server.cache.space(name);
    if let Some(space) = space.as_ref().filter(|space| space.read().row.anonymous) {
        return Ok(space.clone());
    }
    let caller = server.cache.caller(header(headers, &AUTHORIZATION));
    caller.may(Right::Read, Some(name))?;
    space.ok_or(Failure::NotFound)
}

async fn get(
    server: &Arc<Server>,
    space: &SharedSpace,
    resource: Resource,
    request: &Request<Incoming>,
) -> Result<Answer, Failure> {
    match resource {
        Resource::Info => {
            let info = CacheInfo {
                store_directory: server.cache.store_directory().to_owned(),
                wants_mass_query: true,
                priority: Some(space.read().row.priority),
            };
            Ok(bytes(StatusCode::OK, TEXT, info.to_string()))
        }
        Resource::NarInfo(hash) => match narinfo(server, space, hash) {
            Err(Failure::NotFound) => match pulls(server, space, request.headers()) {
                Some(via) => pulled::narinfo(server, space, hash, &via).await,
                None => Err(Failure::NotFound),
            },
            answer => answer,
        },
        Resource::Nar(name, offered) => {
            let nar = offered.and_then(|hash| Some((hash, used_nar(server, space, hash)?)));
            match nar {
                Some(nar) => send_nar(server, nar, request).await,
                None => match (parse_pulled_name(&name), pulls(server, space, request.headers())) {
                    (Some(names), Some(via)) => pulled::nar(server, space, names, (request, via)).await,
                    _ => arrived(server, space, name, request).await,
                },
            }
        }
        Resource::Listing(hash) => {
            let nar = space.read().path(hash).map(|path| path.nar_hash).ok_or(Failure::NotFound)?;
            let server = Arc::clone(server);
            let listing = blocking(move || Ok(server.cache.records.listing(nar)?)).await?;
            listing.map(|json| bytes(StatusCode::OK, "application/json", json)).ok_or(Failure::NotFound)
        }
        Resource::Note(kind, name) => {
            let (number, server) = (space.read().row.number, Arc::clone(server));
            let source = space.read().row.source;
            let note = blocking(move || Ok(server.cache.records.note(number, source, (kind.as_str(), &name))?)).await?;
            let note = note.ok_or(Failure::NotFound)?;
            Ok(bytes(StatusCode::OK, if kind == NoteKind::Log { TEXT } else { "application/json" }, note))
        }
    }
}

/// A NAR that somebody asks for, if a path that is visible has it.
fn used_nar(server: &Server, space: &SharedSpace, hash: Sha256) -> Option<Nar> {
    let space = space.read();
    let path = space.path_of(hash)?;
    server.cache.note_use(path);
    Some(Nar::of(path))
}

/// On which way a question goes on to others, if the cache has any to ask, as a view never has, and it did not come from
/// here.
fn pulls(server: &Server, space: &SharedSpace, headers: &HeaderMap) -> Option<Via> {
    if server.cache.upstreams.of(space.read().row.number).is_empty() {
        return None;
    }
    let hops: Vec<&str> = headers.get_all(VIA).iter().map(|value| value.to_str().ok()).collect::<Option<_>>()?;
    Via::through(Some(&hops.join(",")), &server.cache.public_keys())
}

fn narinfo(server: &Server, space: &SharedSpace, hash: PathHash) -> Result<Answer, Failure> {
    let space = space.read();
    if let Some(narinfo) = space.narinfo(hash) {
        if let Some(path) = space.path(hash) {
            server.cache.note_use(path);
        }
        server.counters.narinfo_hits.add(1);
        return Ok(bytes(StatusCode::OK, NARINFO, narinfo));
    }
    server.counters.narinfo_misses.add(1);
    match space.withdrawn(hash) {
        Some(reason) => Err(Failure::Withdrawn { reason: reason.to_owned() }),
        None => Err(Failure::NotFound),
    }
}

/// Sends a NAR or a part of it. That all of it is there and as long as it was when it was hashed is known before the head
/// leaves, and its first piece is read.
pub(super) async fn send_nar(
    server: &Arc<Server>,
    (hash, nar): (Sha256, Nar),
    request: &Request<Incoming>,
) -> Result<Answer, Failure> {
    let tag = format!("\"{}\"", nar.file_hash.nix32());
    let headers = request.headers();
    if is_known(header(headers, &IF_NONE_MATCH), &tag) {
        return Ok(tagged(head(StatusCode::NOT_MODIFIED, NAR, 0, Body::empty()), &tag));
    }
    let size = nar.file_size;
    let (status, start, length) = match part(header(headers, &RANGE), header(headers, &IF_RANGE), &tag, size) {
        Part::Whole => (StatusCode::OK, 0, size),
        Part::Some { start, length } => (StatusCode::PARTIAL_CONTENT, start, length),
        Part::Beyond => return Err(Failure::Range { size }),
    };
    let name = ObjectName { nar_hash: hash, file_hash: nar.file_hash };
    let stored = match server.cache.objects.opened(hash).filter(|stored| stored.size() == size) {
        Some(stored) => stored,
        None => open(server, name, size).await?,
    };
    let body = match *request.method() {
        Method::HEAD => Body::empty(),
        _ => Body::nar(stored, start, length).await.map_err(|error| unreadable(hash, error))?,
    };
    if request.method() == Method::GET {
        server.counters.nar_bytes.add(length);
    }
    let mut answer = tagged(head(status, NAR, length, body), &tag);
    answer.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {start}-{}/{size}", start + length - 1);
        if let Ok(value) = HeaderValue::from_str(&range) {
            answer.headers_mut().insert(CONTENT_RANGE, value);
        }
    }
    Ok(answer)
}

async fn open(server: &Arc<Server>, name: ObjectName, size: u64) -> Result<Stored, Failure> {
    let server = Arc::clone(server);
    let open = move || {
        let stored = server.cache.objects.open_to_send(&name).map_err(|error| lost(name.nar_hash, error))?;
        let (found, hash) = (stored.size(), name.nar_hash.nix32());
        if found == size {
            return Ok(stored);
        }
        Err(Failure::Internal { detail: format!("the NAR {hash} has {found} bytes on disk, and not {size}") })
    };
    blocking(open).await
}

/// What the client is told of a NAR that the records speak of and that cannot be opened. One that is missing is not there: Nix
/// takes the path from elsewhere then, and where it hears of any other trouble it asks here again.
fn lost(hash: Sha256, error: ObjectError) -> Failure {
    match &error {
        ObjectError::File { cause, .. } if cause.kind() == io::ErrorKind::NotFound => {
            tracing::error!("the NAR {} is lost: {error}", hash.nix32());
            Failure::NotFound
        }
        _ => error.into(),
    }
}

/// The same where it was opened and its first piece could not be read.
fn unreadable(hash: Sha256, error: io::Error) -> Failure {
    match error.downcast::<ObjectError>() {
        Ok(error) => lost(hash, error),
        // A client that is told 500 asks again and again; one that is told 404 goes elsewhere.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            tracing::error!("the NAR {} is damaged: {error}", hash.nix32());
            Failure::NotFound
        }
        Err(error) => Failure::Internal { detail: format!("the NAR {} cannot be read: {error}", hash.nix32()) },
    }
}

fn tagged(mut answer: Answer, tag: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(tag) {
        answer.headers_mut().insert(ETAG, value);
    }
    answer
}

/// A NAR under the name that it was put under. Whoever pushed asks for it: to go on with a push, and later, because Nix
/// remembers the narinfo that it wrote and not the one it would read.
async fn arrived(
    server: &Arc<Server>,
    space: &SharedSpace,
    name: UploadName,
    request: &Request<Incoming>,
) -> Result<Answer, Failure> {
    let (number, records) = (space.read().row.number, Arc::clone(server));
    let name_of_zstd = name.as_str().ends_with(Packing::Zstd.suffix());
    let upload = blocking(move || Ok(records.cache.records.upload(number, &name)?)).await?.ok_or(Failure::NotFound)?;
    let nar_hash = upload.object.nar_hash;
    // To Nix any zstd of a NAR is as good as the one it sent: it holds only the NAR itself against what it knows.
    let is_zstd = upload.object.packing == Packing::Zstd && name_of_zstd;
    let committed = used_nar(server, space, nar_hash).filter(|nar| is_zstd || nar.file_hash == upload.sent_hash);
    match committed {
        Some(nar) => send_nar(server, (nar_hash, nar), request).await,
        None if request.method() == Method::HEAD => Ok(head(StatusCode::OK, NAR, upload.sent_size, Body::empty())),
        None => Err(Failure::NotFound),
    }
}

async fn put(
    server: &Arc<Server>,
    space: SharedSpace,
    resource: Resource,
    (caller, request): (Caller, Request<Incoming>),
) -> Result<Answer, Failure> {
    let shared = Arc::clone(server);
    match resource {
        Resource::Nar(name, _) => take_nar(shared, space, name, (caller, request)).await,
        Resource::NarInfo(hash) => {
            let document = whole(request.into_body(), NARINFO_BYTES_MAX).await?;
            pulled::take_narinfo(&shared, &space, hash, (document, caller)).await?;
            server.counters.pushed_paths.add(1);
            Ok(bytes(StatusCode::CREATED, TEXT, Bytes::new()))
        }
        // The server makes listings itself, from the NAR it holds; a client's may say anything.
        Resource::Listing(_) => {
            whole(request.into_body(), CACHE_NOTE_BYTES_MAX).await?;
            Ok(bytes(StatusCode::CREATED, TEXT, Bytes::new()))
        }
        Resource::Note(kind, name) => {
            let note = whole(request.into_body(), CACHE_NOTE_BYTES_MAX).await?;
            blocking(move || shared.take_note(&space, (kind, &name), &note, &caller)).await?;
            Ok(bytes(StatusCode::CREATED, TEXT, Bytes::new()))
        }
        Resource::Info => {
            // Nix writes it where there is none; ours is there already, and is not the client's to change.
            Err(Failure::Method { allowed: READ })
        }
    }
}

async fn take_nar(
    server: Arc<Server>,
    space: SharedSpace,
    name: UploadName,
    (caller, request): (Caller, Request<Incoming>),
) -> Result<Answer, Failure> {
    let stated = header(request.headers(), &CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if stated.is_some_and(|length| length > aux_core::limits::CACHE_NAR_BYTES_MAX) {
        return Err(Failure::TooLarge);
    }
    // Who comes when all places are taken waits here, and its bytes in its own kernel.
    let place = Arc::clone(&server.uploads).acquire_owned().await.map_err(|_| Failure::Busy)?;
    let (mut reader, filling) = pieces(request.into_body());
    let taking = tokio::task::spawn_blocking(move || {
        let _place = place;
        // Nothing is taken for a token that another server revoked, nor what could not be written down.
        server.cache.catch_up()?;
        server.cache.confirm(&caller)?;
        let actor = server.cache.actor(&caller);
        let terms = NarTerms { actor: &actor, announced: None, may_refer: true };
        let received = server.cache.take_nar(&space, &name, &mut reader, terms)?;
        server.counters.pushed_bytes.add(received.file_size);
        Ok::<_, Failure>(())
    });
    filling.await;
    taking.await.map_err(|error| Failure::Internal { detail: error.to_string() })??;
    Ok(bytes(StatusCode::CREATED, TEXT, Bytes::new()))
}

pub(super) fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
