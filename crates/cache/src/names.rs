//! Names that clients send, read strictly: what is none never reaches a file or the database.

use std::fmt;

use aux_nix::{BaseName, Sha256, nix32};

use crate::packing::Packing;

/// Longest name of a cache or view.
const SPACE_NAME_BYTES_MAX: usize = 64;
/// Longest name under which a NAR is put.
const UPLOAD_NAME_BYTES_MAX: usize = 160;
/// Longest pattern of store names.
const PATTERN_BYTES_MAX: usize = 255;
/// Longest name a person gives to something.
const LABEL_CHARACTERS_MAX: usize = 200;

/// The name of a cache or view: a letter or digit, then letters, digits and dashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpaceName(Box<str>);

impl SpaceName {
    pub fn parse(text: &str) -> Option<Self> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = text.len() <= SPACE_NAME_BYTES_MAX
            && text.bytes().next().is_some_and(is_word)
            && text.bytes().all(|byte| is_word(byte) || byte == b'-');
        fits.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SpaceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The hash of a store path, which names its narinfo; 32 characters of nix32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathHash(pub [u8; 20]);

impl PathHash {
    pub fn parse(text: &str) -> Option<Self> {
        nix32::decode::<20>(text).map(Self)
    }

    /// Of a store path or its last part.
    pub fn of(base: &BaseName) -> Option<Self> {
        Self::parse(base.digest())
    }
}

impl fmt::Display for PathHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&nix32::encode(&self.0))
    }
}

impl fmt::Debug for PathHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The name under which a client puts a NAR: the last part of the narinfo's `URL`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UploadName(Box<str>);

impl UploadName {
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'=');
        let fits =
            text.len() <= UPLOAD_NAME_BYTES_MAX && !text.starts_with('.') && text.bytes().all(is_plain) && is_nar(text);
        fits.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The packing that its suffix stands for, if that is known.
    pub(crate) fn packing(&self) -> Option<Packing> {
        self.0.split_once(".nar").and_then(|(_, suffix)| Packing::of_suffix(suffix))
    }
}

/// `x.nar`, or that with the suffix of a packing.
fn is_nar(name: &str) -> bool {
    let is_suffix = |rest: &str| rest.is_empty() || rest.strip_prefix('.').is_some_and(|suffix| !suffix.contains('.'));
    name.split_once(".nar").is_some_and(|(stem, rest)| !stem.is_empty() && is_suffix(rest))
}

/// The hash in a name such as this server gives NARs: `<nix32 of its hash>.nar`, and perhaps the packing's suffix.
pub fn offered_nar(name: &str) -> Option<[u8; 32]> {
    nix32::decode::<32>(name.split_once(".nar")?.0)
}

/// The name of a NAR that an upstream offers: it says the path too, so that the upstream can be asked about it anew.
pub(crate) fn pulled_name(nar_hash: Sha256, path: PathHash, packing: Packing) -> String {
    format!("{}-{path}.nar{}", nar_hash.nix32(), packing.suffix())
}

/// What such a name says.
pub(crate) fn parse_pulled_name(name: &UploadName) -> Option<(Sha256, PathHash, Packing)> {
    let (stem, suffix) = name.as_str().split_at_checked(name.as_str().find(".nar")?)?;
    let (nar_hash, path) = stem.split_once('-')?;
    let packing = Packing::of_suffix(suffix.strip_prefix(".nar")?)?;
    Some((Sha256(nix32::decode::<32>(nar_hash)?), PathHash::parse(path)?, packing))
}

/// Store names by `*` and `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._?=*".contains(&byte);
        let fits = !text.is_empty() && text.len() <= PATTERN_BYTES_MAX && text.bytes().all(is_plain);
        fits.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name fits. A star is tried again from where it stood last, so the time is bounded by the product of lengths.
    pub fn fits(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut at, mut position) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while let Some(&byte) = name.get(position) {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at, position));
                    at += 1;
                }
                Some(&wanted) if wanted == byte || wanted == b'?' => {
                    at += 1;
                    position += 1;
                }
                _ => {
                    let Some((star_at, tried)) = star else { return false };
                    at = star_at + 1;
                    position = tried + 1;
                    star = Some((star_at, position));
                }
            }
        }
        pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
    }
}

/// What a person calls a token, a pin, a reason: one line that shows as it is.
pub fn label(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty()
        && text.chars().count() <= LABEL_CHARACTERS_MAX
        && !text.chars().any(aux_core::visible::is_unsafe);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_none() {
        for text in ["", "-", "-x", "..", "a/b", "A", "a.b", "a%2f", "é", &"a".repeat(65)] {
            assert_eq!(SpaceName::parse(text), None, "{text}");
        }
        assert!(SpaceName::parse("team-1").is_some());
        for text in ["", ".nar", "..nar", "../x.nar", "a/b.nar", "x.narrow", "x", "x.nar.xz.nar", "x\0.nar", ".x.nar"] {
            assert_eq!(UploadName::parse(text), None, "{text}");
        }
        assert!(UploadName::parse("x.nar.xz").is_some() && UploadName::parse("x.nar").is_some());
        assert_eq!(offered_nar("x.nar.zst"), None);
        assert_eq!(PathHash::parse("01rwx9dqpbp7r777v319h2acnmqqawp"), None);
    }

    #[test]
    fn the_name_of_an_offered_nar_says_nar_path_and_packing() {
        let (nar, path) = (Sha256::of(b"nar"), PathHash([7; 20]));
        for packing in Packing::ALL {
            let name = UploadName::parse(&pulled_name(nar, path, packing)).unwrap();
            assert_eq!(parse_pulled_name(&name), Some((nar, path, packing)));
            assert_eq!(name.packing(), Some(packing));
        }
        for other in
            ["x.nar", "a-b.nar.xz", &format!("{}.nar", nar.nix32()), &format!("{}-{path}.nar.lz4", nar.nix32())]
        {
            assert_eq!(parse_pulled_name(&UploadName::parse(other).unwrap()), None, "{other}");
        }
    }

    #[test]
    fn a_pattern_fits_whole_names_only() {
        for (pattern, name, fits) in [
            ("*", "anything", true),
            ("openssl-*", "openssl-3.0", true),
            ("openssl-*", "libopenssl-3.0", false),
            ("*-dev", "a-dev-dev", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a", "a", true),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().fits(name), fits, "{pattern} {name}");
        }
        assert!(Pattern::parse("a/b").is_none());
    }
}
