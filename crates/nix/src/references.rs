//! Finds which store paths a stream of bytes refers to, by the 32 characters of their digests, as Nix does.

use std::collections::BTreeSet;

use crate::{BaseName, nix32};

/// Characters of a digest in a store path.
const LENGTH: usize = 32;
/// One bit for each value that three characters of a digest can have.
const FILTER_BITS: usize = 1 << 15;

/// Scans bytes that come piece by piece, in memory that depends on the number of candidates alone.
pub struct ReferenceScanner {
    /// By digest, sorted.
    candidates: Vec<(Digest, BaseName, bool)>,
    /// Which first three characters any candidate has: most of what looks like a digest is none of them.
    filter: Vec<u64>,
    /// The last bytes, which a digest may begin in.
    tail: Vec<u8>,
}

type Digest = [u8; LENGTH];

impl ReferenceScanner {
    /// Looks for these paths. Of several with one digest all are found.
    pub fn new(candidates: impl IntoIterator<Item = BaseName>) -> Self {
        let named = candidates.into_iter().filter_map(|path| {
            let digest = path.digest().as_bytes().try_into().ok()?;
            Some((digest, path, false))
        });
        let mut candidates: Vec<(Digest, BaseName, bool)> = named.collect();
        candidates.sort();
        candidates.dedup();
        let mut filter = vec![0; FILTER_BITS / 64];
        for (digest, ..) in &candidates {
            if let Some((word, bit)) = place(digest)
                && let Some(word) = filter.get_mut(word)
            {
                *word |= bit;
            }
        }
        Self { candidates, filter, tail: Vec::new() }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        // A digest over the border of two pieces begins in the last 31 bytes of the one and ends in the first 31 of the other.
        let mut seam = std::mem::take(&mut self.tail);
        let (before, border) = (seam.len(), bytes.len().min(LENGTH - 1));
        if before > 0 {
            seam.extend_from_slice(bytes.get(..border).unwrap_or_default());
            self.scan(&seam);
        }
        self.scan(bytes);
        if bytes.len() >= LENGTH - 1 {
            seam.clear();
            seam.extend_from_slice(bytes.get(bytes.len() - (LENGTH - 1)..).unwrap_or_default());
        } else {
            if before == 0 {
                seam.extend_from_slice(bytes);
            }
            seam.drain(..seam.len().saturating_sub(LENGTH - 1));
        }
        self.tail = seam;
    }

    /// The candidates that were found.
    pub fn finish(self) -> BTreeSet<BaseName> {
        self.candidates.into_iter().filter(|(.., is_found)| *is_found).map(|(_, path, _)| path).collect()
    }

    /// Windows of 32 are looked at from their end: the last byte that is no digit says how far to go on.
    fn scan(&mut self, bytes: &[u8]) {
        let (mut start, mut known) = (0, 0);
        while let Some(window) = bytes.get(start..).and_then(<[u8]>::first_chunk::<LENGTH>) {
            // The first `known` bytes are digits, as the window before showed.
            let unknown = window.get(known..).unwrap_or_default();
            if let Some(last) = unknown.iter().rposition(|byte| !nix32::is_digit(*byte)) {
                start += known + last + 1;
                known = LENGTH - (known + last + 1);
                continue;
            }
            self.mark(window);
            start += 1;
            known = LENGTH - 1;
        }
    }

    fn mark(&mut self, window: &Digest) {
        let may_be = place(window).and_then(|(word, bit)| Some(self.filter.get(word)? & bit != 0));
        if may_be != Some(true) {
            return;
        }
        let first = self.candidates.partition_point(|(digest, ..)| digest < window);
        let rest = self.candidates.get_mut(first..).unwrap_or_default();
        for (.., is_found) in rest.iter_mut().take_while(|(digest, ..)| digest == window) {
            *is_found = true;
        }
    }
}

/// Where a digest is in the filter.
fn place(digest: &Digest) -> Option<(usize, u64)> {
    let value = |index: usize| digest.get(index).copied().and_then(nix32::value).map(usize::from);
    let place = value(0)? << 10 | value(1)? << 5 | value(2)?;
    Some((place / 64, 1 << (place % 64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const DIGESTS: [&str; 3] =
        ["01rwx9dqpbp7r777v319h2acnmqqawp0", "8c1blwc7b3f7p2m317jxarnrjjfbjbvh", "00000000000000000000000000000000"];

    fn candidates() -> Vec<BaseName> {
        DIGESTS.iter().map(|digest| BaseName::parse(&format!("{digest}-x")).unwrap()).collect()
    }

    fn found(pieces: &[&[u8]]) -> Vec<String> {
        let mut scanner = ReferenceScanner::new(candidates());
        for piece in pieces {
            scanner.update(piece);
        }
        scanner.finish().into_iter().map(|path| path.digest().to_owned()).collect()
    }

    #[test]
    fn a_digest_is_found_whatever_stands_around_it() {
        for around in ["", "e", "/nix/store/", "0", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "\0"] {
            let text = format!("{around}{}{around}", DIGESTS[1]);
            assert_eq!(found(&[text.as_bytes()]), [DIGESTS[1]], "{around}");
        }
        assert_eq!(found(&[&DIGESTS[0].as_bytes()[1..]]), [""; 0]);
        assert_eq!(found(&[DIGESTS.concat().as_bytes()]), [DIGESTS[2], DIGESTS[0], DIGESTS[1]]);
    }

    #[test]
    fn two_paths_of_one_digest_are_both_found() {
        let both = ["a", "b"].map(|name| BaseName::parse(&format!("{}-{name}", DIGESTS[0])).unwrap());
        let mut scanner = ReferenceScanner::new(both.clone());
        scanner.update(DIGESTS[0].as_bytes());
        assert_eq!(scanner.finish(), BTreeSet::from(both));
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_makes_no_difference(
            parts in vec(prop_oneof!["[a-z0-9]{0,40}", "[0-9]{30,34}", Just(DIGESTS[0].to_owned()), Just(DIGESTS[1].to_owned())], 0..8),
            cuts in vec(0..400_usize, 0..12),
        ) {
            let text = parts.concat();
            let obvious: Vec<String> = candidates().into_iter().collect::<BTreeSet<_>>().into_iter()
                .map(|path| path.digest().to_owned()).filter(|digest| text.contains(digest)).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
            prop_assert_eq!(found(&pieces), obvious.clone());
            prop_assert_eq!(found(&[text.as_bytes()]), obvious);
        }
    }
}
