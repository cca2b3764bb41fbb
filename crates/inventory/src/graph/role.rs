//! What a derivation is to an auditor: a package, a wrapper around one, or neither.
//!
//! The signals are how a derivation is built, not what it is called, wherever that can be: lists of names age.

use super::facts::Facts;
use super::links::Entry;
use super::naming::PackageName;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Built from a source of its own.
    Package,
    /// Puts packages together or around one another under a versioned name, building nothing from source.
    Wrapper,
    /// A download, a file, a hook, a seed, a piece of configuration.
    Other,
}

/// Endings of file names that no version ends in. A derivation called so makes one file.
const FILE_ENDINGS: [&str; 54] = [
    "bundle", "bz2", "c", "cfg", "cnf", "conf", "crate", "crt", "css", "desktop", "diff", "dtb", "el", "gem", "gz",
    "h", "hook", "html", "img", "ini", "iso", "jar", "js", "json", "lock", "lz", "mount", "nix", "pam", "patch",
    "path", "pem", "pl", "png", "py", "rb", "rules", "service", "sh", "slice", "socket", "svg", "tar", "target",
    "tbz2", "tgz", "timer", "toml", "txt", "whl", "xml", "xz", "yaml", "zip",
];

impl Role {
    pub(super) fn of(entry: &Entry<'_>, facts: &Facts, package: &PackageName) -> Self {
        let name = entry.store_name();
        if entry.derivation.is_fixed_output()
            || entry.derivation.builder.lossy().starts_with("builtin:")
            || facts.writes_text
            || is_file_name(name)
            || is_seed(name)
            || is_hook(&package.name)
        {
            return Self::Other;
        }
        let versioned = !package.version.is_empty();
        match (facts.has_source, facts.has_build_command) {
            // Scripts that are a source file with a few words replaced are built in place, without a version.
            (true, true) => versioned.then_some(Self::Package),
            (true, false) => (versioned || !facts.prefers_local_build).then_some(Self::Package),
            (false, true) => versioned.then_some(Self::Wrapper),
            // Phases that unpack by themselves name no `src`, and neither do derivations made without a stdenv.
            (false, false) => (versioned && !package.name.ends_with("-wrapper")).then_some(Self::Package),
        }
        .unwrap_or(Self::Other)
    }
}

/// Whether a store name is that of a file rather than of a package.
pub(super) fn is_file_name(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| FILE_ENDINGS.binary_search(&ending).is_ok())
}

/// Whether a store name is one nixpkgs gives to what it fetches from a repository.
pub(super) fn is_source_name(name: &str) -> bool {
    name == "source" || name.ends_with("-source") || name.ends_with("-src") || name.starts_with("source-")
}

/// The prebuilt tools a bootstrap begins with, and what its stages make for themselves.
fn is_seed(name: &str) -> bool {
    name.starts_with("bootstrap-") || name == "stdenv" || name.starts_with("stdenv-")
}

/// Shell code that other builds run.
fn is_hook(name: &str) -> bool {
    name == "hook" || name.ends_with("-hook") || name.ends_with("-hooks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_endings_are_sorted_for_the_search() {
        assert!(FILE_ENDINGS.is_sorted());
        for name in ["curl-7.52.1.tar.bz2", "CVE-2016-4658.patch", "unit-nginx.service", "etc-10-nixos.rules"] {
            assert!(is_file_name(name), "{name}");
        }
        for name in ["openssl-1.0.2k", "lynx-2.9.0dev.12", "hibernate-5.4.Final", "python3.11", "gcc"] {
            assert!(!is_file_name(name), "{name}");
        }
    }
}
