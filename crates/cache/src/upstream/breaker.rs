//! A circuit breaker: an upstream that fails again and again is left alone for a while, and then tried with one question.

use std::time::Duration;

use aux_core::limits::{CACHE_UPSTREAM_FAILURES_MAX, CACHE_UPSTREAM_REST_SECONDS, CACHE_UPSTREAM_REST_SECONDS_MAX};
use tokio::time::Instant;

/// What an upstream's last answers say about asking it again. Time comes from the caller.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// How often it opened without a success since.
    openings: u32,
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    /// One question is on its way; all others are held back until it is answered.
    HalfOpen,
}

/// A breaker as people are shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    /// `closed`, `open` or `half-open`.
    pub word: &'static str,
    /// Failures in a row.
    pub failures: u32,
    /// Until the next question may be asked; of an open one.
    pub seconds_left: Option<u64>,
}

impl Breaker {
    /// Whether a question may be asked now. Whoever was let through must tell how it went, or that it was never asked.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until } if now >= until => {
                self.state = State::HalfOpen;
                true
            }
            State::Open { .. } | State::HalfOpen => false,
        }
    }

    /// Whether what was answered before may be fetched now; a fetch can take an hour and is no trial.
    pub(super) fn admits_fetch(&self, now: Instant) -> bool {
        !matches!(self.state, State::Open { until } if now < until)
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Counts a failure; whether the breaker opens by it.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let opens = match self.state {
            State::Closed => self.failures >= CACHE_UPSTREAM_FAILURES_MAX,
            State::HalfOpen => true,
            // Asked before it opened, and answered only now.
            State::Open { .. } => false,
        };
        if opens {
            let factor = 1_u64.checked_shl(self.openings).unwrap_or(u64::MAX);
            let seconds = CACHE_UPSTREAM_REST_SECONDS.saturating_mul(factor).min(CACHE_UPSTREAM_REST_SECONDS_MAX);
            self.openings = self.openings.saturating_add(1);
            self.state = State::Open { until: now + Duration::from_secs(seconds) };
        }
        opens
    }

    /// What was let through was not asked at all: the next one may be.
    pub(super) fn abandoned(&mut self, now: Instant) {
        if self.state == State::HalfOpen {
            self.state = State::Open { until: now };
        }
    }

    pub(super) fn shown(&self, now: Instant) -> Shown {
        let (word, seconds_left) = match self.state {
            State::Closed => ("closed", None),
            State::Open { until } => ("open", Some(until.saturating_duration_since(now).as_secs())),
            State::HalfOpen => ("half-open", None),
        };
        Shown { word, failures: self.failures, seconds_left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_lets_one_through_and_rests_longer_each_time() {
        let mut breaker = Breaker::default();
        let mut now = Instant::now();
        for _ in 1..CACHE_UPSTREAM_FAILURES_MAX {
            assert!(breaker.admits(now) && !breaker.failed(now));
        }
        breaker.succeeded();
        for failure in 1..=CACHE_UPSTREAM_FAILURES_MAX {
            assert!(breaker.admits(now));
            assert_eq!(breaker.failed(now), failure == CACHE_UPSTREAM_FAILURES_MAX);
        }
        let mut rests = Vec::new();
        for _ in 0..7 {
            let Shown { word: "open", seconds_left: Some(seconds), .. } = breaker.shown(now) else { panic!() };
            rests.push(seconds);
            assert!(!breaker.admits(now) && !breaker.admits_fetch(now));
            assert!(!breaker.failed(now), "a late answer opens it no longer");
            now += Duration::from_secs(seconds);
            assert!(breaker.admits(now) && !breaker.admits(now) && breaker.admits_fetch(now));
            assert_eq!(breaker.shown(now).word, "half-open");
            assert!(breaker.failed(now));
        }
        assert_eq!(rests, [30, 60, 120, 240, 480, 600, 600]);
        now += Duration::from_mins(10);
        assert!(breaker.admits(now));
        breaker.abandoned(now);
        assert!(breaker.admits(now), "who was let through and never asked makes room for the next");
        breaker.succeeded();
        assert_eq!(breaker.shown(now), Shown { word: "closed", failures: 0, seconds_left: None });
    }
}
