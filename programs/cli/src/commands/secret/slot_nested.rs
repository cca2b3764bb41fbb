//! What opens a slot, as a file in TOML says it: thresholds of slots, which may be thresholds themselves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aux_core::limits::{SLOT_DEPTH_MAX, SLOT_FILE_BYTES_MAX};
use aux_core::lines::line_of;
use aux_io::input;
use aux_unlock::{NewLock, NewSlot, PassphraseCost, Surroundings};
use serde::Deserialize;

use super::reach::passphrase;
use super::slot_add::{Binding, asked_twice, index, tang_lock};
use crate::failure::Failure;
use crate::ui::Ui;

/// The file: so many of these slots.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nested {
    threshold: u8,
    slots: Vec<Entry>,
}

/// One slot of it: one of the ways to open, and its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    /// PCRs of this machine's TPM, while they are what they are now.
    tpm2: Option<Vec<u8>>,
    counter: Option<String>,
    policy_key: Option<PathBuf>,
    tang: Option<String>,
    trust: Option<String>,
    #[serde(default)]
    passphrase: bool,
    passphrase_file: Option<PathBuf>,
    #[serde(default)]
    recovery: bool,
    threshold: Option<u8>,
    #[serde(default)]
    slots: Vec<Self>,
}

struct Reader<'a> {
    path: &'a Path,
    surroundings: &'a Surroundings,
}

/// The slot that a file describes. Files that it names lie beside it.
pub(super) fn read(path: &Path, name: &str, surroundings: &Surroundings, ui: &mut Ui) -> Result<NewSlot, Failure> {
    let reader = Reader { path, surroundings };
    let text = String::from_utf8(input::read(path, SLOT_FILE_BYTES_MAX)?);
    let text = text.map_err(|_| reader.wrong("is no text"))?;
    let nested: Nested = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(&text, span.start));
        reader.wrong(&format!("line {line}: {}", error.message()))
    })?;
    let lock = reader.threshold(nested.threshold, nested.slots, 1, ui)?;
    Ok(NewSlot { name: name.to_owned(), lock })
}

impl Reader<'_> {
    fn wrong(&self, why: &str) -> Failure {
        let hint = "docs/unlocking.md shows one; nothing was changed";
        Failure::new(format!("{}: {why}", self.path.display())).hint(hint)
    }

    fn threshold(&self, threshold: u8, slots: Vec<Entry>, depth: usize, ui: &mut Ui) -> Result<NewLock, Failure> {
        if depth > SLOT_DEPTH_MAX {
            return Err(self.wrong(&format!("more than {SLOT_DEPTH_MAX} slots within one another (SLOT_DEPTH_MAX)")));
        }
        if threshold == 0 || usize::from(threshold) > slots.len() {
            return Err(self.wrong(&format!("{threshold} of {} slots is no threshold", slots.len())));
        }
        let slots = slots.into_iter().map(|slot| self.slot(slot, depth + 1, ui)).collect::<Result<_, _>>()?;
        Ok(NewLock::Threshold { threshold, slots })
    }

    fn slot(&self, entry: Entry, depth: usize, ui: &mut Ui) -> Result<NewSlot, Failure> {
        let name = entry.name.clone();
        let ways = [
            entry.tpm2.is_some() || entry.policy_key.is_some(),
            entry.tang.is_some(),
            entry.passphrase || entry.passphrase_file.is_some(),
            entry.recovery,
            entry.threshold.is_some() || !entry.slots.is_empty(),
        ];
        if ways.iter().filter(|way| **way).count() != 1 {
            let why =
                "wants one of tpm2, policy_key, tang, passphrase, passphrase_file, recovery, or threshold with slots";
            return Err(self.wrong(&format!("slot {name} {why}")));
        }
        Ok(NewSlot { name, lock: self.lock(entry, depth, ui)? })
    }

    fn lock(&self, entry: Entry, depth: usize, ui: &mut Ui) -> Result<NewLock, Failure> {
        let beside = |path: &PathBuf| self.path.parent().map_or_else(|| path.clone(), |folder| folder.join(path));
        if let Some(url) = &entry.tang {
            let trusted: Vec<String> = entry.trust.iter().cloned().collect();
            return tang_lock(url, &trusted, self.surroundings, ui);
        }
        if entry.passphrase || entry.passphrase_file.is_some() {
            let typed = match &entry.passphrase_file {
                Some(path) => passphrase(&beside(path))?,
                None => asked_twice(ui)?,
            };
            return Ok(NewLock::Passphrase { passphrase: Arc::new(typed), cost: PassphraseCost::default() });
        }
        if entry.recovery {
            return Ok(NewLock::Recovery);
        }
        if let Some(threshold) = entry.threshold {
            return self.threshold(threshold, entry.slots, depth, ui);
        }
        let counter = entry.counter.as_deref().map(index).transpose().map_err(|error| self.wrong(&error))?;
        let binding = Binding {
            tpm2: entry.tpm2.unwrap_or_default(),
            counter,
            policy_key: entry.policy_key.as_ref().map(beside),
        };
        let policy = binding.policy(self.surroundings)?;
        policy.map(NewLock::Tpm2).ok_or_else(|| self.wrong(&format!("slot {} names no PCR and no key", entry.name)))
    }
}
