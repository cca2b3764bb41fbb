//! What must change when a machine is compromised or a person leaves, in the order in which it helps.

use std::collections::BTreeSet;

use crate::age_file::Recipient;
use crate::declaration::Holder;
use crate::derive::Label;
use crate::manifest::Manifest;
use crate::sshsig::Signer;

/// The plan for one compromise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlastRadius {
    /// What they can read, now and, where nothing is done, from now on.
    pub readable: Vec<String>,
    pub steps: Vec<BlastStep>,
    /// What no step here undoes.
    pub remaining: Vec<String>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlastStep {
    /// What to type; none, where only a provider can do it.
    pub command: Option<String>,
    pub why: String,
}

impl BlastStep {
    fn run(command: String, why: impl Into<String>) -> Self {
        Self { command: Some(command), why: why.into() }
    }

    fn by_hand(why: String) -> Self {
        Self { command: None, why }
    }
}

/// What a machine's or a person's keys open; a person is a recipient or a signer. Nothing, where neither is known.
pub fn blast_radius(manifest: &Manifest, who: &str) -> Option<BlastRadius> {
    let machine = who.strip_prefix("machine:").unwrap_or(who);
    let machine = machine.parse::<Label>().ok().filter(|name| manifest.machines.contains_key(name));
    if let Some(machine) = machine {
        return of_machine(manifest, &machine);
    }
    let recipient = who.parse::<Recipient>().ok().filter(|recipient| manifest.recovery.contains(recipient));
    if let Some(recipient) = recipient {
        return Some(of_recovery(manifest, &recipient));
    }
    let signer = Signer::try_from(who.to_owned()).ok().filter(|signer| manifest.signers.contains(signer));
    signer.map(|signer| of_signer(manifest, &signer))
}

fn of_machine(manifest: &Manifest, machine: &Label) -> Option<BlastRadius> {
    let entry = manifest.machines.get(machine)?;
    let holders: Vec<Holder> = std::iter::once(Holder::Machine(machine.clone()))
        .chain(entry.groups.iter().map(|group| Holder::Group(group.clone())))
        .collect();
    let mut steps = vec![BlastStep::run(
        format!("aux secret rotate --machine {machine}"),
        "a new key for the machine: every derived secret of its own changes",
    )];
    for group in &entry.groups {
        let members = manifest.groups.get(group).map(|group| group.members.len()).unwrap_or_default();
        let why = format!("the machine had the group's key, which {members} machines share");
        steps.push(BlastStep::run(format!("aux secret rotate --group {group}"), why));
    }
    let mut readable = Vec::new();
    for holder in &holders {
        for name in manifest.values(holder).into_iter().flatten().map(|(name, _)| name) {
            readable.push(format!("{name} of {holder}"));
        }
    }
    steps.extend(provided(manifest, &holders));
    steps.push(BlastStep::run(
        format!("take the machine's recipients out of [machines.{machine}], or replace them, then `aux secret rekey`"),
        "what is written from now on is not encrypted to a key that is known",
    ));
    let remaining = vec![
        "what was encrypted to the machine's recipients stays readable to whoever has them and the repository's history".to_owned(),
        "certificates that were signed for the machine stay valid until they end".to_owned(),
    ];
    Some(BlastRadius { readable, steps, remaining })
}

fn of_recovery(manifest: &Manifest, recipient: &Recipient) -> BlastRadius {
    let holders: Vec<Holder> = manifest.holders().collect();
    let mut steps = vec![
        BlastStep::run(
            format!("take {recipient} out of fleet.recovery, then `aux secret rekey`"),
            "what is written from now on is not encrypted to them",
        ),
        BlastStep::run(
            "aux secret rotate --epoch".to_owned(),
            "they could open the seed, and with it everything it will ever give: a new seed, so every derived secret changes",
        ),
    ];
    steps.extend(provided(manifest, &holders));
    BlastRadius {
        readable: vec!["everything: the seed, and every envelope".to_owned()],
        steps,
        remaining: vec![
            "what was ever committed stays readable to whoever has their identity and the repository's history"
                .to_owned(),
        ],
    }
}

fn of_signer(manifest: &Manifest, signer: &Signer) -> BlastRadius {
    let is_own = manifest.signers.first() == Some(signer);
    let steps = if is_own {
        let why = "this key follows from the seed: whoever has it has had the admins' key or the seed";
        vec![BlastStep::run("aux secret rotate --admin".to_owned(), why)]
    } else {
        let why = "machines that pin signers need the new list too";
        vec![BlastStep::run("take them out of fleet.signers, then `aux secret rekey`".to_owned(), why)]
    };
    BlastRadius {
        readable: vec!["nothing: a signer vouches, and opens nothing".to_owned()],
        steps,
        remaining: vec![
            "manifests they signed stay signed; serials keep old ones from machines that saw newer".to_owned(),
        ],
    }
}

/// Envelopes: a new key for them is no new value.
fn provided(manifest: &Manifest, holders: &[Holder]) -> Vec<BlastStep> {
    let mut seen = BTreeSet::new();
    let mut steps = Vec::new();
    for holder in holders {
        for name in manifest.values(holder).into_iter().flatten().map(|(name, _)| name) {
            let Some(secret) = manifest.secrets.get(name).filter(|secret| secret.type_id == "envelope@1") else {
                continue;
            };
            if !seen.insert((holder.clone(), name.clone())) {
                continue;
            }
            let place = secret.provider.as_deref().unwrap_or("whoever issued it");
            steps.push(BlastStep::by_hand(format!("{name} of {holder}: have it replaced by {place}")));
            let scope = match holder {
                Holder::Machine(machine) if secret.scope == "machine" => format!(" --machine {machine}"),
                _ => String::new(),
            };
            steps.push(BlastStep::run(format!("aux secret set {name}{scope}"), "the new value"));
        }
    }
    steps
}
