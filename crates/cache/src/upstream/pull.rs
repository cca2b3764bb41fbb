//! A NAR that was offered comes here: fetched once for all who ask, held against the signature before anybody gets a byte.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::records::RecordsError;
use aux_io::http::HttpError;
use tokio::time::Instant;

use super::offer::Refusal;
use super::one::{Trouble, sorted};
use super::{Found, Lack, Offered, Via};
use crate::cache::Cache;
use crate::catalogue::SharedSpace;
use crate::names::{PathHash, UploadName};
use crate::push::{NarTerms, PutError};
use crate::receive::{ReceiveError, Received};
use crate::records::{Actor, ObjectRow};

/// A NAR of an upstream that is here.
#[derive(Debug, Clone)]
pub(crate) struct Pulled {
    pub object: ObjectRow,
    /// The store paths it needs that are not in the cache; where there are none, it is committed.
    pub waits_for: Vec<PathHash>,
}

/// Why a NAR did not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PullError {
    #[error("no upstream has it")]
    Absent,
    #[error("these upstreams gave no answer: {}", .0.join(", "))]
    Unanswered(Arc<[String]>),
    /// The cache's own doing.
    #[error("{0}")]
    Put(#[from] PutError),
    #[error(transparent)]
    Database(#[from] RecordsError),
    #[error("the fetch came to no end")]
    Broken,
}

impl Cache {
    /// Brings the NAR of a path that the cache lacks, and commits the path if all it needs is there. Who asks for the same
    /// meanwhile waits for the same fetch, which goes on when they have gone.
    pub(crate) async fn pull(
        self: &Arc<Self>,
        space: &SharedSpace,
        hash: PathHash,
        via: &Via,
    ) -> Result<Pulled, Arc<PullError>> {
        let key = (space.read().row.number, hash);
        let (cache, space, via) = (Arc::clone(self), space.clone(), via.clone());
        let pulled = self.upstreams.pulling.share(key, move || async move {
            let pulled = cache.pull_of_any(&space, hash, &via).await;
            pulled.map_err(Arc::new)
        });
        pulled.await.unwrap_or_else(|| Err(Arc::new(PullError::Broken)))
    }

    /// Tries the offers of one upstream after another.
    async fn pull_of_any(
        self: &Arc<Self>,
        space: &SharedSpace,
        hash: PathHash,
        via: &Via,
    ) -> Result<Pulled, PullError> {
        let number = space.read().row.number;
        let cache = Arc::clone(self);
        let present = blocking(move || Ok(cache.records.path(number, hash)?)).await?;
        if let Some(path) = present {
            return Ok(Pulled { object: path.object, waits_for: Vec::new() });
        }
        let attempts = self.upstreams.of(number).len();
        let mut silent = Vec::new();
        for _ in 0..attempts {
            let offered = match self.find(space, hash, via).await {
                Found::Offered(offered) => offered,
                Found::Lacking(Lack::Absent) => break,
                Found::Lacking(Lack::Unanswered(names)) => {
                    silent.extend(names.iter().cloned());
                    break;
                }
            };
            let brought = match self.bring(space, &offered, via).await? {
                Ok(()) => self.commit_offer(space, &offered).await?,
                Err(trouble) => Err(trouble),
            };
            let trouble = match brought {
                Ok(pulled) => return Ok(pulled),
                Err(trouble) => trouble,
            };
            // What it says of this path is no good: the next one's turn.
            offered.upstream.trouble(hash, &trouble, self.now());
            self.upstreams.forget(number, hash);
            if matches!(trouble, Trouble::Failed(_)) {
                silent.push(offered.upstream.name().to_owned());
            }
        }
        silent.sort();
        silent.dedup();
        Err(if silent.is_empty() { PullError::Absent } else { PullError::Unanswered(silent.into()) })
    }

    /// Has the NAR of an offer here, fetched or found. The inner error is the upstream's doing, the outer one ours.
    async fn bring(
        self: &Arc<Self>,
        space: &SharedSpace,
        offered: &Arc<Offered>,
        via: &Via,
    ) -> Result<Result<(), Trouble>, PullError> {
        let (cache, to, from) = (Arc::clone(self), space.clone(), Arc::clone(offered));
        if blocking(move || cache.adopt(&to, &from)).await? {
            return Ok(Ok(()));
        }
        let Ok(place) = Arc::clone(&self.upstreams.fetches).acquire_owned().await else {
            return Err(PullError::Broken);
        };
        if !offered.upstream.admits_fetch(Instant::now()) {
            return Ok(Err(Trouble::Failed("it is left alone for a while".to_owned())));
        }
        let (cache, to, from) = (Arc::clone(self), space.clone(), Arc::clone(offered));
        let via = via.clone();
        blocking(move || {
            let _place = place;
            cache.fetch(&to, &from, &via)
        })
        .await
    }

    /// Whether the NAR is in this cache already; then it is written down as one that came under the offer's name. That it is
    /// here for another cache opens nothing: an upstream that only knows its hash must send it too.
    fn adopt(&self, space: &SharedSpace, offered: &Offered) -> Result<bool, PullError> {
        let (row, name) = (space.row(), upload_name(offered)?);
        // Until the upload is written down, collection could remove an object that nobody seems to need.
        let keeping = self.keeping()?;
        let object = keeping.object(offered.offer.info.nar_hash)?;
        let Some(object) = object else { return Ok(false) };
        if !self.objects.has(&(&object).into()).map_err(PutError::from)? {
            return Ok(false);
        }
        if keeping.upload(row.number, &name)?.is_some_and(|upload| upload.object == object) {
            return Ok(true);
        }
        if space.read().nar(object.nar_hash).is_none() {
            return Ok(false);
        }
        let received = Received {
            nar_hash: object.nar_hash,
            nar_size: object.nar_size,
            packing: object.packing,
            file_hash: object.file_hash,
            file_size: object.file_size,
            kept_hash: object.file_hash,
            kept_size: object.file_size,
            // That of the object that is there stays.
            listing: String::new(),
        };
        keeping.put_upload(&row, &name, &received, &self.actor_of(offered))?;
        Ok(true)
    }

    /// Fetches a NAR. It is kept only if it is what was offered. Blocks.
    fn fetch(&self, space: &SharedSpace, offered: &Offered, via: &Via) -> Result<Result<(), Trouble>, PullError> {
        let Offered { upstream, offer } = offered;
        let name = upload_name(offered)?;
        let mut response = match upstream.nar(offer, via) {
            Ok(response) => response,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let terms = NarTerms { actor: &self.actor_of(offered), announced: Some(&offer.info), may_refer: false };
        match self.take_nar(space, &name, &mut response.body, terms) {
            Ok(received) => {
                upstream.succeeded();
                upstream.counts.pulled_bytes.fetch_add(received.file_size, Ordering::Relaxed);
                Ok(Ok(()))
            }
            Err(PutError::Receive(ReceiveError::Client(cause))) => {
                Ok(Err(sorted(HttpError::of_read(cause, &response.url))))
            }
            Err(error @ (PutError::Receive(ReceiveError::Disk(_)) | PutError::Object(_) | PutError::Database(_))) => {
                Err(error.into())
            }
            Err(error @ (PutError::View | PutError::Lost { .. })) => Err(error.into()),
            Err(error) => Ok(Err(Trouble::Refused(Refusal::Nar(error)))),
        }
    }

    /// Commits a path whose NAR is here, if all it needs is in the cache.
    async fn commit_offer(
        self: &Arc<Self>,
        space: &SharedSpace,
        offered: &Arc<Offered>,
    ) -> Result<Result<Pulled, Trouble>, PullError> {
        let (cache, space, offered) = (Arc::clone(self), space.clone(), Arc::clone(offered));
        blocking(move || {
            let Offered { upstream, offer } = &*offered;
            let number = space.read().row.number;
            let object = cache.records.object(offer.info.nar_hash)?.ok_or(PullError::Broken)?;
            if !cache.upstreams.is_current(upstream) {
                return Err(PullError::Absent);
            }
            match cache.commit_narinfo(&space, offer.proposed(), &cache.actor_of(&offered)) {
                Ok(()) => {
                    upstream.counts.pulled_paths.fetch_add(1, Ordering::Relaxed);
                    if let Some(hash) = PathHash::of(&offer.info.path) {
                        cache.upstreams.forget(number, hash);
                    }
                    Ok(Ok(Pulled { object, waits_for: Vec::new() }))
                }
                Err(PutError::Dangling { missing }) => {
                    let waits_for = missing.iter().filter_map(|base| PathHash::parse(base.get(..32)?)).collect();
                    Ok(Ok(Pulled { object, waits_for }))
                }
                Err(error @ PutError::ContentAddress(_)) => Ok(Err(Trouble::Refused(Refusal::Nar(error)))),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    fn actor_of(&self, offered: &Offered) -> Actor {
        Actor { by: format!("upstream {}", offered.upstream.name()), now: self.now() }
    }
}

/// Under which name a NAR is put that came from an upstream: that which its narinfo has.
fn upload_name(offered: &Offered) -> Result<UploadName, PullError> {
    let url = offered.offer.info.url.as_str();
    let name = url.strip_prefix("nar/").and_then(UploadName::parse);
    name.ok_or_else(|| PullError::Put(PutError::NoUpload(url.to_owned())))
}

/// Runs what waits for disks and upstreams, away from the threads that serve.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PullError> + Send + 'static,
) -> Result<T, PullError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(PullError::Broken))
}
