//! From the arguments to a server that serves, and to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aux_cache::{BucketSettings, Cache, Keep, Netrc, Place, Server, Surroundings, serve};
use aux_core::limits::{CACHE_BLOCKING_THREADS_MAX, CACHE_WAITING_CONNECTIONS_MAX};
use aux_io::http::{HttpOptions, Proxy};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use jiff::Timestamp;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::say::Serving;
use crate::{Args, Keeping};

/// How long the end waits for threads that fetch from upstreams.
const FETCHES_LIMIT: Duration = Duration::from_secs(2);

/// Serves until a signal says stop. The error is a sentence for a person.
pub(crate) fn run(args: &Args) -> Result<(), String> {
    let cache = open(args)?;
    raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(CACHE_BLOCKING_THREADS_MAX)
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| format!("no threads to serve with: {error}"))?;
    let ended = runtime.block_on(listen(args, Arc::new(cache)));
    // What is still being fetched from an upstream is nobody's yet: the next start throws it away.
    runtime.shutdown_timeout(FETCHES_LIMIT);
    ended
}

fn open(args: &Args) -> Result<Cache, String> {
    let opened = match &args.records {
        None => Cache::open(&args.data, surroundings(args)?),
        Some(address) => {
            let password = args.records_password_file.as_deref().map(aux_cache::password).transpose()?;
            let place = Place::parse(address, password.as_ref().map(|password| password.as_bytes()));
            // The address itself is not shown: what is wrong with it may be that it holds a password.
            let place = place.map_err(|error| format!("--records: {error}"))?;
            Cache::open_shared(&args.data, &place, surroundings(args)?)
        }
    };
    opened.map_err(|error| error.to_string())
}

/// A listener with a queue for all the clients of a fleet that comes back at once: the 128 places that are usual would
/// make every further client wait a second for its second try.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(CACHE_WAITING_CONNECTIONS_MAX)
}

async fn listen(args: &Args, cache: Arc<Cache>) -> Result<(), String> {
    let unheard = |error| format!("signals cannot be heard: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    let taken = |error| format!("{}: cannot listen there: {error}", args.listen);
    let listener = bind(args.listen).map_err(taken)?;
    let token_file = cache.admin_token_file();
    let serving = Serving {
        listen: listener.local_addr().map_err(taken)?,
        public_key: cache.public_keys(),
        admin_token_file: &token_file,
    };
    let said = if args.json { serving.document() } else { serving.text() };
    said?;
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(serve(listener, Arc::new(Server::new(cache)), stopped));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // The receivers live as long as the server.
    let _gone = stop.send(true);
    server.await.map_err(|error| format!("the server ended by itself: {error}"))
}

/// Each connection is a descriptor, and the usual soft limit of 1 024 is made for programs that use `select`.
fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if setrlimit(Resource::Nofile, limit).is_err() {
        tracing::warn!("the number of open files stays at its soft limit");
    }
}

fn surroundings(args: &Args) -> Result<Surroundings, String> {
    let mut http = HttpOptions::new(concat!("aux-server/", env!("CARGO_PKG_VERSION")));
    http.proxy = proxy()?;
    let netrc = args.netrc_file.as_deref().map(Netrc::read).transpose();
    Ok(Surroundings {
        http,
        netrc: netrc.map_err(|error| error.to_string())?.unwrap_or_default(),
        store_directory: args.store_dir.clone(),
        feed: args.feed.clone(),
        signing_keys: args.signing_key_file.clone(),
        keep: keep(args),
        bucket: bucket(args)?,
        now: Box::new(Timestamp::now),
        random: Box::new(|| {
            let mut bytes = [0; 32];
            SystemRandom::new().fill(&mut bytes).ok().map(|()| bytes)
        }),
    })
}

fn keep(args: &Args) -> Keep {
    let is_elsewhere = args.records.is_some() || args.objects.is_some();
    match args.keep.unwrap_or(if is_elsewhere { Keeping::Whole } else { Keeping::Chunks }) {
        Keeping::Chunks => Keep::Chunks,
        Keeping::Whole => Keep::Whole,
    }
}

fn bucket(args: &Args) -> Result<Option<BucketSettings>, String> {
    let (Some(address), Some(credentials)) = (&args.objects, &args.objects_credentials_file) else { return Ok(None) };
    let settings = BucketSettings::new(address, args.objects_endpoint.as_deref(), &args.objects_region, credentials);
    settings.map(Some).map_err(|error| error.to_string())
}

#[expect(clippy::disallowed_methods, reason = "where the proxy stands is a fact about the surroundings")]
fn proxy() -> Result<Option<Proxy>, String> {
    aux_app::proxy(|name| std::env::var(name).ok()).map_err(|error| format!("{error}; {}", error.advice()))
}
