//! Versions and their orderings. A comparison that has no answer says so; it never guesses.

mod generic;
mod nix;
mod semver;

use std::cmp::Ordering;

/// How the versions of a range are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// Upstream version strings as people write them; see [`generic`](self::compare).
    Generic,
    /// Nix's `builtins.compareVersions`.
    Nix,
    /// Semantic Versioning 2.0.0, section 11.
    Semver,
    /// pkgsrc's Dewey order, `nb` revisions included.
    Dewey,
}

impl Scheme {
    pub fn as_byte(self) -> u8 {
        match self {
            Self::Generic => 0,
            Self::Nix => 1,
            Self::Semver => 2,
            Self::Dewey => 3,
        }
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Generic, Self::Nix, Self::Semver, Self::Dewey].get(usize::from(byte)).copied()
    }
}

/// Orders `left` against `right`; `None` where the scheme cannot read one of them.
///
/// Total for `Nix`. `Dewey` needs a version that can stand in a package's name, `Generic` needs a digit on both sides, `Semver` a well-formed version and otherwise
/// falls back to `Generic`, because published SEMVER ranges do carry versions such as `1.2` and `2.0.0.1`.
pub fn compare(scheme: Scheme, left: &str, right: &str) -> Option<Ordering> {
    match scheme {
        Scheme::Nix => Some(nix::compare(left, right)),
        Scheme::Dewey => dewey(left, right),
        Scheme::Semver => semver::compare(left, right).or_else(|| generic::compare(left, right)),
        Scheme::Generic => generic::compare(left, right),
    }
}

/// What a version without a number behind its pre-release word is a pre-release of: `0.5alpha` → `0.5`.
///
/// Some upstreams number candidates (`1.0rc2`), and those stand before the release. Others name the release itself so
/// (libmspack's `0.5alpha` is its 0.5), and only they know.
pub fn unnumbered_prerelease_of(version: &str) -> Option<&str> {
    const WORDS: [&str; 6] = ["alpha", "beta", "dev", "pre", "rc", "snapshot"];
    let lower = version.to_ascii_lowercase();
    let word = WORDS.iter().find(|word| lower.ends_with(*word))?;
    let base = version.get(..version.len() - word.len())?.trim_end_matches(['-', '.', '_']);
    base.ends_with(|c: char| c.is_ascii_digit()).then_some(base)
}

/// A total order for sorting: what cannot be compared stands in groups, and ties are broken by the text.
pub fn sort(scheme: Scheme, left: &str, right: &str) -> Ordering {
    let ordering = match scheme {
        Scheme::Generic | Scheme::Semver => generic::sort(left, right),
        Scheme::Nix => nix::compare(left, right),
        Scheme::Dewey => is_dewey(right).cmp(&is_dewey(left)).then(dewey(left, right).unwrap_or(Ordering::Equal)),
    };
    ordering.then_with(|| left.cmp(right))
}

/// pkgsrc's crate speaks in patterns, so the question is asked as one.
fn dewey(left: &str, right: &str) -> Option<Ordering> {
    if !is_dewey(left) || !is_dewey(right) {
        return None;
    }
    let package = format!("x-{left}");
    let matches = |operator: &str| {
        pkgsrc::Dewey::new(&format!("x{operator}{right}")).ok().map(|pattern| pattern.matches(&package))
    };
    Some(match (matches("<")?, matches(">")?) {
        (true, _) => Ordering::Less,
        (_, true) => Ordering::Greater,
        _ => Ordering::Equal,
    })
}

/// Whether a version can stand behind a dash in a package's name: otherwise the pattern would mean something else, and its
/// silence would be taken for equality. Numbers beyond 64 bits are not read either.
fn is_dewey(version: &str) -> bool {
    let stands = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'~' | b',');
    !version.is_empty() && version.bytes().all(stands) && pkgsrc::Dewey::new(&format!("x>={version}")).is_ok()
}

/// Whether a version can be ordered against upstream's releases at all.
///
/// A date that stands where a release number should (`2017-01-01`, `unstable-2024-05-01`, `0-unstable-…`) and a bare
/// commit cannot: such a snapshot lies somewhere between releases.
pub fn is_orderable(version: &str) -> bool {
    generic::is_orderable(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dewey_knows_revisions_and_releases() {
        for (one, other, ordering) in [
            ("1.0nb1", "1.0nb2", Ordering::Less),
            ("1.0rc1", "1.0", Ordering::Less),
            ("1.0", "1.0", Ordering::Equal),
            ("2.0", "1.9nb9", Ordering::Greater),
        ] {
            assert_eq!(compare(Scheme::Dewey, one, other), Some(ordering), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_version_of_pkgsrc_is_not_taken_for_an_equal_one() {
        for version in ["", "9.8-P1", "1<2", "1 2", "ä", "99999999999999999999"] {
            assert_eq!(compare(Scheme::Dewey, version, "1.0"), None, "{version}");
            assert_eq!(compare(Scheme::Dewey, "1.0", version), None, "{version}");
            assert_eq!(sort(Scheme::Dewey, "1.0", version), Ordering::Less, "{version}");
        }
    }

    #[test]
    fn a_semver_range_with_a_loose_version_is_still_ordered() {
        assert_eq!(compare(Scheme::Semver, "1.2", "1.2.1"), Some(Ordering::Less));
        assert_eq!(compare(Scheme::Semver, "2.0.0-rc.1", "2.0.0"), Some(Ordering::Less));
        assert_eq!(compare(Scheme::Semver, "none", "2.0.0"), None);
    }

    #[test]
    fn an_unnumbered_prerelease_has_a_base_and_a_candidate_has_none() {
        assert_eq!(unnumbered_prerelease_of("0.5alpha"), Some("0.5"));
        assert_eq!(unnumbered_prerelease_of("1.2.41-dev"), Some("1.2.41"));
        assert_eq!(unnumbered_prerelease_of("1.0rc2"), None);
        assert_eq!(unnumbered_prerelease_of("alpha"), None);
    }

    #[test]
    fn a_scheme_survives_its_byte() {
        for byte in 0..4 {
            assert_eq!(Scheme::from_byte(byte).map(Scheme::as_byte), Some(byte));
        }
        assert_eq!(Scheme::from_byte(4), None);
    }
}
