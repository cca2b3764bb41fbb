//! The product as a user meets it, and the shape of its code.
#![cfg(test)]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod audit;
mod bad_feed;
mod bad_input;
mod config_show;
mod demo;
mod endings;
mod feed_build;
mod feed_lint;
mod feed_show;
mod fixtures;
mod help;
mod store;
mod tidy;
mod waivers;
mod world;
