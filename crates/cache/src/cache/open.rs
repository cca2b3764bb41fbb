//! A data folder opened, by the server that has it alone or beside others, and made at the first start.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use aux_core::limits::CACHE_SERVERS_MAX;
use aux_io::file::{self, FileError, Lock};
use aux_io::private::PrivateError;
use aux_nix::narinfo::NarInfoError;
use aux_nix::signature::KeyError;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{Cache, PRIORITY, SIGNED_WITH, Surroundings, TOKEN_FILE};
use crate::access::{Right, Secret, Token};
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::feed::Feed;
use crate::keys::{Keys, OWN_FILE};
use crate::migrate::{MOVED, MOVING};
use crate::names::SpaceName;
use crate::objects::{Bucket, Layout, ObjectError, Objects};
use crate::records::{Actor, NewSpace, Place, Records, RecordsError, Shared};
use crate::scrub::Scrub;
use crate::upstream::{UpstreamError, Upstreams};
use crate::uses::Uses;

const STAGING: &str = "staging";
const VETTED: &str = "vetted";
/// Says that the records are in a database, and which: its setting of that name.
pub(crate) const ELSEWHERE: &str = "records";
pub(crate) const IDENTITY: &str = "identity";
/// The setting that says where the NARs are: the address of a bucket, or that it is the data folder.
pub(crate) const NARS: &str = "nars";
pub(crate) const IN_FOLDER: &str = "the folder";

/// Why a data folder cannot be served. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{}: another aux-server is using this folder", path.display())]
    InUse { path: PathBuf },
    #[error(
        "{}: there is no signing key, and the servers of {place} sign with {keys}; put the file `signing-key` of one of \
         them there, or name theirs with --signing-key-file", path.display()
    )]
    NoKey { path: PathBuf, place: Place, keys: String },
    #[error(
        "{}: there is no signing key, and what is here was signed with {keys}; name the file with it by --signing-key-file, \
         or put it there", path.display()
    )]
    LostKey { path: PathBuf, keys: String },
    #[error(
        "{}: holds other keys than {keys}, with which the servers of {place} sign that run now; give all the same file, \
         and to change keys stop all", path.display()
    )]
    OtherKey { path: PathBuf, place: Place, keys: String },
    #[error("{place}: is being moved by aux cache migrate; start again when that has ended")]
    Moving { place: Place },
    #[error("{}: the records of this folder are in a database; name it with --records", path.display())]
    Elsewhere { path: PathBuf },
    #[error(
        "{}: this folder has records of its own in cache.sqlite; move them with `aux cache migrate`, or name another folder",
        path.display()
    )]
    OwnRecords { path: PathBuf },
    #[error(
        "{}: the NARs of this folder belong to other records than those in {place}; name the database that was used before",
        path.display()
    )]
    OtherRecords { path: PathBuf, place: Place },
    #[error("the NARs of these records are in {known}; name it with --objects")]
    InBucket { known: String },
    #[error(
        "{bucket}: holds the NARs of another cache, for which nothing here would be needed; name another bucket, or another prefix \
         in it"
    )]
    BucketOfOthers { bucket: String },
    #[error(
        "{}: there are NARs in this folder, which other servers of the bucket do not see; `aux cache migrate` with \
         --to-objects moves them there", path.display()
    )]
    LocalNars { path: PathBuf },
    #[error(
        "{}: the NARs that {place} speaks of are in the folder of another server; mount that one here, or keep NARs in a \
         bucket with --objects", path.display()
    )]
    OtherFolder { path: PathBuf, place: Place },
    #[error("records are being moved here from {from}, and that was broken off; run the same aux cache migrate again")]
    Unfinished { from: String },
    #[error("the records were moved to {to}; name that with --records, or leave --records away if it is a folder")]
    Gone { to: String },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error("{0}")]
    Object(#[from] ObjectError),
    #[error(transparent)]
    Private(#[from] PrivateError),
    #[error("{}: cannot be read: {cause}", path.display())]
    Secret { path: PathBuf, cause: String },
    #[error("{}: is no signing key: {cause}", path.display())]
    Key { path: PathBuf, cause: KeyError },
    #[error("the narinfo of path {number} in the records cannot be read, so that it cannot be signed: {error}")]
    NarInfo { number: i64, error: NarInfoError },
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error("the system gives no randomness for keys and tokens")]
    Random,
}

