//! A push: asks once what is missing, then some workers dump, pack and send, each path committed after what it needs.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use aux_core::limits::{CACHE_MISSING_PATHS_MAX, CACHE_PUSH_ATTEMPTS_MAX};
use aux_nix::{BaseName, NarInfo, Sha256};
use serde::Deserialize;

use super::dump::digest;
use super::known::Known;
use super::pack::{PackError, Tools};
use super::requests::part;
use super::{CacheClient, ClientError, Item, Plan};

/// Larger NARs are asked for before they are packed: an interrupted push may have left them there.
const ASKED_FOR_BYTES: u64 = 4 << 20;

/// How to push.
#[derive(Debug, Clone)]
pub struct PushOptions {
    pub cache: String,
    pub workers: usize,
    /// Ask what is missing, and send nothing.
    pub is_dry_run: bool,
    /// Send what is there as well, which mends what is damaged of it.
    pub is_repair: bool,
}

/// What a push has come to.
#[derive(Debug, Clone, Copy)]
pub enum PushStep<'a> {
    /// So much is not there yet.
    Missing { paths: usize, nar_bytes: u64 },
    /// This path is there now.
    Sent { path: &'a BaseName, nar_bytes: u64 },
}

/// What a push did. A path is in one of the three.
#[derive(Debug, Default)]
pub struct Pushed {
    /// There before.
    pub present: Vec<BaseName>,
    /// Sent and committed; in a dry run, what would be.
    pub sent: Vec<BaseName>,
    /// Of the NARs that were sent.
    pub nar_bytes: u64,
    /// Of the same, packed.
    pub file_bytes: u64,
    pub failed: Vec<PushFailure>,
}

/// A path that did not get there.
#[derive(Debug)]
pub struct PushFailure {
    pub path: BaseName,
    pub error: PushError,
}

/// Why a path did not get there.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error("its content has the hash {hash} and {size} bytes, and the store says otherwise: it is damaged")]
    Damaged { hash: Sha256, size: u64 },
    #[error("it needs {0}, which did not get there")]
    Needs(BaseName),
    #[error("not tried, because of what failed before")]
    NotTried,
}

impl PushError {
    fn may_be_about_a_reference(&self) -> bool {
        matches!(self, Self::Client(error) if error.may_be_about_a_reference())
    }

    fn is_about_the_nar(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_about_the_nar())
    }
}

#[derive(Deserialize)]
struct Missing {
    missing: Vec<String>,
    /// Of views, the cache they are of.
    view_of: Option<String>,
}

/// Pushes what is missing. An error here means that nothing was tried; what failed later stands in the answer.
pub fn push(
    client: &CacheClient,
    plan: &Plan,
    options: &PushOptions,
    step: &(dyn Fn(PushStep<'_>) + Sync),
) -> Result<Pushed, ClientError> {
    check_store_directory(client, plan, part(&options.cache)?)?;
    let mut missing = missing(client, plan, &options.cache)?;
    if options.is_repair {
        missing.extend(plan.items.iter().map(|item| item.info.path.to_string()));
    }
    let bytes = |item: &&Item| item.info.nar_size;
    let wanted = |item: &&Item| missing.contains(item.info.path.as_str());
    step(PushStep::Missing {
        paths: missing.len(),
        nar_bytes: plan.items.iter().filter(wanted).map(|i| bytes(&i)).sum(),
    });
    let mut pushed = Pushed::default();
    let states = plan.items.iter().map(|item| if wanted(&item) { State::Waiting } else { State::There }).collect();
    let run = Run {
        client,
        plan,
        options,
        step,
        next: AtomicUsize::new(0),
        is_stopped: AtomicBool::new(false),
        known: Known::new(client, &options.cache),
        states: Mutex::new(states),
        settled: Condvar::new(),
    };
    if !options.is_dry_run {
        std::thread::scope(|scope| {
            for _ in 0..options.workers.max(1) {
                scope.spawn(|| run.work());
            }
        });
    }
    let states = run.states.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (item, state) in plan.items.iter().zip(states) {
        let path = item.info.path.clone();
        match state {
            State::There => pushed.present.push(path),
            State::Sent { file_bytes } => {
                pushed.nar_bytes += item.info.nar_size;
                pushed.file_bytes += file_bytes;
                pushed.sent.push(path);
            }
            State::Waiting if options.is_dry_run => {
                pushed.nar_bytes += item.info.nar_size;
                pushed.sent.push(path);
            }
            State::Waiting => pushed.failed.push(PushFailure { path, error: PushError::NotTried }),
            State::Failed(error) => pushed.failed.push(PushFailure { path, error }),
        }
    }
    Ok(pushed)
}

/// Told before anything is sent, instead of by each path that is refused.
fn check_store_directory(client: &CacheClient, plan: &Plan, cache: &str) -> Result<(), ClientError> {
    let theirs = client.cache_info(cache)?.store_directory;
    match plan.items.iter().map(|item| item.info.store_directory()).find(|ours| *ours != theirs) {
        Some(ours) => Err(ClientError::StoreDirectory { url: client.base().clone(), theirs, ours: ours.to_owned() }),
        None => Ok(()),
    }
}

fn missing(client: &CacheClient, plan: &Plan, cache: &str) -> Result<BTreeSet<String>, ClientError> {
    let names: Vec<&str> = plan.items.iter().map(|item| item.info.path.as_str()).collect();
    let mut missing = BTreeSet::new();
    for names in names.chunks(CACHE_MISSING_PATHS_MAX) {
        let answer: Missing = client.missing(cache, names)?.read()?;
        if let Some(source) = answer.view_of {
            return Err(ClientError::View { view: cache.to_owned(), cache: source });
        }
        // Paths may come with the store directory before them.
        missing.extend(answer.missing.into_iter().map(|path| path.rsplit('/').next().unwrap_or_default().to_owned()));
    }
    Ok(missing)
}

enum State {
    Waiting,
    /// Before this push.
    There,
    Sent {
        file_bytes: u64,
    },
    Failed(PushError),
}

struct Run<'a> {
    client: &'a CacheClient,
    plan: &'a Plan,
    options: &'a PushOptions,
    step: &'a (dyn Fn(PushStep<'_>) + Sync),
    next: AtomicUsize,
    is_stopped: AtomicBool,
    known: Known<'a>,
    states: Mutex<Vec<State>>,
    settled: Condvar,
}

