//! Who holds a database: `SQLite` only says that somebody does, the kernel knows which process.

use std::fs;
use std::path::Path;

/// A process that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    pub process: u32,
    /// The program's name as the kernel keeps it; empty where the process ended meanwhile.
    pub program: String,
}

/// The processes with a lock on the database or the files beside it; empty where the system does not tell.
#[cfg(target_os = "linux")]
pub(crate) fn holders(path: &Path) -> Vec<Holder> {
    use std::os::unix::fs::MetadataExt;
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        fs::metadata(name).ok().map(|metadata| metadata.ino())
    };
    let files: Vec<u64> = ["", "-wal", "-shm"].into_iter().filter_map(beside).collect();
    let Ok(locks) = fs::read_to_string("/proc/locks") else { return Vec::new() };
    let mut found: Vec<Holder> = locks
        .lines()
        .filter_map(lock)
        .filter(|(process, inode)| files.contains(inode) && *process != std::process::id())
        .map(|(process, _)| Holder { process, program: program(process) })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn holders(_: &Path) -> Vec<Holder> {
    Vec::new()
}

/// Process and inode of a line `1: POSIX  ADVISORY  WRITE 4242 fe:01:1052682 120 120` (proc_locks(5)). The device is
/// left out: the kernel writes that of the filesystem, which for some is not the one that `stat` names.
#[cfg(target_os = "linux")]
fn lock(line: &str) -> Option<(u32, u64)> {
    let mut words = line.split_whitespace().skip(1).filter(|word| *word != "->");
    let process = words.nth(3)?.parse().ok()?;
    let inode = words.next()?.rsplit(':').next()?.parse().ok()?;
    Some((process, inode))
}

#[cfg(target_os = "linux")]
fn program(process: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}

/// The holders as an error names them.
pub(crate) fn named(holders: &[Holder]) -> String {
    let each = |holder: &Holder| match holder.program.as_str() {
        "" => format!("process {}", holder.process),
        program => format!("{program} (process {})", holder.process),
    };
    match holders {
        [] => "another program".to_owned(),
        some => some.iter().map(each).collect::<Vec<_>>().join(" and "),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_names_process_and_file() {
        assert_eq!(lock("1: POSIX  ADVISORY  WRITE 4242 fe:01:1052682 120 120"), Some((4242, 1_052_682)));
        assert_eq!(lock("2: -> FLOCK  ADVISORY  WRITE 17 00:2f:9 0 EOF"), Some((17, 9)));
        assert_eq!(lock("no lock"), None);
    }

    #[test]
    fn holders_are_named_as_a_person_would() {
        let holder = |process, program: &str| Holder { process, program: program.to_owned() };
        assert_eq!(named(&[]), "another program");
        assert_eq!(named(&[holder(1, "auxd"), holder(2, "")]), "auxd (process 1) and process 2");
    }
}
