//! What the chunk tier promises: what went in comes out, once, whatever is removed, moved or damaged meanwhile.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;

use super::*;
use crate::objects::Stored;
use aux_core::limits::{CACHE_CHUNK_BYTES_MAX, CACHE_OPENED_BYTES_MAX, CACHE_PIECE_BYTES};

/// A tier in a folder of its own.
struct World {
    chunks: Chunks,
    folder: tempfile::TempDir,
}

/// Bytes of a kind that do not compress, with store paths of a hash among them.
fn nar(kind: u64, hash: char, length: usize) -> Vec<u8> {
    let mut state = kind.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut nar = Vec::with_capacity(length + 64);
    while nar.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        nar.extend_from_slice(&state.to_be_bytes()[..4]);
        if state >> 50 == 0 {
            nar.extend_from_slice(format!("/nix/store/{}-name", hash.to_string().repeat(32)).as_bytes());
        }
    }
    nar
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { chunks: Chunks::open(folder.path(), "/nix/store").unwrap(), folder }
    }

    fn open_again(self) -> Self {
        let Self { chunks, folder } = self;
        drop(chunks);
        Self { chunks: Chunks::open(folder.path(), "/nix/store").unwrap(), folder }
    }

    fn keep(&self, nar: &[u8]) -> Sha256 {
        let hash = Sha256::of(nar);
        let mut shelving = self.chunks.shelve();
        shelving.push(nar).unwrap();
        let shelved = shelving.finish().unwrap();
        shelving.keep(hash).unwrap();
        let sent = self.sent(hash).unwrap();
        assert_eq!((Sha256::of(&sent), sent.len() as u64), (shelved.file_hash, shelved.file_size));
        hash
    }

    /// What is sent of a NAR.
    fn sent(&self, hash: Sha256) -> io::Result<Vec<u8>> {
        let stored = Stored::Chunked(Arc::new(self.chunks.reading(hash).unwrap().unwrap()));
        let mut sent = Vec::new();
        stored.reader().read_to_end(&mut sent).map(|_| sent)
    }

    fn holds(&self, nar: &[u8]) -> bool {
        let unpacked = zstd::stream::decode_all(&*self.sent(Sha256::of(nar)).unwrap()).unwrap();
        unpacked == nar
    }

    fn packs(&self) -> Vec<PathBuf> {
        super::super::entries(&self.folder.path().join(FOLDER)).unwrap()
    }

    fn bytes(&self) -> u64 {
        self.chunks.bytes().unwrap().1
    }
}

#[test]
fn what_went_in_comes_out_and_a_second_build_takes_next_to_no_room() {
    let world = World::new();
    let (one, other) = (nar(1, 'a', 6 << 20), nar(1, 'b', 6 << 20));
    world.keep(&one);
    let before = world.bytes();
    world.keep(&other);
    assert_eq!(world.bytes(), before, "they differ by their hashes alone");
    // The same content more than once in one NAR, and a small one.
    let twice = [&one[..], &one[..], &one[..]].concat();
    for nar in [&twice[..], b"small"] {
        world.keep(nar);
        assert!(world.holds(nar));
    }
    assert!(world.bytes() < before + (4 << 20), "{} {before}", world.bytes());
    let world = world.open_again();
    assert!(world.holds(&one) && world.holds(&other) && world.holds(&twice));
}

#[test]
fn chunks_are_taken_as_they_are_sent_and_what_is_cut_too_small_is_cut_anew() {
    let world = World::new();
    let (one, other) = (nar(1, 'a', 6 << 20), nar(1, 'b', 6 << 20));
    world.keep(&one);
    let before = world.bytes();
    let send = |nar: &[u8], chunks: &[Vec<u8>]| {
        let mut shelving = world.chunks.shelve();
        for chunk in chunks {
            let content = zstd::stream::decode_all(&**chunk).unwrap();
            shelving.push_chunk(chunk.clone(), content).unwrap();
        }
        shelving.finish().unwrap();
        shelving.keep(Sha256::of(nar)).unwrap();
        assert!(world.holds(nar));
    };
    let mut cutter = cut::Cutter::new("/nix/store");
    cutter.push(&other);
    let frames: Vec<_> =
        std::iter::from_fn(|| cutter.next(true)).map(|cut| frame::packed(&cut.settled()).unwrap()).collect();
    send(&other, &frames);
    assert_eq!(world.bytes(), before, "what its sender cut is what is here");
    let third = nar(1, 'c', 6 << 20);
    let small: Vec<_> = third.chunks(1000).map(|piece| zstd::bulk::compress(piece, 1).unwrap()).collect();
    send(&third, &small);
    assert_eq!(world.bytes(), before);
    // New ones too, and by somebody who packs otherwise.
    let new = nar(2, 'c', 3 << 20);
    let large: Vec<_> = new.chunks(900_000).map(|piece| zstd::bulk::compress(piece, 7).unwrap()).collect();
    send(&new, &large);
    let again = nar(2, 'd', 3 << 20);
    let large: Vec<_> = again.chunks(900_000).map(|piece| zstd::bulk::compress(piece, 1).unwrap()).collect();
    send(&again, &large);
    assert!(world.holds(&new));
}