impl Cache {
    /// Opens a data folder. The first time it makes a signing key, an administrator's token, the cache `staging` and its
    /// view `vetted`; broken off at any point, the next start makes the rest.
    pub fn open(data: &Path, surroundings: Surroundings) -> Result<Self, OpenError> {
        file::create_private_folder(data)?;
        let lock = file::lock(data.join("lock"))?.ok_or_else(|| OpenError::InUse { path: data.to_path_buf() })?;
        if data.join(ELSEWHERE).exists() {
            return Err(OpenError::Elsewhere { path: data.to_path_buf() });
        }
        let records = Arc::new(Records::open(data)?);
        let bucket = bucket(&surroundings)?;
        check_place(&records, bucket.as_deref(), &surroundings)?;
        let incoming = data.join("incoming");
        let layout = layout(data, &incoming, &surroundings, false);
        let objects = Objects::open(&layout, &records, bucket.as_ref())?;
        Self::assemble(data, (records, objects), surroundings, vec![lock])
    }

    /// Opens a data folder whose records are in a database that other servers may use too, and with them the folder.
    pub fn open_shared(data: &Path, place: &Place, surroundings: Surroundings) -> Result<Self, OpenError> {
        file::create_private_folder(data)?;
        let in_use = || OpenError::InUse { path: data.to_path_buf() };
        let lock = file::lock_with_others(data.join("lock"))?.ok_or_else(in_use)?;
        // What arrives at this server has a folder that no other one clears.
        let servers = data.join("servers");
        file::create_private_folder(&servers)?;
        let own = (0..CACHE_SERVERS_MAX).map(|number| servers.join(number.to_string())).find_map(|folder| {
            let lock = file::lock(folder.with_extension("lock")).transpose()?;
            Some(lock.map(|lock| (folder, lock)))
        });
        let (incoming, own) = own.transpose()?.ok_or_else(in_use)?;
        let records = Arc::new(Records::connect(place)?);
        if !records.serve(false)? {
            return Err(OpenError::Moving { place: place.clone() });
        }
        // One server at a time begins, so that two make neither two keys nor two tokens of the first start.
        let beginning = records.hold(Shared::Views, true)?;
        let is_new = check_records(data, place, &records, &surroundings)?;
        check_key(data, place, (&records, &surroundings))?;
        let bucket = bucket(&surroundings)?;
        let layout = layout(data, &incoming, &surroundings, true);
        let objects = Objects::open(&layout, &records, bucket.as_ref())?;
        check_folder(data, (&records, place), &objects, (bucket.is_some(), is_new))?;
        check_place(&records, bucket.as_deref(), &surroundings)?;
        if is_new {
            let identity = identity(&records, &surroundings)?;
            file::create_private(data.join(ELSEWHERE), format!("{identity}\n").as_bytes())?;
        }
        drop(beginning);
        Self::assemble(data, (records, objects), surroundings, vec![lock, own])
    }

    fn assemble(
        data: &Path,
        (records, objects): (Arc<Records>, Objects),
        mut surroundings: Surroundings,
        locks: Vec<Lock>,
    ) -> Result<Self, OpenError> {
        let beginning = records.hold(Shared::Views, true)?;
        if let Some(from) = records.setting(MOVING)? {
            return Err(OpenError::Unfinished { from });
        }
        if let Some(to) = records.setting(MOVED)? {
            return Err(OpenError::Gone { to });
        }
        check_own_key(data, &records, &surroundings)?;
        let keys = Keys::open(data, &surroundings)?;
        let machine = std::mem::replace(&mut surroundings.now, Box::new(|| Timestamp::UNIX_EPOCH));
        let clock = Clock::new(machine, records.last_act()?);
        let actor = Actor::server(clock.now());
        if records.setting("made")?.is_none() {
            make_spaces(&records, &actor)?;
            admin_token(&records, &data.join(TOKEN_FILE), &surroundings, &actor)?;
            records.set_setting("made", "1")?;
        }
        records.begin_uses(actor.now)?;
        // What is changed from here on is read again; what was changed before is read below.
        let seen = records.changes(i64::MAX)?.map_or(0, |changes| changes.number);
        drop(beginning);
        let netrc = std::mem::take(&mut surroundings.netrc);
        let upstreams = Upstreams::new(surroundings.http.clone(), netrc, records.upstreams()?)?;
        let cache = Self {
            objects,
            records,
            catalogue: Catalogue::default(),
            keys,
            keeping: RwLock::default(),
            views: Mutex::default(),
            seen: Mutex::new(seen),
            changed_views: Mutex::default(),
            feed: Feed::new(surroundings.feed.clone()),
            scrub: Scrub::default(),
            upstreams,
            uses: Uses::default(),
            verdicts: Mutex::default(),
            clock,
            surroundings,
            tokens: RwLock::default(),
            data: data.to_path_buf(),
            _locks: locks,
        };
        cache.reload_tokens()?;
        cache.follow_keys()?;
        for row in cache.records.spaces()? {
            cache.reload(&row)?;
        }
        Ok(cache)
    }
}

