//! From what is wanted to what is written: the next manifest and every file that goes with it.

use std::collections::BTreeSet;

use aux_core::hexadecimal;
use aux_core::limits::SECRET_AGE_BYTES_MAX;
use sha2::{Digest as _, Sha256};

use super::session::{Session, SessionError};
use crate::age_file::{self, Recipient};
use crate::declaration::Holder;
use crate::delivery;
use crate::derive::{FleetId, Label};
use crate::envelope::{self, Header};
use crate::kinds::Rule;
use crate::manifest::{Change, Envelopes, Manifest, delivery_policy, envelope_policy};
use crate::repository::{self, Step, delivery_path, envelope_path};
use crate::secret::SecretBytes;
use crate::sshsig::{self, NAMESPACE, Signer};

/// What would be written.
pub struct Prepared {
    session: Session,
    pub manifest: Manifest,
    /// What is declared otherwise than before.
    pub changes: Vec<Change>,
    files: Vec<repository::Change>,
}

/// What was written.
#[derive(Debug)]
pub struct Committed {
    pub serial: u64,
    /// Files that were written or removed.
    pub paths: Vec<String>,
    pub changes: Vec<Change>,
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

impl Session {
    /// Everything that belongs to the declaration as it is now. With `is_whole`, every file is encrypted again.
    pub fn prepare(mut self, is_whole: bool) -> Result<Prepared, SessionError> {
        let mut manifest = self.build()?;
        let kept = self.reopened(&manifest, is_whole)?;
        if !kept.is_empty() {
            self.envelopes.extend(kept);
            manifest = self.build()?;
        }
        let mut files = Vec::new();
        self.seal_seed(&mut manifest, is_whole, &mut files)?;
        self.seal_deliveries(&mut manifest, is_whole, &mut files)?;
        self.seal_envelopes(&mut manifest, &mut files)?;
        self.removed(&manifest, &mut files);
        let shape = Manifest::shape(&self.declaration);
        let changes = self.previous.as_ref().map(|previous| previous.declared_changes(&shape)).unwrap_or_default();
        let is_changed = self
            .previous
            .as_ref()
            .is_none_or(|previous| Manifest { serial: previous.serial, ..manifest.clone() } != *previous);
        if is_changed {
            self.sign(&manifest, &mut files);
        }
        if self.is_text_changed {
            files.push(repository::Change::write(repository::DECLARATION, self.text.as_bytes()));
        }
        Ok(Prepared { session: self, manifest, changes, files })
    }

    fn build(&self) -> Result<Manifest, SessionError> {
        let mut manifest = Manifest::build(&self.declaration, &self.keyring, self.previous.as_ref(), &self.envelopes)?;
        manifest.serial = self.previous.as_ref().map_or(0, |previous| previous.serial) + 1;
        Ok(manifest)
    }

    /// Every envelope of the declaration.
    fn envelope_list(&self) -> Vec<(Holder, Label)> {
        let envelopes = self.declaration.secrets.iter().filter(|(_, secret)| secret.rule == Rule::Envelope);
        let each = envelopes.flat_map(|(name, secret)| {
            self.declaration.holders(secret).into_iter().map(|holder| (holder, name.clone()))
        });
        each.collect()
    }

    /// Values of envelopes that must be encrypted again, because who may open them or which key they hang on changed.
    fn reopened(&self, next: &Manifest, is_whole: bool) -> Result<Envelopes, SessionError> {
        let mut values = Envelopes::new();
        let Some(previous) = &self.previous else { return Ok(values) };
        for (holder, name) in self.envelope_list() {
            if self.envelopes.contains_key(&(holder.clone(), name.clone())) {
                continue;
            }
            let instance = previous.values(&holder).and_then(|values| values.get(&name));
            let (Some(instance), Some(before)) = (instance, previous.secrets.get(&name)) else { continue };
            if instance.check.is_none() {
                continue;
            }
            let is_raised = next.secrets.get(&name).is_some_and(|after| after.version != before.version);
            // A machine's new value raises the version of all, and those of the others move along.
            if is_raised && !self.envelopes.keys().any(|(_, other)| *other == name) {
                return Err(SessionError::Unset { name });
            }
            let policies = (envelope_policy(previous, &holder, &name), envelope_policy(next, &holder, &name));
            if is_whole || policies.0 != policies.1 {
                let value = self.open_envelope(previous, &holder, &name)?;
                values.insert((holder, name), value);
            }
        }
        Ok(values)
    }

