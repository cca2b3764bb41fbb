//! The server: connections with their bounds, requests with their numbers, one answer for each.

mod answer;
mod api;
mod body;
mod cached;
mod counters;
mod failure;
mod metrics;
mod page;
mod pulled;
mod range;
mod request;
mod route;
mod stall;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aux_core::limits::{
    CACHE_CONNECTIONS_MAX, CACHE_FEED_SECONDS, CACHE_HEAD_BYTES_MAX, CACHE_HEAD_SECONDS_MAX,
    CACHE_SCRUB_BYTES_PER_SECOND, CACHE_SCRUB_PAUSE_SECONDS, CACHE_STALL_SECONDS_MAX, CACHE_UPLOADS_MAX,
    CACHE_USES_SECONDS,
};
use hyper::body::Incoming;
use hyper::header::ACCEPT;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::access::{Caller, Right};
use crate::cache::Cache;
use crate::catalogue::SharedSpace;
use answer::Answer;
use counters::Counters;
use failure::Failure;
use route::{NoteKind, Route};
use stall::Watched;

/// What Prometheus asks for.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Between two NARs that the scrubber looks at, however small they are.
const SCRUB_STEP_MILLISECONDS: u64 = 20;

/// A cache and what is needed to serve it.
pub struct Server {
    pub(crate) cache: Arc<Cache>,
    counters: Counters,
    uploads: Arc<Semaphore>,
    requests: AtomicU64,
    started: u32,
}

impl Server {
    pub fn new(cache: Arc<Cache>) -> Self {
        let started = u32::try_from(cache.now().as_second() & 0xffff_ffff).unwrap_or_default();
        let uploads = Arc::new(Semaphore::new(CACHE_UPLOADS_MAX));
        Self { cache, counters: Counters::default(), uploads, requests: AtomicU64::new(0), started }
    }

    fn take_note(
        &self,
        space: &SharedSpace,
        (kind, name): (NoteKind, &str),
        note: &[u8],
        caller: &Caller,
    ) -> Result<(), Failure> {
        self.cache.catch_up()?;
        self.cache.confirm(caller)?;
        let row = space.row();
        if row.source.is_some() {
            return Err(Failure::Forbidden);
        }
        self.cache.records.put_note(&row, (kind.as_str(), name), note, &self.cache.actor(caller))?;
        Ok(())
    }
}

/// Serves until `stop` says so, and then until what was begun is answered.
pub async fn serve(listener: TcpListener, server: Arc<Server>, mut stop: watch::Receiver<bool>) {
    let following = tokio::spawn(follow_feed(Arc::clone(&server)));
    let others = tokio::spawn(follow_others(Arc::clone(&server)));
    let scrubbing = tokio::spawn(scrub(Arc::clone(&server)));
    let noting = tokio::spawn(write_uses(Arc::clone(&server)));
    let places = Arc::new(Semaphore::new(CACHE_CONNECTIONS_MAX));
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = tokio::select! {
            accepted = async { (place.await, listener.accept().await) } => accepted,
            () = told(&mut stop) => break,
        };
        let (Ok(place), Ok((stream, _))) = accepted else {
            // Out of descriptors, most likely: others must end first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (server, stop) = (Arc::clone(&server), stop.clone());
        tokio::spawn(async move {
            connection(server, stream, stop).await;
            drop(place);
        });
    }
    following.abort();
    others.abort();
    scrubbing.abort();
    noting.abort();
    let all = u32::try_from(CACHE_CONNECTIONS_MAX).unwrap_or(u32::MAX);
    let ended = tokio::time::timeout(Duration::from_secs(CACHE_STALL_SECONDS_MAX), places.acquire_many(all)).await;
    if ended.is_err() {
        tracing::warn!("some connections were still open when the server ended");
    }
    put_uses(&server).await;
}

/// Writes down now and then which paths were used.
async fn write_uses(server: Arc<Server>) {
    loop {
        tokio::time::sleep(Duration::from_secs(CACHE_USES_SECONDS)).await;
        put_uses(&server).await;
    }
}

async fn put_uses(server: &Arc<Server>) {
    let server = Arc::clone(server);
    let written = blocking(move || {
        server.cache.try_to_write_uses();
        Ok(())
    });
    if written.await.is_err() {
        tracing::error!("writing down uses ended early");
    }
}

/// Looks at the feed's file again and again, the first time at once.
async fn follow_feed(server: Arc<Server>) {
    let mut interval = tokio::time::interval(Duration::from_secs(CACHE_FEED_SECONDS));
    loop {
        interval.tick().await;
        let server = Arc::clone(&server);
        let done = blocking(move || {
            server.cache.follow_feed();
            Ok(())
        });
        if done.await.is_err() {
            tracing::error!("looking at the feed ended early");
        }
    }
}

