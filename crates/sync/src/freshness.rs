//! How old a kept feed is, and when it is too old to say that anything is clean.

use jiff::{SignedDuration, Timestamp};

use crate::state::Current;

/// How long a feed speaks for the present after its publisher last vouched for it.
pub const MAX_AGE_DEFAULT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A clock that is behind the publisher's by more than this cannot judge age.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_hours(24);

/// A feed's age on some day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// The publisher vouched for it so long ago, and that is recent enough.
    Fresh { age: SignedDuration },
    /// Longer ago than is allowed: what was found since is not in it.
    Stale { age: SignedDuration },
    /// The clock says a time before the feed was signed, so nothing can be said.
    ClockBehind,
}

impl Freshness {
    /// Age counts from the publisher's signature: a server that hides newer ones cannot stretch it.
    pub fn of(current: &Current, now: Timestamp, max_age: SignedDuration) -> Self {
        let age = now.duration_since(current.signed);
        if age < -CLOCK_SLACK {
            return Self::ClockBehind;
        }
        if age > max_age { Self::Stale { age } } else { Self::Fresh { age: age.max(SignedDuration::ZERO) } }
    }

    pub fn is_fresh(self) -> bool {
        matches!(self, Self::Fresh { .. })
    }
}
