//! The server as a process, with a real Nix as its client.
#![cfg(test)]

mod chunks;
#[expect(dead_code, reason = "real inventories are for other packages' tests")]
#[path = "../../../../tests/support/corpora.rs"]
mod corpora;
mod feed;
mod hostile;
mod http;
mod keeping;
mod kills;
mod module;
mod nix;
mod openapi;
mod page;
mod pushing;
mod units;
mod views;
mod world;
