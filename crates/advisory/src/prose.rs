//! Version bounds that an advisory's description states in words: "before 1.2.3", "5.5.x before 5.5.26", "2.1 and earlier".
//!
//! Sources that list single versions often list only those somebody tested, while the sentence says what is meant.

use std::collections::BTreeMap;

use aux_core::version::{self, Scheme};

use crate::cpe::Part;
use crate::record::{Bound, Product, VersionRange};

/// A stated range and where in the text it stands, so that a caller can tell which product it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// Byte offset of the phrase in the description.
    pub offset: usize,
    pub range: VersionRange,
}

/// Every bound of the description, in order.
///
/// Where several stand in a row for one product (`5.5.45 and earlier, and 5.6.26 and earlier`), the later ones are
/// about their own branch: they begin where the branch does.
pub fn bounds(description: &str) -> Vec<Stated> {
    let words = words(description);
    let mut stated: Vec<Stated> = Vec::new();
    let mut index = 0;
    while index < words.len() {
        let rest = words.get(index..).unwrap_or_default();
        if let Some((length, excluding, version)) = upper_bound(rest) {
            let previous = index.checked_sub(1).and_then(|before| words.get(before));
            let low = previous.and_then(|word| low_of(word)).unwrap_or(Bound::Open);
            let offset = rest.first().map_or(0, |word| word.offset);
            push(&mut stated, offset, low, version, excluding);
            index += length;
            for version in more_bounds(words.get(index..).unwrap_or_default()) {
                push(&mut stated, offset, Bound::Open, version, excluding);
                index += 1;
            }
        } else if let Some((length, version)) = and_earlier(rest) {
            push(&mut stated, rest.first().map_or(0, |word| word.offset), Bound::Open, version, false);
            index += length;
        } else {
            index += 1;
        }
    }
    stated
}

fn push(stated: &mut Vec<Stated>, offset: usize, low: Bound, version: &str, excluding: bool) {
    let high = if excluding { Bound::Excluding(version.to_owned()) } else { Bound::Including(version.to_owned()) };
    stated.push(Stated { offset, range: VersionRange { low, high } });
}

/// Gives every open-ended range but the lowest its branch as a lower bound.
pub fn by_branch(mut ranges: Vec<VersionRange>) -> Vec<VersionRange> {
    let open =
        |range: &VersionRange| (range.low == Bound::Open).then(|| range.high.version().map(str::to_owned)).flatten();
    let lowest = ranges
        .iter()
        .filter_map(open)
        .min_by(|left, right| version::compare(Scheme::Generic, left, right).unwrap_or_else(|| left.cmp(right)));
    for range in &mut ranges {
        let end = open(range);
        if end.is_some()
            && end != lowest
            && let Some(branch) = end.as_deref().and_then(branch_of)
        {
            range.low = Bound::Including(branch.to_owned());
        }
    }
    ranges
}

/// Which of a record's products each stated bound is about, with the branches filled in.
///
/// A record about one product means it; with several, a bound belongs to the product named last before it, and to none
/// where no name stands before.
pub fn for_products<'p>(
    description: &str,
    products: impl Iterator<Item = &'p Product>,
) -> BTreeMap<Product, Vec<VersionRange>> {
    let mut meant: BTreeMap<Product, Vec<VersionRange>> = BTreeMap::new();
    let stated = bounds(description);
    if stated.is_empty() {
        return meant;
    }
    let mut products: Vec<&Product> =
        products.filter(|product| !matches!(product, Product::Cpe { part: Part::Hardware, .. })).collect();
    products.dedup();
    let only_one = products.len() == 1;
    let text = description.to_ascii_lowercase();
    let mentions: Vec<(usize, &Product)> =
        products.iter().flat_map(|product| mentions(&text, product).into_iter().map(|at| (at, *product))).collect();
    for Stated { offset, range } in stated {
        let nearest = mentions.iter().filter(|(at, _)| *at < offset).map(|(at, _)| *at).max();
        let mut named: Vec<&Product> =
            mentions.iter().filter(|(at, _)| Some(*at) == nearest).map(|(_, product)| *product).collect();
        // A name that stands only behind the bound is not its subject: "file through 5.20, as used in PHP".
        if named.is_empty() && only_one && mentions.is_empty() {
            named.clone_from(&products);
        }
        for product in named {
            meant.entry(product.clone()).or_default().push(range.clone());
        }
    }
    meant.into_iter().map(|(product, ranges)| (product, by_branch(ranges))).collect()
}

/// Whether the sentence is about an extension of the product and not the product: "the Foo extension for Bar".
pub fn is_about_extension(description: &str, product: &str) -> bool {
    const KINDS: [&str; 9] = ["extension", "plugin", "plug-in", "add-on", "addon", "skin", "theme", "module", "gadget"];
    let text = description.to_ascii_lowercase();
    let name = product.to_ascii_lowercase().replace('_', " ");
    let kinds = KINDS.iter().flat_map(|kind| [format!("{kind} for {name}"), format!("{kind}s for {name}")]);
    kinds.into_iter().any(|phrase| text.contains(&phrase))
}

