//! Semantic Versioning 2.0.0, section 11: precedence of well-formed versions.

use std::cmp::Ordering;

/// `None` unless both are well formed; a leading `v` is let pass, as OSV records have it.
pub(super) fn compare(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (Semver::read(left)?, Semver::read(right)?);
    Some(left.release.cmp(&right.release).then_with(|| match (left.pre, right.pre) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) => left.split('.').map(identifier).cmp(right.split('.').map(identifier)),
    }))
}

struct Semver<'a> {
    release: [u64; 3],
    pre: Option<&'a str>,
}

impl<'a> Semver<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split('+').next()?;
        let (release, pre) = text.split_once('-').map_or((text, None), |(release, pre)| (release, Some(pre)));
        let mut numbers = release.split('.').map(|part| part.parse::<u64>().ok());
        let release = [numbers.next()??, numbers.next()??, numbers.next()??];
        (numbers.next().is_none() && pre != Some("")).then_some(Self { release, pre })
    }
}

/// Numbers before words; numbers as numbers, words as text.
fn identifier(text: &str) -> (bool, u64, &str) {
    match text.parse::<u64>() {
        Ok(number) => (false, number, ""),
        Err(_) => (true, 0, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specifications_example_stands_in_order() {
        let ordered = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
        ];
        for pair in ordered.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Some(Ordering::Less), "{pair:?}");
        }
        assert_eq!(compare("1.0.0+a", "v1.0.0+b"), Some(Ordering::Equal));
        assert_eq!(compare("1.0", "1.0.0"), None);
    }
}
