//! Nix's formats against the real corpora.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod derivations;