#[test]
fn any_part_of_it_can_be_read() {
    let world = World::new();
    // Zeros make frames of a few bytes.
    let nar = [nar(2, 'c', 5 << 20), vec![0; 9 << 20], nar(3, 'd', 3 << 20)].concat();
    let hash = world.keep(&nar);
    let sent = world.sent(hash).unwrap();
    let reading = world.chunks.reading(hash).unwrap().unwrap();
    for start in (0..sent.len()).step_by(97_331).chain([1, sent.len() - 1]) {
        for limit in [1, 1000, CACHE_PIECE_BYTES as u64, u64::MAX] {
            let piece = reading.read(start as u64, limit).unwrap();
            let piece: &[u8] = piece.as_ref();
            assert!(
                !piece.is_empty()
                    && piece.len() as u64 <= limit
                    && piece.len() <= CACHE_PIECE_BYTES + CACHE_CHUNK_BYTES_MAX
            );
            assert_eq!(piece, &sent[start..start + piece.len()]);
        }
    }
}

#[test]
fn what_was_not_kept_leaves_nothing() {
    let world = World::new();
    world.keep(&nar(1, 'a', 1 << 20));
    let before = world.bytes();
    let mut shelving = world.chunks.shelve();
    shelving.push(&nar(2, 'a', 9 << 20)).unwrap();
    assert!(world.bytes() > before);
    drop(shelving);
    assert_eq!(world.bytes(), before);
}

#[test]
fn what_a_crash_left_behind_is_cut_off_and_removed_at_the_next_start() {
    let world = World::new();
    let kept = nar(1, 'a', 1 << 20);
    world.keep(&kept);
    let before = world.bytes();
    // As a server leaves them that is killed between pack and index.
    let mut pack = fs::OpenOptions::new().append(true).open(&world.packs()[0]).unwrap();
    pack.write_all(b"half a chunk").unwrap();
    fs::File::create(world.folder.path().join(FOLDER).join("00000007.pack")).unwrap();
    let world = world.open_again();
    assert_eq!((world.bytes(), world.packs().len()), (before, 1));
    let more = nar(2, 'a', 1 << 20);
    world.keep(&more);
    assert!(world.holds(&kept) && world.holds(&more));
}

#[test]
fn a_changed_byte_anywhere_in_a_pack_is_never_sent() {
    let world = World::new();
    let hash = world.keep(&nar(4, 'a', 2 << 20));
    let sent = world.sent(hash).unwrap();
    let pack = world.packs().remove(0);
    let whole = fs::read(&pack).unwrap();
    for position in (0..whole.len()).step_by(whole.len() / 40) {
        let mut damaged = whole.clone();
        damaged[position] ^= 1;
        aux_io::file::replace(&pack, &damaged).unwrap();
        let stored = Stored::Chunked(Arc::new(world.chunks.reading(hash).unwrap().unwrap()));
        let (mut read, mut got) = (stored.reader(), Vec::new());
        assert!(read.read_to_end(&mut got).is_err());
        assert!(sent.starts_with(&got), "what came before the damage was right");
    }
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        aux_io::file::replace(&pack, &whole[..length]).unwrap();
        assert!(world.sent(hash).is_err());
    }
    aux_io::file::replace(&pack, &whole).unwrap();
    assert_eq!(world.sent(hash).unwrap(), sent);
}

#[test]
fn a_damaged_chunk_is_not_built_upon_and_comes_anew() {
    let world = World::new();
    let kept = nar(5, 'a', 1 << 20);
    world.keep(&kept);
    // In place, as a disk does it.
    let pack = fs::OpenOptions::new().write(true).open(world.packs().remove(0)).unwrap();
    pack.write_all_at(b"damage", 1000).unwrap();
    assert!(world.sent(Sha256::of(&kept)).is_err());
    let other = nar(5, 'b', 1 << 20);
    world.keep(&other);
    assert!(world.holds(&other) && world.holds(&kept), "it is mended for whoever has it");
    pack.write_all_at(b"damage", (1 << 20) + 1000).unwrap();
    // The same NAR again, which is there already.
    let mut shelving = world.chunks.shelve();
    shelving.push(&kept).unwrap();
    shelving.finish().unwrap();
    shelving.mend().unwrap();
    assert!(world.holds(&other) && world.holds(&kept));
    world.chunks.sweep().unwrap();
    assert!(world.open_again().holds(&kept));
}

