//! Where a NAR is cut into chunks: at places that follow from its content, and with the store hashes in it taken out.
//!
//! A package that is built again with another library inside differs from its last build by little more than the hashes in
//! `/nix/store/…`. Taken out, both builds have the same chunks.

use aux_core::limits::{CACHE_CHUNK_BYTES_AVERAGE, CACHE_CHUNK_BYTES_MAX, CACHE_CHUNK_BYTES_MIN};
use aux_nix::nix32;
use fastcdc::v2020::FastCDC;
use memchr::memmem::Finder;

/// Characters of a store path's hash.
pub(crate) const HOLE_BYTES: usize = 32;
/// What stands in a hole while content is compared.
const FILLER: u8 = b'0';
/// In front of the buffer's content this much may be unused before what follows is moved.
const SLACK_BYTES: usize = 8 << 20;
/// Text with more hashes than one in so many bytes is kept as it is: each hole costs about forty bytes.
pub(super) const BYTES_PER_HOLE_MIN: usize = 256;

/// A store hash that was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hole {
    pub position: usize,
    /// The characters that stood there.
    pub characters: [u8; HOLE_BYTES],
}

/// A piece of a NAR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    /// With `0` in all holes.
    pub content: Vec<u8>,
    pub holes: Vec<Hole>,
}

/// Takes a NAR in pieces of any size, and gives chunks whose borders do not depend on those.
pub(crate) struct Cutter {
    /// `/nix/store/`.
    marker: Finder<'static>,
    buffer: Vec<u8>,
    /// What stands before was given away.
    start: usize,
    /// Up to here holes were looked for.
    scanned: usize,
    /// Within the buffer.
    holes: Vec<Hole>,
    /// Memory of chunks that are done with.
    spare: Vec<Vec<u8>>,
    takes_back: bool,
}

impl Cutter {
    pub(crate) fn new(store_directory: &str) -> Self {
        let marker = Finder::new(format!("{store_directory}/").as_bytes()).into_owned();
        let (buffer, holes, spare) = Default::default();
        Self { marker, buffer, start: 0, scanned: 0, holes, spare, takes_back: false }
    }

    /// Takes another NAR from now on.
    pub(crate) fn begin(&mut self) {
        self.buffer.clear();
        self.holes.clear();
        (self.start, self.scanned) = (0, 0);
    }

    /// Takes more of the NAR, and says which chunks are complete by it.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.start >= SLACK_BYTES {
            self.buffer.drain(..self.start);
            self.scanned -= self.start.min(self.scanned);
            for hole in &mut self.holes {
                hole.position -= self.start;
            }
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes back the memory of a chunk. Fresh memory costs more than what is done with a chunk in it.
    pub(crate) fn take_back(&mut self, cut: Cut) {
        self.takes_back = true;
        self.spare.push(cut.content);
    }

    /// The next chunk, where enough is there to know its end: always, once the NAR `is_over`.
    pub(crate) fn next(&mut self, is_over: bool) -> Option<Cut> {
        let available = self.buffer.len().saturating_sub(self.start);
        if available == 0 || (!is_over && available < CACHE_CHUNK_BYTES_MAX + self.span_bytes()) {
            return None;
        }
        self.scan();
        let content = self.buffer.get(self.start..).unwrap_or_default();
        let (min, average, max) = (CACHE_CHUNK_BYTES_MIN, CACHE_CHUNK_BYTES_AVERAGE, CACHE_CHUNK_BYTES_MAX);
        let (_, length) = FastCDC::new(content, min, average, max).cut(0, content.len());
        let end = self.outside_of_holes(self.start + length);
        let mut content = self.memory(end - self.start);
        content.extend_from_slice(self.buffer.get(self.start..end).unwrap_or_default());
        let taken = self.holes.partition_point(|hole| hole.position < end);
        let holes = self.holes.drain(..taken).map(|hole| Hole { position: hole.position - self.start, ..hole });
        let cut = Cut { content, holes: holes.collect() };
        self.start = end;
        Some(cut)
    }

    /// Memory for so many bytes: that of a chunk that was taken back, and else such as will do for others too.
    fn memory(&mut self, length: usize) -> Vec<u8> {
        match self.spare.iter().position(|memory| memory.capacity() >= length) {
            Some(place) => {
                let mut memory = self.spare.swap_remove(place);
                memory.clear();
                memory
            }
            None if self.takes_back => Vec::with_capacity(length.next_power_of_two()),
            None => Vec::with_capacity(length),
        }
    }

    /// A store path's directory, hash and dash.
    fn span_bytes(&self) -> usize {
        self.marker.needle().len() + HOLE_BYTES + 1
    }

