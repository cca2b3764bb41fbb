//! Everything that is tested from outside the room, as one program.
#![cfg(test)]

mod credential;
mod fleet;
mod gokey;
mod golden;
mod install;
mod kill;
mod repository;
mod sandbox;
mod tools;
mod vectors;

#[path = "../../../../tests/support/corpora.rs"]
mod corpora;
