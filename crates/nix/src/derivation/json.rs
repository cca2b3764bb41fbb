//! `nix derivation show` JSON.
