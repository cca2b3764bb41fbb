//! The details pack: titles and references, in a file of their own that a client may leave out.

use super::bytes::{Reader, put_text, put_varint};
use super::key::AdvisoryKey;
use super::read::{Damaged, IndexError};
use super::table::{Table, TableWriter};
use super::write::Facts;
use crate::record::Record;

/// The first bytes of every details pack.
const MAGIC: [u8; 8] = *b"\x89AUXDT\r\n";
/// Raised when an older reader would misread the file.
const VERSION: u32 = 1;
/// Magic, version, checksum of everything behind the header.
const HEADER_BYTES: usize = 8 + 4 + 32;
/// Characters of a title; longer sentences are cut at a word.
const TITLE_CHARACTERS_MAX: usize = 400;
/// References kept of one advisory.
const REFERENCES_MAX: usize = 8;

/// Compiles the pack. Its records are those of the index beside it; the key of each is the same in both.
pub fn compile_details(records: &[Record], facts: &Facts) -> Vec<u8> {
    let mut entries: Vec<(AdvisoryKey, &Record)> = records
        .iter()
        .filter(|record| !record.title.is_empty() || !record.references.is_empty())
        .map(|record| (AdvisoryKey::of(&record.id), record))
        .collect();
    entries.sort_by_key(|(key, _)| *key);
    entries.dedup_by_key(|(key, _)| *key);
    let mut table = TableWriter::default();
    for (key, record) in entries {
        let mut value = Vec::new();
        put_text(&mut value, &shortened(&record.title));
        let references: Vec<&String> = record.references.iter().take(REFERENCES_MAX).collect();
        put_varint(&mut value, references.len() as u64);
        for reference in references {
            put_text(&mut value, reference);
        }
        table.push(&key.bytes(), &value);
    }
    let mut body = Vec::new();
    put_text(&mut body, &facts.built.to_string());
    body.extend_from_slice(&table.finish());
    let mut file = Vec::with_capacity(HEADER_BYTES + body.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(blake3::hash(&body).as_bytes());
    file.extend_from_slice(&body);
    file
}

fn shortened(title: &str) -> String {
    let flat = title.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= TITLE_CHARACTERS_MAX {
        return flat;
    }
    let cut: String = flat.chars().take(TITLE_CHARACTERS_MAX).collect();
    let end = cut.rfind(' ').unwrap_or(cut.len());
    format!("{}…", cut.get(..end).unwrap_or(&cut))
}

/// A checked pack over borrowed bytes.
#[derive(Clone, Copy)]
pub struct Details<'a> {
    table: Table<'a>,
}

/// What people read about an advisory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail<'a> {
    pub title: &'a str,
    pub references: Vec<&'a str>,
}

impl std::fmt::Debug for Details<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Details")
    }
}

impl<'a> Details<'a> {
    /// Checks magic, version and checksum before anything is read.
    pub fn open(file: &'a [u8]) -> Result<Self, IndexError> {
        let (header, body) = file.split_at_checked(HEADER_BYTES).ok_or(IndexError::Foreign)?;
        let (magic, header) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(IndexError::Foreign);
        }
        let (version, checksum) = header.split_at(4);
        let found = u32::from_le_bytes(version.try_into().unwrap_or_default());
        if found != VERSION {
            return Err(IndexError::Version { found });
        }
        if checksum != blake3::hash(body).as_bytes().as_slice() {
            return Err(IndexError::Checksum);
        }
        let mut reader = Reader::new(body);
        let table = reader.text().and_then(|_| Table::read(reader.rest()));
        table.map(|table| Self { table }).ok_or(IndexError::Section { section: "details" })
    }

    pub fn find(&self, key: AdvisoryKey) -> Result<Option<Detail<'a>>, Damaged> {
        let Some(value) = self.table.find(&key.bytes())? else { return Ok(None) };
        let mut reader = Reader::new(value);
        let mut read = || Some(Detail { title: reader.text()?, references: reader.list(Reader::text)? });
        read().map(Some).ok_or(Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn prose_is_found_by_key_and_a_flipped_byte_is_refused() {
        let mut record = Record::new("CVE-2021-44228");
        record.title = format!("Lookups in log messages {}", "x ".repeat(400));
        record.references = vec!["https://example.org/a".to_owned()];
        let mut pack = compile_details(&[record], &Facts { serial: 0, built: Timestamp::UNIX_EPOCH });
        let detail = Details::open(&pack).unwrap().find(AdvisoryKey::of("CVE-2021-44228")).unwrap().unwrap();
        assert!(detail.title.starts_with("Lookups in log") && detail.title.ends_with('…'));
        assert_eq!(detail.references, ["https://example.org/a"]);
        assert_eq!(Details::open(&pack).unwrap().find(AdvisoryKey::of("CVE-2021-44229")), Ok(None));
        let last = pack.len() - 1;
        pack[last] ^= 1;
        assert_eq!(Details::open(&pack).unwrap_err(), IndexError::Checksum);
        assert_eq!(Details::open(b"\x89AUXDB\r\n").unwrap_err(), IndexError::Foreign);
    }
}
