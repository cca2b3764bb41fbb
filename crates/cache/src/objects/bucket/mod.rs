//! NARs in a bucket of an S3-compatible store, for several servers: each under a key of its own, as it was sent, never changed.
//!
//! A key has the hash of the NAR and that of the bytes, so that two servers which take the same NAR, packed otherwise, do not
//! write over each other.

mod connect;
mod settings;

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::Duration;

use aux_core::limits::{
    CACHE_BUCKET_ATTEMPTS_MAX, CACHE_BUCKET_PART_BYTES, CACHE_BUCKET_RETRY_SECONDS_MAX, CACHE_BUCKET_SECONDS_MAX,
};
use aux_io::http::{HttpClient, HttpOptions};
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{
    BackoffConfig, GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _, PutMode, PutPayload, RetryConfig,
};
use tokio::runtime::Runtime;

use super::{Found, ObjectError, ObjectName};
pub use settings::{BucketError, BucketSettings, REGION};

/// Folders below the prefix, by the first two characters of the NAR's hash.
const SHARD_CHARACTERS: usize = 2;
const SUFFIX: &str = ".nar";
/// Says which records the NARs belong to.
const MARKER: &str = "records";
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
        let options = HttpOptions { response_limit: limit, connect_limit: limit, redirects_max: 0, ..http.clone() };
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
        bucket.wait(&bucket.root(), |store, root| async move { store.list_with_delimiter(Some(&root)).await })?;
        Ok(bucket)
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
        let key = self.key(name);
        let failed = |cause: io::Error| ObjectError::Bucket { key: self.shown(&key), cause: cause.to_string() };
        if size <= CACHE_BUCKET_PART_BYTES as u64 {
            let bytes = part(file).map_err(failed)?;
            return self
                .wait(&key, |store, key| async move { store.put(&key, PutPayload::from(bytes)).await.map(drop) });
        }
        let mut upload = self.wait(&key, |store, key| async move { store.put_multipart(&key).await })?;
        let mut sent = 0;
        let parts = loop {
            let bytes = match part(file) {
                Ok(bytes) if bytes.is_empty() => break Ok(()),
                Ok(bytes) => bytes,
                Err(cause) => break Err(failed(cause)),
            };
            sent += bytes.len() as u64;
            let put = upload.put_part(PutPayload::from(bytes));
            if let Err(error) = self.wait(&key, |_, _| put) {
                break Err(error);
            }
        };
        let complete = parts.and_then(|()| {
            if sent == size {
                return self.wait(&key, |_, _| upload.complete()).map(drop);
            }
            Err(failed(io::ErrorKind::UnexpectedEof.into()))
        });
        if complete.is_err() {
            // What cannot be taken back now costs room until the store's own rule for unfinished uploads removes it.
            let _lost = self.wait(&key, |_, _| upload.abort());
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
        self.wait(&self.key(name), |store, key| async move {
            match store.delete(&key).await {
                Err(object_store::Error::NotFound { .. }) => Ok(()),
                other => other,
            }
        })
    }

    /// Everything below the prefix.
    pub(crate) fn list(&self, each: &mut dyn FnMut(Found)) -> Result<(), ObjectError> {
        let shards =
            self.wait(&self.root(), |store, root| async move { store.list_with_delimiter(Some(&root)).await })?;
        for meta in shards.objects.into_iter().filter(|meta| meta.location != self.marker()) {
            each(Found::Foreign(self.shown(&meta.location).into()));
        }
        for shard in shards.common_prefixes {
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
        let ended = || ObjectError::Bucket { key: self.shown(key), cause: "the server ends".to_owned() };
        let runtime = self.runtime.as_ref().ok_or_else(ended)?;
        runtime.handle().block_on(act(&self.store, key.clone())).map_err(|error| match error {
            object_store::Error::NotFound { .. } => ObjectError::File {
                path: self.shown(key).into(),
                cause: io::Error::new(io::ErrorKind::NotFound, connect::told(&error)),
            },
            error => ObjectError::Bucket { key: self.shown(key), cause: connect::told(&error) },
        })
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

impl Remote {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Exactly so many bytes from a position on.
    pub(crate) fn read(&self, position: u64, length: u64) -> io::Result<Bytes> {
        let options = GetOptions {
            if_match: self.tag.clone(),
            range: Some(GetRange::Bounded(position..position.saturating_add(length))),
            ..GetOptions::default()
        };
        let read =
            self.bucket.wait(&self.key, |store, key| async move { store.get_opts(&key, options).await?.bytes().await });
        let bytes = read.map_err(io::Error::other)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// The next part of a file; none at its end.
fn part(file: &mut File) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    file.take(CACHE_BUCKET_PART_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}
