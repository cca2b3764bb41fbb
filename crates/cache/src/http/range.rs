//! Parts of a NAR: `Range` and the conditions beside it (RFC 9110, sections 13 and 14).

/// What of a body is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// From a byte on, so many; never none.
    Some {
        start: u64,
        length: u64,
    },
    /// Beyond the end.
    Beyond,
}

/// Reads a `Range` for a body of `size` bytes under a tag. What is no single range of bytes is passed over, as the
/// standard allows (section 14.2), and so is a range of another body than the client has (`If-Range`).
pub(super) fn part(range: Option<&str>, if_range: Option<&str>, tag: &str, size: u64) -> Part {
    let Some(set) = range.and_then(|range| range.strip_prefix("bytes=")) else { return Part::Whole };
    if if_range.is_some_and(|has| has != tag) || set.contains(',') {
        return Part::Whole;
    }
    let Some((first, last)) = set.trim().split_once('-') else { return Part::Whole };
    let number = |text: &str| -> Option<u64> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than a number holds are beyond every end.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (first, number(first), number(last)) {
        ("", _, Some(0)) => Part::Beyond,
        ("", _, Some(length)) if size > 0 => {
            let length = length.min(size);
            Part::Some { start: size - length, length }
        }
        (_, Some(start), _) if start >= size => Part::Beyond,
        (_, Some(start), None) if last.is_empty() => Part::Some { start, length: size - start },
        (_, Some(start), Some(end)) if end >= start => {
            Part::Some { start, length: end.saturating_sub(start).saturating_add(1).min(size - start) }
        }
        _ => Part::Whole,
    }
}

/// Whether `If-None-Match` names the tag.
pub(super) fn is_known(if_none_match: Option<&str>, tag: &str) -> bool {
    // Section 13.1.2: weak comparison.
    let names = |one: &str| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag;
    if_none_match.is_some_and(|tags| tags.split(',').map(str::trim).any(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_within_the_body_or_beyond_it() {
        let of = |range| part(Some(range), None, "\"a\"", 10);
        let some = |start, length| Part::Some { start, length };
        for (range, expected) in [
            ("bytes=0-", some(0, 10)),
            ("bytes=3-5", some(3, 3)),
            ("bytes=9-9", some(9, 1)),
            ("bytes=5-99999999999999999999999", some(5, 5)),
            ("bytes=0-18446744073709551615", some(0, 10)),
            ("bytes=-3", some(7, 3)),
            ("bytes=-99", some(0, 10)),
            ("bytes=-0", Part::Beyond),
            ("bytes=10-", Part::Beyond),
            ("bytes=99999999999999999999999-", Part::Beyond),
            ("bytes=5-3", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=a-", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("lines=0-1", Part::Whole),
        ] {
            assert_eq!(of(range), expected, "{range}");
        }
        assert_eq!(part(Some("bytes=1-"), Some("\"b\""), "\"a\"", 10), Part::Whole);
        assert_eq!(part(Some("bytes=1-"), Some("\"a\""), "\"a\"", 10), some(1, 9));
        assert_eq!(part(Some("bytes=-5"), None, "\"a\"", 0), Part::Whole);
    }

    #[test]
    fn a_tag_is_known_by_weak_comparison() {
        assert!(is_known(Some("\"x\", W/\"a\""), "\"a\"") && is_known(Some("*"), "\"a\""));
        assert!(!is_known(Some("\"ab\""), "\"a\"") && !is_known(None, "\"a\""));
    }
}
