//! Store paths as text: `/nix/store/<hash>-openssl-3.0.13-bin` into `openssl`, `3.0.13`, `bin`.

use aux_core::naming::split_nix_name;

/// Characters of the hash part of a store path (Nix manual, "Store Path").
const HASH_CHARACTERS: usize = 32;

/// Outputs that nixpkgs' builders split off; a store path carries them behind the version.
const OUTPUT_SUFFIXES: &[&str] = &["bin", "dev", "lib", "man", "doc", "out", "info", "debug", "devdoc"];

/// Endings of names that are something a package is made from, or its configuration.
const SOURCE_SUFFIXES: &[&str] = &[
    ".tar",
    ".gz",
    ".tgz",
    ".bz2",
    ".tbz",
    ".tbz2",
    ".xz",
    ".txz",
    ".lz",
    ".lzma",
    ".zst",
    ".zip",
    ".7z",
    ".jar",
    ".gem",
    ".crate",
    ".whl",
    ".egg",
    ".deb",
    ".rpm",
    ".patch",
    ".diff",
    ".nar",
    ".narinfo",
    ".sh",
    ".pl",
    ".py",
    ".js",
    ".nix",
    ".conf",
    ".cfg",
    ".ini",
    ".json",
    ".yaml",
    ".yml",
    ".toml",
    ".xml",
    ".txt",
    ".service",
    ".socket",
    ".target",
    ".timer",
    ".mount",
    ".rules",
    ".patch?full_index=1",
    ".drv",
    ".c",
    ".h",
    ".el",
    ".asc",
    ".sig",
    ".key",
    ".pem",
    ".crt",
];

/// A store path's name, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreName<'a> {
    pub name: &'a str,
    /// Empty where there is none.
    pub version: &'a str,
}

/// The name behind the hash of a store path, whatever the store's folder; also of a bare `<hash>-name`.
///
/// A path further inside a store path counts as that store path. `None` where there is no hash.
pub fn base_name(text: &str) -> Option<&str> {
    let part = match text.strip_prefix('/') {
        Some(_) => text.split('/').find(|part| has_hash(part))?,
        None if has_hash(text) => text.split('/').next()?,
        None => return None,
    };
    part.get(HASH_CHARACTERS + 1..).filter(|name| !name.is_empty())
}

/// Whether it begins with a hash in Nix's base 32, which leaves out e, o, u and t, and a dash.
fn has_hash(part: &str) -> bool {
    let bytes = part.as_bytes();
    bytes.get(HASH_CHARACTERS) == Some(&b'-')
        && bytes.iter().take(HASH_CHARACTERS).all(|byte| b"0123456789abcdfghijklmnpqrsvwxyz".contains(byte))
}

/// Takes the name of a store path apart; the output's name behind the version goes, and `.drv`.
pub fn split(base: &str) -> StoreName<'_> {
    let base = base.strip_suffix(".drv").unwrap_or(base);
    let (name, version) = split_nix_name(base);
    if version.is_empty() {
        return StoreName { name: strip_output(name), version };
    }
    StoreName { name, version: strip_output(version) }
}

fn strip_output(text: &str) -> &str {
    match text.rsplit_once('-') {
        Some((rest, output)) if !rest.is_empty() && OUTPUT_SUFFIXES.contains(&output) => rest,
        _ => text,
    }
}

/// Whether a store path by this name is a package, as far as its name can tell: it has a version, and is no source,
/// patch or configuration file.
pub fn names_package(base: &str) -> bool {
    let parts = split(base);
    let lower = base.to_ascii_lowercase();
    !parts.version.is_empty()
        && parts.version.bytes().any(|byte| byte.is_ascii_digit())
        && !lower.ends_with("-source")
        && !lower.ends_with("-src")
        && !lower.starts_with("unit-")
        && !SOURCE_SUFFIXES.iter().any(|suffix| lower.ends_with(suffix))
}

/// Whether Nix would take it as the name of a store path: letters, digits and `+-._?=`.
pub fn is_valid(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._?=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0c0b2a3d4f5g6h7i8j9k0l1m2n3p4q5r";

    #[test]
    fn store_paths_of_any_store_give_name_and_version_without_output() {
        for (path, name, version) in [
            (format!("/nix/store/{HASH}-openssl-3.0.13-bin"), "openssl", "3.0.13"),
            (format!("/tmp/x/store/{HASH}-openssl-3.0.13"), "openssl", "3.0.13"),
            (format!("/nix/store/{HASH}-openssl-3.0.13/bin/openssl"), "openssl", "3.0.13"),
            (format!("{HASH}-hello"), "hello", ""),
            (format!("/nix/store/{HASH}-python3.11-x-1.0.drv"), "python3.11-x", "1.0"),
            (format!("/nix/store/{HASH}-glibc-2.38-44-dev"), "glibc", "2.38-44"),
        ] {
            assert_eq!(split(base_name(&path).unwrap()), StoreName { name, version }, "{path}");
        }
        assert_eq!(base_name("/nix/store/short-openssl-1"), None);
        assert_eq!(base_name("openssl-1"), None);
        assert_eq!(base_name(&format!("/nix/store/{HASH}-")), None);
        assert_eq!(base_name(&format!("/nix/store/{}-x", HASH.replace('a', "e"))), None);
    }

    #[test]
    fn sources_patches_and_configuration_are_no_packages() {
        for name in
            ["curl-8.1.tar.bz2", "CVE-2020-1-x.patch", "unit-sshd.service", "etc", "linux-5.1.diff", "x-1.0-source"]
        {
            assert!(!names_package(name), "{name}");
        }
        for name in ["curl-8.1", "glibc-2.38-44", "firefox-esr-102.0"] {
            assert!(names_package(name), "{name}");
        }
    }
}
