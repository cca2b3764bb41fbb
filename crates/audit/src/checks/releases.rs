//! When each NixOS release ceased to get security fixes: data, to the day as far as we know it.
//!
//! A release ends about one month after the next one appears; where the day was not announced, it is the end of that month.
//! The last row's day is the plan.

use jiff::civil::{Date, date};

/// Releases in order, each with its last day of support.
pub(super) const ENDS: &[(&str, Date)] = &[
    ("17.03", date(2017, 10, 31)),
    ("17.09", date(2018, 4, 30)),
    ("18.03", date(2018, 10, 31)),
    ("18.09", date(2019, 4, 30)),
    ("19.03", date(2019, 11, 9)),
    ("19.09", date(2020, 4, 27)),
    ("20.03", date(2020, 10, 27)),
    ("20.09", date(2021, 6, 30)),
    ("21.05", date(2021, 12, 31)),
    ("21.11", date(2022, 6, 30)),
    ("22.05", date(2022, 12, 31)),
    ("22.11", date(2023, 6, 30)),
    ("23.05", date(2023, 12, 31)),
    ("23.11", date(2024, 6, 30)),
    ("24.05", date(2024, 12, 31)),
    ("24.11", date(2025, 6, 30)),
    ("25.05", date(2025, 12, 31)),
    ("25.11", date(2026, 6, 30)),
    ("26.05", date(2026, 12, 31)),
];

/// What is known of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Support {
    Until(Date),
    /// Before the first row: it ended before that row's day.
    EndedBefore(Date),
    /// After the last row: this program is older than the release.
    Newer,
    /// Not a release's number.
    Foreign,
}

pub(super) fn support(release: &str) -> Support {
    if !is_number(release) {
        return Support::Foreign;
    }
    if let Some((_, end)) = ENDS.iter().find(|(name, _)| *name == release) {
        return Support::Until(*end);
    }
    match ENDS.first() {
        Some((first, end)) if release < *first => Support::EndedBefore(*end),
        _ if ENDS.last().is_some_and(|(last, _)| release > *last) => Support::Newer,
        // Between two rows: no release bears such a number.
        _ => Support::Foreign,
    }
}

/// `24.05`: two digits of a year, two of a month, so that text order is time's order.
fn is_number(release: &str) -> bool {
    let bytes = release.as_bytes();
    bytes.len() == 5
        && bytes.iter().enumerate().all(|(at, byte)| if at == 2 { *byte == b'.' } else { byte.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_what_is_between_them_is_no_release() {
        assert!(ENDS.is_sorted() && ENDS.iter().all(|(name, _)| is_number(name)));
        assert_eq!(support("13.10"), Support::EndedBefore(date(2017, 10, 31)));
        assert_eq!(support("23.11"), Support::Until(date(2024, 6, 30)));
        assert_eq!(support("24.06"), Support::Foreign);
        assert_eq!(support("99.05"), Support::Newer);
        assert_eq!(support("unstable"), Support::Foreign);
    }
}
