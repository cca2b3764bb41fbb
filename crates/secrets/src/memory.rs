//! What keeps secrets out of core dumps, from other processes of the same user, and from staying where they were used.

use std::hint::black_box;
use std::sync::Arc;

use aux_unlock::memory::SecretBytes as Page;
use zeroize::Zeroizing;

pub use aux_unlock::memory::Kept;

/// From now on this process leaves no core and cannot be traced or read by others of its user; root still can. Where the
/// system refuses, nothing is lost that was there before.
pub fn protect() {
    aux_io::forbid_dumps().ok();
}

/// Bytes at rest: on a page that the kernel keeps to itself, where it has such pages.
#[derive(Clone)]
pub struct KeptBytes(Arc<Place>);

enum Place {
    Page(Page),
    /// More than a page, or no page to be had.
    Heap(Zeroizing<Vec<u8>>),
}

impl KeptBytes {
    /// Copies them; the caller overwrites what it has.
    pub fn copy(bytes: &[u8]) -> Self {
        let page = Page::zeroed(bytes.len()).map(|mut page| {
            page.expose_mut().copy_from_slice(bytes);
            page
        });
        Self(Arc::new(page.map_or_else(|_| Place::Heap(Zeroizing::new(bytes.to_vec())), Place::Page)))
    }

    /// The bytes, for as short as possible.
    pub fn reveal(&self) -> &[u8] {
        match &*self.0 {
            Place::Page(page) => page.expose(),
            Place::Heap(bytes) => bytes,
        }
    }

    /// How they are kept from others.
    pub fn kept(&self) -> Kept {
        match &*self.0 {
            Place::Page(page) => page.kept(),
            Place::Heap(_) => Kept::Plain,
        }
    }
}

/// The weaker of two ways.
pub fn weaker(one: Kept, other: Kept) -> Kept {
    match (one, other) {
        (Kept::Plain, _) | (_, Kept::Plain) => Kept::Plain,
        (Kept::Locked, _) | (_, Kept::Locked) => Kept::Locked,
        (Kept::Secret, Kept::Secret) => Kept::Secret,
    }
}

/// What one frame of [`scrub_stack`] covers.
const FRAME_BYTES: usize = 16 << 10;
/// Together half a megabyte: what deriving, unlocking and parsing reach in builds without optimisation too.
const FRAMES: usize = 32;

/// Overwrites the stack below the caller. Values overwrite themselves when they are dropped, but functions that returned
/// leave copies there that nobody can drop: of a key that was moved, or in the state of a hash.
pub fn scrub_stack() {
    scrub_frames(FRAMES);
}

#[inline(never)]
fn scrub_frames(left: usize) {
    let mut frame = [0_u8; FRAME_BYTES];
    // Whoever looked could see it, so it is really written.
    black_box(&mut frame);
    if left > 1 {
        scrub_frames(left - 1);
    }
    // Keeps the frame until here, so that the next one lies below it.
    black_box(&mut frame);
}

#[cfg(test)]
mod tests {
    use rustix::process::{DumpableBehavior, Resource};

    use super::*;

    #[test]
    fn a_protected_process_leaves_no_core() {
        protect();
        assert_eq!(rustix::process::getrlimit(Resource::Core).current, Some(0));
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }

    #[test]
    fn bytes_at_rest_are_on_a_page_unless_they_are_more() {
        let key = KeptBytes::copy(b"a key");
        assert!(key.reveal() == b"a key" && key.kept() != Kept::Plain && key.clone().reveal() == b"a key");
        let more = KeptBytes::copy(&[7; 4097]);
        assert!(more.reveal() == [7; 4097] && more.kept() == Kept::Plain);
        assert_eq!(weaker(key.kept(), more.kept()), Kept::Plain);
        assert_eq!(weaker(Kept::Secret, Kept::Locked), Kept::Locked);
    }
}
