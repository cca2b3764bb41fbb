//! The file of slots as JSON (docs/formats/slots.md): read strictly, written the same each time.

use std::collections::BTreeSet;

use aux_core::limits::{
    PASSPHRASE_MEMORY_KIB_MAX, PASSPHRASE_PASSES_MAX, SLOT_DEPTH_MAX, SLOT_FILE_BYTES_MAX, SLOT_NAME_BYTES_MAX,
    SLOT_TEXT_BYTES_MAX, SLOTS_MAX,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::tpm_document::TpmObjectDocument;
use super::{Lock, Slot, SlotFile, SlotFileError, path_of};
use crate::passphrase::{PassphraseCost, PassphraseLock};
use crate::wrap::VERSION;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: String,
    machine: String,
    generation: u32,
    recipient: String,
    slots: Vec<SlotDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotDocument {
    name: String,
    lock: LockDocument,
    wrapped: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum LockDocument {
    Tpm2 { object: TpmObjectDocument },
    Tang { jwe: String },
    Passphrase { memory_kib: u32, passes: u32, salt: String },
    Recovery {},
    Threshold { threshold: u8, slots: Vec<SlotDocument> },
}

/// Reads a file of slots. Fields that it does not know are refused: they may be what keeps a slot closed.
pub fn parse(bytes: &[u8]) -> Result<SlotFile, SlotFileError> {
    let document: Document = document(bytes)?;
    of_schema(&document.schema, VERSION)?;
    name(&document.machine)?;
    if document.slots.is_empty() {
        return Err(SlotFileError::Empty);
    }
    let recipient = document.recipient;
    if recipient.parse::<age::x25519::Recipient>().is_err() {
        let (what, expected) = ("recipient", "an age recipient, age1…");
        return Err(SlotFileError::Field { path: "the file".to_owned(), what, expected });
    }
    let mut count = 0;
    let slots = slots(document.slots, "", 0, &mut count)?;
    Ok(SlotFile { machine: document.machine, generation: document.generation, recipient, slots })
}

/// Writes a file of slots.
pub fn print(file: &SlotFile) -> String {
    let document = Document {
        schema: VERSION.to_owned(),
        machine: file.machine.clone(),
        generation: file.generation,
        recipient: file.recipient.clone(),
        slots: file.slots.iter().map(SlotDocument::of).collect(),
    };
    text(&document)
}

/// A document with a line's end. Maps with keys of text and numbers cannot fail to be written.
pub(super) fn text(document: &impl Serialize) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}

/// Reads JSON, and tells one that was cut short from one that is another document.
pub(super) fn document<Document: DeserializeOwned>(bytes: &[u8]) -> Result<Document, SlotFileError> {
    if u64::try_from(bytes.len()).is_ok_and(|length| length > SLOT_FILE_BYTES_MAX) {
        return Err(SlotFileError::TooLong { bytes: bytes.len() });
    }
    serde_json::from_slice(bytes).map_err(|error| {
        if error.is_eof() {
            SlotFileError::Truncated { bytes: bytes.len() }
        } else {
            SlotFileError::Syntax { cause: error.to_string() }
        }
    })
}

pub(super) fn of_schema(found: &str, expected: &'static str) -> Result<(), SlotFileError> {
    if found == expected { Ok(()) } else { Err(SlotFileError::Schema { found: found.to_owned(), expected }) }
}

/// Checks the name of a slot or a machine.
pub(crate) fn name(name: &str) -> Result<(), SlotFileError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    let is_name = (1..=SLOT_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain);
    if is_name { Ok(()) } else { Err(SlotFileError::Name { name: name.to_owned() }) }
}

