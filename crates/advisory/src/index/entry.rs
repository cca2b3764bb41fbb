//! How an advisory and an affected product are written as bytes and read back.

use aux_core::version::Scheme;
use aux_core::{Class, Score};
use jiff::civil::Date;

use super::bytes::{Reader, put_text, put_varint};
use super::key::AdvisoryKey;
use crate::record::{Affected, Bound, Language, Platform, Record, VersionRange};

/// An advisory as the index holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advisory<'a> {
    pub id: String,
    pub aliases: Vec<&'a str>,
    pub score: Option<Score>,
    pub class: Class,
    pub kev: bool,
    pub withdrawn: bool,
    pub published: Option<Date>,
}

const KEV: u8 = 1;
const WITHDRAWN: u8 = 1 << 1;
const CLASS_SHIFT: u8 = 2;
const SCORED: u8 = 1 << 4;
const ALIASED: u8 = 1 << 5;
const DATED: u8 = 1 << 6;

pub(super) fn put_advisory(record: &Record) -> Vec<u8> {
    let key = AdvisoryKey::of(&record.id);
    let published = record.published.and_then(|time| day_number(time.to_zoned(jiff::tz::TimeZone::UTC).date()));
    let mut flags = record.class.as_byte() << CLASS_SHIFT;
    flags |= if record.kev { KEV } else { 0 } | if record.withdrawn { WITHDRAWN } else { 0 };
    flags |= if record.score.is_some() { SCORED } else { 0 } | if record.aliases.is_empty() { 0 } else { ALIASED };
    flags |= if published.is_some() { DATED } else { 0 };
    let mut bytes = vec![flags];
    bytes.extend(record.score.map(Score::tenths));
    if let Some(day) = published {
        put_varint(&mut bytes, day);
    }
    if key.cve().is_none() {
        put_text(&mut bytes, &record.id);
    }
    if !record.aliases.is_empty() {
        put_varint(&mut bytes, record.aliases.len() as u64);
        for alias in &record.aliases {
            put_text(&mut bytes, alias);
        }
    }
    bytes
}

pub(super) fn read_advisory(key: AdvisoryKey, bytes: &[u8]) -> Option<Advisory<'_>> {
    let mut reader = Reader::new(bytes);
    let flags = reader.byte()?;
    let score = if flags & SCORED == 0 { None } else { Some(Score::from_tenths(reader.byte()?)?) };
    let published = if flags & DATED == 0 { None } else { Some(day(reader.varint()?)?) };
    let id = match key.cve() {
        Some(id) => id,
        None => reader.text()?.to_owned(),
    };
    let aliases = if flags & ALIASED == 0 { Vec::new() } else { reader.list(Reader::text)? };
    Some(Advisory {
        id,
        aliases,
        score,
        class: Class::from_byte(flags >> CLASS_SHIFT & 3)?,
        kev: flags & KEV != 0,
        withdrawn: flags & WITHDRAWN != 0,
        published,
    })
}

/// Days since 1970-01-01; earlier days are not written.
pub(super) fn day_number(date: Date) -> Option<u64> {
    let days = date.since(jiff::civil::date(1970, 1, 1)).ok()?.get_days();
    u64::try_from(days).ok()
}

pub(super) fn day(number: u64) -> Option<Date> {
    let days = i64::try_from(number).ok()?;
    jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// What one advisory says of one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    pub advisory: AdvisoryKey,
    pub scheme: Scheme,
    pub platform: Platform,
    /// Products, as text, of which one must be present too.
    pub together_with: Vec<&'a str>,
    /// Empty: no version is named.
    pub versions: Vec<VersionRange<&'a str>>,
    /// A pkgsrc pattern, which decides instead of `versions`.
    pub pattern: Option<&'a str>,
    /// Fixed versions that the ranges do not already end at.
    pub fixed: Vec<&'a str>,
}

const TOGETHER: u8 = 1 << 5;
const PATTERN: u8 = 1 << 6;
const FIXED: u8 = 1 << 7;

/// Appends one entry; `previous` is the key of the entry before it in the block.
pub(super) fn put_entry(bytes: &mut Vec<u8>, previous: u64, key: AdvisoryKey, entry: &Affected) {
    put_varint(bytes, key.number() - previous);
    let ends: Vec<&str> = entry
        .versions
        .iter()
        .filter_map(|range| match &range.high {
            Bound::Excluding(version) => Some(version.as_str()),
            _ => None,
        })
        .collect();
    let fixed: Vec<&String> = entry.fixed.iter().filter(|version| !ends.contains(&version.as_str())).collect();
    let (platform, language) = platform_bytes(entry.platform);
    let mut flags = entry.scheme.as_byte() | platform << 2;
    flags |= if entry.together_with.is_empty() { 0 } else { TOGETHER };
    flags |= if entry.pattern.is_some() { PATTERN } else { 0 } | if fixed.is_empty() { 0 } else { FIXED };
    bytes.push(flags);
    bytes.extend(language);
    put_varint(bytes, entry.versions.len() as u64);
    for range in &entry.versions {
        put_range(bytes, range);
    }
    if !entry.together_with.is_empty() {
        put_varint(bytes, entry.together_with.len() as u64);
        for product in &entry.together_with {
            put_text(bytes, &product.to_string());
        }
    }
    if let Some(pattern) = &entry.pattern {
        put_text(bytes, pattern);
    }
    if !fixed.is_empty() {
        put_varint(bytes, fixed.len() as u64);
        for version in fixed {
            put_text(bytes, version);
        }
    }
}

