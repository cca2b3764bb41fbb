//! What keeps a process that handles secrets out of core dumps, and from other processes of the same user.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// From now on this process leaves no core and cannot be traced or read by others of its user; root still can. Both are
/// tried; the error is that of the first that failed, and then nothing is lost that was there before.
pub fn forbid_dumps() -> io::Result<()> {
    let limited = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let hidden = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    Ok(limited.and(hidden)?)
}
