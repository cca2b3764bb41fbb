//! What a pulled path needs is pulled too, so that it can be committed: a cache holds no path without its closure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aux_core::limits::{CACHE_UPSTREAM_CLOSURE_PATHS_MAX, CACHE_UPSTREAM_FETCHES_MAX, CACHE_UPSTREAM_QUESTIONS_MAX};
use tokio::task::JoinSet;

use super::pull::PullError;
use super::{Found, Lack, Via};
use crate::cache::Cache;
use crate::catalogue::SharedSpace;
use crate::names::PathHash;

/// Why a closure did not become whole. What came of it stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClosureError {
    #[error("it needs {path}, which no upstream has")]
    Absent { path: PathHash },
    #[error("it needs {path}, and these upstreams gave no answer: {}", silent.join(", "))]
    Unanswered { path: PathHash, silent: Arc<[String]> },
    #[error("it needs more than {CACHE_UPSTREAM_CLOSURE_PATHS_MAX} paths (CACHE_UPSTREAM_CLOSURE_PATHS_MAX)")]
    TooMany,
    #[error("some paths need each other in a circle, {path} among them")]
    Circle { path: PathHash },
    #[error("{path}: {cause}")]
    Pull { path: PathHash, cause: Arc<PullError> },
    #[error("the work came to no end")]
    Broken,
}

/// What each path that the cache lacks refers to, itself left out.
type Needs = BTreeMap<PathHash, BTreeSet<PathHash>>;

impl Cache {
    /// Pulls and commits a path with everything it needs. Who asks for the same meanwhile waits for the same work, which
    /// goes on when they have gone.
    pub(crate) async fn close(
        self: &Arc<Self>,
        space: &SharedSpace,
        root: PathHash,
        via: &Via,
    ) -> Result<(), Arc<ClosureError>> {
        let key = (space.read().row.number, root);
        let (cache, space, via) = (Arc::clone(self), space.clone(), via.clone());
        let closed = self.upstreams.closing.share(key, move || async move {
            let place = Arc::clone(&cache.upstreams.closures).acquire_owned().await;
            let _place = place.map_err(|_| Arc::new(ClosureError::Broken))?;
            let needs = cache.needs(&space, root, &via).await?;
            let closed = cache.pull_in_order(&space, needs, &via).await;
            if let Err(error) = &closed {
                tracing::debug!("{root} from upstream is not committed: {error}");
            }
            closed.map_err(Arc::new)
        });
        closed.await.unwrap_or_else(|| Err(Arc::new(ClosureError::Broken)))
    }

    /// Looks for everything that a path needs and the cache lacks.
    async fn needs(self: &Arc<Self>, space: &SharedSpace, root: PathHash, via: &Via) -> Result<Needs, ClosureError> {
        let is_here = |hash: PathHash| space.read().path(hash).is_some();
        let (mut needs, mut waiting) = (Needs::new(), vec![root]);
        let mut known = BTreeSet::from([root]);
        let mut questions = JoinSet::new();
        loop {
            while questions.len() < CACHE_UPSTREAM_QUESTIONS_MAX {
                let Some(hash) = waiting.pop() else { break };
                if is_here(hash) {
                    continue;
                }
                let (cache, space, via) = (Arc::clone(self), space.clone(), via.clone());
                questions.spawn(async move { (hash, cache.find(&space, hash, &via).await) });
            }
            let Some(answered) = questions.join_next().await else { return Ok(needs) };
            let (path, found) = answered.map_err(|_| ClosureError::Broken)?;
            let offered = match found {
                Found::Offered(offered) => offered,
                // Somebody pushed it meanwhile, or it was pulled.
                Found::Lacking(_) if is_here(path) => continue,
                Found::Lacking(Lack::Absent) => return Err(ClosureError::Absent { path }),
                Found::Lacking(Lack::Unanswered(silent)) => return Err(ClosureError::Unanswered { path, silent }),
            };
            let references = offered.offer.info.references.iter().filter_map(PathHash::of);
            let references: BTreeSet<PathHash> = references.filter(|hash| *hash != path).collect();
            waiting.extend(references.iter().copied().filter(|hash| known.insert(*hash)));
            needs.insert(path, references);
            if known.len() > CACHE_UPSTREAM_CLOSURE_PATHS_MAX {
                return Err(ClosureError::TooMany);
            }
        }
    }

    /// Pulls each path after all that it needs, several at once.
    async fn pull_in_order(
        self: &Arc<Self>,
        space: &SharedSpace,
        mut needs: Needs,
        via: &Via,
    ) -> Result<(), ClosureError> {
        let all: BTreeSet<PathHash> = needs.keys().copied().collect();
        let mut needed_by: BTreeMap<PathHash, Vec<PathHash>> = BTreeMap::new();
        for (path, references) in &mut needs {
            references.retain(|reference| all.contains(reference));
            for reference in references.iter() {
                needed_by.entry(*reference).or_default().push(*path);
            }
        }
        let mut ready: Vec<PathHash> =
            needs.iter().filter(|(_, left)| left.is_empty()).map(|(path, _)| *path).collect();
        let mut pulling = JoinSet::new();
        loop {
            while pulling.len() < CACHE_UPSTREAM_FETCHES_MAX {
                let Some(path) = ready.pop() else { break };
                let (cache, space, via) = (Arc::clone(self), space.clone(), via.clone());
                pulling.spawn(async move { (path, cache.pull(&space, path, &via).await) });
            }
            let Some(pulled) = pulling.join_next().await else { break };
            let (path, pulled) = pulled.map_err(|_| ClosureError::Broken)?;
            let pulled = pulled.map_err(|cause| ClosureError::Pull { path, cause })?;
            if let Some(missing) = pulled.waits_for.first() {
                return Err(ClosureError::Absent { path: *missing });
            }
            needs.remove(&path);
            for dependent in needed_by.remove(&path).unwrap_or_default() {
                let left = needs.get_mut(&dependent).map(|left| {
                    left.remove(&path);
                    left.len()
                });
                ready.extend((left == Some(0)).then_some(dependent));
            }
        }
        match needs.first_key_value() {
            None => Ok(()),
            Some((path, _)) => Err(ClosureError::Circle { path: *path }),
        }
    }
}
