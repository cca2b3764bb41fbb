//! What wakes the daemon up: a changed feed, a switched system, a changed target, a finished round.
//!
//! inotify(7) alone, in one thread that blocks; nothing looks again by the clock. Files and links are watched through
//! their folder, because they change by being replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::thread;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

/// Why the daemon's main loop goes round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The feed or a watched system may have changed.
    Changed,
    /// Somebody asked for a round.
    Refresh,
    /// A round, ours or another's, has stored what it found.
    Round,
    /// The child that ran our round has ended.
    Ended,
    /// A caller was answered, which may have taken much memory.
    Answered,
    /// The bus went away.
    BusGone,
}

/// What is looked at, and what it means when it changes.
#[derive(Debug, Default)]
pub(crate) struct Places {
    folders: BTreeMap<PathBuf, BTreeSet<(Option<OsString>, u8)>>,
}

const CHANGED: u8 = 0;
const ROUND: u8 = 1;

impl Places {
    /// A file or link, by its name in its folder.
    pub(crate) fn named(&mut self, path: &Path) {
        self.add(path, CHANGED);
    }

    /// The file that every round replaces at its end.
    pub(crate) fn round(&mut self, path: &Path) {
        self.add(path, ROUND);
    }

    /// Everything directly in a folder.
    pub(crate) fn folder(&mut self, path: &Path) {
        self.folders.entry(path.to_path_buf()).or_default().insert((None, CHANGED));
    }

    fn add(&mut self, path: &Path, meaning: u8) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().map(std::ffi::OsStr::to_owned);
        self.folders.entry(parent.to_path_buf()).or_default().insert((name, meaning));
    }
}

/// Starts to watch. What cannot be watched is returned by name with the reason; the timer still looks there.
pub(crate) fn watch(places: Places, wake: Sender<Wake>) -> Vec<String> {
    let queue = match inotify::init(CreateFlags::CLOEXEC) {
        Ok(queue) => queue,
        Err(error) => return vec![format!("changes cannot be watched: {error}")],
    };
    let flags = WatchFlags::CREATE
        | WatchFlags::MOVED_TO
        | WatchFlags::CLOSE_WRITE
        | WatchFlags::DELETE
        | WatchFlags::MOVED_FROM
        | WatchFlags::ONLYDIR;
    let mut problems = Vec::new();
    let mut watches = BTreeMap::new();
    for (folder, names) in places.folders {
        match inotify::add_watch(&queue, &folder, flags) {
            // Two names of one folder have one watch.
            Ok(number) => watches.entry(number).or_insert_with(BTreeSet::new).extend(names),
            Err(error) => problems.push(format!("{} cannot be watched: {error}", folder.display())),
        }
    }
    if !watches.is_empty() {
        thread::spawn(move || listen(queue, &watches, &wake));
    }
    problems
}

fn listen(queue: OwnedFd, watches: &BTreeMap<i32, BTreeSet<(Option<OsString>, u8)>>, wake: &Sender<Wake>) {
    let mut buffer = [MaybeUninit::uninit(); 4_096];
    let mut reader = Reader::new(queue, &mut buffer);
    loop {
        let event = match reader.next() {
            Ok(event) => event,
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
        };
        let meaning = if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
            Some(CHANGED)
        } else {
            let name = event.file_name().map(|name| std::ffi::OsStr::from_bytes(name.to_bytes()));
            let names = watches.get(&event.wd());
            let is_meant = |wanted: &Option<OsString>| wanted.is_none() || wanted.as_deref() == name;
            names.and_then(|names| names.iter().find(|(wanted, _)| is_meant(wanted)).map(|(_, meaning)| *meaning))
        };
        let sent = match meaning {
            Some(ROUND) => wake.send(Wake::Round),
            Some(_) => wake.send(Wake::Changed),
            None => Ok(()),
        };
        if sent.is_err() {
            return;
        }
    }
}
