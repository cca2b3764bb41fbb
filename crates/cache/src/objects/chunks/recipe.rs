//! What makes a NAR out of chunks besides them: the store hashes that go into their holes, and a checksum over it all.

use std::collections::BTreeMap;
use std::io;

use aux_nix::nix32;

use super::cut::HOLE_BYTES;
use super::index::Chunk;

/// Of a store path.
const DIGEST_BYTES: usize = 20;
const LEVEL: i32 = 3;

/// Writes down what stands in the holes of a NAR: how many hashes there are, each once, and for every hole which; packed.
pub(crate) fn write(fillings: &[[u8; HOLE_BYTES]]) -> io::Result<Vec<u8>> {
    let mut numbers = BTreeMap::new();
    let mut distinct = Vec::new();
    let mut holes = Vec::with_capacity(fillings.len() * 4);
    for characters in fillings {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let number = *numbers.entry(characters).or_insert_with(|| {
            let text = std::str::from_utf8(characters).unwrap_or_default();
            distinct.extend_from_slice(&nix32::decode::<DIGEST_BYTES>(text).unwrap_or_default());
            next
        });
        holes.extend_from_slice(&number.to_le_bytes());
    }
    let mut plain = u32::try_from(numbers.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    plain.extend(distinct);
    plain.extend(holes);
    zstd::bulk::compress(&plain, LEVEL)
}

/// What was written down; `None` where it is damaged. `holes` is how many there are.
pub(crate) fn read(written: &[u8], holes: usize) -> Option<Vec<[u8; HOLE_BYTES]>> {
    // Every hash may be another one.
    let plain = zstd::bulk::decompress(written, 4 + holes.checked_mul(DIGEST_BYTES + 4)?).ok()?;
    let (count, rest) = plain.split_first_chunk::<4>()?;
    let count = u32::from_le_bytes(*count) as usize;
    let (distinct, numbers) = rest.split_at_checked(count.checked_mul(DIGEST_BYTES)?)?;
    let characters = |digest: &[u8; DIGEST_BYTES]| nix32::encode(digest).into_bytes().try_into().ok();
    let distinct: Vec<[u8; HOLE_BYTES]> = distinct.as_chunks().0.iter().map(characters).collect::<Option<_>>()?;
    let (numbers, rest) = numbers.as_chunks::<4>();
    let fillings: Vec<_> = numbers
        .iter()
        .map(|number| distinct.get(u32::from_le_bytes(*number) as usize).copied())
        .collect::<Option<_>>()?;
    (rest.is_empty() && fillings.len() == holes).then_some(fillings)
}

/// Over all that a NAR is made of. With it a wrong row is noticed as a wrong byte of a pack is.
pub(crate) fn checksum<'c>(chunks: impl Iterator<Item = &'c Chunk>, fillings: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut count: u64 = 0;
    for chunk in chunks {
        count += 1;
        hasher.update(&chunk.checksum).update(&chunk.length.to_le_bytes());
        hasher.update(&(chunk.holes.len() as u64).to_le_bytes());
        for hole in &chunk.holes {
            hasher.update(&hole.to_le_bytes());
        }
    }
    hasher.update(&count.to_le_bytes()).update(fillings);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_again_and_damage_is_noticed() {
        let hash = |digit: &str| -> [u8; HOLE_BYTES] { digit.repeat(HOLE_BYTES).into_bytes().try_into().unwrap() };
        for fillings in [vec![], vec![hash("a"), hash("b"), hash("a"), hash("z")], vec![hash("0"); 1000]] {
            let written = write(&fillings).unwrap();
            assert_eq!(read(&written, fillings.len()).unwrap(), fillings);
            assert_eq!(read(&written, fillings.len() + 1), None);
            assert_eq!(read(&written[..written.len() - 1], fillings.len()), None);
        }
    }
}
