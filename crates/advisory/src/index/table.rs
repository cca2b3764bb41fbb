//! A sorted table in a byte slice: keys share prefixes within groups, values are opaque; looked up in place.
//!
//! Layout: entries, then one little-endian u32 a group with the offset of the group's first entry, then the number of
//! groups as u32. An entry is `varint shared, varint rest, varint value length, rest of key, value`; the first entry of
//! a group shares nothing. Groups hold [`GROUP`] entries.

use std::cmp::Ordering;

use super::bytes::{Reader, put_varint};
use super::read::Damaged;

/// Entries a group: small enough that a scan is cheap, large enough that offsets cost little.
const GROUP: usize = 16;

/// Writes a table; keys must come in strictly ascending order.
#[derive(Default)]
pub(super) struct TableWriter {
    bytes: Vec<u8>,
    offsets: Vec<u32>,
    last_key: Vec<u8>,
    count: usize,
}

impl TableWriter {
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) {
        debug_assert!(self.count == 0 || self.last_key.as_slice() < key, "keys ascend");
        let shared = if self.count.is_multiple_of(GROUP) {
            self.offsets.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
            0
        } else {
            self.last_key.iter().zip(key).take_while(|(left, right)| left == right).count()
        };
        let rest = key.get(shared..).unwrap_or_default();
        put_varint(&mut self.bytes, shared as u64);
        put_varint(&mut self.bytes, rest.len() as u64);
        put_varint(&mut self.bytes, value.len() as u64);
        self.bytes.extend_from_slice(rest);
        self.bytes.extend_from_slice(value);
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.count += 1;
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        for offset in &self.offsets {
            self.bytes.extend_from_slice(&offset.to_le_bytes());
        }
        self.bytes.extend_from_slice(&u32::try_from(self.offsets.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.bytes
    }
}

/// A table in place.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    entries: &'a [u8],
    offsets: &'a [u8],
}

/// A key, put together from its shared prefix, and its value.
pub(super) type Entry<'a> = (Vec<u8>, &'a [u8]);

impl<'a> Table<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (body, count) = bytes.split_last_chunk::<4>()?;
        let offsets_length = (u32::from_le_bytes(*count) as usize).checked_mul(4)?;
        let (entries, offsets) = body.split_at_checked(body.len().checked_sub(offsets_length)?)?;
        Some(Self { entries, offsets })
    }

    /// The value of exactly this key.
    pub(super) fn find(&self, key: &[u8]) -> Result<Option<&'a [u8]>, Damaged> {
        let Some(mut entries) = self.entries_near(key)? else { return Ok(None) };
        while let Some(value) = entries.advance()? {
            match entries.key.as_slice().cmp(key) {
                Ordering::Less => {}
                Ordering::Equal => return Ok(Some(value)),
                Ordering::Greater => break,
            }
        }
        Ok(None)
    }

    /// Every entry whose key begins with `prefix`, in order.
    pub(super) fn with_prefix(&self, prefix: &[u8]) -> Result<Vec<Entry<'a>>, Damaged> {
        let starts =
            |entry: &Result<Entry<'a>, Damaged>| entry.as_ref().map_or(true, |(key, _)| key.starts_with(prefix));
        self.from(prefix)?.take_while(starts).collect()
    }

    /// Every entry, in order.
    pub(super) fn entries(&self) -> Entries<'a> {
        Entries { reader: Reader::new(self.entries), key: Vec::new() }
    }

    /// Entries from the first key not below `key`.
    fn from<'k>(&self, key: &'k [u8]) -> Result<impl Iterator<Item = EntryRead<'a>> + use<'a, 'k>, Damaged> {
        let mut entries = self.entries_near(key)?.unwrap_or(Entries { reader: Reader::new(&[]), key: Vec::new() });
        let mut first = None;
        while let Some(value) = entries.advance()? {
            if entries.key.as_slice() >= key {
                first = Some(Ok((entries.key.clone(), value)));
                break;
            }
        }
        Ok(first.into_iter().chain(entries))
    }

    /// The entries from the first of the group that would hold `key`; `None` of an empty table.
    fn entries_near(&self, key: &[u8]) -> Result<Option<Entries<'a>>, Damaged> {
        let bytes = match self.last_group_at_or_below(key)? {
            Some(group) => self.group_offset(group).and_then(|offset| self.entries.get(offset..)).ok_or(Damaged)?,
            None if self.entries.is_empty() => return Ok(None),
            None => return Err(Damaged),
        };
        Ok(Some(Entries { reader: Reader::new(bytes), key: Vec::new() }))
    }

    /// `None` where there is no group at all.
    fn last_group_at_or_below(&self, key: &[u8]) -> Result<Option<usize>, Damaged> {
        let (mut low, mut high) = (0, self.offsets.len() / 4);
        if high == 0 {
            return Ok(None);
        }
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.first_key(middle).ok_or(Damaged)? <= key {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(Some(low))
    }

    fn first_key(&self, group: usize) -> Option<&'a [u8]> {
        let mut reader = Reader::new(self.entries.get(self.group_offset(group)?..)?);
        let (_shared, rest, _value) = (reader.varint()?, reader.varint()?, reader.varint()?);
        reader.take(usize::try_from(rest).ok()?)
    }

    fn group_offset(&self, group: usize) -> Option<usize> {
        let bytes = self.offsets.get(group * 4..group * 4 + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    }
}