/// Reads and hashes what is kept, at a pace that nobody else notices.
async fn scrub(server: Arc<Server>) {
    let pause = Duration::from_secs(CACHE_SCRUB_PAUSE_SECONDS);
    tokio::time::sleep(pause).await;
    loop {
        let scrubbing = Arc::clone(&server);
        let wait = match blocking(move || Ok(scrubbing.cache.scrub()?)).await {
            Ok(Some(bytes)) => {
                Duration::from_millis(SCRUB_STEP_MILLISECONDS + bytes * 1_000 / CACHE_SCRUB_BYTES_PER_SECOND)
            }
            Ok(None) => pause,
            Err(failure) => {
                tracing::error!("the scrubber rests: {} {}", failure.word(), failure.logged().unwrap_or_default());
                pause
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Reads what other servers of the store do, again and again, where there are others.
async fn follow_others(server: Arc<Server>) {
    let mut is_away = false;
    loop {
        let following = Arc::clone(&server);
        match blocking(move || Ok(following.cache.follow())).await {
            Ok(Ok(false)) => return,
            Ok(Ok(true)) => {
                if std::mem::take(&mut is_away) {
                    tracing::info!("the database answers again");
                }
            }
            Ok(Err(error)) => {
                if !std::mem::replace(&mut is_away, true) {
                    tracing::error!("what other servers do cannot be seen: {error}");
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Err(_) => tracing::error!("following other servers ended early"),
        }
    }
}

/// Until somebody says stop, or nobody can any more.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _nobody_is_left = stop.wait_for(|stop| *stop).await.is_err();
}

async fn connection(server: Arc<Server>, stream: TcpStream, mut stop: watch::Receiver<bool>) {
    // Answers are written whole; waiting for more to send would only make them late.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let watched = Watched::new(stream, Duration::from_secs(CACHE_STALL_SECONDS_MAX));
    let serve = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(respond(&server, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(CACHE_HEAD_SECONDS_MAX))
        // `pipeline_flush` would take this bound away, and with it a slow client would have its NAR in our memory.
        .max_buf_size(CACHE_HEAD_BYTES_MAX);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(watched), serve));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended early: {error}");
    }
}

/// Answers one request, whatever happens.
async fn respond(server: &Arc<Server>, request: Request<Incoming>) -> Answer {
    server.counters.requests.add(1);
    let number = server.requests.fetch_add(1, Ordering::Relaxed);
    let id = format!("{:x}-{number:x}", server.started);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let wants_document =
        path.starts_with("/-/api/") || cached::header(request.headers(), &ACCEPT) == Some(answer::JSON);
    let answered = match Route::parse(&path) {
        None => Err(Failure::NotFound),
        Some(route) => dispatch(server, request, route).await,
    };
    let answer = match answered {
        Ok(answer) => answer,
        Err(failure) => {
            server.counters.failures.add(u64::from(failure.status().is_server_error()));
            log(&id, &method, &path, &failure);
            if wants_document { answer::error(&failure, &id) } else { answer::plain(&failure) }
        }
    };
    answer::numbered(answer, &id)
}

async fn dispatch(server: &Arc<Server>, request: Request<Incoming>, route: Route) -> Result<Answer, Failure> {
    match route {
        Route::Cached(name, resource) => cached::answer(server, request, (name, resource)).await,
        Route::Interface(parts) => api::answer(server, request, parts).await,
        Route::Health => {
            let server = Arc::clone(server);
            blocking(move || Ok(server.cache.records.setting("made")?)).await?;
            Ok(answer::bytes(StatusCode::OK, answer::TEXT, "ok\n"))
        }
        Route::StatusPage | Route::Metrics => {
            let header = cached::header(request.headers(), &hyper::header::AUTHORIZATION);
            server.cache.caller(header).may(Right::Read, None)?;
            let server = Arc::clone(server);
            blocking(move || match route {
                Route::StatusPage => page::answer(&server),
                _ => Ok(answer::bytes(StatusCode::OK, METRICS, metrics::text(&server)?)),
            })
            .await
        }
    }
}

fn log(id: &str, method: &Method, path: &str, failure: &Failure) {
    let shown = aux_core::visible::visible(path);
    let detail = failure.logged().map(|detail| aux_core::visible::visible(detail).into_owned()).unwrap_or_default();
    let status = failure.status().as_u16();
    if failure.status().is_server_error() {
        tracing::error!("{id} {method} {shown}: {status} {} {detail}", failure.word());
    } else {
        tracing::debug!("{id} {method} {shown}: {status} {} {detail}", failure.word());
    }
}

/// Runs what may wait for the disk, away from the threads that serve.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Failure::Internal { detail: error.to_string() }),
    }
}