/// The folder's NARs belong to one set of records, and would be collected by any other. Whether it had none so far.
fn check_records(
    data: &Path,
    place: &Place,
    records: &Records,
    surroundings: &Surroundings,
) -> Result<bool, OpenError> {
    let path = data.to_path_buf();
    if data.join("cache.sqlite").is_file() {
        let own = Records::open(data)?;
        if own.setting("made")?.is_some() && own.setting(MOVED)?.is_none() {
            return Err(OpenError::OwnRecords { path });
        }
    }
    let identity = identity(records, surroundings)?;
    let marker = data.join(ELSEWHERE);
    if !marker.exists() {
        return Ok(true);
    }
    let unread = |cause: String| OpenError::Secret { path: marker.clone(), cause };
    let known = aux_io::input::read(&marker, 1 << 10).map_err(|error| unread(error.message()))?;
    if String::from_utf8_lossy(&known).trim() == identity {
        return Ok(false);
    }
    Err(OpenError::OtherRecords { path, place: place.clone() })
}

/// What the records are known by to a folder or a bucket.
fn identity(records: &Records, surroundings: &Surroundings) -> Result<String, OpenError> {
    if let Some(identity) = records.setting(IDENTITY)? {
        return Ok(identity);
    }
    let random = (surroundings.random)().ok_or(OpenError::Random)?;
    let identity = aux_core::hexadecimal(random.get(..16).unwrap_or_default());
    records.set_setting(IDENTITY, &identity)?;
    Ok(identity)
}

/// Several servers see each other's NARs: all have one folder, or one bucket and nothing in their folders.
fn check_folder(
    data: &Path,
    (records, place): (&Records, &Place),
    objects: &Objects,
    (has_bucket, is_new): (bool, bool),
) -> Result<(), OpenError> {
    let path = data.to_path_buf();
    if has_bucket && objects.has_local()? {
        return Err(OpenError::LocalNars { path });
    }
    if !has_bucket && is_new && records.setting(NARS)?.as_deref() == Some(IN_FOLDER) && !records.objects()?.is_empty() {
        return Err(OpenError::OtherFolder { path, place: place.clone() });
    }
    Ok(())
}

/// Records have their NARs in one place, and a bucket has those of one set of records.
fn check_place(records: &Records, bucket: Option<&Bucket>, surroundings: &Surroundings) -> Result<(), OpenError> {
    let known = records.setting(NARS)?;
    let place = bucket.map_or_else(|| IN_FOLDER.to_owned(), Bucket::address);
    match known.filter(|known| *known != place) {
        Some(known) if known != IN_FOLDER => return Err(OpenError::InBucket { known }),
        _ => {}
    }
    if let Some(bucket) = bucket {
        let own = identity(records, surroundings)?;
        if bucket.claim(&own)? != own {
            return Err(OpenError::BucketOfOthers { bucket: place });
        }
    }
    Ok(records.set_setting(NARS, &place)?)
}

/// Servers of one store sign with the same keys. To change them all are stopped, and the first to start signs anew.
fn check_key(data: &Path, place: &Place, (records, surroundings): (&Records, &Surroundings)) -> Result<(), OpenError> {
    let Some(known) = records.setting(SIGNED_WITH)? else { return Ok(()) };
    let (own, place) = (data.join(OWN_FILE), place.clone());
    if surroundings.signing_keys.is_none() && !own.exists() {
        return Err(OpenError::NoKey { path: own, place, keys: known });
    }
    if Keys::read(data, surroundings)?.public() == known || records.serves_alone()? {
        return Ok(());
    }
    let path = surroundings.signing_keys.clone().unwrap_or(own);
    Err(OpenError::OtherKey { path, place, keys: known })
}

/// A key that was elsewhere, and is not named now, is not replaced by a new one, which no client would know.
fn check_own_key(data: &Path, records: &Records, surroundings: &Surroundings) -> Result<(), OpenError> {
    let path = data.join(OWN_FILE);
    match records.setting(SIGNED_WITH)? {
        Some(keys) if surroundings.signing_keys.is_none() && !path.exists() => Err(OpenError::LostKey { path, keys }),
        _ => Ok(()),
    }
}

fn bucket(surroundings: &Surroundings) -> Result<Option<Arc<Bucket>>, ObjectError> {
    surroundings.bucket.clone().map(|settings| Bucket::open(settings, &surroundings.http).map(Arc::new)).transpose()
}

fn layout<'l>(data: &'l Path, incoming: &'l Path, surroundings: &'l Surroundings, is_shared: bool) -> Layout<'l> {
    let Surroundings { store_directory, keep, .. } = surroundings;
    Layout { data, incoming, store_directory, keep: *keep, is_shared }
}

fn make_spaces(records: &Records, actor: &Actor) -> Result<(), RecordsError> {
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
