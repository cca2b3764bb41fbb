//! The server's time: the machine's, but never going back by what a clock goes back when it is put right.
//!
//! An end of a token that has come, an edition that follows another, a path that is young: what was true of them by one
//! look at the clock stays true by the next.

use std::sync::atomic::{AtomicI64, Ordering};

use aux_core::limits::CACHE_CLOCK_BACK_SECONDS_MAX;
use jiff::Timestamp;

type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine's clock, and the latest second that was seen.
pub(crate) struct Clock {
    machine: Now,
    latest: AtomicI64,
}

impl Clock {
    /// `known` is when something happened last, as far as anybody wrote it down.
    pub(crate) fn new(machine: Now, known: Option<Timestamp>) -> Self {
        let now = machine().as_second();
        let latest = known.map_or(now, Timestamp::as_second);
        // What lies far ahead was written by a clock that was wrong, and not by one that was put right since.
        let latest = if latest.saturating_sub(now) > CACHE_CLOCK_BACK_SECONDS_MAX { now } else { latest.max(now) };
        Self { machine, latest: AtomicI64::new(latest) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let machine = (self.machine)();
        let second = machine.as_second();
        let latest = self.latest.fetch_max(second, Ordering::AcqRel);
        let back = latest.saturating_sub(second);
        if back <= 0 {
            return machine;
        }
        if back > CACHE_CLOCK_BACK_SECONDS_MAX {
            if self.latest.compare_exchange(latest, second, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                tracing::warn!("the clock went back by {back} seconds, and is taken to have been wrong before");
            }
            return machine;
        }
        Timestamp::from_second(latest).unwrap_or(machine)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_clock_that_is_put_right_stands_still_and_one_that_was_far_off_is_followed() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let hand = Arc::new(AtomicI64::new(1_000_000));
        let machine = |hand: &Arc<AtomicI64>| -> Now {
            let hand = Arc::clone(hand);
            Box::new(move || Timestamp::from_second(hand.load(Ordering::Relaxed)).unwrap())
        };
        let clock = Clock::new(machine(&hand), None);
        for (moved, seen) in [
            (1_000_010, 1_000_010),
            (999_000, 1_000_010),
            (1_000_009, 1_000_010),
            (1_000_011, 1_000_011),
            (1_000_011 - CACHE_CLOCK_BACK_SECONDS_MAX, 1_000_011),
            (1_000_010 - CACHE_CLOCK_BACK_SECONDS_MAX, 1_000_010 - CACHE_CLOCK_BACK_SECONDS_MAX),
        ] {
            hand.store(moved, Ordering::Relaxed);
            assert_eq!(clock.now(), at(seen), "the hand at {moved}");
        }
        // A start remembers what the trail says, where that can be.
        hand.store(1_000_000, Ordering::Relaxed);
        assert_eq!(Clock::new(machine(&hand), Some(at(1_000_500))).now(), at(1_000_500));
        assert_eq!(Clock::new(machine(&hand), Some(at(9_000_000))).now(), at(1_000_000));
    }
}