/// Where the product's name stands in the lower-case text, as a word of its own.
fn mentions(text: &str, product: &Product) -> Vec<usize> {
    let spaced = product.name().to_ascii_lowercase().replace(['_', '-'], " ");
    let dashed = spaced.replace(' ', "-");
    let mut found = Vec::new();
    for name in [spaced.as_str(), dashed.as_str()] {
        for (at, _) in text.match_indices(name) {
            let before = text.get(..at).and_then(|text| text.chars().next_back());
            let after = text.get(at + name.len()..).and_then(|text| text.chars().next());
            if ![before, after].into_iter().flatten().any(|c| c.is_ascii_alphanumeric() || c == '-' || c == '/') {
                found.push(at);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What a source's listed versions and its own sentence say together.
///
/// A range that ends at the fixing version is precise and stands alone. A list of single versions, or "every version",
/// says less than the sentence does.
pub fn complete(listed: Vec<VersionRange>, stated: &[VersionRange]) -> Vec<VersionRange> {
    let precise = listed.iter().any(|range| matches!(range.high, Bound::Excluding(_)));
    if let (true, [only], [said]) = (precise, listed.as_slice(), stated)
        && corrects(only, said)
    {
        return vec![VersionRange { low: only.low.clone(), high: said.high.clone() }];
    }
    if stated.is_empty() || precise {
        return listed;
    }
    let mut versions: Vec<VersionRange> = listed.into_iter().filter(|range| *range != VersionRange::ALL).collect();
    versions.extend(stated.iter().cloned());
    versions
}

/// Whether the sentence, which is the vendor's, names another fixing version of the same branch than the one range.
fn corrects(listed: &VersionRange, said: &VersionRange) -> bool {
    match (&listed.high, &said.high) {
        (Bound::Excluding(listed), Bound::Excluding(said)) => {
            branch_of(listed).is_some() && branch_of(listed) == branch_of(said)
        }
        _ => false,
    }
}

/// `5.6.26` → `5.6`; nothing for a version of one number.
fn branch_of(version: &str) -> Option<&str> {
    version.rfind('.').and_then(|dot| version.get(..dot))
}

/// The rest of a list: `before 2.4.2, 2.3.5, and 2.2.8` states three bounds. A version that begins a range of its own
/// (`1.3 before 1.3.4`) is not part of the list.
fn more_bounds<'a>(words: &[Word<'a>]) -> Vec<&'a str> {
    let mut bounds = Vec::new();
    let mut rest = words;
    loop {
        let joint = rest.first().is_some_and(|word| matches!(word.text, "and" | "or"));
        let after = rest.get(usize::from(joint)..).unwrap_or_default();
        let Some(version) =
            after.first().and_then(|word| version_in(word.text)).filter(|version| version.contains('.'))
        else {
            break;
        };
        let next = after.get(1).map_or("", |word| word.text);
        if matches!(next, "before" | "through" | "prior" | "and" | "to" | "up")
            && after.get(2).is_none_or(|word| version_in(word.text).is_none())
        {
            break;
        }
        if matches!(next, "before" | "through" | "prior" | "up") {
            break;
        }
        bounds.push(version);
        rest = after.get(1..).unwrap_or_default();
    }
    bounds
}

struct Word<'a> {
    offset: usize,
    text: &'a str,
    /// A comma, full stop or closing bracket stood behind it.
    ends_phrase: bool,
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    for piece in text.split_whitespace() {
        let offset = piece.as_ptr() as usize - text.as_ptr() as usize;
        let trimmed = piece.trim_matches(|c: char| matches!(c, ',' | ';' | '(' | ')' | '"' | '\'' | ':' | '[' | ']'));
        let bare = trimmed.trim_end_matches('.');
        if !bare.is_empty() {
            words.push(Word { offset, text: bare, ends_phrase: !piece.ends_with(bare) });
        }
    }
    words
}

/// `before 1.2`, `prior to version 1.2`, `through 1.2`, `up to and including 1.2`, `< 1.2`: words taken, whether the
/// bound itself is safe, the bound.
fn upper_bound<'a>(words: &[Word<'a>]) -> Option<(usize, bool, &'a str)> {
    let text = |index: usize| words.get(index).map_or("", |word| word.text);
    // `<=4.3`, written in one piece.
    if let Some(glued) = text(0).strip_prefix('<') {
        let version = version_in(glued.strip_prefix('=').unwrap_or(glued));
        if let Some(version) = version {
            return Some((1, !glued.starts_with('='), version));
        }
    }
    let lower = text(0).to_ascii_lowercase();
    let (mut next, mut excluding) = match lower.as_str() {
        "before" | "<" => (1, true),
        "prior" if text(1) == "to" => (2, true),
        "through" | "<=" => (1, false),
        "up" if text(1) == "to" => (2, false),
        _ => return None,
    };
    for _ in 0..4 {
        match text(next).to_ascii_lowercase().as_str() {
            "version" | "versions" | "release" | "releases" | "to" => next += 1,
            "and" if text(next + 1) == "including" => {
                excluding = false;
                next += 2;
            }
            _ => break,
        }
    }
    let version = version_in(text(next))?;
    Some((next + 1, excluding, version))
}

