//! What is put into a cache: NARs that are taken, and paths that are committed once everything said of them holds.

use std::io::{self, Read};

use aux_nix::content_address::ContentError;
use aux_nix::narinfo::{Compression, NarInfoError, NarUrl, NarUrlError};
use aux_nix::signature::{KeyError, SignatureError, TrustedKeys};
use aux_nix::{NarInfo, Sha256};

use crate::access::{AccessError, Caller};
use crate::cache::Cache;
use crate::catalogue::SharedSpace;
use crate::names::{PathHash, UploadName};
use crate::objects::ObjectError;
use crate::receive::{Awaited, ReceiveError, Received, receive};
use crate::records::{Actor, Commit, CommitOutcome, PathRow, Records, RecordsError, Upload};

/// Why something was not taken. What is said is about what the client sent, except for the last three.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error("views take nothing; push to the cache they are of")]
    View,
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Receive(ReceiveError),
    #[error("{0}")]
    NarInfo(#[from] NarInfoError),
    #[error("the narinfo is of another path than its name says")]
    WrongName,
    #[error("the store directory is {said}, and not {wanted}")]
    StoreDirectory { said: String, wanted: String },
    #[error("no NAR was put under the URL {0}")]
    NoUpload(String),
    #[error("{field} is not that of the NAR that was put")]
    Hash { field: &'static str },
    #[error("{field} says {said}, and the NAR that was put has {found}")]
    Size { field: &'static str, said: u64, found: u64 },
    #[error("it is packed with {found}, and not with {said}")]
    OtherPacking { said: Compression, found: Compression },
    #[error("references are not in the cache: {}", shown(missing))]
    Dangling { missing: Vec<String> },
    #[error("{0}")]
    Signature(#[from] SignatureError),
    #[error("CA: {0}")]
    ContentAddress(ContentError),
    #[error("a kept NAR cannot be unpacked: {0}")]
    Packing(io::Error),
    #[error("the path is there with another NAR")]
    Conflict,
    #[error("withdrawn: {reason}")]
    Withdrawn { reason: String },
    #[error("a key of the cache is none: {0}")]
    Key(#[from] KeyError),
    #[error("the server's own URL is none: {0}")]
    Url(#[from] NarUrlError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error("the kept NAR {nar_hash} is missing, and what came is packed otherwise")]
    Lost { nar_hash: Sha256 },
    #[error(transparent)]
    Database(#[from] RecordsError),
}

/// Who puts a NAR, and what was said of it before it came.
#[derive(Clone, Copy)]
pub struct NarTerms<'t> {
    pub actor: &'t Actor,
    /// It is kept only if it is what this narinfo says.
    pub announced: Option<&'t NarInfo>,
    /// It may refer to chunks of NARs in its cache instead of having them.
    pub may_refer: bool,
}

/// References named one by one in an error.
const NAMED_MAX: usize = 20;

fn shown(missing: &[String]) -> String {
    let named = missing.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(" ");
    match missing.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

impl Cache {
    /// Takes a NAR under a name. When this returns it is on the disk, and a narinfo may refer to it.
    pub fn take_nar(
        &self,
        space: &SharedSpace,
        name: &UploadName,
        from: &mut dyn Read,
        NarTerms { actor, announced, may_refer }: NarTerms<'_>,
    ) -> Result<Received, PutError> {
        let row = space.row();
        if row.source.is_some() {
            return Err(PutError::View);
        }
        let is_in_it = |nar_hash| space.read().nar(nar_hash).is_some();
        let awaited = Awaited {
            packing: name.packing(),
            bytes_max: announced.map(|info| info.nar_size),
            may_refer: may_refer.then_some(&is_in_it as &dyn Fn(Sha256) -> bool),
        };
        let (received, arrived) = receive(from, &self.objects, awaited).map_err(PutError::Receive)?;
        if let Some(info) = announced {
            held_against(&received, info)?;
        }
        // Until the upload is written down, collection could remove an object that nobody seems to need.
        let keeping = self.keeping()?;
        match keeping.object(received.nar_hash)? {
            Some(kept) if self.objects.has(&(&kept).into())? => {
                self.objects.mend(arrived, &received, &(&kept).into())?;
            }
            Some(kept) if kept.file_hash != received.kept_hash => {
                return Err(PutError::Lost { nar_hash: received.nar_hash });
            }
            _ => self.objects.keep(arrived, &received)?,
        }
        keeping.put_upload(&row, name, &received, actor)?;
        Ok(received)
    }

    /// Which chunks of these digests a NAR for the cache may refer to: those of NARs in it, so that nobody learns what others have.
    pub fn known_chunks(&self, space: &SharedSpace, digests: &[[u8; 32]]) -> Result<Vec<bool>, PutError> {
        Ok(self.objects.known(digests, &|nar_hash| space.read().nar(nar_hash).is_some())?)
    }

    /// Commits a path: from here on it is served. Everything that the narinfo says is held against what came before.
    pub fn take_narinfo(
        &self,
        space: &SharedSpace,
        hash: PathHash,
        document: &[u8],
        caller: &Caller,
    ) -> Result<(), PutError> {
        let row = space.row();
        if row.source.is_some() {
            return Err(PutError::View);
        }
        let info = NarInfo::parse(document)?;
        if PathHash::of(&info.path) != Some(hash) {
            return Err(PutError::WrongName);
        }
        if info.store_directory() != self.store_directory() {
            let (said, wanted) = (info.store_directory().to_owned(), self.store_directory().to_owned());
            return Err(PutError::StoreDirectory { said, wanted });
        }
        caller.may_name(info.path.name())?;
        if !row.keys.is_empty() {
            info.verify(&TrustedKeys::parse(&row.keys.join(" "))?)?;
        }
        // A right that another server took away is gone before anything is committed with it.
        self.catch_up()?;
        self.confirm(caller)?;
        self.commit_narinfo(space, info, &self.actor(caller))?;
        self.upstreams.forget(row.number, hash);
        Ok(())
    }

    /// Commits a path whose narinfo is to be believed, if its NAR is here and so is all that it needs.
    pub(crate) fn commit_narinfo(&self, space: &SharedSpace, mut info: NarInfo, actor: &Actor) -> Result<(), PutError> {
        let row = space.row();
        let hash = PathHash::of(&info.path).ok_or(PutError::WrongName)?;
        // Until the commit is in memory nothing is withdrawn, collected or read anew.
        let keeping = self.keeping()?;
        let hidden = |path: &aux_nix::BaseName| {
            let reason = space.read().withdrawn(PathHash::of(path)?).map(str::to_owned)?;
            Some(format!("{path}: {reason}"))
        };
        if let Some(reason) = info.references.iter().chain([&info.path]).find_map(hidden) {
            return Err(PutError::Withdrawn { reason });
        }
        let upload = self.checked_upload(row.number, &info)?;
        let object = upload.object;
        self.prove_content(&mut info, &object)?;
        info.url = NarUrl::parse(&format!("nar/{}.nar{}", object.nar_hash.nix32(), object.packing.suffix()))?;
        info.compression = object.packing.compression();
        (info.file_hash, info.file_size) = (Some(object.file_hash), Some(object.file_size));
        // Nobody else signs under our name.
        info.signatures.retain(|signature| !self.keys.own(signature));
        let own = row.signs.then(|| self.keys.sign(&info));
        let others = info.references.iter().filter(|reference| **reference != info.path);
        let commit = Commit {
            hash,
            base: info.path.to_string(),
            object,
            narinfo: info.print(),
            signature: own,
            references: others.filter_map(PathHash::of).collect(),
        };
        match keeping.commit(&row, &commit, actor)? {
            CommitOutcome::Committed(number) => {
                let Commit { hash, base, object, narinfo, signature, .. } = commit;
                space.write().add(&PathRow { number, hash, base, object, narinfo, signature });
                Ok(())
            }
            CommitOutcome::Dangling(missing) => {
                let is_missing = |reference: &&aux_nix::BaseName| {
                    PathHash::of(reference).is_some_and(|hash| missing.contains(&hash))
                };
                Err(PutError::Dangling {
                    missing: info.references.iter().filter(is_missing).map(ToString::to_string).collect(),
                })
            }
            CommitOutcome::Present(present) => add_signatures(&keeping, space, present, &info),
            CommitOutcome::NoObject => Err(PutError::NoUpload(info.url.to_string())),
        }
    }

    /// The NAR that was put under a narinfo's URL, if it is what the narinfo says.
    fn checked_upload(&self, space: i64, info: &NarInfo) -> Result<Upload, PutError> {
        let url = info.url.as_str();
        let name = url.strip_prefix("nar/").and_then(UploadName::parse);
        let name = name.ok_or_else(|| PutError::NoUpload(url.to_owned()))?;
        let upload = self.records.upload(space, &name)?.ok_or_else(|| PutError::NoUpload(url.to_owned()))?;
        if info.nar_hash != upload.object.nar_hash {
            return Err(PutError::Hash { field: "NarHash" });
        }
        if info.file_hash.is_some_and(|hash| hash != upload.sent_hash) {
            return Err(PutError::Hash { field: "FileHash" });
        }
        let sizes = [
            ("NarSize", info.nar_size, upload.object.nar_size),
            ("FileSize", info.file_size.unwrap_or(upload.sent_size), upload.sent_size),
        ];
        match sizes.into_iter().find(|(_, said, found)| said != found) {
            Some((field, said, found)) => Err(PutError::Size { field, said, found }),
            None => Ok(upload),
        }
    }
}

/// The same path again may bring signatures that were not there; another NAR under it is refused.
fn add_signatures(records: &Records, space: &SharedSpace, present: PathRow, pushed: &NarInfo) -> Result<(), PutError> {
    let mut known = NarInfo::parse(present.narinfo.as_bytes())?;
    if known.fingerprint() != pushed.fingerprint() {
        return Err(PutError::Conflict);
    }
    let before = known.signatures.len();
    for signature in &pushed.signatures {
        if !known.signatures.contains(signature) {
            known.signatures.push(signature.clone());
        }
    }
    known.signatures.truncate(aux_core::limits::NARINFO_SIGNATURES_MAX - 1);
    if known.signatures.len() == before {
        return Ok(());
    }
    let narinfo = known.print();
    records.replace_narinfo(space.read().row.number, present.number, &narinfo)?;
    space.write().add(&PathRow { narinfo, ..present });
    Ok(())
}

/// Whether what came is what was announced.
fn held_against(received: &Received, info: &NarInfo) -> Result<(), PutError> {
    let sizes = [
        ("NarSize", info.nar_size, received.nar_size),
        ("FileSize", info.file_size.unwrap_or(received.file_size), received.file_size),
    ];
    if let Some((field, said, found)) = sizes.into_iter().find(|(_, said, found)| said != found) {
        return Err(PutError::Size { field, said, found });
    }
    if info.nar_hash != received.nar_hash {
        return Err(PutError::Hash { field: "NarHash" });
    }
    if info.file_hash.is_some_and(|hash| hash != received.file_hash) {
        return Err(PutError::Hash { field: "FileHash" });
    }
    if info.compression != received.packing.compression() {
        return Err(PutError::OtherPacking { said: info.compression, found: received.packing.compression() });
    }
    Ok(())
}
