//! NARs in a bucket of an S3-compatible store, for several servers: each under a key of its own, as it was sent, never changed.
//!
//! A key has the hash of the NAR and that of the bytes, so that two servers which take the same NAR, packed otherwise, do not
//! write over each other.

mod connect;
mod settings;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aux_core::limits::{
    CACHE_BUCKET_ATTEMPTS_MAX, CACHE_BUCKET_IDLE_CONNECTIONS_MAX, CACHE_BUCKET_PART_BYTES, CACHE_BUCKET_REQUESTS_MAX,
    CACHE_BUCKET_RETRY_SECONDS_MAX, CACHE_BUCKET_SECONDS_MAX,
};
use aux_io::http::{HttpClient, HttpOptions};
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{
    BackoffConfig, GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _, PutMode, PutPayload, RetryConfig,
};
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinSet;

use super::chunks::{pack_name, pack_number};
use super::{Found, ObjectError, ObjectName};
pub use settings::{BucketError, BucketSettings, REGION};

/// Folders below the prefix, by the first two characters of the NAR's hash.
const SHARD_CHARACTERS: usize = 2;
const SUFFIX: &str = ".nar";
/// Says which records the NARs belong to.
const MARKER: &str = "records";
/// Below which packs are.
const PACKS: &str = "packs";
/// No marker has more bytes.
const MARKER_BYTES_MAX: u64 = 1 << 10;

/// An open bucket. Its methods wait, and are for threads that may.
#[derive(Debug)]
pub(crate) struct Bucket {
    store: AmazonS3,
    settings: BucketSettings,
    /// `None` once it ends.
    runtime: Option<Runtime>,
}

/// A NAR of a bucket that was there when somebody looked.
#[derive(Debug)]
pub(crate) struct Remote {
    bucket: Arc<Bucket>,
    key: Key,
    size: u64,
    /// By which the store knows these very bytes.
    tag: Option<String>,
}

