//! Which world a package name belongs to: a name means nothing without it.

use std::borrow::Cow;
use std::fmt;

/// A package ecosystem, named by its purl type where one exists (`nix`, `pkgsrc`, `npm`, `pypi`, …).
///
/// Always lower case. See the purl specification, "known types".
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ecosystem(Cow<'static, str>);

impl Ecosystem {
    pub const NIX: Self = Self(Cow::Borrowed("nix"));
    pub const PKGSRC: Self = Self(Cow::Borrowed("pkgsrc"));
    pub const GENERIC: Self = Self(Cow::Borrowed("generic"));

    /// The ecosystem of a purl type or of an OSV ecosystem name (`PyPI`, `crates.io`, `Debian:12`).
    pub fn new(name: &str) -> Self {
        let base = name.split(':').next().unwrap_or(name).trim().to_ascii_lowercase();
        match base.as_str() {
            "nix" | "nixpkgs" | "nixos" | "auxolotl" => Self::NIX,
            "pkgsrc" => Self::PKGSRC,
            "generic" | "" => Self::GENERIC,
            "crates.io" => Self(Cow::Borrowed("cargo")),
            "rubygems" => Self(Cow::Borrowed("gem")),
            "packagist" => Self(Cow::Borrowed("composer")),
            "go" => Self(Cow::Borrowed("golang")),
            "debian" | "ubuntu" => Self(Cow::Borrowed("deb")),
            _ => Self(Cow::Owned(base)),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether packages of this ecosystem carry upstream's own name and version, so that a CPE product may name them.
    ///
    /// Distribution packages (`deb`, `rpm`, `apk`) carry the distribution's fixes under an older version: a CPE range
    /// would raise false alarms there, so only records of their own ecosystem speak about them.
    pub fn follows_upstream_versions(&self) -> bool {
        !matches!(self.as_str(), "deb" | "rpm" | "apk" | "alpm")
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Ecosystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn osv_names_and_purl_types_are_the_same_ecosystem() {
        assert_eq!(Ecosystem::new("PyPI"), Ecosystem::new("pypi"));
        assert_eq!(Ecosystem::new("crates.io"), Ecosystem::new("cargo"));
        assert_eq!(Ecosystem::new("Debian:12").as_str(), "deb");
        assert_eq!(Ecosystem::new("nixpkgs"), Ecosystem::NIX);
    }
}
