//! The order of upstream version strings as people write them.
//!
//! A version is a sequence of numbers and words; every other character only separates, so `9.8.p1` and `9.8-P1` are
//! one version. At each position a pre-release word comes before the end, the end before any other word, a word before
//! a number: `1.0rc1 < 1.0 < 1.0p1 < 1.0.1`, `1.0.2 < 1.0.2k < 1.0.3`. Zeros before the end or before a word say
//! nothing: `1.0`, `1.0.0` and `1` are one version.

use std::cmp::Ordering;

/// Orders two versions; `None` when one has no digit at all or is a snapshot between releases.
pub(super) fn compare(left: &str, right: &str) -> Option<Ordering> {
    let comparable = is_orderable(left) && is_orderable(right) && is_date(left) == is_date(right);
    if !comparable {
        return None;
    }
    match (snapshot_base(left), snapshot_base(right)) {
        (None, None) => Some(order(left, right)),
        (Some(_), Some(_)) => (left == right).then_some(Ordering::Equal),
        // It is later than its base; whether it is before or after the next release, only its repository knows.
        (Some(base), None) => order(base, right).is_ge().then_some(Ordering::Greater),
        (None, Some(base)) => order(base, left).is_ge().then_some(Ordering::Less),
    }
}

/// The release a snapshot was taken after: `0.5.3+git20230121` and `1.2-unstable-2024-01-01` → `0.5.3` and `1.2`.
fn snapshot_base(version: &str) -> Option<&str> {
    const WORDS: [&[u8]; 6] = [b"git", b"unstable", b"snapshot", b"svn", b"cvs", b"nightly"];
    let bytes = version.as_bytes();
    let is_here = |at: usize| {
        let rest = bytes.get(at..).unwrap_or_default();
        WORDS.iter().any(|word| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
    };
    // Nearly every version is numbers alone, and every range of every advisory asks.
    let letters = bytes.iter().enumerate().filter(|(_, byte)| byte.is_ascii_alphabetic());
    let at = letters.map(|(at, _)| at).find(|&at| is_here(at))?;
    let base = version.get(..at)?.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    base.ends_with(|c: char| c.is_ascii_alphanumeric()).then_some(base).filter(|base| is_orderable(base))
}

/// Orders any two strings: releases, then dates, then what has no place among either.
pub(super) fn sort(left: &str, right: &str) -> Ordering {
    let group = |version: &str| (!is_orderable(version), is_date(version));
    group(left).cmp(&group(right)).then_with(|| order(left, right))
}

pub(super) fn is_orderable(version: &str) -> bool {
    let bytes = version.as_bytes();
    let Some(first) = bytes.iter().position(u8::is_ascii_alphanumeric) else { return false };
    let start = bytes.get(first..).unwrap_or_default();
    let word_length = start.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    // `v1.2`, `r182`, `release-3` and `pre-4` open with a word; a word that is the whole version orders nothing.
    let has_digit = start.iter().any(u8::is_ascii_digit);
    has_digit && !is_commit(start) && !is_snapshot(version, start.get(..word_length).unwrap_or_default())
}

/// Eight digits that are a day, `20170502`: an upstream that numbers by date. Not comparable with `1.6.7`.
fn is_date(version: &str) -> bool {
    let digits: &[u8] = version.as_bytes();
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let two = |at: usize| digits.get(at..at + 2).and_then(|two| std::str::from_utf8(two).ok()?.parse::<u8>().ok());
    length == 8
        && matches!(two(0), Some(19 | 20))
        && two(4).is_some_and(|month| (1..=12).contains(&month))
        && two(6).is_some_and(|day| (1..=31).contains(&day))
}

/// A snapshot says when it was taken and nothing of which releases it contains.
fn is_snapshot(version: &str, first_word: &[u8]) -> bool {
    if [&b"unstable"[..], b"git", b"snapshot", b"nightly", b"master"]
        .iter()
        .any(|word| first_word.eq_ignore_ascii_case(word))
    {
        return true;
    }
    version.strip_prefix("0-unstable").is_some_and(|rest| rest.starts_with('-')) || is_iso_date(version)
}

/// `2017-01-01`: nixpkgs' habit for a checkout. Upstreams that release by date write `20170101` or `2017.01.01`.
fn is_iso_date(version: &str) -> bool {
    let bytes = version.as_bytes();
    bytes.len() == 10
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// An abbreviated or full git object name: seven or more hexadecimal digits, some of them letters, in one piece.
fn is_commit(text: &[u8]) -> bool {
    text.len() >= 7
        && text.iter().all(u8::is_ascii_hexdigit)
        && text.iter().filter(|byte| byte.is_ascii_alphabetic()).count() >= 2
}

fn order(left: &str, right: &str) -> Ordering {
    let mut left = Tokens::new(left);
    let mut right = Tokens::new(right);
    loop {
        let (one, other) = (left.next(), right.next());
        let ordering = one.cmp(&other);
        if ordering != Ordering::Equal || one == Token::End {
            return ordering;
        }
    }
}

/// In the order in which they sort at one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Token<'a> {
    /// How early the pre-release is: snapshots, alpha, beta, candidates.
    Before(u8),
    End,
    /// A patch level (`p1`, `pl1`, `patch1`, `sp1`), all spelled as one.
    Patch,
    Word(Lower<'a>),
    Number(Number<'a>),
}

struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    fn new(version: &'a str) -> Self {
        let version = version
            .strip_prefix(['v', 'V'])
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            .unwrap_or(version);
        // Semantic Versioning's build metadata says nothing of order (section 10).
        let version = version.as_bytes();
        let plus = version.iter().position(|byte| *byte == b'+');
        let is_build = |plus: &usize| !version.get(plus + 1).is_some_and(u8::is_ascii_digit);
        Self { rest: plus.filter(is_build).and_then(|plus| version.get(..plus)).unwrap_or(version) }
    }

    fn next(&mut self) -> Token<'a> {
        loop {
            let token = self.take();
            let Token::Number(Number(b"")) = token else { return token };
            // A zero counts only where a number still follows in the same run of numbers.
            let mut ahead = Tokens { rest: self.rest };
            loop {
                match ahead.take() {
                    Token::Number(Number(b"")) => {}
                    Token::Number(_) => return token,
                    _ => break,
                }
            }
        }
    }

    fn take(&mut self) -> Token<'a> {
        loop {
            let start = self.rest.iter().position(u8::is_ascii_alphanumeric).unwrap_or(self.rest.len());
            self.rest = self.rest.get(start..).unwrap_or_default();
            let Some(first) = self.rest.first() else { return Token::End };
            let is_digit = first.is_ascii_digit();
            let length = self
                .rest
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() && byte.is_ascii_digit() == is_digit)
                .count();
            let (token, rest) = self.rest.split_at(length);
            self.rest = rest;
            if is_digit {
                let zeros = token.iter().take_while(|byte| **byte == b'0').count();
                return Token::Number(Number(token.get(zeros..).unwrap_or_default()));
            }
            if let Some(token) = word(token, self.rest) {
                return token;
            }
        }
    }
}

