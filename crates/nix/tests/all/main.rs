//! Nix's formats against the real corpora.

mod corpus;
mod derivations;
