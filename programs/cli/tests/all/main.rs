//! The product as a user meets it, and the shape of its code.
#![cfg(test)]

mod alert;
mod audit;
mod bad_feed;
mod bad_input;
mod cache;
mod cache_boot;
mod cache_migrate;
mod cache_proxy;
mod cache_server;
mod cache_signing;
mod config_show;
mod configuration;
#[path = "../../../../tests/support/corpora.rs"]
mod corpora;
mod demo;
mod doctor;
mod documents;
mod endings;
mod feed_attacks;
mod feed_build;
mod feed_fetch;
mod feed_lint;
mod feed_score;
mod feed_server;
mod feed_show;
mod feed_sync;
mod feed_triage;
mod fixtures;
mod flakes;
mod guest;
mod help;
#[path = "../../../../tests/support/http_server.rs"]
mod http_server;
mod image;
mod image_build;
mod image_bump;
mod image_publish;
mod image_watch;
mod labels;
#[expect(dead_code, reason = "what lies in a bucket is for the server's tests")]
#[path = "../../../../tests/support/moto.rs"]
mod moto;
#[path = "../../../../tests/support/nginx.rs"]
mod nginx;
#[expect(dead_code, reason = "databases that come and go are for the server's tests")]
#[path = "../../../../tests/support/postgres.rs"]
mod postgres;
mod publisher;
mod secret;
mod secret_boot;
mod secret_ease;
mod secret_import;
mod secret_kills;
mod secret_machine;
mod secret_memory;
mod secret_nix;
mod secret_slot;
mod secret_slot_change;
mod secret_slot_machine;
mod store;
#[path = "../../../../tests/support/swtpm.rs"]
mod swtpm;
#[path = "../../../../tests/support/tang.rs"]
mod tang_server;
mod team;
mod tidy;
mod waivers;
mod watch;
mod world;
