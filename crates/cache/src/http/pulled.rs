//! What the cache does not have and its upstreams may: narinfos, NARs, and what a pushed path needs of them.

use std::sync::Arc;

use aux_nix::{NarInfo, Sha256};
use hyper::body::Incoming;
use hyper::{Request, StatusCode};

use super::answer::{Answer, NARINFO, bytes};
use super::cached::send_nar;
use super::failure::Failure;
use super::{Server, blocking};
use crate::access::Caller;
use crate::catalogue::{Nar, SharedSpace, ready};
use crate::names::PathHash;
use crate::packing::Packing;
use crate::push::PutError;
use crate::upstream::{Found, Lack, Via};

/// The narinfo of a path that the cache lacks, as an upstream has it.
pub(super) async fn narinfo(
    server: &Arc<Server>,
    space: &SharedSpace,
    hash: PathHash,
    via: &Via,
) -> Result<Answer, Failure> {
    let offered = match server.cache.find(space, hash, via).await {
        Found::Offered(offered) => offered,
        Found::Lacking(Lack::Absent) => return Err(Failure::NotFound),
        Found::Lacking(Lack::Unanswered(silent)) => return Err(Failure::Unanswered { silent, is_narinfo: true }),
    };
    let mut info = offered.offer.served();
    let signs = {
        let space = space.read();
        if let Some(narinfo) = space.narinfo(hash) {
            // It was pushed or pulled while upstreams were asked.
            return Ok(bytes(StatusCode::OK, NARINFO, narinfo));
        }
        not_withdrawn(|hash| space.withdrawn(hash).map(str::to_owned), &info)?;
        space.is_signed()
    };
    // Nobody else signs under our name.
    info.signatures.retain(|signature| !server.cache.keys.own(signature));
    let own = signs.then(|| server.cache.keys.sign(&info));
    Ok(bytes(StatusCode::OK, NARINFO, ready(&info.print(), own.as_deref()).into_vec()))
}

/// What is withdrawn, or needs what is withdrawn, comes from no upstream either.
fn not_withdrawn(reason: impl Fn(PathHash) -> Option<String>, info: &NarInfo) -> Result<(), Failure> {
    let paths = info.references.iter().chain([&info.path]);
    match paths.filter_map(PathHash::of).find_map(reason) {
        Some(reason) => Err(Failure::Withdrawn { reason }),
        None => Ok(()),
    }
}

/// A NAR under the name that an offer gave it: of the cache, or fetched now. It leaves once it is here and proved.
pub(super) async fn nar(
    server: &Arc<Server>,
    space: &SharedSpace,
    (nar_hash, hash, packing): (Sha256, PathHash, Packing),
    (request, via): (&Request<Incoming>, Via),
) -> Result<Answer, Failure> {
    if let Some(reason) = space.read().withdrawn(hash) {
        return Err(Failure::Withdrawn { reason: reason.to_owned() });
    }
    let kept = space.read().path(hash).map(|path| path.nar_hash);
    let is_another = match kept {
        Some(kept) => kept != nar_hash,
        // Nothing is fetched for a name that nobody was given.
        None => match server.cache.find(space, hash, &via).await {
            Found::Offered(offered) => offered.offer.info.nar_hash != nar_hash,
            Found::Lacking(Lack::Absent) => true,
            Found::Lacking(Lack::Unanswered(_)) => false,
        },
    };
    if is_another {
        return Err(Failure::NotFound);
    }
    let pulled = server.cache.pull(space, hash, &via).await.map_err(|error| Failure::from(&*error))?;
    let object = pulled.object;
    if !pulled.waits_for.is_empty() {
        // Who asked gets it now; that the cache holds all it needs as well is our own affair.
        let (cache, space) = (Arc::clone(&server.cache), space.clone());
        tokio::spawn(async move { cache.close(&space, hash, &via).await });
    }
    if (object.nar_hash, object.packing) != (nar_hash, packing) {
        return Err(Failure::NotFound);
    }
    send_nar(server, (nar_hash, Nar { file_hash: object.file_hash, file_size: object.file_size }), request).await
}

/// Commits a pushed path. A client that was told that upstream paths are here does not push them, so that what is missing
/// comes from there.
pub(super) async fn take_narinfo(
    server: &Arc<Server>,
    space: &SharedSpace,
    hash: PathHash,
    (document, caller): (Vec<u8>, Caller),
) -> Result<(), Failure> {
    let document = Arc::new(document);
    let caller = Arc::new(caller);
    let take = || {
        let (cache, space) = (Arc::clone(&server.cache), space.clone());
        let (document, caller) = (Arc::clone(&document), Arc::clone(&caller));
        blocking(move || match cache.take_narinfo(&space, hash, &document, &caller) {
            Err(error @ PutError::Dangling { .. }) => Ok(Err(error)),
            taken => Ok(Ok(taken?)),
        })
    };
    let Err(error) = take().await? else { return Ok(()) };
    let number = space.read().row.number;
    let PutError::Dangling { missing } = &error else { return Err(error.into()) };
    if server.cache.upstreams.of(number).is_empty() {
        return Err(error.into());
    }
    let Some(via) = Via::through(None, &server.cache.public_keys()) else { return Err(error.into()) };
    for missing in missing.iter().filter_map(|base| PathHash::parse(base.split('-').next()?)) {
        if let Err(cause) = server.cache.close(space, missing, &via).await {
            tracing::debug!("{missing}, which a pushed path needs, does not come from upstream: {cause}");
            return Err(error.into());
        }
    }
    take().await?.map_err(Failure::from)
}
