//! The committed result (`aux-secrets.json`): everything about a fleet's secrets that is public, under one signature.

mod build;
mod changes;
mod policy;
mod read;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use build::{BuildError, Envelopes};
pub use changes::{Change, Kind as ChangeKind, Subject};
pub use policy::{delivery_policy, envelope_policy};
pub use read::ManifestError;

use crate::age_file::Recipient;
use crate::declaration::{Holder, Scope};
use crate::derive::{Check, Label};
use crate::keyring::Place;
use crate::kinds::{Parameters, Rule, RuleError};
use crate::sshsig::Signer;

/// The name and version of the format.
pub const SCHEMA: &str = "aux.secrets/1";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub schema: String,
    /// One more with each manifest; a machine takes no lower one than it has seen.
    pub serial: u64,
    pub fleet: String,
    pub epoch: u32,
    pub recovery: Vec<Recipient>,
    pub signers: Vec<Signer>,
    /// SHA-256 of `seed.age`.
    pub seed: String,
    pub admin: AdminEntry,
    pub environments: BTreeMap<Label, EnvironmentEntry>,
    pub groups: BTreeMap<Label, GroupEntry>,
    pub machines: BTreeMap<Label, MachineEntry>,
    pub secrets: BTreeMap<Label, SecretEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminEntry {
    pub generation: u32,
    pub recipient: Option<Recipient>,
    pub values: BTreeMap<Label, Instance>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentEntry {
    pub generation: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupEntry {
    pub environment: Option<Label>,
    pub generation: u32,
    /// Envelopes of the group are encrypted to this; it is derived from the group's key.
    pub recipient: Option<Recipient>,
    pub members: Vec<Label>,
    pub values: BTreeMap<Label, Instance>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineEntry {
    pub environment: Option<Label>,
    pub generation: u32,
    pub groups: Vec<Label>,
    /// Whom the machine's keys are delivered to, beside recovery.
    pub recipients: Vec<Recipient>,
    /// As a group's.
    pub recipient: Option<Recipient>,
    /// SHA-256 of `machines/NAME/scope.age`.
    pub delivery: Option<String>,
    pub values: BTreeMap<Label, Instance>,
}

/// One holder's value of a secret, as far as it is public.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Missing only where an envelope was never filled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
    /// SHA-256 of an envelope's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretEntry {
    #[serde(rename = "type")]
    pub type_id: String,
    pub parameters: Parameters,
    pub scope: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Label>,
    pub version: u32,
    pub owner: String,
    pub group: String,
    pub mode: String,
    pub units: Vec<String>,
    pub file: bool,
    pub keep_previous: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

impl SecretEntry {
    /// What its type and parameters mean to this program.
    pub fn rule(&self) -> Result<Rule, RuleError> {
        Rule::of(&self.type_id, &self.parameters)
    }
}

impl Manifest {
    /// The values of a holder.
    pub fn values(&self, holder: &Holder) -> Option<&BTreeMap<Label, Instance>> {
        match holder {
            Holder::Admin => Some(&self.admin.values),
            Holder::Group(label) => self.groups.get(label).map(|group| &group.values),
            Holder::Machine(label) => self.machines.get(label).map(|machine| &machine.values),
        }
    }

    /// So that a build computes every public half.
    pub(crate) fn forget_public_halves(&mut self) {
        for holder in self.holders().collect::<Vec<_>>() {
            for instance in self.values_mut(&holder).into_iter().flat_map(BTreeMap::values_mut) {
                instance.public = None;
            }
        }
    }

    pub(crate) fn instance_mut(&mut self, holder: &Holder, name: &Label) -> Option<&mut Instance> {
        self.values_mut(holder)?.get_mut(name)
    }

    fn values_mut(&mut self, holder: &Holder) -> Option<&mut BTreeMap<Label, Instance>> {
        match holder {
            Holder::Admin => Some(&mut self.admin.values),
            Holder::Group(label) => self.groups.get_mut(label).map(|group| &mut group.values),
            Holder::Machine(label) => self.machines.get_mut(label).map(|machine| &mut machine.values),
        }
    }

    /// Whom a holder's envelopes are encrypted to.
    pub fn recipient(&self, holder: &Holder) -> Option<&Recipient> {
        match holder {
            Holder::Admin => self.admin.recipient.as_ref(),
            Holder::Group(label) => self.groups.get(label)?.recipient.as_ref(),
            Holder::Machine(label) => self.machines.get(label)?.recipient.as_ref(),
        }
    }

    /// Everybody with secrets, the admins first.
    pub fn holders(&self) -> impl Iterator<Item = Holder> {
        let groups = self.groups.keys().map(|label| Holder::Group(label.clone()));
        let machines = self.machines.keys().map(|label| Holder::Machine(label.clone()));
        std::iter::once(Holder::Admin).chain(groups).chain(machines)
    }

    /// Where a holder stands, as committed.
    pub fn place(&self, holder: &Holder) -> Option<Place> {
        let (environment, generation) = match holder {
            Holder::Admin => (&None, self.admin.generation),
            Holder::Group(label) => self.groups.get(label).map(|group| (&group.environment, group.generation))?,
            Holder::Machine(label) => self.machines.get(label).map(|one| (&one.environment, one.generation))?,
        };
        let environment = match environment {
            None => None,
            Some(name) => Some((name.clone(), self.environments.get(name)?.generation)),
        };
        Some(Place { environment, generation })
    }

    /// Whose value of this secret a machine reads: its own, or that of the group it is in.
    pub fn holder_of(&self, machine: &Label, secret: &Label) -> Option<Holder> {
        let entry = self.machines.get(machine)?;
        if entry.values.contains_key(secret) {
            return Some(Holder::Machine(machine.clone()));
        }
        match self.secrets.get(secret)?.scope.parse().ok()? {
            Scope::Group(group) if entry.groups.contains(&group) => Some(Holder::Group(group)),
            _ => None,
        }
    }

    /// The text that is committed and signed.
    pub fn to_text(&self) -> String {
        // Maps of text and numbers always have a JSON.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}
