//! `builtins.compareVersions` of Nix (manual, "Built-in Functions"): components are runs of digits or of anything else
//! between `.` and `-`; `pre` sorts before the end, every other word before numbers.

use std::cmp::Ordering;

pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    while !(left.is_empty() && right.is_empty()) {
        let (one, other);
        (one, left) = component(left);
        (other, right) = component(right);
        let ordering = if precedes(one, other) {
            Ordering::Less
        } else if precedes(other, one) {
            Ordering::Greater
        } else {
            Ordering::Equal
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}

fn component(version: &str) -> (&str, &str) {
    let version = version.trim_start_matches(['.', '-']);
    let is_digit = version.starts_with(|c: char| c.is_ascii_digit());
    let end = version.find(|c: char| c == '.' || c == '-' || c.is_ascii_digit() != is_digit).unwrap_or(version.len());
    version.split_at(end)
}

fn precedes(one: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one < other,
        (None, Some(_)) if one.is_empty() => true,
        _ if one == "pre" && other != "pre" => true,
        _ if other == "pre" => false,
        (None, Some(_)) => true,
        (Some(_), None) => false,
        (None, None) => one < other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manuals_examples_hold() {
        for (one, other, ordering) in [
            ("1.0", "2.3", Ordering::Less),
            ("2.1", "2.3", Ordering::Less),
            ("2.3", "2.3", Ordering::Equal),
            ("2.5", "2.3", Ordering::Greater),
            ("3.1", "2.3", Ordering::Greater),
            ("2.3.1", "2.3", Ordering::Greater),
            ("2.3.1", "2.3a", Ordering::Greater),
            ("2.3pre1", "2.3", Ordering::Less),
            ("2.3pre3", "2.3pre12", Ordering::Less),
            ("2.3a", "2.3c", Ordering::Less),
            ("2.3pre1", "2.3c", Ordering::Less),
            ("2.3pre1", "2.3q", Ordering::Less),
        ] {
            assert_eq!(compare(one, other), ordering, "{one} {other}");
            assert_eq!(compare(other, one), ordering.reverse(), "{other} {one}");
        }
    }
}