    /// Looks for holes in what came since the last time, except for an end that more bytes could complete.
    fn scan(&mut self) {
        let marker_bytes = self.marker.needle().len();
        while let Some(found) = self.buffer.get(self.scanned..).and_then(|rest| self.marker.find(rest)) {
            let position = self.scanned + found + marker_bytes;
            let Some(&[ref hash @ .., after]) = self.buffer.get(position..=position + HOLE_BYTES) else {
                self.scanned += found;
                return;
            };
            self.scanned = position;
            let characters: Option<[u8; HOLE_BYTES]> = hash.try_into().ok();
            let is_hash = |characters: &[u8; HOLE_BYTES]| characters.iter().all(|one| nix32::is_digit(*one));
            if let Some(characters) = characters.filter(|characters| after == b'-' && is_hash(characters)) {
                self.holes.push(Hole { position, characters });
                if let Some(hole) = self.buffer.get_mut(position..position + HOLE_BYTES) {
                    hole.fill(FILLER);
                }
                self.scanned = position + HOLE_BYTES;
            }
        }
        self.scanned = self.scanned.max(self.buffer.len().saturating_sub(marker_bytes));
    }

    /// A chunk's end, moved before a store path that it would cut.
    fn outside_of_holes(&self, end: usize) -> usize {
        let marker_bytes = self.marker.needle().len();
        let next = self.holes.partition_point(|hole| hole.position + HOLE_BYTES <= end);
        match self.holes.get(next).map(|hole| (hole.position - marker_bytes, hole.position + HOLE_BYTES)) {
            Some((first, last)) if first < end => {
                if first > self.start {
                    first
                } else {
                    last
                }
            }
            _ => end,
        }
    }
}

impl Cut {
    /// Of content that somebody else cut.
    pub(crate) fn of(content: Vec<u8>, store_directory: &str) -> Self {
        let mut cutter = Cutter { buffer: content, ..Cutter::new(store_directory) };
        cutter.scan();
        Self { content: cutter.buffer, holes: cutter.holes }
    }

    /// With its hashes where they stood, where it has too many of them to be worth it.
    pub(crate) fn settled(mut self) -> Self {
        if self.holes.len() * BYTES_PER_HOLE_MIN > self.content.len() {
            self.close();
        }
        self
    }

    /// Puts the hashes back.
    pub(crate) fn close(&mut self) {
        for hole in self.holes.drain(..) {
            if let Some(place) = self.content.get_mut(hole.position..hole.position + HOLE_BYTES) {
                place.copy_from_slice(&hole.characters);
            }
        }
    }

    /// By which the same content is known again. What has a hole is never taken for what has zeros in its place.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.content).update(&(self.holes.len() as u64).to_le_bytes());
        hasher.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: &str = "/nix/store";

    fn cuts(nar: &[u8], piece: usize) -> Vec<Cut> {
        let mut cutter = Cutter::new(STORE);
        let mut cuts = Vec::new();
        for bytes in nar.chunks(piece) {
            cutter.push(bytes);
            cuts.extend(std::iter::from_fn(|| cutter.next(false)));
        }
        cuts.extend(std::iter::from_fn(|| cutter.next(true)));
        cuts
    }

    /// Bytes that look random, with store paths of one hash in them.
    fn nar(hash: char, length: usize) -> Vec<u8> {
        let mut state: u64 = 7;
        let mut nar = Vec::with_capacity(length);
        while nar.len() < length {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            nar.extend_from_slice(&state.to_be_bytes()[..4]);
            if state >> 56 < 2 {
                nar.extend_from_slice(format!("{STORE}/{}-name", hash.to_string().repeat(32)).as_bytes());
            }
        }
        nar
    }

    #[test]
    fn two_builds_that_differ_by_their_hashes_have_the_same_chunks() {
        let (one, other) = (nar('a', 20 << 20), nar('b', 20 << 20));
        let of_one = cuts(&one, 1 << 20);
        assert!(of_one.len() > 10, "{}", of_one.len());
        // However the bytes arrive.
        assert_eq!(of_one, cuts(&one, 33_333));
        let of_other = cuts(&other, 65_536);
        let digests = |cuts: &[Cut]| cuts.iter().map(Cut::digest).collect::<Vec<_>>();
        assert_eq!(digests(&of_one), digests(&of_other));
        for (cuts, nar) in [(of_one, one), (of_other, other)] {
            let mut whole = Vec::new();
            for mut cut in cuts {
                assert!(cut.content.len() <= CACHE_CHUNK_BYTES_MAX && !cut.holes.is_empty());
                cut.close();
                whole.extend(cut.content);
            }
            assert!(whole == nar);
        }
    }

    #[test]
    fn what_only_resembles_a_store_path_stays() {
        for text in [
            "/nix/store/",
            "/nix/store/aaaa-x",
            &format!("/nix/store/{}.", "a".repeat(32)),
            &format!("/nix/store/{}-", "e".repeat(32)),
        ] {
            let cuts = cuts(text.as_bytes(), 5);
            assert_eq!((cuts.len(), cuts[0].content.as_slice(), cuts[0].holes.len()), (1, text.as_bytes(), 0));
        }
        let zeros = format!("{}/nix/store/{}-", " ".repeat(1000), "0".repeat(32));
        let cut = cuts(zeros.as_bytes(), 100).remove(0).settled();
        assert_eq!(cut.holes.len(), 1);
        let mut closed = cut.clone();
        closed.close();
        assert_eq!(closed.content, cut.content);
        assert_ne!(closed.digest(), cut.digest());
        // A list of store paths is not worth its holes.
        let list = format!("/nix/store/{}-", "a".repeat(32)).repeat(10);
        assert_eq!(cuts(list.as_bytes(), 100).remove(0).settled().content, list.as_bytes());
    }
}
