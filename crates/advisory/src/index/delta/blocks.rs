//! A block of entries taken apart by advisory and put together again.

use super::super::bytes::{Reader, put_varint};
use super::super::entry::read_entry;
use super::super::read::Damaged;

/// All entries of one advisory in a block, without the distance in front of the first.
///
/// Further entries of the same advisory follow at distance nought, so the bytes are the same wherever they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group<'a> {
    pub advisory: u64,
    pub bytes: &'a [u8],
}

/// Takes a block apart; groups ascend by advisory.
pub(super) fn groups(entries: &[u8]) -> Result<Vec<Group<'_>>, Damaged> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut reader = Reader::new(entries);
    let mut previous = 0;
    // Where the present group's bytes begin, counted from the start of the block.
    let mut start = 0;
    while !reader.is_empty() {
        let begin = entries.len() - reader.rest().len();
        let mut ahead = reader;
        ahead.varint().ok_or(Damaged)?;
        let behind_distance = entries.len() - ahead.rest().len();
        let advisory = read_entry(&mut reader, previous).ok_or(Damaged)?.advisory.number();
        let end = entries.len() - reader.rest().len();
        if groups.is_empty() || advisory != previous {
            start = behind_distance;
            groups.push(Group { advisory, bytes: &[] });
        }
        debug_assert!(start <= end && begin < end, "an entry has bytes");
        if let Some(last) = groups.last_mut() {
            last.bytes = entries.get(start..end).ok_or(Damaged)?;
        }
        previous = advisory;
    }
    Ok(groups)
}

/// Puts groups together to the block they make; they must ascend.
pub(super) fn join<'a>(lead: &[u8], groups: impl IntoIterator<Item = Group<'a>>) -> Option<Vec<u8>> {
    let mut block = lead.to_vec();
    let mut previous = 0;
    for group in groups {
        put_varint(&mut block, group.advisory.checked_sub(previous)?);
        block.extend_from_slice(group.bytes);
        previous = group.advisory;
    }
    Some(block)
}
