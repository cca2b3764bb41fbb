//! Packs that a bucket had not long ago, so that the next NAR that lies in them need not ask for them again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aux_core::limits::{CACHE_BUCKET_BELIEVED_MAX, CACHE_BUCKET_BELIEVED_SECONDS};

/// When the store said last that it has a pack.
#[derive(Debug, Default)]
pub(super) struct Present(Mutex<BTreeMap<u32, Instant>>);

impl Present {
    /// Those of the packs of which nothing is believed any more.
    pub(super) fn unknown(&self, numbers: impl Iterator<Item = u32>, now: Instant) -> Vec<u32> {
        let seen = self.seen();
        numbers.filter(|number| !seen.get(number).is_some_and(|since| is_believed(*since, now))).collect()
    }

    pub(super) fn remember(&self, numbers: &[u32], now: Instant) {
        let mut seen = self.seen();
        if seen.len().saturating_add(numbers.len()) > CACHE_BUCKET_BELIEVED_MAX {
            seen.retain(|_, since| is_believed(*since, now));
        }
        if seen.len().saturating_add(numbers.len()) > CACHE_BUCKET_BELIEVED_MAX {
            // To ask once more costs little.
            seen.clear();
        }
        seen.extend(numbers.iter().map(|number| (*number, now)));
    }

    /// One that could not be read is asked for before it is relied on again.
    pub(super) fn forget(&self, numbers: &[u32]) {
        let mut seen = self.seen();
        for number in numbers {
            seen.remove(number);
        }
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<u32, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether what a bucket had at a moment is still relied on.
pub(super) fn is_believed(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < Duration::from_secs(CACHE_BUCKET_BELIEVED_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_is_believed_for_a_while_and_not_once_it_failed() {
        let (present, start) = (Present::default(), Instant::now());
        let later = |seconds| start + Duration::from_secs(seconds);
        let unknown = |now| present.unknown([1, 2, 3].into_iter(), now);
        assert_eq!(unknown(start), [1, 2, 3]);
        present.remember(&[1, 2], start);
        present.remember(&[3], later(1));
        assert_eq!(unknown(later(2)), Vec::<u32>::new());
        present.forget(&[2, 9]);
        assert_eq!(unknown(later(2)), [2]);
        assert_eq!(unknown(later(CACHE_BUCKET_BELIEVED_SECONDS)), [1, 2]);
        assert_eq!(unknown(later(CACHE_BUCKET_BELIEVED_SECONDS + 1)), [1, 2, 3]);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let (present, start) = (Present::default(), Instant::now());
        let most = u32::try_from(CACHE_BUCKET_BELIEVED_MAX).unwrap();
        present.remember(&(0..most).collect::<Vec<_>>(), start);
        assert_eq!(present.seen().len(), CACHE_BUCKET_BELIEVED_MAX);
        present.remember(&[most], start);
        assert_eq!(present.seen().len(), 1);
    }
}
