//! Whether what is committed is what was declared, what was signed, and what comes out of the seed.

use std::collections::BTreeSet;

use aux_core::limits::{SECRET_AGE_BYTES_MAX, SECRET_DECLARATION_BYTES_MAX};

use super::prepare::sha256;
use super::view::{View, ViewError};
use crate::age_file::Identities;
use crate::declaration::{Declaration, DeclarationError, Holder};
use crate::keyring::signing_key;
use crate::manifest::{BuildError, Change, Envelopes, Manifest};
use crate::repository::{self, Repository, delivery_path, envelope_path};
use crate::sshsig::Signer;

/// What is looked at.
#[derive(Default)]
pub struct CheckRequest {
    /// Who may sign; the repository's own file says it where nobody is named.
    pub signers: Option<Vec<Signer>>,
    /// With these the values are computed again.
    pub identities: Identities,
}

/// What was found.
#[derive(Debug)]
pub struct CheckReport {
    pub serial: u64,
    pub machines: usize,
    pub values: usize,
    pub signer: Signer,
    /// Whether it was one of those that the caller named, and not only one that the repository names itself.
    pub is_signer_pinned: bool,
    /// Declared otherwise than committed.
    pub declared: Vec<Change>,
    /// Files that are missing, or not those that were signed.
    pub files: Vec<String>,
    /// Values otherwise than what the seed gives; nothing, where the seed was not opened.
    pub computed: Option<Vec<Change>>,
    /// Envelopes without a value yet.
    pub empty: Vec<String>,
    /// The signer is not the seed's; told where the seed was opened.
    pub is_signer_strange: bool,
}

impl CheckReport {
    /// Everything that was looked at is as it should be.
    pub fn is_content(&self) -> bool {
        self.declared.is_empty()
            && self.files.is_empty()
            && self.computed.as_ref().is_none_or(Vec::is_empty)
            && !self.is_signer_strange
    }
}

/// Why it cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("{0}")]
    View(#[from] ViewError),
    #[error("{path}: {cause}")]
    Declaration { path: String, cause: DeclarationError },
    #[error("{0}")]
    Build(#[from] BuildError),
}

/// Looks at everything.
pub fn check(repository: Repository, request: CheckRequest) -> Result<CheckReport, CheckError> {
    let path = repository.declaration_path().display().to_string();
    let declaration = repository.declaration(SECRET_DECLARATION_BYTES_MAX).map_err(ViewError::from)?;
    let declaration = declaration.ok_or_else(|| ViewError::Missing { path: path.clone() })?;
    let declaration = Declaration::read(&declaration).map_err(|cause| CheckError::Declaration { path, cause })?;
    let is_signer_pinned = request.signers.is_some();
    let mut view = View::open(repository, request.signers)?;
    let declared = view.manifest.declared_changes(&Manifest::shape(&declaration));
    let files = damaged(&view)?;
    let (mut computed, mut is_signer_strange) = (None, false);
    if !request.identities.is_empty() {
        view.unlock_seed(&request.identities)?;
        let admin = view.manifest.place(&Holder::Admin).and_then(|place| view.keyring().holder(&Holder::Admin, &place));
        let own = admin.and_then(|admin| signing_key(&admin)).map(|key| Signer::of(&key.verifying_key()));
        is_signer_strange = !is_signer_pinned && own.as_ref() != Some(&view.signer);
        computed = Some(if declared.is_empty() { drift(&view, &declaration)? } else { Vec::new() });
    }
    let manifest = &view.manifest;
    let values =
        manifest.holders().filter_map(|holder| manifest.values(&holder)).map(std::collections::BTreeMap::len).sum();
    let machines = manifest.machines.len();
    let (serial, signer, empty) = (manifest.serial, view.signer.clone(), empty(manifest));
    Ok(CheckReport {
        serial,
        machines,
        values,
        signer,
        is_signer_pinned,
        declared,
        files,
        computed,
        empty,
        is_signer_strange,
    })
}

/// Values that are not those of the seed. Checks of envelopes hang on their values and are taken over.
fn drift(view: &View, declaration: &Declaration) -> Result<Vec<Change>, CheckError> {
    let mut known = view.manifest.clone();
    // What would be taken over unseen is computed: a public half that was changed must not vouch for itself.
    known.forget_public_halves();
    let computed = Manifest::build(declaration, view.keyring(), Some(&known), &Envelopes::new())?;
    Ok(view.manifest.drift(&computed))
}

fn empty(manifest: &Manifest) -> Vec<String> {
    let mut empty = BTreeSet::new();
    for holder in manifest.holders() {
        for (name, instance) in manifest.values(&holder).into_iter().flatten() {
            if instance.check.is_none() {
                empty.insert(format!("{name} of {holder}"));
            }
        }
    }
    empty.into_iter().collect()
}

/// Encrypted files that are not those that were signed.
fn damaged(view: &View) -> Result<Vec<String>, CheckError> {
    let manifest = &view.manifest;
    let mut meant = vec![(repository::SEED.to_owned(), Some(&manifest.seed))];
    meant.extend(manifest.machines.iter().map(|(name, entry)| (delivery_path(name), entry.delivery.as_ref())));
    for holder in manifest.holders() {
        for (name, instance) in manifest.values(&holder).into_iter().flatten() {
            if let Some(file) = &instance.file {
                meant.push((envelope_path(&holder, name), Some(file)));
            }
        }
    }
    let mut damaged = Vec::new();
    for (path, digest) in meant {
        match view.repository.read(&path, SECRET_AGE_BYTES_MAX).map_err(ViewError::from)? {
            None => damaged.push(format!("{path}: is missing")),
            Some(bytes) if Some(&sha256(&bytes)) != digest => {
                damaged.push(format!("{path}: is not the file that was signed"));
            }
            Some(_) => {}
        }
    }
    Ok(damaged)
}