/// What a word means; `None` for words that say nothing (`final`, `release`).
fn word<'a>(word: &'a [u8], rest: &[u8]) -> Option<Token<'a>> {
    let number_follows = rest.iter().find(|byte| !matches!(byte, b'.' | b'-' | b'_')).is_some_and(u8::is_ascii_digit);
    let is = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()));
    if is(&["dev", "snapshot", "nightly"]) {
        Some(Token::Before(0))
    } else if is(&["alpha"]) || (is(&["a"]) && number_follows) {
        Some(Token::Before(1))
    } else if is(&["beta"]) || (is(&["b"]) && number_follows) {
        Some(Token::Before(2))
    } else if is(&["pre", "preview", "test", "milestone"]) {
        Some(Token::Before(3))
    } else if is(&["rc", "cr", "candidate"]) {
        Some(Token::Before(4))
    } else if is(&["final", "release", "ga", "stable", "esr", "lts"]) {
        None
    } else if is(&["p", "pl", "patch", "sp", "update", "u", "post"]) && number_follows {
        Some(Token::Patch)
    } else {
        Some(Token::Word(Lower(word)))
    }
}

/// A word, compared without case.
#[derive(Debug, Clone, Copy)]
struct Lower<'a>(&'a [u8]);

impl Ord for Lower<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.iter().map(u8::to_ascii_lowercase).cmp(other.0.iter().map(u8::to_ascii_lowercase))
    }
}

impl PartialOrd for Lower<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Lower<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Lower<'_> {}

/// Digits without leading zeros: a longer one is greater, equal lengths compare as text. No width bounds a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number<'a>(&'a [u8]);

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(other.0))
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_ascending(versions: &[&str]) {
        for (index, low) in versions.iter().enumerate() {
            for high in &versions[index + 1..] {
                assert_eq!(compare(low, high), Some(Ordering::Less), "{low} < {high}");
                assert_eq!(compare(high, low), Some(Ordering::Greater), "{high} > {low}");
            }
        }
    }

    #[test]
    fn releases_candidates_letters_and_patch_levels_stand_in_order() {
        assert_ascending(&["1.0.2", "1.0.2a", "1.0.2k", "1.0.2za", "1.0.3-beta1", "1.0.3", "1.1.0"]);
        assert_ascending(&["7.4alpha", "7.4b2", "7.4rc1", "7.4", "7.4p1", "7.4.1", "7.5"]);
        assert_ascending(&["4.2.8", "4.2.8p3", "4.2.8p10", "4.2.9"]);
        assert_ascending(&["2.38-44", "2.39"]);
        assert_ascending(&["9.11.0", "9.11.0-P5", "9.11.1"]);
        assert_ascending(&["6.9.7-0", "6.9.7-4", "6.9.7-10", "6.9.8-1"]);
        assert_ascending(&["8u121", "8u131", "11.0.2"]);
    }

    #[test]
    fn separators_case_and_idle_zeros_say_nothing() {
        for (one, other) in [
            ("1.0", "1.0.0"),
            ("1.0", "1"),
            ("9.8-P1", "9.8.p1"),
            ("1.0-RC1", "1.0.0rc1"),
            ("v1.2", "1.2"),
            ("1.2-final", "1.2"),
            ("4.4-p5", "4.4:p5"),
            ("45.7.0esr", "45.7"),
            ("1.2+deadbeef", "1.2"),
        ] {
            assert_eq!(compare(one, other), Some(Ordering::Equal), "{one} = {other}");
        }
        assert_eq!(compare("1.0.0.1", "1.0"), Some(Ordering::Greater));
    }

    #[test]
    fn snapshots_words_and_commits_have_no_place_among_releases() {
        for version in
            ["", "unstable-2024-01-01", "2017-01-01", "0-unstable-2024-02-03", "master", "8f3b2c1d", "git-20200101"]
        {
            assert_eq!(compare(version, "1.0"), None, "{version}");
        }
        assert!(compare("20170101", "20180101").is_some());
        for snapshot in ["1.2-unstable-2024-01-01", "1.2+git20240101", "1.2.git8f3b2c1"] {
            assert_eq!(compare(snapshot, "1.2"), Some(Ordering::Greater), "{snapshot}");
            assert_eq!(compare("1.1", snapshot), Some(Ordering::Less), "{snapshot}");
            assert_eq!(compare(snapshot, "1.3"), None, "{snapshot}");
        }
    }
}
