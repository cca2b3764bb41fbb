//! The server as a process, with a real Nix as its client.
#![cfg(test)]

mod apart;
mod browser;
mod bucket;
mod carrying;
mod chunks;
#[expect(dead_code, reason = "real inventories are for other packages' tests")]
#[path = "../../../../tests/support/corpora.rs"]
mod corpora;
mod feed;
mod foreign;
mod hostile;
mod http;
#[expect(dead_code, reason = "files with tags, TLS and bodies are for other packages' tests")]
#[path = "../../../../tests/support/http_server.rs"]
mod http_server;
mod keeping;
mod kills;
mod limits;
mod module;
#[path = "../../../../tests/support/moto.rs"]
mod moto;
#[path = "../../../../tests/support/nginx.rs"]
mod nginx;
mod nix;
mod openapi;
mod page;
mod page_in_a_browser;
#[path = "../../../../tests/support/postgres.rs"]
mod postgres;
mod pushing;
mod several;
mod signing;
mod units;
mod upstream;
mod upstream_lies;
mod upstream_passwords;
mod views;
mod world;
