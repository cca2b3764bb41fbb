//! Reading secrets: with a machine's identity those of the machine, with an admin's all of them.

use std::collections::BTreeMap;

use aux_core::limits::{SECRET_AGE_BYTES_MAX, SECRET_MANIFEST_BYTES_MAX};

use super::prepare::header;
use crate::age_file::{self, AgeError, Identities};
use crate::declaration::Holder;
use crate::delivery::{self, Delivery, DeliveryError};
use crate::derive::{FleetId, Label, ScopeKey};
use crate::envelope::{self, EnvelopeError};
use crate::keyring::{Keyring, scope_identity};
use crate::kinds::{self, Rule, RuleError, Source, ValueError};
use crate::manifest::{Manifest, ManifestError};
use crate::memory::Kept;
use crate::repository::{self, Repository, RepositoryError, delivery_path, envelope_path};
use crate::secret::SecretBytes;
use crate::sshsig::Signer;

/// A verified manifest, and the keys that were opened.
pub struct View {
    pub repository: Repository,
    pub manifest: Manifest,
    pub signer: Signer,
    keyring: Keyring,
}

/// Why a secret is not shown.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    #[error("{0}")]
    Repository(#[from] RepositoryError),
    #[error("{path}: is missing")]
    Missing { path: String },
    #[error("{path}: {cause}")]
    Manifest { path: String, cause: ManifestError },
    #[error("{path}: names no signer")]
    Signers { path: String },
    #[error("{path}: {cause}")]
    Age { path: String, cause: AgeError },
    #[error("{path}: {cause}")]
    Delivery { path: String, cause: DeliveryError },
    #[error("{path}: {cause}")]
    Envelope { path: String, cause: EnvelopeError },
    #[error("there is no {what} `{name}` in the manifest")]
    Unknown { what: &'static str, name: String },
    #[error("machine {machine} has no `{name}`")]
    NotOfMachine { machine: Label, name: Label },
    #[error("`{name}` has a value for each machine; say which with --machine")]
    Machine { name: Label },
    #[error("{name}: {cause}")]
    Rule { name: Label, cause: RuleError },
    #[error("{0}")]
    Value(#[from] ValueError),
    #[error("`{name}`: an envelope that was never filled")]
    Empty { name: Label },
    #[error("`{name}`: what is derived is not what was signed (the check value differs)")]
    Check { name: Label },
    #[error("`{name}`: version {version} is the first; there is none before it")]
    First { name: Label, version: u32 },
    #[error("the key of {holder} does not follow from what was opened")]
    Key { holder: Holder },
}

impl View {
    /// A repository whose manifest one of `known` signed; where nobody is named, one of its own `allowed_signers`.
    pub fn open(repository: Repository, known: Option<Vec<Signer>>) -> Result<Self, ViewError> {
        let path = |name: &str| repository.folder().join(name).display().to_string();
        let read = |name: &str| {
            let bytes = repository.read(name, SECRET_MANIFEST_BYTES_MAX)?;
            bytes.ok_or_else(|| ViewError::Missing { path: path(name) })
        };
        let (manifest, signature) = (read(repository::MANIFEST)?, read(repository::SIGNATURE)?);
        let known = match known {
            Some(known) => known,
            None => allowed_signers(&String::from_utf8_lossy(&read(repository::SIGNERS)?)),
        };
        if known.is_empty() {
            return Err(ViewError::Signers { path: path(repository::SIGNERS) });
        }
        let verified = Manifest::verified(&manifest, &String::from_utf8_lossy(&signature), &known);
        let (manifest, signer) =
            verified.map_err(|cause| ViewError::Manifest { path: path(repository::MANIFEST), cause })?;
        Ok(Self { repository, manifest, signer, keyring: Keyring::default() })
    }

    /// Opens what was delivered to a machine.
    pub fn unlock_machine(&mut self, machine: &Label, identities: &Identities) -> Result<(), ViewError> {
        let unknown = || ViewError::Unknown { what: "machine", name: machine.to_string() };
        let entry = self.manifest.machines.get(machine).ok_or_else(unknown)?;
        let path = delivery_path(machine);
        let shown = self.repository.folder().join(&path).display().to_string();
        let file = self
            .repository
            .read(&path, SECRET_AGE_BYTES_MAX)?
            .ok_or_else(|| ViewError::Missing { path: shown.clone() })?;
        let plaintext =
            age_file::decrypt(&file, identities).map_err(|cause| ViewError::Age { path: shown.clone(), cause })?;
        let delivery = Delivery::read(&plaintext).and_then(|delivery| delivery.keyring(&self.manifest, machine));
        self.keyring = delivery.map_err(|cause| ViewError::Delivery { path: shown.clone(), cause })?;
        if entry.delivery.as_deref() != Some(super::prepare::sha256(&file).as_str()) {
            return Err(ViewError::Delivery { path: shown, cause: DeliveryError::Stale });
        }
        Ok(())
    }

    /// Takes keys that were unlocked in another way.
    #[must_use]
    pub fn with_keyring(mut self, keyring: Keyring) -> Self {
        self.keyring = keyring;
        self
    }

    /// Opens the seed.
    pub fn unlock_seed(&mut self, identities: &Identities) -> Result<(), ViewError> {
        let path = self.repository.folder().join(repository::SEED).display().to_string();
        let file = self.repository.read(repository::SEED, SECRET_AGE_BYTES_MAX)?;
        let file = file.ok_or_else(|| ViewError::Missing { path: path.clone() })?;
        let plaintext =
            age_file::decrypt(&file, identities).map_err(|cause| ViewError::Age { path: path.clone(), cause })?;
        let fleet = self.fleet();
        let seed = delivery::read_seed(&plaintext, fleet, self.manifest.epoch);
        let seed = seed.map_err(|cause| ViewError::Delivery { path, cause })?;
        self.keyring = Keyring::of_root(&seed.root(fleet, self.manifest.epoch));
        Ok(())
    }

    fn fleet(&self) -> FleetId {
        self.manifest.fleet.parse().unwrap_or(FleetId([0; 16]))
    }

    /// Whose value of a secret is meant.
    pub fn holder(&self, name: &Label, machine: Option<&Label>) -> Result<Holder, ViewError> {
        let unknown = |what, name: &Label| ViewError::Unknown { what, name: name.to_string() };
        let secret = self.manifest.secrets.get(name).ok_or_else(|| unknown("secret", name))?;
        match machine {
            Some(machine) if !self.manifest.machines.contains_key(machine) => Err(unknown("machine", machine)),
            Some(machine) => {
                let holder = self.manifest.holder_of(machine, name);
                holder.ok_or_else(|| ViewError::NotOfMachine { machine: machine.clone(), name: name.clone() })
            }
            None => secret.scope.parse().map_err(|_| ViewError::Machine { name: name.clone() }),
        }
    }

    /// A value, which is what was signed, or an error.
    pub fn value(&self, holder: &Holder, name: &Label) -> Result<SecretBytes, ViewError> {
        let (rule, key) = (self.rule(name)?, self.key(holder)?);
        let unknown = || ViewError::Unknown { what: "value", name: format!("{name} of {holder}") };
        let instance = self.manifest.values(holder).and_then(|values| values.get(name)).ok_or_else(unknown)?;
        let check = instance.check.ok_or_else(|| ViewError::Empty { name: name.clone() })?;
        if rule == Rule::Envelope {
            let value = self.envelope(holder, name, &key)?;
            let version = self.manifest.secrets.get(name).map_or(0, |secret| secret.version);
            let computed = key.check_of_value(name, version, &envelope::digest(&value));
            let path = envelope_path(holder, name);
            return if computed == check {
                Ok(value)
            } else {
                Err(ViewError::Envelope { path, cause: EnvelopeError::Check })
            };
        }
        let version = self.manifest.secrets.get(name).ok_or_else(unknown)?.version;
        let leaf = key.leaf(name, &rule.id(), version);
        let mut others = BTreeMap::new();
        let mut checks = Vec::new();
        for other in rule.others() {
            others.insert(other.clone(), self.value(holder, other)?);
            checks.extend(self.manifest.values(holder).and_then(|values| values.get(other)?.check));
        }
        let computed = if checks.is_empty() { leaf.check() } else { leaf.check_with(&checks) };
        if computed != check {
            return Err(ViewError::Check { name: name.clone() });
        }
        let source = Source { name, leaf: &leaf, owner: holder.label(), others: &others, issuer: None };
        Ok(kinds::value(&rule, &source)?)
    }

    /// The value of the version before; derived ones only, and nothing vouches for it but the key.
    pub fn previous_value(&self, holder: &Holder, name: &Label) -> Result<SecretBytes, ViewError> {
        let (rule, key) = (self.rule(name)?, self.key(holder)?);
        let version = self.manifest.secrets.get(name).map_or(1, |secret| secret.version);
        if version < 2 {
            return Err(ViewError::First { name: name.clone(), version });
        }
        let leaf = key.leaf(name, &rule.id(), version - 1);
        let source = Source { name, leaf: &leaf, owner: holder.label(), others: &BTreeMap::new(), issuer: None };
        Ok(kinds::value(&rule, &source)?)
    }

    /// What two machines of a group share.
    pub fn pair_value(
        &self,
        holder: &Holder,
        name: &Label,
        one: &Label,
        other: &Label,
    ) -> Result<SecretBytes, ViewError> {
        let (rule, key) = (self.rule(name)?, self.key(holder)?);
        if rule != Rule::WireguardPsk {
            return self.value(holder, name);
        }
        let version = self.manifest.secrets.get(name).map_or(1, |secret| secret.version);
        let leaf = key.pair(one, other).leaf(name, &rule.id(), version);
        let source = Source { name, leaf: &leaf, owner: None, others: &BTreeMap::new(), issuer: None };
        Ok(kinds::value(&rule, &source)?)
    }

    /// The committed public half.
    pub fn public(&self, holder: &Holder, name: &Label) -> Option<&str> {
        self.manifest.values(holder)?.get(name)?.public.as_deref()
    }

    /// How the keys that were opened are kept from others.
    pub fn kept(&self) -> Kept {
        self.keyring.kept()
    }

    pub(super) fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    fn rule(&self, name: &Label) -> Result<Rule, ViewError> {
        let unknown = || ViewError::Unknown { what: "secret", name: name.to_string() };
        let secret = self.manifest.secrets.get(name).ok_or_else(unknown)?;
        secret.rule().map_err(|cause| ViewError::Rule { name: name.clone(), cause })
    }

    fn key(&self, holder: &Holder) -> Result<ScopeKey, ViewError> {
        let key = self.manifest.place(holder).and_then(|place| self.keyring.holder(holder, &place));
        key.ok_or_else(|| ViewError::Key { holder: holder.clone() })
    }

    fn envelope(&self, holder: &Holder, name: &Label, key: &ScopeKey) -> Result<SecretBytes, ViewError> {
        let path = envelope_path(holder, name);
        let file = self
            .repository
            .read(&path, SECRET_AGE_BYTES_MAX)?
            .ok_or_else(|| ViewError::Missing { path: path.clone() })?;
        let age = |cause| ViewError::Age { path: path.clone(), cause };
        let (identity, _) = scope_identity(key).ok_or_else(|| ViewError::Key { holder: holder.clone() })?;
        let identities = Identities::read(&identity).map_err(|_| age(AgeError::NoIdentity))?;
        let plaintext = age_file::decrypt(&file, &identities).map_err(age)?;
        let unknown = || ViewError::Unknown { what: "secret", name: name.to_string() };
        let meant = header(&self.manifest, self.fleet(), holder, name).ok_or_else(unknown)?;
        envelope::open(&plaintext, &meant).map_err(|cause| ViewError::Envelope { path, cause })
    }
}

/// The keys of a file of OpenSSH's `ALLOWED SIGNERS` format that may sign manifests.
pub fn allowed_signers(text: &str) -> Vec<Signer> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys = lines.filter_map(|line| line.find("ssh-ed25519 ").and_then(|start| line.get(start..)));
    keys.filter_map(|key| Signer::try_from(key.to_owned()).ok()).collect()
}
