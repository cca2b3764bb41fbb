//! Somebody who opened the seed, and what they want to change.

use aux_core::limits::{SECRET_AGE_BYTES_MAX, SECRET_DECLARATION_BYTES_MAX, SECRET_MANIFEST_BYTES_MAX};
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::age_file::{self, AgeError, Identities};
use crate::declaration::{Declaration, DeclarationError, Edit, EditError, Holder};
use crate::delivery::{self, DeliveryError};
use crate::derive::{Label, Seed};
use crate::envelope::EnvelopeError;
use crate::keyring::{Keyring, signing_key};
use crate::manifest::{BuildError, Change, ChangeKind, Envelopes, Manifest, ManifestError, Subject};
use crate::repository::{self, Repository, RepositoryError};
use crate::secret::SecretBytes;
use crate::sshsig::Signer;

/// An open repository, with the root of its tree at hand.
pub struct Session {
    pub(super) repository: Repository,
    pub(super) text: String,
    pub(super) declaration: Declaration,
    /// What is committed, verified.
    pub(super) previous: Option<Manifest>,
    pub(super) signature: Option<String>,
    pub(super) identities: Identities,
    pub(super) seed: Seed,
    pub(super) keyring: Keyring,
    pub(super) key: SigningKey,
    pub(super) envelopes: Envelopes,
    pub(super) is_text_changed: bool,
}

