//! Where secret bytes lie: pages that the kernel keeps to itself where it can, and that are zeroed when they go.
//!
//! `memfd_secret(2)` takes pages out of the kernel's own map, so that neither a core dump, `/proc/PID/mem` of another
//! process, nor most faults of the kernel can read them. Where the kernel has none, the pages are locked, left out of core
//! dumps, and not given to children.

use std::io;
use std::ptr::{self, NonNull};
use std::slice;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// How many bytes one secret may have: a page of every machine that we run on.
pub const SECRET_BYTES_MAX: usize = 4096;
/// The same as a file's length.
const PAGE_LENGTH: libc::off_t = 4096;

/// Secret bytes on a page of their own. It has neither `Debug` nor `Display` nor `Clone`.
pub struct SecretBytes {
    page: NonNull<u8>,
    length: usize,
    kept: Kept,
}

/// How a secret's page is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// By `memfd_secret`.
    Secret,
    /// By `mlock` and `MADV_DONTDUMP`.
    Locked,
    /// Not at all beyond zeroing: the process may lock no memory.
    Plain,
}

/// Memory that the kernel would not give.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error("the kernel gives no page for a secret: {cause}")]
    Page { cause: io::Error },
    #[error("a secret of {bytes} bytes, more than the {SECRET_BYTES_MAX} allowed (SECRET_BYTES_MAX)")]
    TooLong { bytes: usize },
    #[error("core dumps cannot be switched off: {cause}")]
    Dumps { cause: io::Error },
}

impl SecretBytes {
    /// Moves bytes to a page of their own; where they were, there are zeroes afterwards.
    pub fn take(bytes: &mut [u8]) -> Result<Self, MemoryError> {
        let moved = Self::zeroed(bytes.len()).map(|mut secret| {
            secret.expose_mut().copy_from_slice(bytes);
            secret
        });
        bytes.zeroize();
        moved
    }

    /// So many zeroes, to be filled.
    pub fn zeroed(length: usize) -> Result<Self, MemoryError> {
        if length > SECRET_BYTES_MAX {
            return Err(MemoryError::TooLong { bytes: length });
        }
        let (page, kept) = page().map_err(|cause| MemoryError::Page { cause })?;
        Ok(Self { page, length, kept })
    }

    /// The bytes, for as short as possible.
    #[expect(unsafe_code, reason = "the page is mapped by hand")]
    pub fn expose(&self) -> &[u8] {
        // SAFETY: `page` is a mapping of SECRET_BYTES_MAX bytes that lives as long as `self`, is never handed out
        // otherwise, and `length` is at most that.
        unsafe { slice::from_raw_parts(self.page.as_ptr(), self.length) }
    }

