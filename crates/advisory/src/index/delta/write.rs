//! Writes a delta: the newest values of everything touched.

use std::collections::BTreeSet;

use super::super::HEADER_BYTES;
use super::super::bytes::put_varint;
use super::super::read::{Damaged, Index};
use super::blocks::{Group, groups};
use super::touched::Within;
use super::{CHECKSUM, GONE, MAGIC, ORDER, REPLACE, SET, Shape, Touched, VERSION, shape};

/// Compression level of zstd; a delta is written once and read by everybody.
const LEVEL: i32 = 19;

/// A delta that takes every index which differs from `newest` in `touched` only to `newest`.
pub fn write(newest: &[u8], index: &Index<'_>, touched: &Touched) -> Result<Vec<u8>, Damaged> {
    let mut payload = Vec::new();
    for (section, keys) in ORDER.into_iter().zip(&touched.sections) {
        put_varint(&mut payload, keys.len() as u64);
        let mut last: &[u8] = &[];
        for (key, within) in keys {
            let shared = last.iter().zip(key).take_while(|(left, right)| left == right).count();
            put_varint(&mut payload, shared as u64);
            let rest = key.get(shared..).unwrap_or_default();
            put_varint(&mut payload, rest.len() as u64);
            payload.extend_from_slice(rest);
            match index.table(section).find(key)? {
                None => payload.push(GONE),
                Some(value) => put_value(&mut payload, shape(section), value, within)?,
            }
            last = key;
        }
    }
    let packed = zstd::bulk::compress(&payload, LEVEL).map_err(|_| Damaged)?;
    let mut file = Vec::with_capacity(HEADER_BYTES + packed.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(newest.get(CHECKSUM).ok_or(Damaged)?);
    file.extend_from_slice(&packed);
    Ok(file)
}

fn put_value(payload: &mut Vec<u8>, shape: Shape, value: &[u8], within: &Within) -> Result<(), Damaged> {
    let Shape::Block { lead_bytes } = shape else {
        payload.push(SET);
        put_varint(payload, value.len() as u64);
        payload.extend_from_slice(value);
        return Ok(());
    };
    let (lead, entries) = value.split_at_checked(lead_bytes).ok_or(Damaged)?;
    let present = groups(entries)?;
    let advisories = match within {
        Within::All => present.iter().map(|group| group.advisory).collect::<BTreeSet<_>>(),
        Within::Advisories(advisories) => advisories.clone(),
    };
    payload.push(if *within == Within::All { REPLACE } else { SET });
    payload.extend_from_slice(lead);
    put_varint(payload, advisories.len() as u64);
    let mut previous = 0;
    for advisory in advisories {
        put_varint(payload, advisory - previous);
        previous = advisory;
        // Nought bytes: the advisory no longer speaks of this product. An entry has at least two.
        let position = present.binary_search_by_key(&advisory, |group| group.advisory);
        let bytes =
            position.ok().and_then(|position| present.get(position)).map_or(&[][..], |Group { bytes, .. }| bytes);
        put_varint(payload, bytes.len() as u64);
        payload.extend_from_slice(bytes);
    }
    Ok(())
}