/// Why a change is not made. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("{0}")]
    Repository(#[from] RepositoryError),
    #[error("{path}: {cause}")]
    Declaration { path: String, cause: DeclarationError },
    #[error("{path}: {cause}")]
    Edit { path: String, cause: EditError },
    #[error("{path}: is missing")]
    Missing { path: String },
    #[error("{path}: {cause}")]
    Age { path: String, cause: AgeError },
    #[error("{path}: {cause}")]
    Delivery { path: String, cause: DeliveryError },
    #[error("{path}: {cause}")]
    Manifest { path: String, cause: ManifestError },
    #[error("{path}: {cause}")]
    Envelope { path: String, cause: EnvelopeError },
    #[error("{0}")]
    Build(#[from] BuildError),
    #[error("no key follows from the seed for {what}")]
    Key { what: String },
    #[error("{name}: its version was raised, but no new value was set")]
    Unset { name: Label },
    #[error("there is no {what} `{name}`")]
    Unknown { what: &'static str, name: String },
    #[error("{name}: {why}")]
    Kind { name: Label, why: &'static str },
    #[error("the declaration names other people than the signed manifest does")]
    People { changes: Vec<Change> },
    #[error("{missing} of the recovery identities offered do not open the seed")]
    Recovery { missing: usize },
}

impl Session {
    /// Opens the seed with one of these identities.
    pub fn open(repository: Repository, identities: Identities) -> Result<Self, SessionError> {
        let path = repository.declaration_path().display().to_string();
        let bytes = repository.declaration(SECRET_DECLARATION_BYTES_MAX)?;
        let bytes = bytes.ok_or_else(|| SessionError::Missing { path: path.clone() })?;
        let declaration =
            Declaration::read(&bytes).map_err(|cause| SessionError::Declaration { path: path.clone(), cause })?;
        let text = String::from_utf8(bytes).unwrap_or_default();
        let manifest = repository.read(repository::MANIFEST, SECRET_MANIFEST_BYTES_MAX)?;
        let signature = repository.read(repository::SIGNATURE, SECRET_MANIFEST_BYTES_MAX)?;
        let signature = signature.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        // The epoch that was committed says which seed lies here; the declaration may be ahead of it.
        let committed = manifest.as_deref().map(Manifest::unverified).transpose();
        let committed = committed.map_err(|cause| manifest_error(&repository, cause))?;
        let epoch = committed.as_ref().map_or(declaration.fleet.epoch, |manifest| manifest.epoch);
        let seed = open_seed(&repository, &identities, &declaration, epoch)?;
        let keyring = Keyring::of_root(&seed.root(declaration.fleet.id, epoch));
        let place = committed
            .as_ref()
            .map_or_else(|| declaration.place(&Holder::Admin), |manifest| manifest.place(&Holder::Admin));
        let key = place.and_then(|place| signing_key(&keyring.holder(&Holder::Admin, &place)?));
        let key = key.ok_or_else(|| SessionError::Key { what: "signing".to_owned() })?;
        let previous = match manifest {
            None => None,
            Some(bytes) => {
                // The seed's own key alone: the list in the manifest is part of what has to be believed first.
                let known = [Signer::of(&key.verifying_key())];
                let text = signature.as_deref().ok_or_else(|| SessionError::Missing {
                    path: repository.folder().join(repository::SIGNATURE).display().to_string(),
                })?;
                let verified = Manifest::verified(&bytes, text, &known);
                Some(verified.map_err(|cause| manifest_error(&repository, cause))?.0)
            }
        };
        let envelopes = Envelopes::new();
        let session = Self {
            repository,
            text,
            declaration,
            previous,
            signature,
            identities,
            seed,
            keyring,
            key,
            envelopes,
            is_text_changed: false,
        };
        Ok(session)
    }

    pub fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    /// What is committed.
    pub fn previous(&self) -> Option<&Manifest> {
        self.previous.as_ref()
    }

    /// The declaration, changed. It is written when everything else is.
    pub fn edit(&mut self, edits: &[Edit]) -> Result<(), SessionError> {
        let path = || self.repository.declaration_path().display().to_string();
        let mut text = self.text.clone();
        for edit in edits {
            text = edit.apply(&text).map_err(|cause| SessionError::Edit { path: path(), cause })?;
        }
        let read = Declaration::read(text.as_bytes());
        self.declaration = read.map_err(|cause| SessionError::Declaration { path: path(), cause })?;
        self.is_text_changed |= text != self.text;
        self.text = text;
        Ok(())
    }

    /// Refuses to go on where the declaration names recipients, signers or members that nobody has signed: whoever could
    /// write the file would be given keys by the next change of something else.
    pub fn refuse_new_people(&self) -> Result<(), SessionError> {
        let Some(previous) = &self.previous else { return Ok(()) };
        let mut changes = previous.declared_changes(&Manifest::shape(&self.declaration));
        changes.retain(|change| {
            let is_of_people = ["recovery", "signers", "recipients", "members", "groups", "environment"]
                .iter()
                .any(|word| change.what.starts_with(word));
            is_of_people || matches!((change.kind, &change.subject), (ChangeKind::Added, Subject::Machine(_)))
        });
        if changes.is_empty() { Ok(()) } else { Err(SessionError::People { changes }) }
    }

    /// A new value of an envelope, for one holder.
    pub fn set(&mut self, holder: Holder, name: Label, value: SecretBytes) {
        self.envelopes.insert((holder, name), value);
    }

    /// A new seed, and with it another epoch: everything derived changes.
    pub fn begin_epoch(&mut self, seed: Zeroizing<[u8; 32]>) -> Result<(), SessionError> {
        let epoch = self.declaration.fleet.epoch + 1;
        self.seed = Seed::new(seed);
        self.keyring = Keyring::of_root(&self.seed.root(self.declaration.fleet.id, epoch));
        self.edit(&[Edit::Epoch { epoch }])?;
        self.sign_anew()
    }

    /// The signing key of the admins' present generation, among the signers.
    pub fn sign_anew(&mut self) -> Result<(), SessionError> {
        let old = Signer::of(&self.key.verifying_key());
        let place = self.declaration.place(&Holder::Admin);
        let key = place.and_then(|place| signing_key(&self.keyring.holder(&Holder::Admin, &place)?));
        self.key = key.ok_or_else(|| SessionError::Key { what: "signing".to_owned() })?;
        let fleet = &self.declaration.fleet;
        let others = fleet.signers.iter().filter(|signer| **signer != old).map(|signer| signer.as_str().to_owned());
        let signers =
            std::iter::once(Signer::of(&self.key.verifying_key()).as_str().to_owned()).chain(others).collect();
        self.edit(&[Edit::Signers { signers }])
    }
}

fn manifest_error(repository: &Repository, cause: ManifestError) -> SessionError {
    SessionError::Manifest { path: repository.folder().join(repository::MANIFEST).display().to_string(), cause }
}

pub(super) fn open_seed(
    repository: &Repository,
    identities: &Identities,
    declaration: &Declaration,
    epoch: u32,
) -> Result<Seed, SessionError> {
    let path = repository.folder().join(repository::SEED).display().to_string();
    let file = repository.read(repository::SEED, SECRET_AGE_BYTES_MAX)?;
    let file = file.ok_or_else(|| SessionError::Missing { path: path.clone() })?;
    let plaintext =
        age_file::decrypt(&file, identities).map_err(|cause| SessionError::Age { path: path.clone(), cause })?;
    delivery::read_seed(&plaintext, declaration.fleet.id, epoch).map_err(|cause| SessionError::Delivery { path, cause })
}