    #[expect(unsafe_code, reason = "the page is mapped by hand")]
    pub fn expose_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `expose`; `&mut self` makes this the only way to the page.
        unsafe { slice::from_raw_parts_mut(self.page.as_ptr(), self.length) }
    }

    /// How this page is kept from others.
    pub fn kept(&self) -> Kept {
        self.kept
    }

    /// Whether both hold the same, in a time that depends on the length alone.
    pub fn is_same(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Drop for SecretBytes {
    #[expect(unsafe_code, reason = "the page is mapped by hand")]
    fn drop(&mut self) {
        self.expose_mut().zeroize();
        // SAFETY: the mapping was made by `page` with this length, and nothing refers to it any more.
        unsafe { libc::munmap(self.page.as_ptr().cast(), SECRET_BYTES_MAX) };
    }
}

#[expect(unsafe_code, reason = "the page is mapped by hand")]
// SAFETY: the page belongs to this value alone; it is plain memory that any thread may read and unmap.
unsafe impl Send for SecretBytes {}

#[expect(unsafe_code, reason = "the page is mapped by hand")]
// SAFETY: through a shared reference the page is only read.
unsafe impl Sync for SecretBytes {}

/// Makes this process one that leaves no core dump and that no other process of its user may look into. Programs that
/// handle secrets call this once, first.
pub fn harden_process() -> Result<(), MemoryError> {
    aux_io::forbid_dumps().map_err(|cause| MemoryError::Dumps { cause })
}

fn page() -> io::Result<(NonNull<u8>, Kept)> {
    if let Some(page) = secret_page() {
        return Ok((page, Kept::Secret));
    }
    let page = map(-1, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)?;
    let kept = if protect(page) { Kept::Locked } else { Kept::Plain };
    Ok((page, kept))
}

/// A page of `memfd_secret`; `None` where the kernel has no such thing or the process has used up what it may lock.
#[expect(unsafe_code, reason = "no crate of ours wraps memfd_secret")]
fn secret_page() -> Option<NonNull<u8>> {
    // SAFETY: the system call takes one flag and returns a descriptor or an error.
    let descriptor = unsafe { libc::syscall(libc::SYS_memfd_secret, libc::O_CLOEXEC) };
    let descriptor = i32::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0)?;
    // SAFETY: the descriptor was opened just now; a mapping outlives the descriptor it was made from.
    let page = unsafe {
        let is_sized = libc::ftruncate(descriptor, PAGE_LENGTH) == 0;
        let page = if is_sized { map(descriptor, libc::MAP_SHARED).ok() } else { None };
        libc::close(descriptor);
        page
    };
    // Children would share the page, and could change it.
    let page = page?;
    advise(page, libc::MADV_DONTFORK);
    Some(page)
}

#[expect(unsafe_code, reason = "a mapping is the one way to memory with these properties")]
fn map(descriptor: i32, flags: i32) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
    let address = unsafe {
        libc::mmap(ptr::null_mut(), SECRET_BYTES_MAX, libc::PROT_READ | libc::PROT_WRITE, flags, descriptor, 0)
    };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(address.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

#[expect(unsafe_code, reason = "locking is a call of the C library")]
fn protect(page: NonNull<u8>) -> bool {
    // SAFETY: the range is the mapping made just before.
    let is_locked = unsafe { libc::mlock(page.as_ptr().cast(), SECRET_BYTES_MAX) } == 0;
    let is_left_out = advise(page, libc::MADV_DONTDUMP);
    advise(page, libc::MADV_DONTFORK);
    is_locked && is_left_out
}

#[expect(unsafe_code, reason = "advice is a call of the C library")]
fn advise(page: NonNull<u8>, advice: i32) -> bool {
    // SAFETY: the range is a mapping of ours; the advice given changes no byte of it.
    unsafe { libc::madvise(page.as_ptr().cast(), SECRET_BYTES_MAX, advice) == 0 }
}

#[cfg(test)]
mod tests {
    use rustix::process::{DumpableBehavior, Resource};

    use super::*;

    #[test]
    fn bytes_move_to_a_page_that_is_kept_from_others() {
        let mut bytes = *b"a slot key of thirty-two bytes..";
        let secret = SecretBytes::take(&mut bytes).unwrap();
        assert_eq!(bytes, [0; 32]);
        assert_eq!(secret.expose(), b"a slot key of thirty-two bytes..");
        assert_ne!(secret.kept(), Kept::Plain);
    }

    #[test]
    fn a_hardened_process_leaves_no_core_and_lets_nobody_look() {
        harden_process().unwrap();
        let limit = rustix::process::getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }

    #[test]
    fn equal_secrets_are_the_same_and_a_page_is_the_most() {
        let secret = |text: &str| SecretBytes::take(&mut text.as_bytes().to_vec()).unwrap();
        assert!(secret("a").is_same(&secret("a")));
        assert!(!secret("a").is_same(&secret("b")));
        assert!(!secret("a").is_same(&secret("aa")));
        assert!(matches!(SecretBytes::zeroed(SECRET_BYTES_MAX + 1), Err(MemoryError::TooLong { .. })));
    }
}
