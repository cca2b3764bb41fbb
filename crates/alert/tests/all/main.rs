//! Alerts against real peers: a session bus, an SMTP server, the library that receivers of webhooks use, the shells.
#![cfg(test)]

mod hooks;
mod kill;
mod mails;
mod peer;
mod toasts;
mod webhooks;
