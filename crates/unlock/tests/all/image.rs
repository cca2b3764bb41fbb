//! The process's memory after an unlock: the slot key lies on its own page, which nothing else reads, and nowhere else.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use aux_unlock::{RecoveryKey, SlotKey, Surroundings, open, slot};

use crate::slots::surroundings;

/// What is looked for, with every bit turned: the search itself is no find.
struct Needle([u8; 32]);

impl Needle {
    fn of(key: &SlotKey) -> Self {
        let mut turned = [0; 32];
        for (turned, byte) in turned.iter_mut().zip(key.expose()) {
            *turned = !byte;
        }
        Self(turned)
    }

    fn is_at(&self, window: &[u8]) -> bool {
        window.iter().zip(&self.0).all(|(byte, turned)| *byte == !turned)
    }
}

#[test]
fn the_slot_key_lies_nowhere_in_the_image_of_the_process() {
    let file = slot::parse(include_bytes!("../vectors/slots.json")).unwrap();
    let recovery = Some(Arc::new(RecoveryKey::parse(include_str!("../vectors/recovery-key")).unwrap()));
    let opened = open(&file, &Surroundings { recovery, ..surroundings() }).unwrap();
    let found = places_of(&opened.key);
    assert!(found.is_empty(), "the slot key was left in {found:#?}");
    let planted = opened.key.expose().to_vec();
    assert_eq!(places_of(&opened.key).len(), 1, "the search finds what is there");
    drop(planted);
}

/// Mappings other than the key's own page that hold the key.
fn places_of(key: &SlotKey) -> Vec<String> {
    let needle = Needle::of(key);
    let image = File::open("/proc/self/mem").unwrap();
    let mut found = Vec::new();
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let (start, end) = (number(start), number(end));
        // Pages of memfd_secret cannot be read here at all; where the kernel has none, the key's own page is left out.
        let own = key.expose().as_ptr() as u64;
        if !rest.starts_with("rw") || (start..end).contains(&own) || end - start > 1 << 28 {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        if image.read_exact_at(&mut bytes, start).is_ok() && bytes.windows(32).any(|window| needle.is_at(window)) {
            found.push(line.to_owned());
        }
    }
    found
}
