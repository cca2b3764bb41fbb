//! The cache as a whole: its parts together, and what is asked of it most.

mod open;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;

use aux_io::file::Lock;
use aux_io::http::HttpOptions;
use aux_nix::NarInfo;
use jiff::Timestamp;

use crate::access::{Caller, Tokens};
use crate::catalogue::{Catalogue, Kept, SharedSpace, Space};
use crate::clock::Clock;
use crate::feed::Feed;
use crate::keys::Keys;
use crate::names::SpaceName;
use crate::objects::{BucketSettings, Keep, Objects};
use crate::promote::PromoteError;
use crate::records::{Actor, Records, RecordsError, SpaceRow};
use crate::scrub::Scrub;
use crate::upstream::{Netrc, Upstreams};
use crate::uses::Uses;
use crate::verdict::ViewVerdict;
pub use open::OpenError;
pub(crate) use open::{ELSEWHERE, IDENTITY, IN_FOLDER, NARS};

/// What Nix's own cache has as its priority; lower is asked first.
pub(crate) const PRIORITY: u32 = 40;
/// Threads that read paths at the start.
const LOADING_THREADS_MAX: usize = 4;
const TOKEN_FILE: &str = "admin-token";
/// The setting that says which keys made the signatures that are kept.
const SIGNED_WITH: &str = "signed with";

/// What a cache cannot know by itself.
pub struct Surroundings {
    pub now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// 32 bytes that nobody can guess; `None` where the system has none.
    pub random: Box<dyn Fn() -> Option<[u8; 32]> + Send + Sync>,
    /// Where every store that substitutes from here lies: `/nix/store`.
    pub store_directory: String,
    /// How other caches are reached: who asks, and through which proxy.
    pub http: HttpOptions,
    /// The passwords of other caches.
    pub netrc: Netrc,
    /// A compiled index that somebody keeps new; without one no rule that asks for an audit holds.
    pub feed: Option<PathBuf>,
    /// A file with the signing keys, which nobody else may read; without one they are in the data folder.
    pub signing_keys: Option<PathBuf>,
    /// How NARs that come from now on are kept.
    pub keep: Keep,
    /// Where NARs that come from now on go, instead of the data folder.
    pub bucket: Option<BucketSettings>,
}

#[cfg(test)]
impl Surroundings {
    /// Those of a test: a clock that stands still, randomness that anybody could guess, no feed.
    pub(crate) fn of_a_test(keep: Keep) -> Self {
        Self {
            now: Box::new(|| Timestamp::UNIX_EPOCH),
            random: Box::new(|| Some([7; 32])),
            store_directory: "/nix/store".to_owned(),
            http: HttpOptions::new("aux/test"),
            netrc: Netrc::default(),
            feed: None,
            signing_keys: None,
            keep,
            bucket: None,
        }
    }
}

/// Everything a server serves from.
pub struct Cache {
    pub(crate) objects: Objects,
    pub(crate) records: Arc<Records>,
    pub(crate) catalogue: Catalogue,
    pub(crate) keys: Keys,
    /// Held for reading while an object is kept, and for writing while objects are removed; see `turns`.
    pub(crate) keeping: RwLock<()>,
    /// Held while a view or the set of views changes, so that acts on views come one after another; see `turns`.
    pub(crate) views: Mutex<()>,
    /// The newest change of any server that is known here.
    pub(crate) seen: Mutex<i64>,
    /// Views that another server changed and that were not judged here since.
    pub(crate) changed_views: Mutex<BTreeSet<i64>>,
    pub(crate) feed: Feed,
    pub(crate) scrub: Scrub,
    pub(crate) upstreams: Upstreams,
    pub(crate) uses: Uses,
    verdicts: Mutex<BTreeMap<i64, ViewVerdict>>,
    clock: Clock,
    surroundings: Surroundings,
    pub(crate) tokens: RwLock<Tokens>,
    data: PathBuf,
    _locks: Vec<Lock>,
}

impl Cache {
    /// Where the first start left the administrator's token.
    pub fn admin_token_file(&self) -> PathBuf {
        self.data.join(TOKEN_FILE)
    }

    /// Its keys, as `trusted-public-keys` of nix.conf has them.
    pub fn public_keys(&self) -> String {
        self.keys.public()
    }

    /// Where every store that substitutes from here lies.
    pub fn store_directory(&self) -> &str {
        &self.surroundings.store_directory
    }

