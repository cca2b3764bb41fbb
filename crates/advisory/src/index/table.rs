//! A sorted table in a byte slice: keys share prefixes within groups, values are opaque; looked up in place.
//!
//! Layout: entries, then one little-endian u32 a group with the offset of the group's first entry, then the number of
//! groups as u32. An entry is `varint shared, varint rest, varint value length, rest of key, value`; the first entry of
//! a group shares nothing. Groups hold [`GROUP`] entries.

use std::cmp::Ordering;

use super::bytes::{Reader, put_varint};

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
    pub(super) fn find(&self, key: &[u8]) -> Option<&'a [u8]> {
        let mut entries = self.group(self.last_group_at_or_below(key));
        loop {
            let value = entries.advance()?;
            match entries.key.as_slice().cmp(key) {
                Ordering::Less => {}
                Ordering::Equal => return Some(value),
                Ordering::Greater => return None,
            }
        }
    }

    /// Every entry whose key begins with `prefix`, in order.
    pub(super) fn with_prefix<'k>(&self, prefix: &'k [u8]) -> impl Iterator<Item = Entry<'a>> + use<'a, 'k> {
        self.from(prefix).take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// Every entry, in order.
    pub(super) fn entries(&self) -> Entries<'a> {
        Entries { reader: Reader::new(self.entries), key: Vec::new() }
    }

    /// Entries from the first key not below `key`.
    fn from<'k>(&self, key: &'k [u8]) -> impl Iterator<Item = Entry<'a>> + use<'a, 'k> {
        let mut entries = self.group(self.last_group_at_or_below(key));
        let mut first = None;
        while let Some(value) = entries.advance() {
            if entries.key.as_slice() >= key {
                first = Some((entries.key.clone(), value));
                break;
            }
        }
        first.into_iter().chain(entries)
    }

    /// The entries from a group's first one.
    fn group(&self, group: usize) -> Entries<'a> {
        let bytes = self.group_offset(group).and_then(|offset| self.entries.get(offset..)).unwrap_or_default();
        Entries { reader: Reader::new(bytes), key: Vec::new() }
    }

    fn last_group_at_or_below(&self, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.offsets.len() / 4);
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.first_key(middle).is_some_and(|first| first <= key) {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
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

/// Walks entries; ends at the first that does not decode, which a checked file does not have.
pub(super) struct Entries<'a> {
    reader: Reader<'a>,
    key: Vec<u8>,
}

impl<'a> Entries<'a> {
    /// Steps to the next entry: its key stands in `key`, where nobody has to allocate one, its value is returned.
    fn advance(&mut self) -> Option<&'a [u8]> {
        let shared = usize::try_from(self.reader.varint()?).ok()?;
        let rest = usize::try_from(self.reader.varint()?).ok()?;
        let value = usize::try_from(self.reader.varint()?).ok()?;
        let rest = self.reader.take(rest)?;
        self.key.truncate(shared);
        self.key.extend_from_slice(rest);
        self.reader.take(value)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let value = self.advance()?;
        Some((self.key.clone(), value))
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
            assert_eq!(table.find(key.as_bytes()), Some(key.to_uppercase().as_bytes()));
        }
        for absent in ["", "key", "key-00000a", "key-99999", "z"] {
            assert_eq!(table.find(absent.as_bytes()), None);
        }
        assert_eq!(table.with_prefix(b"key-0001").count(), 10);
        assert_eq!(table.entries().count(), 1000);
    }

    #[test]
    fn an_empty_or_broken_table_has_nothing_and_does_not_panic() {
        let bytes = TableWriter::default().finish();
        assert_eq!(Table::read(&bytes).unwrap().find(b"x"), None);
        assert!(Table::read(&[1, 2]).is_none());
        assert!(Table::read(&[0, 0, 0, 9]).is_none());
        let garbage = [9, 200, 200, 200, 255, 255, 0, 0, 0, 0, 1, 0, 0, 0];
        assert_eq!(Table::read(&garbage).unwrap().find(b"x"), None);
    }
}
