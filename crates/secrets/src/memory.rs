//! What keeps secrets out of core dumps and from other processes of the same user.

/// From now on this process leaves no core and cannot be traced or read by others of its user; root still can. Where the
/// system refuses, nothing is lost that was there before.
pub fn protect() {
    aux_io::forbid_dumps().ok();
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
}
