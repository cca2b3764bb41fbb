//! A path that a cache lacks is asked of all its upstreams at once; the answer of the best one that has it counts.

use std::sync::Arc;
use std::time::Duration;

use aux_core::limits::{
    CACHE_UPSTREAM_ABSENT_SECONDS, CACHE_UPSTREAM_OFFER_SECONDS, CACHE_UPSTREAM_UNANSWERED_SECONDS,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::offer::Offer;
use super::one::{Trouble, Upstream, count};
use super::{Found, Lack, Offered, Via};
use crate::cache::Cache;
use crate::catalogue::SharedSpace;
use crate::names::PathHash;

/// What one upstream says.
enum Answer {
    Offer(Box<Offer>),
    Absent,
    Unanswered,
}

impl Cache {
    /// Looks for a path in a cache's upstreams. Who asks for the same meanwhile gets the same answer.
    pub(crate) async fn find(self: &Arc<Self>, space: &SharedSpace, hash: PathHash, via: &Via) -> Found {
        let number = space.read().row.number;
        let upstreams = self.upstreams.of(number);
        if upstreams.is_empty() {
            return Found::Lacking(Lack::Absent);
        }
        let key = (number, hash);
        if let Some(found) = self.upstreams.remembered(key, Instant::now()) {
            return found;
        }
        let (cache, via) = (Arc::clone(self), via.clone());
        let found = self.upstreams.finding.share(key, move || async move {
            let found = race(&cache, &upstreams, (hash, via)).await;
            let found = cache.as_kept(found).await;
            let seconds = match &found {
                Found::Offered(_) => CACHE_UPSTREAM_OFFER_SECONDS,
                Found::Lacking(Lack::Absent) => CACHE_UPSTREAM_ABSENT_SECONDS,
                Found::Lacking(Lack::Unanswered(_)) => CACHE_UPSTREAM_UNANSWERED_SECONDS,
            };
            let now = Instant::now();
            cache.upstreams.remember(key, &found, (now, now + Duration::from_secs(seconds)));
            found
        });
        found.await.unwrap_or_else(|| Found::Lacking(Lack::Unanswered(Arc::default())))
    }

    /// An offer of a NAR that is here already is served packed as it is here.
    async fn as_kept(self: &Arc<Self>, found: Found) -> Found {
        let Found::Offered(offered) = found else { return found };
        let (cache, nar_hash) = (Arc::clone(self), offered.offer.info.nar_hash);
        let kept = tokio::task::spawn_blocking(move || cache.records.object(nar_hash)).await;
        let Ok(Ok(Some(object))) = kept else { return Found::Offered(offered) };
        let Ok(Offered { upstream, offer }) = Arc::try_unwrap(offered) else {
            return Found::Lacking(Lack::Unanswered(Arc::default()));
        };
        match offer.packed(object.packing) {
            Ok(offer) => Found::Offered(Arc::new(Offered { upstream, offer })),
            Err(_) => Found::Lacking(Lack::Absent),
        }
    }
}

/// Asks all at once, in the order of `upstreams`, which is that of their priority.
async fn race(cache: &Arc<Cache>, upstreams: &[Arc<Upstream>], about: (PathHash, Via)) -> Found {
    let began = Instant::now();
    let (sender, mut receiver) = mpsc::channel(upstreams.len());
    for (rank, upstream) in upstreams.iter().enumerate() {
        let (cache, upstream, sender) = (Arc::clone(cache), Arc::clone(upstream), sender.clone());
        let about = about.clone();
        // It runs to its end also when a better answer is there, so that the breaker learns how it went.
        tokio::spawn(async move {
            let answer = ask(&cache, &upstream, about, began).await;
            // Nobody listens once the answer is decided.
            drop(sender.send((rank, answer)).await);
        });
    }
    drop(sender);
    let mut answers: Vec<Option<Answer>> = upstreams.iter().map(|_| None).collect();
    loop {
        let first = answers.iter_mut().zip(upstreams).find(|(answer, _)| {
            // One that has it not is passed over; one that has not said so may still be the best.
            !matches!(answer, Some(Answer::Absent | Answer::Unanswered))
        });
        match first {
            None => break,
            Some((answer, upstream)) => {
                if let Some(Answer::Offer(offer)) = answer.take() {
                    return Found::Offered(Arc::new(Offered { upstream: Arc::clone(upstream), offer: *offer }));
                }
            }
        }
        let Some((rank, answer)) = receiver.recv().await else { break };
        if let Some(place) = answers.get_mut(rank) {
            *place = Some(answer);
        }
    }
    let silent = answers.iter().zip(upstreams).filter(|(answer, _)| !matches!(answer, Some(Answer::Absent)));
    let silent: Vec<String> = silent.map(|(_, upstream)| upstream.name().to_owned()).collect();
    Found::Lacking(if silent.is_empty() { Lack::Absent } else { Lack::Unanswered(silent.into()) })
}

/// Asks one upstream, within its budget, which began when the miss did.
async fn ask(cache: &Arc<Cache>, upstream: &Arc<Upstream>, (hash, via): (PathHash, Via), began: Instant) -> Answer {
    let now = Instant::now();
    if let Some(is_refused) = upstream.passed_over(hash, now) {
        return if is_refused { Answer::Absent } else { Answer::Unanswered };
    }
    if !upstream.admits(now) {
        count(&upstream.counts.skipped);
        return Answer::Unanswered;
    }
    let deadline = began + upstream.budget();
    let places = async {
        let own = Arc::clone(&upstream.questions).acquire_owned().await.ok()?;
        Some((own, Arc::clone(&cache.upstreams.questions).acquire_owned().await.ok()?))
    };
    let Ok(Some(places)) = timeout_at(deadline, places).await else {
        upstream.abandoned(Instant::now());
        return Answer::Unanswered;
    };
    let (asked, store) = (Arc::clone(upstream), Arc::clone(cache));
    let question = tokio::task::spawn_blocking(move || {
        let _places = places;
        asked.question(hash, store.store_directory(), &via)
    });
    let trouble = match timeout_at(deadline, question).await {
        Ok(Ok(Ok(offer))) => {
            upstream.succeeded();
            return offer.map_or(Answer::Absent, |offer| Answer::Offer(Box::new(offer)));
        }
        Ok(Ok(Err(trouble))) => trouble,
        Ok(Err(error)) => Trouble::Failed(error.to_string()),
        Err(_) => Trouble::Failed(format!("nothing within {} milliseconds", upstream.budget().as_millis())),
    };
    upstream.trouble(hash, &trouble, cache.now());
    match trouble {
        Trouble::Refused(_) => Answer::Absent,
        Trouble::Failed(_) => Answer::Unanswered,
    }
}
