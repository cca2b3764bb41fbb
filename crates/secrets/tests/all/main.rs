//! Everything that is tested from outside the room, as one program.
#![cfg(test)]

mod gokey;
mod tools;
mod vectors;

#[path = "../../../../tests/support/corpora.rs"]
mod corpora;