impl Bucket {
    /// Opens a bucket, and looks whether it is there and may be used.
    pub(crate) fn open(settings: BucketSettings, http: &HttpOptions) -> Result<Self, ObjectError> {
        let failed = |cause: String| ObjectError::Bucket { key: settings.to_string(), cause };
        let limit = Duration::from_secs(CACHE_BUCKET_SECONDS_MAX);
        let idle_connections_max = CACHE_BUCKET_IDLE_CONNECTIONS_MAX;
        let (response_limit, connect_limit, redirects_max) = (limit, limit, 0);
        let options =
            HttpOptions { response_limit, connect_limit, redirects_max, idle_connections_max, ..http.clone() };
        let client = HttpClient::new(options).map_err(|error| failed(error.to_string()))?;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_access_key_id(settings.credentials.key.as_str())
            .with_secret_access_key(settings.credentials.secret.as_str())
            .with_http_connector(connect::Connector(client))
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: CACHE_BUCKET_ATTEMPTS_MAX - 1,
                retry_timeout: Duration::from_secs(CACHE_BUCKET_RETRY_SECONDS_MAX),
            });
        if let Some(token) = &settings.credentials.token {
            builder = builder.with_token(token.as_str());
        }
        if let Some(endpoint) = &settings.endpoint {
            // The door itself refuses what is in the clear on the way to another machine.
            builder = builder.with_endpoint(endpoint.to_url().as_str().trim_end_matches('/')).with_allow_http(true);
        }
        let store = builder.build().map_err(|error| failed(connect::told(&error)))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
        let runtime = runtime.map_err(|error| failed(error.to_string()))?;
        let bucket = Self { store, settings, runtime: Some(runtime) };
        // A key that is not there and a bucket that is not there look the same; a list tells them apart.
        let listed =
            bucket.wait(&bucket.root(), |store, root| async move { store.list_with_delimiter(Some(&root)).await });
        match listed {
            Ok(_) => Ok(bucket),
            Err(error) => Err(match refusal(&error.to_string()) {
                Some(meaning) => ObjectError::Bucket { key: bucket.address(), cause: meaning.to_owned() },
                None => error,
            }),
        }
    }

    /// Makes the bucket that of some records, if it is nobody's; whose it is then. Collection would take the NARs of any others
    /// for ones that nobody needs.
    pub(crate) fn claim(&self, identity: &str) -> Result<String, ObjectError> {
        let marker = self.marker();
        let read = || {
            self.wait(&marker, |store, key| async move {
                let options =
                    GetOptions { range: Some(GetRange::Bounded(0..MARKER_BYTES_MAX)), ..GetOptions::default() };
                match store.get_opts(&key, options).await {
                    Err(object_store::Error::NotFound { .. }) => Ok(None),
                    other => Ok(Some(other?.bytes().await?)),
                }
            })
        };
        let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).trim().to_owned();
        if let Some(bytes) = read()? {
            return Ok(text(bytes));
        }
        self.wait(&marker, |store, key| async move {
            let payload = PutPayload::from(format!("{identity}\n").into_bytes());
            match store.put_opts(&key, payload, PutMode::Create.into()).await {
                // Somebody else was faster.
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(()),
                other => other.map(drop),
            }
        })?;
        Ok(read()?.map(text).unwrap_or_default())
    }

    /// Where it is, as records remember it.
    pub(crate) fn address(&self) -> String {
        self.settings.to_string()
    }

    /// Puts a file. It is there for everybody when this returns.
    pub(crate) fn put(&self, name: &ObjectName, file: &mut File, size: u64) -> Result<(), ObjectError> {
        self.put_file(&self.key(name), file, size)
    }

    fn put_file(&self, key: &Key, file: &mut File, size: u64) -> Result<(), ObjectError> {
        let failed = |cause: io::Error| ObjectError::Bucket { key: self.shown(key), cause: cause.to_string() };
        if size <= CACHE_BUCKET_PART_BYTES as u64 {
            let bytes = part(file).map_err(failed)?;
            return self
                .wait(key, |store, key| async move { store.put(&key, PutPayload::from(bytes)).await.map(drop) });
        }
        let mut upload = self.wait(key, |store, key| async move { store.put_multipart(&key).await })?;
        let mut sent = 0;
        let parts = loop {
            let bytes = match part(file) {
                Ok(bytes) if bytes.is_empty() => break Ok(()),
                Ok(bytes) => bytes,
                Err(cause) => break Err(failed(cause)),
            };
            sent += bytes.len() as u64;
            let put = upload.put_part(PutPayload::from(bytes));
            if let Err(error) = self.wait(key, |_, _| put) {
                break Err(error);
            }
        };
        let complete = parts.and_then(|()| {
            if sent == size {
                return self.wait(key, |_, _| upload.complete()).map(drop);
            }
            Err(failed(io::ErrorKind::UnexpectedEof.into()))
        });
        if complete.is_err() {
            // What cannot be taken back now costs room until the store's own rule for unfinished uploads removes it.
            let _lost = self.wait(key, |_, _| upload.abort());
        }
        complete
    }

    /// A NAR, if it is there.
    pub(crate) fn find(self: &Arc<Self>, name: &ObjectName) -> Result<Option<Remote>, ObjectError> {
        let key = self.key(name);
        let found = self.wait(&key, |store, key| async move {
            match store.head(&key).await {
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                other => other.map(Some),
            }
        })?;
        Ok(found.map(|meta| Remote { bucket: Arc::clone(self), key, size: meta.size, tag: meta.e_tag }))
    }

    /// Removes a NAR; one that is not there is no error.
    pub(crate) fn remove(&self, name: &ObjectName) -> Result<(), ObjectError> {
        self.remove_key(&self.key(name))
    }

    /// Everything below the prefix but for packs.
    pub(crate) fn list(&self, each: &mut dyn FnMut(Found)) -> Result<(), ObjectError> {
        let shards =
            self.wait(&self.root(), |store, root| async move { store.list_with_delimiter(Some(&root)).await })?;
        for meta in shards.objects.into_iter().filter(|meta| meta.location != self.marker()) {
            each(Found::Foreign(self.shown(&meta.location).into()));
        }
        for shard in shards.common_prefixes.into_iter().filter(|shard| *shard != self.packs_root()) {
            let listed =
                self.wait(&shard, |store, shard| async move { store.list_with_delimiter(Some(&shard)).await })?;
            for key in listed.objects.into_iter().map(|meta| meta.location).chain(listed.common_prefixes) {
                each(self.recognised(&key));
            }
        }
        Ok(())
    }

    fn marker(&self) -> Key {
        Key::from(format!("{}{MARKER}", self.settings.prefix))
    }

    /// What all keys are below.
    fn root(&self) -> Key {
        Key::from(self.settings.prefix.trim_end_matches('/'))
    }

    fn recognised(&self, key: &Key) -> Found {
        let name = key.filename().and_then(|name| name.strip_suffix(SUFFIX)).and_then(ObjectName::parse);
        match name.filter(|name| self.key(name) == *key) {
            Some(name) => Found::Remote(name),
            None => Found::Foreign(self.shown(key).into()),
        }
    }

    fn key(&self, name: &ObjectName) -> Key {
        let name = name.to_string();
        let shard = name.get(..SHARD_CHARACTERS).unwrap_or_default();
        Key::from(format!("{}{shard}/{name}{SUFFIX}", self.settings.prefix))
    }

    fn shown(&self, key: &Key) -> String {
        format!("s3://{}/{key}", self.settings.bucket)
    }

    /// Waits for one act.
    fn wait<'s, T, F>(&'s self, key: &Key, act: impl FnOnce(&'s AmazonS3, Key) -> F) -> Result<T, ObjectError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        self.runtime(key)?.block_on(act(&self.store, key.clone())).map_err(|error| self.failed(key, &error))
    }

    /// Waits for acts of one kind, a few of which go on at the same time; what they gave, in order. The first that fails ends
    /// it.
    fn wait_for_all<T, F>(&self, keys: &[Key], act: impl Fn(AmazonS3, Key, usize) -> F) -> Result<Vec<T>, ObjectError>
    where
        T: Send + 'static,
        F: Future<Output = object_store::Result<T>> + Send + 'static,
    {
        let Some(first) = keys.first() else { return Ok(Vec::new()) };
        let (mut running, mut done) = (JoinSet::new(), BTreeMap::new());
        let mut waiting = keys.iter().enumerate();
        self.runtime(first)?.block_on(async {
            loop {
                let free = CACHE_BUCKET_REQUESTS_MAX.saturating_sub(running.len());
                for (place, key) in waiting.by_ref().take(free) {
                    let act = act(self.store.clone(), key.clone(), place);
                    running.spawn(async move { (place, act.await) });
                }
                let Some(ended) = running.join_next().await else { return Ok::<(), ObjectError>(()) };
                let (place, ended) = ended.map_err(|error| self.broken(first, error.to_string()))?;
                let ended = ended.map_err(|error| self.failed(keys.get(place).unwrap_or(first), &error))?;
                done.insert(place, ended);
            }
        })?;
        Ok(done.into_values().collect())
    }

    fn runtime(&self, key: &Key) -> Result<&Handle, ObjectError> {
        let runtime = self.runtime.as_ref().ok_or_else(|| self.broken(key, "the server ends".to_owned()))?;
        Ok(runtime.handle())
    }

    fn broken(&self, key: &Key, cause: String) -> ObjectError {
        ObjectError::Bucket { key: self.shown(key), cause }
    }

    fn failed(&self, key: &Key, error: &object_store::Error) -> ObjectError {
        let cause = connect::told(error);
        match error {
            object_store::Error::NotFound { .. } => {
                let cause = io::Error::new(io::ErrorKind::NotFound, cause);
                ObjectError::File { path: self.shown(key).into(), cause }
            }
            _ => self.broken(key, cause),
        }
    }
}

