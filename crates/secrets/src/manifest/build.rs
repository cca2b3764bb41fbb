//! A declaration becomes a manifest: first its shape, for which no key is needed, then check values and public halves.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::thread;

use aux_core::limits::SECRET_THREADS_MAX;

use super::{AdminEntry, EnvironmentEntry, GroupEntry, Instance, MachineEntry, Manifest, SCHEMA, SecretEntry};
use crate::age_file::Recipient;
use crate::declaration::{Declaration, Holder, Scope, Secret};
use crate::derive::{Check, Label, Leaf, ScopeKey};
use crate::keyring::{Keyring, scope_recipient};
use crate::kinds::{self, Issuer, Rule, Source, ValueError};
use crate::secret::SecretBytes;

/// Values of envelopes that were just set; all others keep the check they have.
pub type Envelopes = BTreeMap<(Holder, Label), SecretBytes>;

/// Fewer are not worth a thread.
const HOLDERS_A_THREAD_MIN: usize = 32;

/// Why there is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("the key of {holder} is not at hand")]
    Key { holder: Holder },
    #[error("{holder}: {cause}")]
    Value { holder: Holder, cause: ValueError },
    #[error("secrets.{name}: only its type or parameters changed; raise its version too (`aux secret rotate {name}`)")]
    Parameters { name: Label },
    #[error("{at}: {now} is lower than the {before} that is committed; what is counted only goes up")]
    Lower { at: String, now: u32, before: u32 },
}

impl Manifest {
    /// What can be said without a key: everything but check values, public halves and files.
    pub fn shape(declaration: &Declaration) -> Self {
        let fleet = &declaration.fleet;
        let group = |(name, group): (&Label, &crate::declaration::Group)| {
            let members = declaration.members(name).cloned().collect();
            let (environment, generation) = (group.environment.clone(), group.generation);
            (name.clone(), GroupEntry { environment, generation, recipient: None, members, values: BTreeMap::new() })
        };
        let machine = |(name, machine): (&Label, &crate::declaration::Machine)| {
            let mut groups = machine.groups.clone();
            groups.sort();
            groups.dedup();
            let entry = MachineEntry {
                environment: machine.environment.clone(),
                generation: machine.generation,
                groups,
                recipients: machine.recipients.clone(),
                recipient: None,
                delivery: None,
                values: BTreeMap::new(),
            };
            (name.clone(), entry)
        };
        let environments = declaration.environments.iter();
        let environments =
            environments.map(|(name, one)| (name.clone(), EnvironmentEntry { generation: one.generation }));
        let mut manifest = Self {
            schema: SCHEMA.to_owned(),
            serial: 0,
            fleet: fleet.id.to_string(),
            epoch: fleet.epoch,
            recovery: fleet.recovery.clone(),
            signers: fleet.signers.clone(),
            seed: String::new(),
            admin: AdminEntry { generation: fleet.admin_generation, recipient: None, values: BTreeMap::new() },
            environments: environments.collect(),
            groups: declaration.groups.iter().map(group).collect(),
            machines: declaration.machines.iter().map(machine).collect(),
            secrets: declaration.secrets.iter().map(|(name, secret)| (name.clone(), entry(secret))).collect(),
        };
        for (name, secret) in &declaration.secrets {
            for holder in declaration.holders(secret) {
                if let Some(values) = manifest.values_mut(&holder) {
                    values.insert(name.clone(), Instance::default());
                }
            }
        }
        manifest
    }

    /// The whole manifest. What `previous` says of values that did not change is taken over, not computed again; files and
    /// serial are the caller's.
    pub fn build(
        declaration: &Declaration,
        keyring: &Keyring,
        previous: Option<&Self>,
        envelopes: &Envelopes,
    ) -> Result<Self, BuildError> {
        let mut manifest = Self::shape(declaration);
        if let Some(previous) = previous {
            manifest.refuse_steps_back(previous)?;
        }
        let authorities = Authorities::of(declaration, keyring)?;
        let rules: BTreeMap<&Label, (&Rule, u32, String)> = declaration
            .secrets
            .iter()
            .map(|(name, secret)| (name, (&secret.rule, secret.version, secret.rule.id())))
            .collect();
        let work = Work { declaration, keyring, rules: &rules, authorities: &authorities, envelopes, previous };
        let holders: Vec<Holder> = manifest.holders().collect();
        for (holder, filled) in holders.iter().zip(work.of_all(&holders, &manifest)) {
            let Filled { recipient, values } = filled?;
            match &holder {
                Holder::Admin => manifest.admin.recipient = recipient,
                Holder::Group(label) => {
                    manifest.groups.entry(label.clone()).and_modify(|one| one.recipient = recipient);
                }
                Holder::Machine(label) => {
                    manifest.machines.entry(label.clone()).and_modify(|one| one.recipient = recipient);
                }
            }
            if let Some(place) = manifest.values_mut(holder) {
                *place = values;
            }
        }
        Ok(manifest)
    }

