//! Gives memory back after a large answer: the C library keeps what was freed, and an idle agent has no use for it.

/// Returns every page that is free as a whole to the system (`malloc_trim(3)`).
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the C library is asked, and no Rust crate does it for us")]
pub(crate) fn give_back() {
    // SAFETY: it takes a number, touches no memory that is in use, and may be called at any time from any thread.
    unsafe { libc::malloc_trim(0) };
}

/// Other C libraries give it back by themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn give_back() {}
