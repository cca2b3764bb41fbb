//! CVE ids in file names, URLs and patches, however they are spelled.

/// The CVE ids a text names, upper case, sorted, without repeats.
///
/// Read are `CVE-2016-1234`, `cve_2016_1234`, `cve-2016.1234`, and further numbers of the same year joined by `+`,
/// `,`, `/` or `&` (`CVE-2017-2616+2617`). Dashes join nothing: `CVE-2019-13232-1.patch` is the first part of one fix.
pub fn cve_ids(text: &[u8]) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.windows(3).position(|window| window.eq_ignore_ascii_case(b"cve")) {
        rest = rest.get(start + 3..).unwrap_or_default();
        let Some((year, after)) = number(separated(rest, b"-_. "), 4, 4).filter(|(year, _)| plausible_year(year))
        else {
            continue;
        };
        let mut next = number(separated(after, b"-_. "), 4, 7);
        while let Some((sequence, after)) = next {
            ids.push(format!("CVE-{year}-{sequence}"));
            rest = after;
            next = number(separated(after, b"+,/&"), 4, 7).filter(|(sequence, after)| {
                // `…+2018-1234` would be another year's id without its first word: too vague to claim.
                !(plausible_year(sequence) && after.starts_with(b"-"))
            });
        }
    }
    ids.sort();
    ids.dedup();
    ids
}

/// The CVE ids a patch says it is about: in its header and in what it adds, not in what it merely stands beside.
pub fn cve_ids_of_patch(patch: &[u8]) -> Vec<String> {
    let mut ids = Vec::new();
    let mut in_hunk = false;
    for line in patch.split(|&byte| byte == b'\n') {
        if line.starts_with(b"@@ ") {
            in_hunk = true;
        } else if [b"diff ".as_slice(), b"Index: ", b"From "].iter().any(|start| line.starts_with(start)) {
            in_hunk = false;
        }
        if !in_hunk || line.starts_with(b"+") {
            ids.extend(cve_ids(line));
        }
    }
    ids.sort();
    ids.dedup();
    ids
}

fn plausible_year(digits: &str) -> bool {
    digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20"))
}

/// What follows one of these separators; nothing where none stands there.
fn separated<'t>(text: &'t [u8], separators: &[u8]) -> &'t [u8] {
    match text.split_first() {
        Some((first, rest)) if separators.contains(first) => rest,
        _ => &[],
    }
}

/// A run of digits of a length in these bounds, and what follows it.
fn number(text: &[u8], shortest: usize, longest: usize) -> Option<(&str, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(shortest..=longest).contains(&length) {
        return None;
    }
    let (digits, rest) = text.split_at_checked(length)?;
    Some((std::str::from_utf8(digits).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_every_spelling() {
        for (text, expected) in [
            ("CVE-2016-1234.patch", vec!["CVE-2016-1234"]),
            ("fix-cve_2016_1234", vec!["CVE-2016-1234"]),
            ("openssh-CVE-2015-8325.patch", vec!["CVE-2015-8325"]),
            ("CVE-2016-9580-and-CVE-2016-9581.patch", vec!["CVE-2016-9580", "CVE-2016-9581"]),
            ("CVE-2017-2616+2617.patch", vec!["CVE-2017-2616", "CVE-2017-2617"]),
            ("CVE-2016-1234+2017-9999", vec!["CVE-2016-1234"]),
            ("CVE-2019-13232-1.patch", vec!["CVE-2019-13232"]),
            ("01-overflow-cve-2018-1000097.patch", vec!["CVE-2018-1000097"]),
            ("https://x/?q=CVE-2016-1234&a=CVE-2016-1234", vec!["CVE-2016-1234"]),
            ("cve-2016-123.patch", vec![]),
            ("cve-3016-1234 cve20161234 cve- cve", vec![]),
            ("CVE-2016-12345678", vec![]),
        ] {
            assert_eq!(cve_ids(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_patch_is_not_about_the_lines_it_stands_beside() {
        let patch = b"From: x\n    Fixes CVE-2016-0001\ndiff --git a b\n@@ -1 +1 @@\n CVE-2016-0002\n-CVE-2016-0003\n+CVE-2016-0004\n";
        assert_eq!(cve_ids_of_patch(patch), ["CVE-2016-0001", "CVE-2016-0004"]);
    }
}