fn slots(
    documents: Vec<SlotDocument>,
    around: &str,
    depth: usize,
    count: &mut usize,
) -> Result<Vec<Slot>, SlotFileError> {
    let mut names = BTreeSet::new();
    let mut slots = Vec::new();
    for document in documents {
        let path = path_of(around, &document.name);
        name(&document.name)?;
        *count += 1;
        if *count > SLOTS_MAX {
            return Err(SlotFileError::TooMany);
        }
        if !names.insert(document.name.clone()) {
            return Err(SlotFileError::Repeated { path });
        }
        let wrapped = decoded(&document.wrapped, &path, "wrapped")?;
        let lock = document.lock.lock(&path, depth, count)?;
        slots.push(Slot { name: document.name, lock, wrapped });
    }
    Ok(slots)
}

impl LockDocument {
    fn lock(self, path: &str, depth: usize, count: &mut usize) -> Result<Lock, SlotFileError> {
        let path = path.to_owned();
        match self {
            Self::Tpm2 { object } => object.object(&path).map(Lock::Tpm2),
            Self::Tang { jwe } if jwe.len() > SLOT_TEXT_BYTES_MAX => {
                Err(SlotFileError::FieldTooLong { path, what: "jwe" })
            }
            Self::Tang { jwe } => match crate::tang::binding(&jwe) {
                Ok(_) => Ok(Lock::Tang(jwe)),
                Err(_) => Err(SlotFileError::Field { path, what: "jwe", expected: "a JWE bound to a tang server" }),
            },
            Self::Passphrase { memory_kib, passes, salt } => {
                let is_memory = (8..=PASSPHRASE_MEMORY_KIB_MAX).contains(&memory_kib);
                if !is_memory || !(1..=PASSPHRASE_PASSES_MAX).contains(&passes) {
                    return Err(SlotFileError::Cost { path, memory_kib, passes });
                }
                let salt = decoded(&salt, &path, "salt")?.try_into();
                let wrong = |_| SlotFileError::Field { path, what: "salt", expected: "16 bytes" };
                let cost = PassphraseCost { memory_kib, passes };
                Ok(Lock::Passphrase(PassphraseLock { salt: salt.map_err(wrong)?, cost }))
            }
            Self::Recovery {} => Ok(Lock::Recovery),
            Self::Threshold { .. } if depth >= SLOT_DEPTH_MAX => Err(SlotFileError::TooDeep { path }),
            Self::Threshold { threshold, slots: inner } => {
                if threshold == 0 || usize::from(threshold) > inner.len() {
                    return Err(SlotFileError::Threshold { path, threshold, slots: inner.len() });
                }
                Ok(Lock::Threshold { threshold, slots: slots(inner, &path, depth + 1, count)? })
            }
        }
    }

    fn of(lock: &Lock) -> Self {
        match lock {
            Lock::Tpm2(object) => Self::Tpm2 { object: TpmObjectDocument::of(object) },
            Lock::Tang(jwe) => Self::Tang { jwe: jwe.clone() },
            Lock::Passphrase(lock) => Self::Passphrase {
                memory_kib: lock.cost.memory_kib,
                passes: lock.cost.passes,
                salt: encoded(&lock.salt),
            },
            Lock::Recovery => Self::Recovery {},
            Lock::Threshold { threshold, slots } => {
                Self::Threshold { threshold: *threshold, slots: slots.iter().map(SlotDocument::of).collect() }
            }
        }
    }
}

impl SlotDocument {
    fn of(slot: &Slot) -> Self {
        Self { name: slot.name.clone(), lock: LockDocument::of(&slot.lock), wrapped: encoded(&slot.wrapped) }
    }
}

pub(super) fn encoded(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

pub(super) fn decoded(text: &str, path: &str, what: &'static str) -> Result<Vec<u8>, SlotFileError> {
    let path = path.to_owned();
    if text.len() > SLOT_TEXT_BYTES_MAX {
        return Err(SlotFileError::FieldTooLong { path, what });
    }
    BASE64_STANDARD.decode(text).map_err(|_| SlotFileError::Field { path, what, expected: "base64" })
}