/// `1.2.3 and earlier`, `1.2 or below`: words taken and the bound.
fn and_earlier<'a>(words: &[Word<'a>]) -> Option<(usize, &'a str)> {
    let first = words.first()?;
    let version = version_in(first.text)?;
    let joint = words.get(1)?.text;
    let word = words.get(2)?.text.to_ascii_lowercase();
    let is_earlier = matches!(word.as_str(), "earlier" | "prior" | "below" | "older" | "previous" | "lower");
    let leads_on = words.get(3).is_some_and(|next| next.text == "to") && word == "prior";
    (matches!(joint, "and" | "or") && is_earlier && !leads_on).then_some((3, version))
}

/// The lower bound a word before "before" stands for: `5.5.x` is the branch, `1.0` itself.
fn low_of(word: &Word<'_>) -> Option<Bound> {
    if word.ends_phrase {
        return None;
    }
    let text = word.text;
    let branch = text.strip_suffix(".x").or_else(|| text.strip_suffix(".X")).or_else(|| text.strip_suffix(".*"));
    version_in(branch.unwrap_or(text)).map(|version| Bound::Including(version.to_owned()))
}

/// A word that is a version: begins with a digit, has nothing but version characters, and is no ISO date.
fn version_in(word: &str) -> Option<&str> {
    let version = word.strip_prefix(['v', 'V']).unwrap_or(word);
    let is_plain = version.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let letters = version.bytes().filter(u8::is_ascii_alphabetic).count();
    let begins = version.as_bytes().first().is_some_and(u8::is_ascii_digit);
    let is_branch = version.rsplit_once('.').is_some_and(|(_, last)| last.eq_ignore_ascii_case("x"));
    (begins && is_plain && letters <= 8 && version.len() <= 40 && !is_branch && version::is_orderable(version))
        .then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(description: &str) -> Vec<String> {
        by_branch(bounds(description).into_iter().map(|stated| stated.range).collect())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn bounds_are_read_from_the_usual_sentences() {
        assert_eq!(shown("Overflow in libfoo before 1.2.3 allows attackers to"), ["< 1.2.3"]);
        assert_eq!(
            shown("PHP before 5.4.42, 5.5.x before 5.5.26, and 5.6.x before 5.6.10 does not"),
            ["< 5.4.42", ">= 5.5, < 5.5.26", ">= 5.6, < 5.6.10"]
        );
        assert_eq!(
            shown("Server 5.5.45 and earlier, and 5.6.26 and earlier, allows"),
            ["<= 5.5.45", ">= 5.6, <= 5.6.26"]
        );
        assert_eq!(
            shown("Ruby before 2.4.2, 2.3.5, and 2.2.8 is vulnerable"),
            [">= 2.4, < 2.4.2", ">= 2.3, < 2.3.5", "< 2.2.8"]
        );
        assert_eq!(shown("foo before 1.2.9 and 1.3.x before 1.3.4"), ["< 1.2.9", ">= 1.3, < 1.3.4"]);
        assert_eq!(shown("FFmpeg <=4.3 contains"), ["<= 4.3"]);
        assert_eq!(shown("in foo 1.0 through 1.5.2 and"), [">= 1.0, <= 1.5.2"]);
        assert_eq!(shown("An issue was discovered in foo prior to version 2.0-rc1."), ["< 2.0-rc1"]);
        assert_eq!(shown("foo up to and including 3.1 is"), ["<= 3.1"]);
    }

    #[test]
    fn an_extension_is_not_its_host_but_what_a_program_brings_along_is_part_of_it() {
        assert!(is_about_extension("In the AbuseFilter extension for MediaWiki through 1.35.2", "mediawiki"));
        assert!(is_about_extension("Some plugins for Foo Bar leak", "foo_bar"));
        assert!(!is_about_extension("The EXIF extension in PHP before 5.4.37 leaks", "php"));
    }

    #[test]
    fn words_that_are_no_bounds_are_left_alone() {
        for text in [
            "before processing 3 items",
            "before 2014-02-03",
            "memory is freed before use",
            "through a crafted file",
            "",
            "1.2.3 and prior to use",
        ] {
            assert_eq!(shown(text), Vec::<String>::new(), "{text}");
        }
    }
}
