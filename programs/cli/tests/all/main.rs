//! The product as a user meets it, and the shape of its code.
#![cfg(test)]

mod alert;
mod audit;
mod bad_feed;
mod bad_input;
mod config_show;
#[path = "../../../../tests/support/corpora.rs"]
mod corpora;
mod demo;
mod endings;
mod feed_build;
mod feed_lint;
mod feed_show;
mod fixtures;
mod help;
mod labels;
mod store;
mod tidy;
mod waivers;
mod world;