    /// The value of a committed envelope, with the identities at hand.
    pub fn open_envelope(
        &self,
        manifest: &Manifest,
        holder: &Holder,
        name: &Label,
    ) -> Result<SecretBytes, SessionError> {
        let path = envelope_path(holder, name);
        let file = self.repository.read(&path, SECRET_AGE_BYTES_MAX)?;
        let file = file.ok_or_else(|| SessionError::Missing { path: path.clone() })?;
        let plaintext = age_file::decrypt(&file, &self.identities)
            .map_err(|cause| SessionError::Age { path: path.clone(), cause })?;
        let meant = header(manifest, self.declaration.fleet.id, holder, name);
        let meant = meant.ok_or_else(|| SessionError::Unknown { what: "secret", name: name.to_string() })?;
        envelope::open(&plaintext, &meant).map_err(|cause| SessionError::Envelope { path, cause })
    }

    fn seal_seed(
        &self,
        manifest: &mut Manifest,
        is_whole: bool,
        files: &mut Vec<repository::Change>,
    ) -> Result<(), SessionError> {
        let is_same = |previous: &&Manifest| {
            !is_whole && previous.recovery == manifest.recovery && previous.epoch == manifest.epoch
        };
        if let Some(previous) = self.previous.as_ref().filter(is_same) {
            manifest.seed = previous.seed.clone();
            return Ok(());
        }
        let fleet = &self.declaration.fleet;
        let plaintext = delivery::write_seed(&self.seed, fleet.id, fleet.epoch);
        let file = seal(repository::SEED, &plaintext, &manifest.recovery)?;
        manifest.seed = sha256(&file);
        files.push(repository::Change::write(repository::SEED, file));
        Ok(())
    }

    fn seal_deliveries(
        &self,
        manifest: &mut Manifest,
        is_whole: bool,
        files: &mut Vec<repository::Change>,
    ) -> Result<(), SessionError> {
        for machine in manifest.machines.keys().cloned().collect::<Vec<_>>() {
            let path = delivery_path(&machine);
            let before = self.previous.as_ref().filter(|_| !is_whole);
            let is_same =
                |previous: &&Manifest| delivery_policy(previous, &machine) == delivery_policy(manifest, &machine);
            let kept = before.filter(is_same).and_then(|previous| previous.machines.get(&machine)?.delivery.clone());
            let delivery = if let Some(digest) = kept {
                digest
            } else {
                let plaintext = delivery::write(manifest, &self.keyring, &machine);
                let plaintext = plaintext.ok_or_else(|| SessionError::Key { what: format!("machine {machine}") })?;
                let own = manifest.machines.get(&machine).map(|entry| entry.recipients.as_slice()).unwrap_or_default();
                let file = seal(&path, &plaintext, &everybody(own, &manifest.recovery))?;
                let digest = sha256(&file);
                files.push(repository::Change::write(path, file));
                digest
            };
            if let Some(entry) = manifest.machines.get_mut(&machine) {
                entry.delivery = Some(delivery);
            }
        }
        Ok(())
    }

    fn seal_envelopes(&self, manifest: &mut Manifest, files: &mut Vec<repository::Change>) -> Result<(), SessionError> {
        for (holder, name) in self.envelope_list() {
            let path = envelope_path(&holder, &name);
            let file = match self.envelopes.get(&(holder.clone(), name.clone())) {
                Some(value) => {
                    let unknown = || SessionError::Unknown { what: "secret", name: name.to_string() };
                    let header = header(manifest, self.declaration.fleet.id, &holder, &name).ok_or_else(unknown)?;
                    let own = manifest.recipient(&holder).map(std::slice::from_ref).unwrap_or_default();
                    let recipients = everybody(own, &manifest.recovery);
                    let file = envelope::seal(&header, value, &recipients);
                    let file = file.map_err(|cause| SessionError::Envelope { path: path.clone(), cause })?;
                    let digest = sha256(&file);
                    files.push(repository::Change::write(path, file));
                    Some(digest)
                }
                None => self.previous.as_ref().and_then(|previous| previous.values(&holder)?.get(&name)?.file.clone()),
            };
            if let Some(instance) = manifest.instance_mut(&holder, &name) {
                instance.file = file;
            }
        }
        Ok(())
    }

