//! The door outside, against servers that behave well and badly.
#![cfg(test)]

mod http;
mod source;

#[path = "../../../../tests/support/http_server.rs"]
mod http_server;
