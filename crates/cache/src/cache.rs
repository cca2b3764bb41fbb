//! The cache as a whole: its folder opened, its parts together, and what is asked of it most.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use aux_io::database::DatabaseError;
use aux_io::file::{self, FileError, Lock};
use aux_nix::NarInfo;
use aux_nix::narinfo::NarInfoError;
use aux_nix::signature::KeyError;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::access::{Caller, Right, Secret, Token, Tokens};
use crate::catalogue::{Catalogue, SharedSpace, Space};
use crate::feed::Feed;
use crate::keys::Keys;
use crate::names::SpaceName;
use crate::objects::{Keep, ObjectError, Objects};
use crate::promote::PromoteError;
use crate::records::{Actor, NewSpace, Records, SpaceRow};
use crate::verdict::ViewVerdict;

/// What Nix's own cache has as its priority; lower is asked first.
pub(crate) const PRIORITY: u32 = 40;
const STAGING: &str = "staging";
const VETTED: &str = "vetted";
const TOKEN_FILE: &str = "admin-token";
const KEY_FILE: &str = "signing-key";
/// The setting that says which keys made the signatures that are kept.
const SIGNED_WITH: &str = "signed with";

/// What a cache cannot know by itself.
pub struct Surroundings {
    pub now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// 32 bytes that nobody can guess; `None` where the system has none.
    pub random: Box<dyn Fn() -> Option<[u8; 32]> + Send + Sync>,
    /// Where every store that substitutes from here lies: `/nix/store`.
    pub store_directory: String,
    /// A compiled index that somebody keeps new; without one no rule that asks for an audit holds.
    pub feed: Option<PathBuf>,
    /// How NARs that come from now on are kept.
    pub keep: Keep,
}

/// Everything a server serves from.
pub struct Cache {
    pub(crate) objects: Objects,
    pub(crate) records: Records,
    pub(crate) catalogue: Catalogue,
    pub(crate) keys: Keys,
    /// Held for reading while an object is kept, and for writing while objects are removed.
    pub(crate) keeping: RwLock<()>,
    /// Held while a view or the set of views changes, so that acts on views come one after another.
    views: Mutex<()>,
    pub(crate) feed: Feed,
    verdicts: Mutex<BTreeMap<i64, ViewVerdict>>,
    surroundings: Surroundings,
    tokens: RwLock<Tokens>,
    data: PathBuf,
    _lock: Lock,
}

/// Why a data folder cannot be served. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{}: another aux-server is using this folder", path.display())]
    InUse { path: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("{0}")]
    Object(#[from] ObjectError),
    #[error("{}: cannot be read: {cause}", path.display())]
    Secret { path: PathBuf, cause: String },
    #[error("{}: is no signing key: {cause}", path.display())]
    Key { path: PathBuf, cause: KeyError },
    #[error("the narinfo of path {number} in the records cannot be read, so that it cannot be signed: {error}")]
    NarInfo { number: i64, error: NarInfoError },
    #[error("the system gives no randomness for keys and tokens")]
    Random,
}

impl Cache {
    /// Opens a data folder. The first time it makes a signing key, an administrator's token, the cache `staging` and its
    /// view `vetted`; broken off at any point, the next start makes the rest.
    pub fn open(data: &Path, surroundings: Surroundings) -> Result<Self, OpenError> {
        file::create_private_folder(data)?;
        let lock = file::lock(data.join("lock"))?.ok_or_else(|| OpenError::InUse { path: data.to_path_buf() })?;
        let objects = Objects::open(data, surroundings.keep, &surroundings.store_directory)?;
        let records = Records::open(data)?;
        let keys = Keys::open(&data.join(KEY_FILE), &surroundings)?;
        let actor = Actor::server((surroundings.now)());
        if records.setting("made")?.is_none() {
            make_spaces(&records, &actor)?;
            admin_token(&records, &data.join(TOKEN_FILE), &surroundings, &actor)?;
            records.set_setting("made", "1")?;
        }
        let cache = Self {
            objects,
            records,
            catalogue: Catalogue::default(),
            keys,
            keeping: RwLock::default(),
            views: Mutex::default(),
            feed: Feed::new(surroundings.feed.clone()),
            verdicts: Mutex::default(),
            surroundings,
            tokens: RwLock::default(),
            data: data.to_path_buf(),
            _lock: lock,
        };
        cache.reload_tokens()?;
        cache.follow_keys()?;
        for row in cache.records.spaces()? {
            cache.reload(&row)?;
        }
        Ok(cache)
    }

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

    pub fn now(&self) -> Timestamp {
        (self.surroundings.now)()
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

    /// Holds others back from changing views until it is dropped.
    pub(crate) fn changing_views(&self) -> MutexGuard<'_, ()> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn verdicts(&self) -> MutexGuard<'_, BTreeMap<i64, ViewVerdict>> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the tokens anew: after this returns, a revoked one opens nothing.
    pub(crate) fn reload_tokens(&self) -> Result<(), DatabaseError> {
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
        let _keeping = self.keeping.write().unwrap_or_else(PoisonError::into_inner);
        if row.signs {
            let mut signatures = Vec::new();
            for path in self.records.visible(row)?.iter().filter(|path| path.signature.is_none()) {
                let info = NarInfo::parse(path.narinfo.as_bytes())?;
                signatures.push((path.number, self.keys.sign(&info)));
            }
            self.records.sign(&signatures)?;
        }
        Ok(self.refill(row)?)
    }

    /// Reads a cache or view anew from the records, while nothing is pushed.
    pub(crate) fn reload(&self, row: &SpaceRow) -> Result<(), DatabaseError> {
        let _keeping = self.keeping.write().unwrap_or_else(PoisonError::into_inner);
        self.refill(row)
    }

    /// The same for somebody who holds pushes back already.
    pub(crate) fn refill(&self, row: &SpaceRow) -> Result<(), DatabaseError> {
        let mut space = Space::hiding(row.clone(), self.records.withdrawn(row)?);
        self.records.each_visible(row, &mut |path| space.add(&path))?;
        self.catalogue.put(space);
        Ok(())
    }
}

fn make_spaces(records: &Records, actor: &Actor) -> Result<(), DatabaseError> {
    let new = |name: &str, source| {
        let keys = Vec::new();
        let (policy, priority) = (String::new(), PRIORITY);
        SpaceName::parse(name).map(|name| NewSpace {
            name,
            source,
            anonymous: false,
            signs: false,
            keys,
            priority,
            policy,
        })
    };
    if let Some(staging) = new(STAGING, None) {
        records.create_space(&staging, actor)?;
    }
    let source = records.spaces()?.into_iter().find(|space| space.name.as_str() == STAGING);
    if let Some(vetted) = source.and_then(|source| new(VETTED, Some(source.number))) {
        records.create_space(&vetted, actor)?;
    }
    Ok(())
}

fn admin_token(records: &Records, path: &Path, surroundings: &Surroundings, actor: &Actor) -> Result<(), OpenError> {
    let secret = Secret::new(&(surroundings.random)().ok_or(OpenError::Random)?);
    // A start that was broken off left a file whose token may not be known yet; nobody was told of it.
    drop(std::fs::remove_file(path));
    let text = Zeroizing::new(format!("{}\n", secret.expose()));
    file::create_private(path, text.as_bytes())?;
    let token = Token {
        number: 0,
        label: "the first start".to_owned(),
        space: None,
        rights: vec![Right::Admin],
        names: None,
        created: actor.now,
        expires: None,
        revoked: None,
    };
    records.create_token(secret.hash(), &token, actor)?;
    Ok(())
}
