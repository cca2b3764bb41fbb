//! Which paths are used: noted in memory as they are asked for, once a day each, and written down together now and then.
//!
//! No request waits for the records because of it. What is not written down when a server is killed is a minute of one day.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cache::Cache;
use crate::catalogue::Kept;
use crate::records::{RecordsError, uses};

/// Uses that are not written down yet.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<Vec<(i64, u32)>>);

impl Uses {
    fn waiting(&self) -> MutexGuard<'_, Vec<(i64, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    /// Notes that somebody asked for a path.
    pub(crate) fn note_use(&self, path: &Kept) {
        let day = u32::try_from(uses::day(self.now())).unwrap_or_default();
        if path.is_first_use(day) {
            self.uses.waiting().push((path.number, day));
        }
    }

    /// Writes down what was used since this was done last. What cannot be written down now waits for the next time.
    pub(crate) fn write_uses(&self) -> Result<(), RecordsError> {
        let mut waiting = std::mem::take(&mut *self.uses.waiting());
        waiting.sort_unstable_by_key(|(path, day)| (*day, *path));
        for same in waiting.chunk_by(|(_, day), (_, next)| day == next) {
            let Some((_, day)) = same.first() else { continue };
            let paths: Vec<i64> = same.iter().map(|(path, _)| *path).collect();
            if let Err(error) = self.records.put_uses(&paths, i64::from(*day)) {
                self.uses.waiting().append(&mut waiting);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The same for somebody who goes on without it, because the disk is full or the database away.
    pub(crate) fn try_to_write_uses(&self) {
        if let Err(error) = self.write_uses() {
            tracing::warn!("uses are not written down yet: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use jiff::Timestamp;

    use super::*;
    use crate::cache::Surroundings;
    use crate::objects::Keep;
    use crate::records::{Place, Records};

    const DAY: i64 = 86_400;

    /// A cache with a path, and its clock.
    fn cache(data: &std::path::Path, second: &Arc<AtomicI64>) -> Cache {
        let clock = Arc::clone(second);
        let now = Box::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap());
        Cache::open(data, Surroundings { now, ..Surroundings::of_a_test(Keep::Whole) }).unwrap()
    }

    fn kept() -> Kept {
        let hash = aux_nix::Sha256::of(b"").nix32();
        let narinfo = format!(
            "StorePath: /nix/store/{}-x\nURL: nar/{hash}.nar\nCompression: none\nFileHash: sha256:{hash}\nFileSize: 1\n\
             NarHash: sha256:{hash}\nNarSize: 1\nReferences: \n",
            "0".repeat(32)
        );
        Kept::cut(7, &narinfo, None).unwrap()
    }

    #[test]
    fn a_path_is_noted_once_a_day_however_often_it_is_asked_for() {
        let data = tempfile::tempdir().unwrap();
        let second = Arc::new(AtomicI64::new(100 * DAY));
        let (cache, path) = (cache(data.path(), &second), kept());
        for _ in 0..1_000 {
            cache.note_use(&path);
        }
        assert_eq!(*cache.uses.waiting(), [(7, 100)]);
        second.store(101 * DAY - 1, Ordering::SeqCst);
        cache.note_use(&path);
        second.store(101 * DAY, Ordering::SeqCst);
        cache.note_use(&path);
        assert_eq!(*cache.uses.waiting(), [(7, 100), (7, 101)]);
        // No record knows the path any more.
        cache.write_uses().unwrap();
        assert!(cache.uses.waiting().is_empty());
        assert_eq!(cache.records.uses_since().unwrap().map(Timestamp::as_second), Some(100 * DAY));
    }

    #[test]
    fn what_cannot_be_written_down_waits() {
        let Some(cluster) = crate::postgres::Postgres::new() else { return };
        let data = tempfile::tempdir().unwrap();
        let place = Place::parse(&cluster.database(), None).unwrap();
        let cache = Cache::open_shared(data.path(), &place, Surroundings::of_a_test(Keep::Whole)).unwrap();
        cache.uses.waiting().push((7, 1));
        Records::connect(&place).unwrap().corrupt("ALTER TABLE used RENAME TO hidden");
        assert!(cache.write_uses().is_err());
        assert_eq!(*cache.uses.waiting(), [(7, 1)]);
        cache.records.corrupt("ALTER TABLE hidden RENAME TO used");
        cache.write_uses().unwrap();
        assert!(cache.uses.waiting().is_empty());
    }
}
