//! `aux secret slot`: which slots there are, and whether each of them opens.

use aux_app::exit;
use aux_unlock::slot::{Lock, Slot as OneSlot};
use aux_unlock::{Outcome, explain, lint, tang};
use clap::Subcommand;
use serde::Serialize;

use super::reach::{Reach, SlotAnswer, answers, document, failure, rows};
use super::{slot_add, slot_recipient, slot_remove, slot_sign};
use crate::failure::Failure;
use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub(crate) enum Slot {
    Add(slot_add::Args),
    List(List),
    Test(Test),
    Remove(slot_remove::Args),
    Recipient(slot_recipient::Args),
    Sign(slot_sign::Sign),
    Count(slot_sign::Count),
}

/// Say which slots there are, and what each is bound to. Nothing is opened, and nobody is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    reach: Reach,
}

/// Try every slot, and say what is wrong with the file. Exit 1 where a slot does not open, or where the machine should not
/// be restarted with it.
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    #[command(flatten)]
    reach: Reach,
}

#[derive(Serialize)]
struct ListDocument {
    schema: &'static str,
    machine: String,
    generation: u32,
    recipient: String,
    slots: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    path: String,
    kind: &'static str,
    /// What it is bound to, in words.
    bound: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    slots: Vec<Self>,
}

#[derive(Serialize)]
struct TestDocument {
    schema: &'static str,
    machine: String,
    slots: Vec<SlotAnswer>,
    concerns: Vec<ConcernAnswer>,
    may_reboot: bool,
}

#[derive(Serialize)]
struct ConcernAnswer {
    text: String,
    refused: bool,
}

/// Runs one of them.
pub(super) fn run(verb: &Slot, ui: &mut Ui) -> Result<u8, Failure> {
    match verb {
        Slot::Add(args) => slot_add::run(args, ui),
        Slot::List(args) => list(&args.reach, ui),
        Slot::Test(args) => test(&args.reach, ui),
        Slot::Remove(args) => slot_remove::run(args, ui),
        Slot::Recipient(args) => slot_recipient::run(args, ui),
        Slot::Sign(args) => slot_sign::sign(args, ui),
        Slot::Count(args) => slot_sign::count(args, ui),
    }
}

fn list(reach: &Reach, ui: &mut Ui) -> Result<u8, Failure> {
    let file = reach.read()?;
    let slots = listed(&file.slots, "");
    if reach.json {
        let (machine, generation, recipient) = (file.machine, file.generation, file.recipient);
        let schema = "aux.secret-slots/1";
        document(&ListDocument { schema, machine, generation, recipient, slots }, ui)?;
        return Ok(exit::DONE);
    }
    let mut lines = vec![format!("machine {}, generation {}", file.machine, file.generation), file.recipient.clone()];
    lines.extend(list_rows(&slots));
    ui.answer_rows(&lines)?;
    Ok(exit::DONE)
}

fn test(reach: &Reach, ui: &mut Ui) -> Result<u8, Failure> {
    let file = reach.read()?;
    let reports = explain(&file, &reach.surroundings()?).map_err(|error| failure(&error))?;
    let concerns = lint::concerns(&file, reach.mode());
    let is_refused = concerns.iter().any(|concern| concern.is_refusal);
    let may_reboot = lint::may_reboot(&file).is_ok();
    let fails = |outcome: &Outcome| matches!(outcome, Outcome::Refuses { .. });
    let any_fails =
        reports.iter().any(|report| fails(&report.outcome) || report.slots.iter().any(|inner| fails(&inner.outcome)));
    if reach.json {
        let concerns = concerns
            .into_iter()
            .map(|concern| ConcernAnswer { text: concern.text, refused: concern.is_refusal })
            .collect();
        let schema = "aux.secret-slot-test/1";
        let machine = file.machine.clone();
        document(&TestDocument { schema, machine, slots: answers(&reports), concerns, may_reboot }, ui)?;
    } else {
        ui.answer_rows(&rows(&reports))?;
        let said = |concern: &lint::Concern| {
            format!("{}: {}", if concern.is_refusal { "refused" } else { "warning" }, concern.text)
        };
        ui.answer_lines(&concerns.iter().map(said).collect::<Vec<_>>())?;
    }
    Ok(if is_refused || any_fails { exit::NO } else { exit::DONE })
}

fn listed(slots: &[OneSlot], around: &str) -> Vec<Listed> {
    let one = |slot: &OneSlot| {
        let path = if around.is_empty() { slot.name.clone() } else { format!("{around}/{}", slot.name) };
        let inner = match &slot.lock {
            Lock::Threshold { slots, .. } => listed(slots, &path),
            _ => Vec::new(),
        };
        Listed { path, kind: slot.lock.kind(), bound: bound(&slot.lock), slots: inner }
    };
    slots.iter().map(one).collect()
}

fn list_rows(slots: &[Listed]) -> Vec<String> {
    let one = |slot: &Listed| {
        let own = format!("{:<22} {:<10} {}", slot.path, slot.kind, slot.bound);
        std::iter::once(own).chain(list_rows(&slot.slots)).collect::<Vec<_>>()
    };
    slots.iter().flat_map(one).collect()
}

/// What a lock is bound to, in a line.
fn bound(lock: &Lock) -> String {
    match lock {
        Lock::Tpm2(object) => object.policy().to_string(),
        Lock::Tang(jwe) => match tang::binding(jwe) {
            Ok(binding) => format!("{} by key {}", binding.url, binding.thumbprint),
            Err(error) => error.to_string(),
        },
        Lock::Passphrase(_) => "something typed".to_owned(),
        Lock::Recovery => "a printed key".to_owned(),
        Lock::Threshold { threshold, slots } => format!("{threshold} of {}", slots.len()),
    }
}
