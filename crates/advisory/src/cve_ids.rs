//! CVE ids in text that people typed: `CVE-CVE-2008-1234`, `can-2004-0763`, `CVE-2007-{4352,5392}`.

use std::collections::BTreeSet;

/// Ids that one range in brackets may span; real ones name a dozen.
const SPAN_MAX: u32 = 64;

/// Whether the text is one CVE id in its only correct form (CVE JSON 5 schema, `cveId`).
pub(crate) fn is_cve_id(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let digits = |part: Option<&str>, least: usize, most: usize| {
        part.is_some_and(|part| (least..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    parts.next() == Some("CVE") && digits(parts.next(), 4, 4) && digits(parts.next(), 4, 19)
}

/// Every id the text names beyond doubt, in its correct form.
pub(crate) fn in_text(text: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut rest = text;
    let mut previous = b' ';
    while let Some(first) = rest.bytes().next() {
        // The CVE site's own query is clear even where the prefix was forgotten.
        let named = rest.strip_prefix("cvename.cgi?name=").or_else(|| after_word(rest));
        if let Some(numbers) = named.filter(|_| !previous.is_ascii_alphabetic()) {
            collect(numbers, &mut ids);
        }
        previous = first;
        let mut characters = rest.chars();
        characters.next();
        rest = characters.as_str();
    }
    ids
}

/// What follows `CVE` or its old form `CAN`, in any case, and the dashes behind it.
fn after_word(text: &str) -> Option<&str> {
    let (word, rest) = text.split_at_checked(3)?;
    let named = word.eq_ignore_ascii_case("cve") || word.eq_ignore_ascii_case("can");
    named.then(|| rest.trim_start_matches(['-', '_']))
}

/// Reads `2008-1234`, `20081234`, `2007-{4352,5392}` or `2008-[3103-3115]`.
fn collect(text: &str, ids: &mut BTreeSet<String>) {
    let digits = leading_digits(text);
    let (year, rest) = match (digits.len(), digits.split_at_checked(4)) {
        (4, _) => (digits, text.strip_prefix(digits).unwrap_or_default().trim_start_matches(['-', '_'])),
        // Eight digits in a row are a year and the four that every number had then.
        (8, Some((year, number))) => (year, number),
        _ => return,
    };
    if !matches!(year.parse::<u16>(), Ok(1988..=2099)) {
        return;
    }
    let mut add = |number: &str| {
        if (4..=7).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()) {
            ids.insert(format!("CVE-{year}-{number}"));
        }
    };
    if let Some((list, _)) = rest.strip_prefix('{').and_then(|list| list.split_once('}')) {
        list.split(',').for_each(|number| add(number.trim()));
    } else if let Some((span, _)) = rest.strip_prefix('[').and_then(|span| span.split_once(']')) {
        for number in span_numbers(span) {
            add(&number);
        }
    } else {
        add(leading_digits(rest));
    }
}

fn leading_digits(text: &str) -> &str {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// `3103-3115` → both and everything between, as long as the numbers are equally long and not too far apart.
fn span_numbers(span: &str) -> Vec<String> {
    let Some((first, last)) = span.split_once('-') else { return Vec::new() };
    match (first.parse::<u32>(), last.parse::<u32>()) {
        (Ok(low), Ok(high)) if first.len() == last.len() && low <= high && high - low < SPAN_MAX => {
            (low..=high).map(|number| format!("{number:0width$}", width = first.len())).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_however_they_were_typed() {
        for (text, expected) in [
            ("http://cve.mitre.org/cgi-bin/cvename.cgi?name=CVE-2010-4489", "CVE-2010-4489"),
            ("http://cve.mitre.org/cgi-bin/cvename.cgi?name=CVE-CVE-2008-1234", "CVE-2008-1234"),
            ("http://cve.mitre.org/cgi-bin/cvename.cgi?name=2007-3806", "CVE-2007-3806"),
            ("http://www.isc.org/software/bind/advisories/cve-2010-0213", "CVE-2010-0213"),
            ("http://www.samba.org/samba/security/CAN-2006-1059.html", "CVE-2006-1059"),
            ("CVE2008-1234 CVE-20091235 CVE_2010_123456", "CVE-2008-1234 CVE-2009-1235 CVE-2010-123456"),
            ("name=CVE-2007-{4352,5392}", "CVE-2007-4352 CVE-2007-5392"),
            ("name=CVE-2008-[0009-0011]", "CVE-2008-0009 CVE-2008-0010 CVE-2008-0011"),
            ("http://secunia.com/advisories/44064/ scan-2004-1234 CVE-208-1 CVE-2008-123 CVE-200812345", ""),
            ("CVE-2008-[0000-9999] CVE-2008-{", ""),
            ("é CVE", ""),
        ] {
            let found: Vec<String> = in_text(text).into_iter().collect();
            assert_eq!(found.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn only_the_correct_form_is_an_id() {
        assert!(is_cve_id("CVE-2024-1234") && is_cve_id("CVE-2024-1234567"));
        for text in ["", "CVE-2024-123", "cve-2024-1234", "CVE-24-1234", "CVE-2024-1234x", "CVE-2024-12-34"] {
            assert!(!is_cve_id(text), "{text}");
        }
    }
}
