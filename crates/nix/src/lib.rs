//! Nix's formats, pure: store paths, derivations, flake.lock, path-info.
