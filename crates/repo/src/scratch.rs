//! A folder for files that are wanted for a moment, gone when its owner is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Attempts at a free name; more than a few means somebody squats them on purpose.
const NAMES_MAX: u32 = 1_024;

/// A folder of its own. What is in it goes with it.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// A new, empty folder in `cache`, which is made where it is not there.
    pub fn in_cache(cache: &Path) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        fs::create_dir_all(cache)?;
        // Nix takes a path as it is written, and refuses one that leads through a link.
        let cache = cache.canonicalize()?;
        for _ in 0..NAMES_MAX {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let folder = cache.join(format!("scratch-{}-{number}", std::process::id()));
            match fs::create_dir(&folder) {
                Ok(()) => return Ok(Self { folder }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// A name in the folder, where nothing is yet.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nobody is left to be told; a folder that stays is found in the cache, under this name.
        fs::remove_dir_all(&self.folder).ok();
    }
}
