//! What a delivered file and an envelope are bound to: who may open it, for whom, and which one it is.

use super::Manifest;
use crate::declaration::Holder;
use crate::derive::{Fields, Label};

/// What decides about `machines/NAME/scope.age`; where it changes, the file is written again.
pub fn delivery_policy(manifest: &Manifest, machine: &Label) -> Option<[u8; 32]> {
    let entry = manifest.machines.get(machine)?;
    let mut fields = Fields::new().text("delivery").text(&manifest.fleet).number(manifest.epoch).text(machine.as_str());
    fields = placed(fields, manifest, &Holder::Machine(machine.clone()))?;
    for group in &entry.groups {
        fields = placed(fields.text("group").text(group.as_str()), manifest, &Holder::Group(group.clone()))?;
    }
    for recipient in entry.recipients.iter().chain(&manifest.recovery) {
        fields = fields.text("to").text(recipient.as_str());
    }
    Some(fields.digest())
}

/// What decides about an envelope: its SHA-256 stands in the envelope.
pub fn envelope_policy(manifest: &Manifest, holder: &Holder, name: &Label) -> Option<[u8; 32]> {
    let secret = manifest.secrets.get(name)?;
    let mut fields = Fields::new().text("envelope").text(&manifest.fleet).number(manifest.epoch);
    fields = fields.text(&holder.to_string()).text(name.as_str()).number(secret.version);
    fields = fields.text(&secret.owner).text(&secret.group).text(&secret.mode);
    for recipient in manifest.recipient(holder).into_iter().chain(&manifest.recovery) {
        fields = fields.text("to").text(recipient.as_str());
    }
    Some(fields.digest())
}

fn placed(fields: Fields, manifest: &Manifest, holder: &Holder) -> Option<Fields> {
    let place = manifest.place(holder)?;
    let fields = fields.number(place.generation);
    Some(match place.environment {
        None => fields.text(""),
        Some((name, generation)) => fields.text(name.as_str()).number(generation),
    })
}
