//! The synced feed: where it is kept, how old it may be, and what is said of it.

use std::path::PathBuf;

use aux_app::config::Config;
use aux_audit::formats::age;
use aux_sync::{Current, Freshness, MAX_AGE_DEFAULT, State};
use jiff::{SignedDuration, Timestamp};

use super::environment;

/// The state folder: typed, configured, or where programs of this user keep theirs.
pub(super) fn state(typed: Option<PathBuf>, config: &Config) -> State {
    let configured = || config.feed_state.as_ref().map(|set| set.value.clone());
    State::new(typed.or_else(configured).unwrap_or_else(environment::feed_state_folder))
}

/// How long a synced feed speaks for the present.
pub(super) fn max_age(typed_days: Option<u32>, config: &Config) -> SignedDuration {
    let configured = config.feed_max_age_days.as_ref().map(|set| set.value);
    typed_days.or(configured).map_or(MAX_AGE_DEFAULT, |days| SignedDuration::from_hours(24 * i64::from(days)))
}

/// Why a synced feed cannot speak for the present; `None` where it can.
pub(super) fn stale(current: &Current, now: Timestamp, max_age: SignedDuration) -> Option<String> {
    match Freshness::of(current, now, max_age) {
        Freshness::Fresh { .. } => None,
        Freshness::Stale { age: old } => Some(format!(
            "its publisher last vouched for it {} ago, longer than the {} allowed; run `aux feed sync`",
            words(old),
            words(max_age)
        )),
        Freshness::ClockBehind => Some("it was signed later than this machine's clock says; set the clock".to_owned()),
    }
}

/// A span as people say it.
pub(super) fn words(span: SignedDuration) -> String {
    age(u64::try_from(span.as_secs()).unwrap_or_default())
}