    /// Counters never go back, and parameters change with a version only: the same leaf would give a value akin to the old one.
    fn refuse_steps_back(&self, previous: &Self) -> Result<(), BuildError> {
        let step = |at: String, now: u32, before: u32| {
            if now < before { Err(BuildError::Lower { at, now, before }) } else { Ok(()) }
        };
        step("fleet.epoch".to_owned(), self.epoch, previous.epoch)?;
        if self.epoch > previous.epoch {
            return Ok(());
        }
        step("fleet.admin_generation".to_owned(), self.admin.generation, previous.admin.generation)?;
        for (name, before) in &previous.environments {
            if let Some(now) = self.environments.get(name) {
                step(format!("environments.{name}.generation"), now.generation, before.generation)?;
            }
        }
        for (name, before) in &previous.groups {
            if let Some(now) = self.groups.get(name) {
                step(format!("groups.{name}.generation"), now.generation, before.generation)?;
            }
        }
        for (name, before) in &previous.machines {
            if let Some(now) = self.machines.get(name) {
                step(format!("machines.{name}.generation"), now.generation, before.generation)?;
            }
        }
        for (name, before) in &previous.secrets {
            let Some(now) = self.secrets.get(name) else { continue };
            step(format!("secrets.{name}.version"), now.version, before.version)?;
            let is_same_rule = now.type_id == before.type_id && now.parameters == before.parameters;
            if now.version == before.version && !is_same_rule && now.type_id != "envelope@1" {
                return Err(BuildError::Parameters { name: name.clone() });
            }
        }
        Ok(())
    }
}

fn entry(secret: &Secret) -> SecretEntry {
    let groups = match &secret.scope {
        Scope::Machines { groups } => groups.clone(),
        _ => Vec::new(),
    };
    SecretEntry {
        type_id: secret.rule.id(),
        parameters: secret.parameters.clone(),
        scope: secret.scope.to_string(),
        groups,
        version: secret.version,
        owner: secret.owner.clone(),
        group: secret.group.clone(),
        mode: secret.mode.clone(),
        units: secret.units.clone(),
        file: secret.is_file,
        keep_previous: secret.keep_previous,
        provider: secret.provider.clone(),
    }
}

/// The leaves of all authorities; certificates anywhere are signed with them.
struct Authorities<'d>(BTreeMap<&'d Label, (Leaf, &'d kinds::CertificateRule)>);

impl<'d> Authorities<'d> {
    fn of(declaration: &'d Declaration, keyring: &Keyring) -> Result<Self, BuildError> {
        let mut all = BTreeMap::new();
        let admin = declaration.place(&Holder::Admin).and_then(|place| keyring.holder(&Holder::Admin, &place));
        for (name, secret) in &declaration.secrets {
            if let Rule::TlsCa(rule) = &secret.rule {
                let key = admin.as_ref().ok_or(BuildError::Key { holder: Holder::Admin })?;
                all.insert(name, (key.leaf(name, &secret.rule.id(), secret.version), rule));
            }
        }
        Ok(Self(all))
    }
}

/// What every holder's values are made of.
struct Work<'w> {
    declaration: &'w Declaration,
    keyring: &'w Keyring,
    rules: &'w BTreeMap<&'w Label, (&'w Rule, u32, String)>,
    authorities: &'w Authorities<'w>,
    envelopes: &'w Envelopes,
    previous: Option<&'w Manifest>,
}

/// What a key gives for one holder.
struct Filled {
    recipient: Option<Recipient>,
    values: BTreeMap<Label, Instance>,
}

impl Work<'_> {
    /// Of every holder, in order. Public halves of a thousand machines are a second's work, so all processors share it.
    fn of_all(&self, holders: &[Holder], shape: &Manifest) -> Vec<Result<Filled, BuildError>> {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(SECRET_THREADS_MAX);
        let one = |holder: &Holder| self.of_one(holder, shape);
        if threads == 1 || holders.len() < HOLDERS_A_THREAD_MIN {
            return holders.iter().map(one).collect();
        }
        let parts: Vec<&[Holder]> = holders.chunks(holders.len().div_ceil(threads)).collect();
        thread::scope(|scope| {
            let started = parts.iter().map(|part| scope.spawn(move || part.iter().map(one).collect::<Vec<_>>()));
            let started: Vec<_> = started.collect();
            // A part that panicked is worked again here, where the panic is seen for what it is.
            let ended = started.into_iter().zip(&parts);
            ended
                .flat_map(|(part, holders)| part.join().unwrap_or_else(|_| holders.iter().map(one).collect()))
                .collect()
        })
    }

    fn of_one(&self, holder: &Holder, shape: &Manifest) -> Result<Filled, BuildError> {
        let key = self.declaration.place(holder).and_then(|place| self.keyring.holder(holder, &place));
        let key = key.ok_or_else(|| BuildError::Key { holder: holder.clone() })?;
        let mut values = shape.values(holder).cloned().unwrap_or_default();
        let own = Own { work: self, holder, key: &key };
        own.fill(&mut values).map_err(|cause| BuildError::Value { holder: holder.clone(), cause })?;
        Ok(Filled { recipient: scope_recipient(&key), values })
    }
}