    /// The machine's time, which here never goes back by a little.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn random(&self) -> Option<[u8; 32]> {
        (self.surroundings.random)()
    }

    pub fn caller(&self, header: Option<&str>) -> Caller {
        let now = self.now();
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).caller(header, now)
    }

    pub fn space(&self, name: &SpaceName) -> Option<SharedSpace> {
        self.catalogue.space(name)
    }

    pub(crate) fn actor(&self, caller: &Caller) -> Actor {
        Actor { by: caller.to_string(), now: self.now() }
    }

    pub(crate) fn verdicts(&self) -> MutexGuard<'_, BTreeMap<i64, ViewVerdict>> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the tokens anew: after this returns, a revoked one opens nothing.
    pub(crate) fn reload_tokens(&self) -> Result<(), RecordsError> {
        let tokens = Tokens::new(self.records.tokens()?);
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        Ok(())
    }

    /// Signs anew what was signed with other keys than there are now: once, at the first start with them.
    fn follow_keys(&self) -> Result<(), OpenError> {
        let keys = self.keys.public();
        if self.records.setting(SIGNED_WITH)?.as_ref() == Some(&keys) {
            return Ok(());
        }
        let mut signatures = Vec::new();
        for (number, narinfo) in self.records.signed()? {
            let info = NarInfo::parse(narinfo.as_bytes()).map_err(|error| OpenError::NarInfo { number, error })?;
            signatures.push((number, self.keys.sign(&info)));
        }
        self.records.sign(&signatures)?;
        Ok(self.records.set_setting(SIGNED_WITH, &keys)?)
    }

    /// Signs what a cache holds, if it signs now, and serves it so.
    pub(crate) fn sign_all(&self, row: &SpaceRow) -> Result<(), PromoteError> {
        let keeping = self.keeping_alone()?;
        if row.signs {
            let mut signatures = Vec::new();
            for path in self.records.visible(row)?.iter().filter(|path| path.signature.is_none()) {
                let info = NarInfo::parse(path.narinfo.as_bytes())?;
                signatures.push((path.number, self.keys.sign(&info)));
            }
            keeping.sign(&signatures)?;
        }
        Ok(self.refill(row)?)
    }

    /// Reads a cache or view anew from the records, while nothing is pushed.
    pub(crate) fn reload(&self, row: &SpaceRow) -> Result<(), RecordsError> {
        let _keeping = self.keeping.write().unwrap_or_else(PoisonError::into_inner);
        self.refill(row)
    }

    /// The same for somebody who holds pushes back already.
    pub(crate) fn refill(&self, row: &SpaceRow) -> Result<(), RecordsError> {
        let space = match row.source {
            None => self.filled_cache(row)?,
            Some(source) => self.filled_view(row, source)?,
        };
        self.catalogue.put(space);
        Ok(())
    }

    /// What did not change stays the very same in memory, so that two do not stand there while one is made.
    fn filled_cache(&self, row: &SpaceRow) -> Result<Space, RecordsError> {
        let withdrawn = self.records.withdrawn(row)?;
        let before = self.catalogue.numbered(row.number);
        let before = before.as_ref().map(SharedSpace::read);
        let known = |hash, kept: Kept| match before.as_ref().and_then(|before| before.path(hash)) {
            Some(known) if **known == kept => Arc::clone(known),
            _ => Arc::new(kept),
        };
        let read = |part| {
            let mut paths = Vec::new();
            self.records.each_narinfo(row.number, part, &mut |(number, hash), narinfo, own| {
                if withdrawn.contains_key(&hash) {
                    return;
                }
                match Kept::cut(number, narinfo, own) {
                    Some(kept) => paths.push((hash, known(hash, kept))),
                    None => {
                        tracing::error!("{hash}: its narinfo in the records is not of its NAR, so it is not served");
                    }
                }
            })?;
            Ok::<_, RecordsError>(paths)
        };
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(LOADING_THREADS_MAX);
        let parts = self.records.parts(row.number, i64::try_from(threads).unwrap_or(1))?;
        let parts: Result<Vec<_>, RecordsError> = thread::scope(|scope| {
            let read = &read;
            let reading: Vec<_> = parts.into_iter().map(|part| scope.spawn(move || read(part))).collect();
            let ended = |_| RecordsError::Unreadable { what: "a thread that read paths ended early".to_owned() };
            reading.into_iter().map(|one| one.join().map_err(ended)?).collect()
        });
        let parts = parts?;
        let mut paths = Vec::with_capacity(parts.iter().map(Vec::len).sum());
        paths.extend(parts.into_iter().flatten());
        drop(before);
        Ok(Space::holding(row.clone(), withdrawn, paths))
    }

    /// A view has what its cache has, but for what was pushed or signed since that was read.
    fn filled_view(&self, row: &SpaceRow, source: i64) -> Result<Space, RecordsError> {
        let withdrawn = self.records.withdrawn(row)?;
        let numbers = self.records.entries(row.number)?;
        let Some(source) = self.catalogue.numbered(source) else { return Ok(Space::new(row.clone())) };
        let (mut space, missing) = Space::within(row.clone(), withdrawn, (&source.read(), &numbers));
        for number in missing {
            let Some(path) = self.records.numbered(number)? else { continue };
            if space.withdrawn(path.hash).is_none() {
                space.add(&path);
            }
        }
        Ok(space)
    }
}