pub(super) fn read_entry<'a>(reader: &mut Reader<'a>, previous: u64) -> Option<Entry<'a>> {
    let advisory = AdvisoryKey::from_number(previous.checked_add(reader.varint()?)?);
    let flags = reader.byte()?;
    let platform = read_platform(flags >> 2 & 7, reader)?;
    let versions = reader.list(read_range)?;
    Some(Entry {
        advisory,
        scheme: Scheme::from_byte(flags & 3)?,
        platform,
        versions,
        together_with: if flags & TOGETHER == 0 { Vec::new() } else { reader.list(Reader::text)? },
        pattern: if flags & PATTERN == 0 { None } else { Some(reader.text()?) },
        fixed: if flags & FIXED == 0 { Vec::new() } else { reader.list(Reader::text)? },
    })
}

const LANGUAGES: [Language; 10] = [
    Language::Node,
    Language::Python,
    Language::Ruby,
    Language::Perl,
    Language::Rust,
    Language::Php,
    Language::Java,
    Language::Go,
    Language::Lua,
    Language::Haskell,
];

fn platform_bytes(platform: Platform) -> (u8, Option<u8>) {
    match platform {
        Platform::Any => (0, None),
        Platform::Unix => (1, None),
        Platform::Foreign => (2, None),
        Platform::Plugin => (3, None),
        Platform::PaidEdition => (4, None),
        Platform::Language(language) => {
            let position = LANGUAGES.iter().position(|known| *known == language).unwrap_or_default();
            (5, u8::try_from(position).ok())
        }
    }
}

fn read_platform(byte: u8, reader: &mut Reader<'_>) -> Option<Platform> {
    Some(match byte {
        0 => Platform::Any,
        1 => Platform::Unix,
        2 => Platform::Foreign,
        3 => Platform::Plugin,
        4 => Platform::PaidEdition,
        5 => Platform::Language(*LANGUAGES.get(usize::from(reader.byte()?))?),
        _ => return None,
    })
}

const EXACT: u8 = 9;

/// One byte for the kinds of both ends (low + 3 × high, or 9 for a single version), then the versions there are.
pub(super) fn put_range(bytes: &mut Vec<u8>, range: &VersionRange) {
    if range.is_exact() {
        bytes.push(EXACT);
        put_text(bytes, range.low.version().unwrap_or_default());
        return;
    }
    let kind = |bound: &Bound| match bound {
        Bound::Open => 0,
        Bound::Including(_) => 1,
        Bound::Excluding(_) => 2,
    };
    bytes.push(kind(&range.low) + 3 * kind(&range.high));
    for version in [range.low.version(), range.high.version()].into_iter().flatten() {
        put_text(bytes, version);
    }
}

pub(super) fn read_range<'a>(reader: &mut Reader<'a>) -> Option<VersionRange<&'a str>> {
    let kind = reader.byte()?;
    if kind == EXACT {
        let version = reader.text()?;
        return Some(VersionRange { low: Bound::Including(version), high: Bound::Including(version) });
    }
    let mut bound = |kind| {
        Some(match kind {
            0 => Bound::Open,
            1 => Bound::Including(reader.text()?),
            2 => Bound::Excluding(reader.text()?),
            _ => return None,
        })
    };
    Some(VersionRange { low: bound(kind % 3)?, high: bound(kind / 3)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpe::Part;
    use crate::record::Product;

    #[test]
    fn an_entry_survives() {
        let mut entry = Affected::new(Product::cpe(Part::Application, "v", "p"), Scheme::Semver);
        entry.platform = Platform::Language(Language::Rust);
        entry.together_with = vec![Product::cpe(Part::Application, "x", "y")];
        entry.versions =
            ["<2", ">=1,<=3", "=4", "*", ">5"].iter().map(|text| VersionRange::read(text).unwrap()).collect();
        entry.pattern = Some("p<3".to_owned());
        entry.fixed = vec!["2".to_owned(), "3.1".to_owned()];
        let key = AdvisoryKey::of("CVE-2021-44228");
        let mut bytes = Vec::new();
        put_entry(&mut bytes, 0, key, &entry);
        let mut reader = Reader::new(&bytes);
        let read = read_entry(&mut reader, 0).unwrap();
        assert!(reader.is_empty());
        assert_eq!((read.advisory, read.scheme, read.platform), (key, entry.scheme, entry.platform));
        assert_eq!(
            read.versions.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["< 2", ">= 1, <= 3", "= 4", "every version", "> 5"]
        );
        assert_eq!((read.together_with, read.pattern, read.fixed), (vec!["a:x:y"], Some("p<3"), vec!["3.1"]));
    }

    #[test]
    fn an_advisory_survives() {
        let mut record = Record::new("GHSA-x");
        record.aliases.insert("OTHER-1".to_owned());
        record.score = Score::from_tenths(98);
        record.class = Class::Critical;
        record.kev = true;
        record.published = "2021-12-10T10:00:00Z".parse().ok();
        let read = put_advisory(&record);
        let read = read_advisory(AdvisoryKey::of("GHSA-x"), &read).unwrap();
        assert_eq!((read.id.as_str(), read.aliases, read.score), ("GHSA-x", vec!["OTHER-1"], record.score));
        assert_eq!((read.class, read.kev, read.withdrawn), (Class::Critical, true, false));
        assert_eq!(read.published.unwrap().to_string(), "2021-12-10");
    }
}