/// All values of one holder.
struct Own<'w> {
    work: &'w Work<'w>,
    holder: &'w Holder,
    key: &'w ScopeKey,
}

impl Own<'_> {
    fn fill(&self, values: &mut BTreeMap<Label, Instance>) -> Result<(), ValueError> {
        let plain = values.keys().filter_map(|name| Some((name.clone(), self.plain_check(name)?)));
        let checks: BTreeMap<Label, Check> = plain.collect();
        for (name, instance) in values {
            let Some((rule, version, type_id)) = self.work.rules.get(name) else { continue };
            let before = self.work.previous.and_then(|previous| previous.values(self.holder)?.get(name));
            if **rule == Rule::Envelope {
                instance.check = checks.get(name).copied();
                continue;
            }
            let leaf = self.key.leaf(name, type_id, *version);
            let others: Option<Vec<Check>> =
                rule.others().into_iter().map(|other| checks.get(other).copied()).collect();
            // Something made of an envelope that was never filled has no value yet.
            let Some(others) = others else { continue };
            let check = if others.is_empty() { leaf.check() } else { leaf.check_with(&others) };
            instance.check = Some(check);
            let is_same = |before: &&Instance| before.check == Some(check) && before.public.is_some();
            let before = before.filter(is_same).filter(|_| !matches!(rule, Rule::TlsLeaf { .. }));
            instance.public = match before {
                Some(before) => before.public.clone(),
                None => self.public(name, rule, &leaf)?,
            };
        }
        Ok(())
    }

    /// The check of a secret that is made of no other.
    fn plain_check(&self, name: &Label) -> Option<Check> {
        let (rule, version, type_id) = self.work.rules.get(name)?;
        if **rule != Rule::Envelope {
            return rule.others().is_empty().then(|| self.key.leaf(name, type_id, *version).check());
        }
        match self.work.envelopes.get(&(self.holder.clone(), name.clone())) {
            Some(value) => Some(self.key.check_of_value(name, *version, &crate::envelope::digest(value))),
            None => self.work.previous?.values(self.holder)?.get(name)?.check,
        }
    }

    fn public(&self, name: &Label, rule: &Rule, leaf: &Leaf) -> Result<Option<String>, ValueError> {
        let issuer = match rule {
            Rule::TlsLeaf { ca, .. } => {
                self.work.authorities.0.get_key_value(ca).map(|(name, (leaf, rule))| Issuer { leaf, rule, name })
            }
            _ => None,
        };
        let mut others = BTreeMap::new();
        if let Rule::Hash { of, is_public: true, .. } = rule
            && let Some((rule, version, type_id)) = self.work.rules.get(of)
        {
            let leaf = self.key.leaf(of, type_id, *version);
            let source = Source { name: of, leaf: &leaf, owner: None, others: &BTreeMap::new(), issuer: None };
            others.insert(of.clone(), kinds::value(rule, &source)?);
        }
        kinds::public(rule, &Source { name, leaf, owner: self.holder.label(), others: &others, issuer })
    }
}
