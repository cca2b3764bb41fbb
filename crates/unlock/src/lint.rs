//! Whether a file of slots is fit to be relied on: what may fail before nothing opens, and who could open it unasked.

use crate::slot::{Lock, Slot, SlotFile, path_of};

/// Something about a file of slots that should not be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    pub text: String,
    /// Whether it is reason enough to go no further: to refuse a reboot or the file itself.
    pub is_refusal: bool,
}

/// Permission bits of others than the owner.
const OTHERS: u32 = 0o077;

/// What is wrong with a file, given its permission bits.
pub fn concerns(file: &SlotFile, mode: u32) -> Vec<Concern> {
    let mut concerns: Vec<Concern> =
        single_points(file).into_iter().map(|text| Concern { text, is_refusal: true }).collect();
    let by_tang_alone = opens(&file.slots, "", &|_, lock| matches!(lock, Lock::Tang(_)));
    let is_readable = mode & OTHERS != 0;
    if by_tang_alone {
        let text = "servers of tang alone open it: whoever has this file and reaches them has the key";
        let also = if is_readable { ", and other users of this machine may read the file" } else { "" };
        concerns.push(Concern { text: format!("{text}{also}"), is_refusal: is_readable });
    }
    if is_readable {
        let text = format!("other users of this machine may read it (mode {:04o}); chmod 600", mode & 0o7777);
        concerns.push(Concern { text, is_refusal: by_tang_alone });
    }
    concerns
}

/// Whether the machine may be restarted: whatever single thing fails then, something must still open.
pub fn may_reboot(file: &SlotFile) -> Result<(), Vec<String>> {
    let points = single_points(file);
    if points.is_empty() { Ok(()) } else { Err(points) }
}

/// What alone keeps the file openable. All slots of one TPM fail together.
fn single_points(file: &SlotFile) -> Vec<String> {
    let mut leaves = Vec::new();
    gather(&file.slots, "", &mut leaves);
    let mut points = Vec::new();
    if !opens(&file.slots, "", &|_, lock| !matches!(lock, Lock::Tpm2(_))) {
        points.push("when the TPM changes its mind or is replaced, nothing opens; add a slot without it".to_owned());
    }
    for (path, lock) in leaves {
        if !matches!(lock, Lock::Tpm2(_)) && !opens(&file.slots, "", &|other, _| other != path) {
            points.push(format!("without slot {path} ({}) nothing opens; add a second slot", lock.kind()));
        }
    }
    points
}

fn gather<'a>(slots: &'a [Slot], around: &str, into: &mut Vec<(String, &'a Lock)>) {
    for slot in slots {
        let path = path_of(around, &slot.name);
        match &slot.lock {
            Lock::Threshold { slots, .. } => gather(slots, &path, into),
            lock => into.push((path, lock)),
        }
    }
}

/// Whether one of these slots opens when those leaves do that `does` says.
fn opens(slots: &[Slot], around: &str, does: &dyn Fn(&str, &Lock) -> bool) -> bool {
    slots.iter().any(|slot| opens_one(slot, &path_of(around, &slot.name), does))
}

fn opens_one(slot: &Slot, path: &str, does: &dyn Fn(&str, &Lock) -> bool) -> bool {
    match &slot.lock {
        Lock::Threshold { threshold, slots } => {
            let opened = slots.iter().filter(|slot| opens_one(slot, &path_of(path, &slot.name), does)).count();
            opened >= usize::from(*threshold)
        }
        lock => does(path, lock),
    }
}
