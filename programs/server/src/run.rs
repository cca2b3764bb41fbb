//! From the arguments to a server that serves, and to its end.

use std::sync::Arc;

use aux_cache::{Cache, Server, Surroundings, serve};
use aux_core::limits::CACHE_BLOCKING_THREADS_MAX;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use jiff::Timestamp;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::Args;
use crate::say::Serving;

/// Serves until a signal says stop. The error is a sentence for a person.
pub(crate) fn run(args: &Args) -> Result<(), String> {
    let cache = Cache::open(&args.data, surroundings(args)).map_err(|error| error.to_string())?;
    raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(CACHE_BLOCKING_THREADS_MAX)
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| format!("no threads to serve with: {error}"))?;
    runtime.block_on(listen(args, Arc::new(cache)))
}

async fn listen(args: &Args, cache: Arc<Cache>) -> Result<(), String> {
    let unheard = |error| format!("signals cannot be heard: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    let taken = |error| format!("{}: cannot listen there: {error}", args.listen);
    let listener = TcpListener::bind(args.listen).await.map_err(taken)?;
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

fn surroundings(args: &Args) -> Surroundings {
    Surroundings {
        store_directory: args.store_dir.clone(),
        feed: args.feed.clone(),
        keep: args.keep.into(),
        now: Box::new(Timestamp::now),
        random: Box::new(|| {
            let mut bytes = [0; 32];
            SystemRandom::new().fill(&mut bytes).ok().map(|()| bytes)
        }),
    }
}
