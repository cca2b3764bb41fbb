//! The agent as a process: rounds, kills, the bus, the socket, the units.
#![cfg(test)]

mod bus;
#[expect(dead_code, reason = "real inventories are for other packages' tests")]
#[path = "../../../../tests/support/corpora.rs"]
mod corpora;
mod daemon;
mod kills;
mod module;
mod notifier;
mod notifier_kills;
mod notifier_peers;
mod once;
mod peers;
mod session;
mod socket;
mod synced;
mod telling;
mod units;
mod world;
