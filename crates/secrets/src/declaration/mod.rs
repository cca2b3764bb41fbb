//! What people declare: fleet, machines, groups, environments and secrets (`aux-secrets.toml`, or JSON out of Nix).

mod edit;
mod read;
mod scope;

use std::collections::BTreeMap;

use jiff::civil::Date;

pub use edit::{Edit, EditError, Uses};
pub use read::DeclarationError;
pub use scope::{Holder, Scope, ScopeError};

use crate::age_file::Recipient;
use crate::derive::{FleetId, Label};
use crate::kinds::{Parameters, Rule};
use crate::sshsig::Signer;

/// A declaration that was read and holds together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    pub fleet: Fleet,
    pub environments: BTreeMap<Label, Environment>,
    pub groups: BTreeMap<Label, Group>,
    pub machines: BTreeMap<Label, Machine>,
    pub secrets: BTreeMap<Label, Secret>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    pub id: FleetId,
    pub epoch: u32,
    /// Of the secrets that never reach a machine.
    pub admin_generation: u32,
    /// Who can open the seed, and everything else.
    pub recovery: Vec<Recipient>,
    /// Who may sign the manifest.
    pub signers: Vec<Signer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub generation: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub environment: Option<Label>,
    pub generation: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    pub environment: Option<Label>,
    pub groups: Vec<Label>,
    pub generation: u32,
    /// Keys that the machine has: its TPM's, or that of its unlock slots.
    pub recipients: Vec<Recipient>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    pub rule: Rule,
    pub parameters: Parameters,
    pub scope: Scope,
    pub version: u32,
    pub owner: String,
    pub group: String,
    pub mode: String,
    pub units: Vec<String>,
    /// Written to a file, beside being served to its units.
    pub is_file: bool,
    pub keep_previous: u32,
    /// Where a person changes it, if only a provider can: a page's address or a sentence.
    pub provider: Option<String>,
    pub note: Option<String>,
}

impl Declaration {
    /// Who has a value of this secret: one for each machine, or one that a group shares.
    pub fn holders(&self, secret: &Secret) -> Vec<Holder> {
        match &secret.scope {
            Scope::Admin => vec![Holder::Admin],
            Scope::Group(group) => vec![Holder::Group(group.clone())],
            Scope::Machine(machine) => vec![Holder::Machine(machine.clone())],
            Scope::Machines { groups } => {
                let is_in =
                    |machine: &Machine| groups.is_empty() || machine.groups.iter().any(|group| groups.contains(group));
                let machines = self.machines.iter().filter(|(_, machine)| is_in(machine));
                machines.map(|(name, _)| Holder::Machine(name.clone())).collect()
            }
        }
    }

    /// The machines of a group, sorted.
    pub fn members<'d>(&'d self, group: &'d Label) -> impl Iterator<Item = &'d Label> {
        self.machines.iter().filter(move |(_, machine)| machine.groups.contains(group)).map(|(name, _)| name)
    }

    /// Whether a machine may read what this holder has.
    pub fn reads(&self, machine: &Label, holder: &Holder) -> bool {
        match holder {
            Holder::Admin => false,
            Holder::Machine(own) => own == machine,
            Holder::Group(group) => self.machines.get(machine).is_some_and(|machine| machine.groups.contains(group)),
        }
    }
}

/// The first line of a fleet's declaration, as `init` writes it.
pub fn first_text(fleet: &Fleet, today: Date) -> String {
    let list = |items: Vec<&str>| items.iter().fold(String::new(), |text, item| text + "    \"" + item + "\",\n");
    let recovery = list(fleet.recovery.iter().map(Recipient::as_str).collect());
    let signers = list(fleet.signers.iter().map(Signer::as_str).collect());
    format!(
        "# The secrets of a fleet: docs/secrets.md. `aux secret rekey` brings what is committed to what stands here.\n\
         # Begun on {today}. Nothing in this file is secret.\n\n\
         [fleet]\n\
         id = \"{}\"\n\
         epoch = {}\n\
         # Who can open the seed and everything else: at least two, kept apart.\n\
         recovery = [\n{recovery}]\n\
         # Who may sign the manifest.\n\
         signers = [\n{signers}]\n",
        fleet.id, fleet.epoch
    )
}