#[test]
fn a_row_that_was_changed_is_noticed() {
    let world = World::new();
    let hash = world.keep(&nar(6, 'a', 4 << 20));
    for change in [
        "UPDATE chunk SET checksum = zeroblob(32) WHERE number = 2",
        "DELETE FROM part WHERE place = 1",
        "UPDATE nar SET fillings = x'00'",
    ] {
        let copy = World {
            chunks: Chunks::open(world.folder.path(), "/nix/store").unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        copy.chunks.index.corrupt(change);
        assert!(copy.chunks.reading(hash).is_err(), "{change}");
    }
}

#[test]
fn room_comes_back_and_who_reads_reads_on() {
    let world = World::new();
    let nars: Vec<Vec<u8>> = (10..16).map(|kind| nar(kind, 'a', 2 << 20)).collect();
    let hashes: Vec<Sha256> = nars.iter().map(|nar| world.keep(nar)).collect();
    let before = world.bytes();
    let sent = world.sent(hashes[0]).unwrap();
    let reading = Stored::Chunked(Arc::new(world.chunks.reading(hashes[0]).unwrap().unwrap()));
    // Meanwhile something arrives that builds on a chunk nobody else has any more.
    let again = nar(11, 'b', 2 << 20);
    let mut shelving = world.chunks.shelve();
    shelving.push(&again).unwrap();
    shelving.finish().unwrap();
    for hash in &hashes[..5] {
        world.chunks.remove(*hash).unwrap();
    }
    world.chunks.remove(hashes[0]).unwrap();
    world.chunks.sweep().unwrap();
    assert!(world.bytes() < before / 2, "{} of {before}", world.bytes());
    shelving.keep(Sha256::of(&again)).unwrap();
    assert!(world.holds(&again) && world.holds(&nars[5]));
    let mut read = Vec::new();
    reading.reader().read_to_end(&mut read).unwrap();
    assert_eq!(read, sent);
    assert!(world.chunks.reading(hashes[0]).unwrap().is_none());
    let world = world.open_again();
    assert!(world.holds(&again) && world.holds(&nars[5]));
    world.chunks.remove(Sha256::of(&again)).unwrap();
    world.chunks.remove(hashes[5]).unwrap();
    world.chunks.sweep().unwrap();
    assert_eq!((world.bytes(), world.packs().len()), (0, 0));
}

#[test]
fn many_may_push_the_same_at_once() {
    let world = World::new();
    let nars: Vec<Vec<u8>> = ['a', 'b', 'c', 'd'].iter().map(|hash| nar(20, *hash, 3 << 20)).collect();
    std::thread::scope(|scope| {
        for nar in &nars {
            scope.spawn(|| world.keep(nar));
            scope.spawn(|| world.chunks.sweep().unwrap());
        }
    });
    assert!(nars.iter().all(|nar| world.holds(nar)));
    assert_eq!(world.chunks.check().unwrap(), Vec::<String>::new());
}

#[test]
fn what_was_whole_when_it_was_sent_first_is_checked_when_it_is_sent_again() {
    let world = World::new();
    let hash = world.keep(&nar(21, 'a', 2 << 20));
    let sent = world.sent(hash).unwrap();
    let pack = world.packs().remove(0);
    let whole = fs::read(&pack).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&pack).unwrap();
    let read = |stored: Stored| {
        let mut got = Vec::new();
        stored.reader().read_to_end(&mut got).map(|_| got)
    };
    for position in (0..whole.len()).step_by(whole.len() / 20) {
        assert!(world.chunks.opened(hash).is_none());
        let opened = world.chunks.open_to_send(hash).unwrap().unwrap();
        assert_eq!(read(Stored::Chunked(opened)).unwrap(), sent);
        // In place, as a disk does it.
        file.write_all_at(&[whole[position] ^ 0x10], position as u64).unwrap();
        assert!(read(Stored::Chunked(world.chunks.opened(hash).unwrap())).is_err(), "{position}");
        file.write_all_at(&whole[position..=position], position as u64).unwrap();
    }
}

#[test]
fn little_memory_goes_to_what_was_sent_and_none_is_left_by_a_sweep() {
    let world = World::new();
    let hash = world.keep(&nar(22, 'a', 1 << 20));
    let reading = world.chunks.open_to_send(hash).unwrap().unwrap();
    assert!(world.chunks.opened(hash).is_some());
    world.chunks.sweep().unwrap();
    assert!(world.chunks.opened(hash).is_none());

    let most = u32::try_from(2 * CACHE_OPENED_BYTES_MAX / reading.memory_bytes()).unwrap();
    for number in 0..most {
        world.chunks.opened.keep(Sha256::of(&number.to_le_bytes()), &reading);
    }
    assert!(Arc::strong_count(&reading) * reading.memory_bytes() <= CACHE_OPENED_BYTES_MAX + reading.memory_bytes());
    assert!(world.chunks.opened(Sha256::of(&0_u32.to_le_bytes())).is_none(), "the oldest is gone");
    assert!(world.chunks.opened(Sha256::of(&(most - 1).to_le_bytes())).is_some());
}