/// The runtime may be dropped where one may not wait.
impl Drop for Bucket {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Packs of chunks, each an object.
impl Bucket {
    pub(crate) fn put_pack(&self, number: u32, file: &mut File, size: u64) -> Result<(), ObjectError> {
        let key = self.pack_key(number);
        file.rewind().map_err(|cause| ObjectError::Bucket { key: self.shown(&key), cause: cause.to_string() })?;
        self.put_file(&key, file, size)
    }

    /// Exactly so many bytes of a pack.
    pub(crate) fn read_pack(&self, number: u32, position: u64, length: u64) -> io::Result<Bytes> {
        self.read_range(&self.pack_key(number), None, (position, length))
    }

    /// Parts of packs, each exactly so many bytes from a position on.
    pub(crate) fn read_packs(&self, parts: &[(u32, u64, u64)]) -> io::Result<Vec<Bytes>> {
        if let [(number, position, length)] = parts {
            return Ok(vec![self.read_pack(*number, *position, *length)?]);
        }
        let keys: Vec<Key> = parts.iter().map(|(number, _, _)| self.pack_key(*number)).collect();
        let read = self.wait_for_all(&keys, |store, key, place| {
            let (_, position, length) = parts.get(place).copied().unwrap_or_default();
            let options = GetOptions { range: Some(range(position, length)), ..GetOptions::default() };
            async move { store.get_opts(&key, options).await?.bytes().await }
        });
        let read = read.map_err(io::Error::other)?;
        let is_whole = read.iter().zip(parts).all(|(bytes, (_, _, length))| bytes.len() as u64 == *length);
        if is_whole { Ok(read) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Asks whether the store answers and has all of these packs.
    pub(crate) fn ask_for_packs(&self, numbers: &[u32]) -> Result<(), ObjectError> {
        let keys: Vec<Key> = numbers.iter().map(|number| self.pack_key(*number)).collect();
        let asked = self.wait_for_all(&keys, |store, key, _| async move { store.head(&key).await.map(drop) });
        asked.map(drop)
    }

    pub(crate) fn remove_pack(&self, number: u32) -> Result<(), ObjectError> {
        self.remove_key(&self.pack_key(number))
    }

    /// The bytes of every pack by its number, and what else lies among them.
    pub(crate) fn list_packs(&self) -> Result<(BTreeMap<u32, u64>, Vec<PathBuf>), ObjectError> {
        let packs = self.packs_root();
        let listed = self.wait(&packs, |store, packs| async move { store.list_with_delimiter(Some(&packs)).await })?;
        let (mut sizes, mut foreign) = (BTreeMap::new(), Vec::new());
        for meta in listed.objects {
            match meta.location.filename().and_then(pack_number).filter(|one| self.pack_key(*one) == meta.location) {
                Some(number) => drop(sizes.insert(number, meta.size)),
                None => foreign.push(self.shown(&meta.location).into()),
            }
        }
        foreign.extend(listed.common_prefixes.iter().map(|key| PathBuf::from(self.shown(key))));
        Ok((sizes, foreign))
    }

    fn packs_root(&self) -> Key {
        Key::from(format!("{}{PACKS}", self.settings.prefix))
    }

    fn pack_key(&self, number: u32) -> Key {
        Key::from(format!("{}{PACKS}/{}", self.settings.prefix, pack_name(number)))
    }

    fn read_range(&self, key: &Key, tag: Option<String>, (position, length): (u64, u64)) -> io::Result<Bytes> {
        let options = GetOptions { if_match: tag, range: Some(range(position, length)), ..GetOptions::default() };
        let read = self.wait(key, |store, key| async move { store.get_opts(&key, options).await?.bytes().await });
        let bytes = read.map_err(io::Error::other)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn remove_key(&self, key: &Key) -> Result<(), ObjectError> {
        self.wait(key, |store, key| async move {
            match store.delete(&key).await {
                Err(object_store::Error::NotFound { .. }) => Ok(()),
                other => other,
            }
        })
    }
}

impl Remote {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Exactly so many bytes from a position on.
    pub(crate) fn read(&self, position: u64, length: u64) -> io::Result<Bytes> {
        self.bucket.read_range(&self.key, self.tag.clone(), (position, length))
    }
}

fn range(position: u64, length: u64) -> GetRange {
    GetRange::Bounded(position..position.saturating_add(length))
}

/// What the store said no with, by its own words for it ("Error Responses" of Amazon's reference).
fn refusal(said: &str) -> Option<&'static str> {
    let known = [
        ("NoSuchBucket", "there is no such bucket"),
        ("AccessDenied", "these credentials may not list it"),
        ("InvalidAccessKeyId", "the store does not know these credentials"),
        ("SignatureDoesNotMatch", "the secret of these credentials is another"),
    ];
    known.into_iter().find(|(word, _)| said.contains(word)).map(|(_, meaning)| meaning)
}

/// The next part of a file; none at its end.
fn part(file: &mut File) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    file.take(CACHE_BUCKET_PART_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}
