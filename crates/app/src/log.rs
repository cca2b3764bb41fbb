//! The log of a program that stays: to standard error, and to the journal with its priorities where that is what it is.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts it. `filter` is `error`, `warn`, `info`, `debug`, or one of these for each part, as `tracing` writes them.
/// `None` where the filter is not understood.
pub fn start(filter: &str) -> Option<()> {
    let filter = EnvFilter::try_new(filter).ok()?;
    let to_stderr = fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(false);
    tracing_subscriber::registry().with(filter).with(to_stderr).try_init().ok()
}