/// An entry, or that it does not decode.
pub(super) type EntryRead<'a> = Result<Entry<'a>, Damaged>;

/// Walks entries; one that does not decode is the last item.
pub(super) struct Entries<'a> {
    reader: Reader<'a>,
    key: Vec<u8>,
}

impl<'a> Iterator for Entries<'a> {
    type Item = EntryRead<'a>;

    fn next(&mut self) -> Option<EntryRead<'a>> {
        let value = self.advance().transpose()?;
        Some(value.map(|value| (self.key.clone(), value)))
    }
}

impl<'a> Entries<'a> {
    /// Steps to the next entry: its key stands in `key`, where nobody has to allocate one, its value is returned. An
    /// entry that does not decode is the last.
    pub(super) fn advance(&mut self) -> Result<Option<&'a [u8]>, Damaged> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let value = self.step().ok_or(Damaged);
        if value.is_err() {
            self.reader = Reader::new(&[]);
        }
        value.map(Some)
    }

    /// The key of the entry `advance` stepped to.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    fn step(&mut self) -> Option<&'a [u8]> {
        let shared = usize::try_from(self.reader.varint()?).ok()?;
        let rest = usize::try_from(self.reader.varint()?).ok()?;
        let value = usize::try_from(self.reader.varint()?).ok()?;
        let rest = self.reader.take(rest)?;
        if shared > self.key.len() {
            return None;
        }
        self.key.truncate(shared);
        self.key.extend_from_slice(rest);
        self.reader.take(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_and_no_other() {
        let keys: Vec<String> = (0..1000).map(|number| format!("key-{number:05}")).collect();
        let mut writer = TableWriter::default();
        for key in &keys {
            writer.push(key.as_bytes(), key.to_uppercase().as_bytes());
        }
        let bytes = writer.finish();
        let table = Table::read(&bytes).unwrap();
        for key in &keys {
            assert_eq!(table.find(key.as_bytes()), Ok(Some(key.to_uppercase().as_bytes())));
        }
        for absent in ["", "key", "key-00000a", "key-99999", "z"] {
            assert_eq!(table.find(absent.as_bytes()), Ok(None));
        }
        assert_eq!(table.with_prefix(b"key-0001").unwrap().len(), 10);
        assert_eq!(table.entries().count(), 1000);
    }

    #[test]
    fn an_empty_table_has_nothing_and_a_broken_one_says_so() {
        let bytes = TableWriter::default().finish();
        assert_eq!(Table::read(&bytes).unwrap().find(b"x"), Ok(None));
        assert!(Table::read(&[1, 2]).is_none());
        assert!(Table::read(&[0, 0, 0, 9]).is_none());
        let garbage = [9, 200, 200, 200, 255, 255, 0, 0, 0, 0, 1, 0, 0, 0];
        assert_eq!(Table::read(&garbage).unwrap().find(b"x"), Err(Damaged));
        // Entries that no group leads to, and a group that begins behind the entries.
        assert_eq!(Table::read(&[0, 1, 0, b'x', 0, 0, 0, 0]).unwrap().find(b"x"), Err(Damaged));
        assert_eq!(Table::read(&[0, 1, 0, b'x', 9, 0, 0, 0, 1, 0, 0, 0]).unwrap().find(b"x"), Err(Damaged));
    }
}