impl Run<'_> {
    fn work(&self) {
        let mut tools = None;
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = self.plan.items.get(number) else { return };
            let is_waiting = |states: &[State]| matches!(states.get(number), Some(State::Waiting));
            if !is_waiting(&self.states.lock().unwrap_or_else(PoisonError::into_inner)) {
                continue;
            }
            let state = if self.is_stopped.load(Ordering::Relaxed) {
                State::Failed(PushError::NotTried)
            } else {
                match self.send(item, &mut tools) {
                    Ok(file_bytes) => {
                        (self.step)(PushStep::Sent { path: &item.info.path, nar_bytes: item.info.nar_size });
                        State::Sent { file_bytes }
                    }
                    Err(error) => {
                        if matches!(&error, PushError::Client(error) if error.is_final()) {
                            self.is_stopped.store(true, Ordering::Relaxed);
                        }
                        State::Failed(error)
                    }
                }
            };
            if let Some(slot) = self.states.lock().unwrap_or_else(PoisonError::into_inner).get_mut(number) {
                *slot = state;
            }
            self.settled.notify_all();
        }
    }

    /// Sends one path; the answer is how many bytes went out.
    fn send(&self, item: &Item, tools: &mut Option<Tools>) -> Result<u64, PushError> {
        // It says nothing of the file: another who pushes the same may have sent one with fewer chunks, and the server knows.
        let info = &item.info;
        let nar = format!("{}/{}", self.options.cache, info.url);
        let is_asked_for = info.nar_size >= ASKED_FOR_BYTES && !self.options.is_repair;
        let mut is_there = is_asked_for && self.client.has(&nar)?;
        let mut sent = 0;
        loop {
            if !is_there {
                sent = self.send_nar(item, &nar, tools)?;
            }
            self.wait_for_needs(item)?;
            match again(&mut || self.put_narinfo(info)) {
                Ok(()) => return Ok(sent),
                // What somebody left there under its name is something else.
                Err(error) if error.is_about_the_nar() && is_there => is_there = false,
                Err(error) if error.is_about_the_nar() => {
                    let (hash, size) = digest(&item.source).map_err(PackError::from)?;
                    let is_damaged = (hash, size) != (info.nar_hash, info.nar_size);
                    return Err(if is_damaged { PushError::Damaged { hash, size } } else { error });
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn send_nar(&self, item: &Item, nar: &str, tools: &mut Option<Tools>) -> Result<u64, PushError> {
        let tools = match tools {
            Some(tools) => tools,
            none => none.insert(Tools::new(item.info.store_directory())?),
        };
        let mut known = Some(&self.known).filter(|_| !self.options.is_repair);
        again(&mut || {
            let put = self.put_nar(item, nar, tools, known);
            // A chunk was collected meanwhile, or is damaged.
            if put.as_ref().is_err_and(PushError::may_be_about_a_reference) && known.take().is_some() {
                return self.put_nar(item, nar, tools, None);
            }
            put
        })
    }

    fn put_nar(&self, item: &Item, nar: &str, tools: &mut Tools, known: Option<&Known<'_>>) -> Result<u64, PushError> {
        let mut packing = tools.pack((&item.source, item.info.nar_size), known).map_err(PackError::from)?;
        let put = self.client.put_stream(nar, &mut packing, item.info.nar_size);
        let sent = packing.packed_bytes();
        // It comes first: that a request broke off says less.
        if let Some(failure) = packing.into_failure() {
            return Err(failure.into());
        }
        put?;
        Ok(sent)
    }

    fn put_narinfo(&self, info: &NarInfo) -> Result<(), PushError> {
        let path = format!("{}/{}.narinfo", self.options.cache, info.path.digest());
        Ok(self.client.put_bytes(&path, info.print().as_bytes(), "text/x-nix-narinfo")?)
    }

    /// A server refuses what refers to something that is not there. All that is waited for has a smaller number, so somebody
    /// is at work on it.
    fn wait_for_needs(&self, item: &Item) -> Result<(), PushError> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        for need in &item.needs {
            loop {
                match states.get(*need) {
                    Some(State::Waiting) => {
                        states = self.settled.wait(states).unwrap_or_else(PoisonError::into_inner);
                    }
                    Some(State::Failed(_)) => {
                        let path = self.plan.items.get(*need).map(|item| item.info.path.clone());
                        return Err(path.map_or(PushError::NotTried, PushError::Needs));
                    }
                    Some(State::There | State::Sent { .. }) | None => break,
                }
            }
        }
        Ok(())
    }
}

/// Tries again what may pass, a little later each time.
fn again<T>(act: &mut dyn FnMut() -> Result<T, PushError>) -> Result<T, PushError> {
    let mut attempt = 1;
    loop {
        match act() {
            Err(PushError::Client(error)) if error.is_passing() && attempt < CACHE_PUSH_ATTEMPTS_MAX => {
                std::thread::sleep(Duration::from_secs(1 << attempt.min(5)));
                attempt += 1;
            }
            done => return done,
        }
    }
}