    /// Files of machines and envelopes that are no more.
    fn removed(&self, manifest: &Manifest, files: &mut Vec<repository::Change>) {
        let Some(previous) = &self.previous else { return };
        let (before, after) = (paths(previous), paths(manifest));
        files.extend(before.difference(&after).map(repository::Change::remove));
    }

    /// Manifest, signature, and who may sign, as `ssh-keygen -Y verify` reads it. Behind the new signature stands the old
    /// one, so that whoever reads between two renames finds one that fits.
    fn sign(&self, manifest: &Manifest, files: &mut Vec<repository::Change>) {
        let text = manifest.to_text();
        let old = self.signature.as_deref().and_then(sshsig::first);
        let signature =
            sshsig::sign(text.as_bytes(), &self.key) + &old.map(|old| format!("{old}\n")).unwrap_or_default();
        let line = |signer: &Signer| format!("{NAMESPACE} namespaces=\"{NAMESPACE}\" {}\n", signer.as_str());
        files.push(repository::Change::write(
            repository::SIGNERS,
            manifest.signers.iter().map(line).collect::<String>(),
        ));
        files.push(repository::Change::write(repository::SIGNATURE, signature));
        files.push(repository::Change::write(repository::MANIFEST, text));
    }
}

/// Every encrypted file that a manifest speaks of, but the seed.
pub(super) fn paths(manifest: &Manifest) -> BTreeSet<String> {
    let deliveries = manifest.machines.keys().map(delivery_path);
    let envelopes = manifest.holders().flat_map(|holder| {
        let filled = manifest.values(&holder).into_iter().flatten().filter(|(_, instance)| instance.file.is_some());
        filled.map(|(name, _)| envelope_path(&holder, name)).collect::<Vec<_>>()
    });
    deliveries.chain(envelopes).collect()
}

/// What stands in an envelope of this manifest.
pub(super) fn header(manifest: &Manifest, fleet: FleetId, holder: &Holder, name: &Label) -> Option<Header> {
    let version = manifest.secrets.get(name)?.version;
    let policy = envelope_policy(manifest, holder, name)?;
    Some(Header { fleet, scope: holder.clone(), name: name.clone(), version, policy })
}

fn everybody(own: &[Recipient], recovery: &[Recipient]) -> Vec<Recipient> {
    own.iter().chain(recovery).cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

fn seal(path: &str, plaintext: &SecretBytes, recipients: &[Recipient]) -> Result<Vec<u8>, SessionError> {
    age_file::encrypt(plaintext, recipients).map_err(|cause| SessionError::Age { path: path.to_owned(), cause })
}

/// What git leaves alone: what this program keeps here for a moment, and identities that people made beside it.
const IGNORED: &str = "/.aux-secrets.lock\n/.aux-secrets.next/\n*.key\n";

impl Prepared {
    /// What stands in a new folder and is never written again. A `.gitignore` that is there already is left as it is.
    pub(super) fn add_first_files(&mut self) {
        if !self.session.repository.folder().join(".gitignore").exists() {
            self.files.push(repository::Change::write(".gitignore", IGNORED));
        }
    }

    /// Nothing to write.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files that would be written or removed.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = self.files.iter().map(|change| change.path.clone()).collect();
        paths.sort();
        paths
    }

    /// Writes it all as one; `reached` hears of each step.
    pub fn commit(mut self, reached: &mut dyn FnMut(Step)) -> Result<Committed, SessionError> {
        let paths = self.paths();
        if !self.files.is_empty() {
            self.session.repository.writer()?.commit(self.files, reached)?;
        }
        Ok(Committed { serial: self.manifest.serial, paths, changes: self.changes })
    }
}
