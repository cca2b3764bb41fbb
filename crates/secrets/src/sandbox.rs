//! What a process that hands out secrets gives up once it has started: all files but those of its folders, and most system calls.
//!
//! landlock(7) closes files, seccomp(2) system calls. A kernel without one of them is told of, and the process goes on with the other.

use std::collections::BTreeMap;
use std::path::Path;

use aux_io::tpm::TpmAddress;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Whether a part of the sandbox holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    Yes,
    /// What this kernel knows of it; later ones know more.
    Partly,
    No {
        why: String,
    },
}

/// What the process gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    /// Files that are not below the folders, all writing, and TCP.
    pub files: Closed,
    /// System calls that serving does not need.
    pub calls: Closed,
}

/// Gives it up, for good. Below `folders` files can still be read, and `tpm` can be asked. Threads that run already keep their files.
pub fn enter(folders: &[&Path], tpm: Option<&TpmAddress>) -> Sandbox {
    let files = match close_files(folders, tpm) {
        Ok(RulesetStatus::FullyEnforced) => Closed::Yes,
        Ok(RulesetStatus::PartiallyEnforced) => Closed::Partly,
        Ok(RulesetStatus::NotEnforced) => Closed::No { why: "this kernel has no landlock, or it is off".to_owned() },
        Err(error) => Closed::No { why: error.to_string() },
    };
    let calls = match close_calls(tpm) {
        Ok(()) => Closed::Yes,
        Err(error) => Closed::No { why: error.to_string() },
    };
    Sandbox { files, calls }
}

fn close_files(folders: &[&Path], tpm: Option<&TpmAddress>) -> Result<RulesetStatus, RulesetError> {
    // All that is known of is asked for; what an older kernel does not know, it leaves open.
    let known = ABI::V6;
    let ruleset =
        Ruleset::default().handle_access(AccessFs::from_all(known))?.handle_access(AccessNet::from_all(known))?;
    let mut ruleset = ruleset.create()?;
    for folder in folders {
        // One that is not there cannot be read later either.
        if let Ok(folder) = PathFd::new(folder) {
            ruleset = ruleset.add_rule(PathBeneath::new(folder, AccessFs::ReadFile | AccessFs::ReadDir))?;
        }
    }
    match tpm {
        Some(TpmAddress::Device(device)) => {
            if let Ok(device) = PathFd::new(device) {
                ruleset = ruleset.add_rule(PathBeneath::new(device, AccessFs::ReadFile | AccessFs::WriteFile))?;
            }
        }
        Some(TpmAddress::Swtpm(address)) => {
            ruleset = ruleset.add_rule(NetPort::new(address.port(), AccessNet::ConnectTcp))?;
        }
        None => {}
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

fn close_calls(tpm: Option<&TpmAddress>) -> Result<(), seccompiler::Error> {
    let architecture = std::env::consts::ARCH.try_into()?;
    // A refused call fails and ends nothing: what a library tries for its own comfort must not stop a machine's services.
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules(tpm)?, refused, SeccompAction::Allow, architecture)?;
    seccompiler::apply_filter_all_threads(&BpfProgram::try_from(filter)?)
}

/// Calls that serving needs, whatever their arguments.
const FREE: &[i64] = &[
    // Who asks, and the answer.
    libc::SYS_accept4,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_ppoll,
    libc::SYS_write,
    libc::SYS_writev,
    // The repository.
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_statx,
    // Memory, and pages for keys.
    libc::SYS_brk,
    libc::SYS_ftruncate,
    libc::SYS_madvise,
    libc::SYS_memfd_secret,
    libc::SYS_mlock,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_getrandom,
    // The runtime: locks, signals, the end.
    libc::SYS_clock_gettime,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
];

/// Calls that a TPM behind a socket needs besides.
const CONNECTING: &[i64] = &[libc::SYS_socket, libc::SYS_connect, libc::SYS_poll, libc::SYS_recvfrom];

/// Files are opened to be read, but for a TPM's device, and no page becomes a program.
fn rules(tpm: Option<&TpmAddress>) -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let (writes, connects) = match tpm {
        // landlock says which file it is.
        Some(TpmAddress::Device(_)) => (0, &[][..]),
        Some(TpmAddress::Swtpm(_)) => (libc::O_ACCMODE, CONNECTING),
        None => (libc::O_ACCMODE, &[][..]),
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        FREE.iter().chain(connects).map(|call| (*call, Vec::new())).collect();
    let writing = writes | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND;
    for (call, argument, bits) in
        [(libc::SYS_openat, 2, writing), (libc::SYS_mmap, 2, libc::PROT_EXEC), (libc::SYS_mprotect, 2, libc::PROT_EXEC)]
    {
        let none_of = SeccompCmpOp::MaskedEq(u64::from(bits.unsigned_abs()));
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, none_of, 0)?;
        rules.insert(call, vec![SeccompRule::new(vec![condition])?]);
    }
    if !connects.is_empty() {
        // A connection that is waited for at most so long does not block: ioctl(2) says so, and may say nothing else.
        let condition = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::FIONBIO)?;
        rules.insert(libc::SYS_ioctl, vec![SeccompRule::new(vec![condition])?]);
    }
    Ok(rules)
}
