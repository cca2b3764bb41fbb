//! What the chunk tier promises: what went in comes out, once, whatever is removed, moved or damaged meanwhile. In the folder
//! of one server, of several, and in a bucket.

use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;

use super::reference::Reference;
use super::*;
use crate::moto::{CREDENTIALS, Moto};
use crate::objects::{Bucket, BucketSettings, REGION, Stored};
use crate::postgres::Postgres;
use aux_core::limits::{
    CACHE_BUCKET_LEAVING_SECONDS, CACHE_BUCKET_PIECE_BYTES, CACHE_CHUNK_BYTES_MAX, CACHE_OPENED_BYTES_MAX,
    CACHE_PIECE_BYTES,
};
use aux_io::http::HttpOptions;
use aux_nix::hash::Sha256Hasher;
use jiff::Timestamp;

/// Every test below, once for each kind of tier.
macro_rules! contract {
    ($($test:ident),* $(,)?) => {
        mod own {
            $(#[test] fn $test() { super::$test(&mut super::World::own()); })*
        }

        mod folder {
            $(#[test] fn $test() {
                let Some(cluster) = crate::postgres::Postgres::new() else { return };
                super::$test(&mut super::World::folder(cluster));
            })*
        }

        mod bucket {
            $(#[test] fn $test() {
                let Some(store) = crate::moto::Moto::new() else { return };
                super::$test(&mut super::World::bucket(store));
            })*
        }
    };
}

contract!(
    what_went_in_comes_out_and_a_second_build_takes_next_to_no_room,
    chunks_are_taken_as_they_are_sent_and_what_is_cut_too_small_is_cut_anew,
    a_chunk_that_is_here_need_not_be_sent_by_whoever_may_know_it,
    any_part_of_it_can_be_read,
    what_was_not_kept_leaves_nothing,
    a_changed_byte_anywhere_in_a_pack_is_never_sent,
    a_damaged_chunk_is_not_built_upon_and_comes_anew,
    a_row_that_was_changed_is_noticed,
    room_comes_back_and_who_reads_reads_on,
    many_may_push_the_same_at_once,
);

/// A tier, and where it is.
struct World {
    chunks: Chunks,
    /// Seconds.
    clock: Cell<i64>,
    site: Site,
}

struct Site {
    kind: Kind,
    folder: tempfile::TempDir,
}

enum Kind {
    /// Of one server.
    Own,
    /// Of several, with a database.
    Folder(Postgres),
    /// With the records of one server.
    Bucket(Moto),
}

impl Site {
    fn open(&self) -> Chunks {
        let folder = self.folder.path();
        let incoming = folder.join("incoming");
        // As a start does it.
        drop(fs::remove_dir_all(&incoming));
        fs::create_dir(&incoming).unwrap();
        let (records, place) = match &self.kind {
            Kind::Own => return Chunks::open(folder, "/nix/store").unwrap(),
            Kind::Folder(cluster) => {
                let place = crate::records::Place::parse(&cluster.address("cache1"), None).unwrap();
                (Records::connect(&place).unwrap(), Place::Folder(folder.join(FOLDER)))
            }
            Kind::Bucket(store) => {
                let settings =
                    BucketSettings::new("s3://bucket/nars", Some(&store.endpoint()), REGION, &folder.join("s3"));
                let bucket = Bucket::open(settings.unwrap(), &HttpOptions::new("aux/test")).unwrap();
                (Records::open(folder).unwrap(), Place::Bucket(Arc::new(bucket)))
            }
        };
        Chunks::open_sealed(Arc::new(records), place, &incoming, "/nix/store").unwrap()
    }

    /// All packs, by name.
    fn packs(&self) -> Vec<String> {
        if let Kind::Bucket(store) = &self.kind {
            return store.keys();
        }
        let paths = super::super::entries(&self.folder.path().join(FOLDER)).unwrap();
        paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    fn pack(&self, name: &str) -> Vec<u8> {
        match &self.kind {
            Kind::Bucket(store) => store.bytes(name),
            _ => fs::read(self.folder.path().join(FOLDER).join(name)).unwrap(),
        }
    }

    /// Has other bytes in a pack, in the very file, as a disk does it.
    fn spoil(&self, name: &str, bytes: &[u8]) {
        if let Kind::Bucket(store) = &self.kind {
            return store.put(name, bytes);
        }
        let path = self.folder.path().join(FOLDER).join(name);
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
        file.write_all_at(bytes, 0).unwrap();
    }
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

fn keep(chunks: &Chunks, nar: &[u8]) -> Sha256 {
    let hash = Sha256::of(nar);
    let mut shelving = chunks.shelve();
    shelving.push(nar).unwrap();
    let shelved = shelving.finish().unwrap();
    shelving.keep(hash).unwrap();
    let sent = sent(chunks, hash).unwrap();
    assert_eq!((Sha256::of(&sent), sent.len() as u64), (shelved.file_hash, shelved.file_size));
    hash
}

/// What is sent of a NAR.
fn sent(chunks: &Chunks, hash: Sha256) -> io::Result<Vec<u8>> {
    let stored = Stored::Chunked(Arc::new(chunks.reading(hash).unwrap().unwrap()));
    let mut sent = Vec::new();
    stored.reader().read_to_end(&mut sent).map(|_| sent)
}

impl World {
    fn at(kind: Kind) -> Self {
        let site = Site { kind, folder: tempfile::tempdir().unwrap() };
        aux_io::file::create_private(site.folder.path().join("s3"), CREDENTIALS).unwrap();
        Self { chunks: site.open(), clock: Cell::new(1_000_000), site }
    }

    fn own() -> Self {
        Self::at(Kind::Own)
    }

    fn folder(cluster: Postgres) -> Self {
        cluster.database();
        Self::at(Kind::Folder(cluster))
    }

    fn bucket(store: Moto) -> Self {
        Self::at(Kind::Bucket(store))
    }

    fn open_again(&mut self) {
        self.chunks = self.site.open();
    }

    fn is_own(&self) -> bool {
        matches!(self.site.kind, Kind::Own)
    }

    /// As a collection ends.
    fn collect(&self) {
        self.chunks.settle(Timestamp::from_second(self.clock.get()).unwrap()).unwrap();
        self.chunks.sweep().unwrap();
    }

    /// Until all is gone that nobody needs, also what has to wait.
    fn collect_all(&self) {
        for _ in 0..3 {
            self.clock.set(self.clock.get() + CACHE_BUCKET_LEAVING_SECONDS);
            self.collect();
        }
    }

    fn keep(&self, nar: &[u8]) -> Sha256 {
        keep(&self.chunks, nar)
    }

    fn sent(&self, hash: Sha256) -> io::Result<Vec<u8>> {
        sent(&self.chunks, hash)
    }

    fn holds(&self, nar: &[u8]) -> bool {
        let unpacked = zstd::stream::decode_all(&*self.sent(Sha256::of(nar)).unwrap()).unwrap();
        unpacked == nar
    }

    fn bytes(&self) -> u64 {
        self.chunks.bytes().unwrap().1
    }
}

fn what_went_in_comes_out_and_a_second_build_takes_next_to_no_room(world: &mut World) {
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
    world.open_again();
    assert!(world.holds(&one) && world.holds(&other) && world.holds(&twice));
}

fn chunks_are_taken_as_they_are_sent_and_what_is_cut_too_small_is_cut_anew(world: &World) {
    let (one, other) = (nar(1, 'a', 6 << 20), nar(1, 'b', 6 << 20));
    world.keep(&one);
    let before = world.bytes();
    let send = |nar: &[u8], chunks: &[Vec<u8>]| {
        let mut shelving = world.chunks.shelve();
        let mut sent_until = Sha256Hasher::default();
        for frame in chunks {
            sent_until.update(frame);
            let content = zstd::stream::decode_all(&**frame).unwrap();
            let chunk = SentChunk { frame: frame.clone(), content, sent_until: Some(sent_until.clone()) };
            shelving.push_chunk(chunk).unwrap();
        }
        let shelved = shelving.finish().unwrap();
        shelving.keep(Sha256::of(nar)).unwrap();
        assert!(world.holds(nar));
        let sent = world.sent(Sha256::of(nar)).unwrap();
        assert_eq!((shelved.file_hash, shelved.file_size), (Sha256::of(&sent), sent.len() as u64));
        sent == chunks.concat()
    };
    let mut cutter = cut::Cutter::new("/nix/store");
    cutter.push(&other);
    let mut packer = frame::Packer::new().unwrap();
    let frames: Vec<_> = std::iter::from_fn(|| cutter.next(true))
        .map(|cut| {
            let mut frame = Vec::new();
            packer.packed(&mut cut.settled(), &mut frame).unwrap();
            frame
        })
        .collect();
    assert!(send(&other, &frames), "it is sent as it came");
    assert_eq!(world.bytes(), before, "what its sender cut is what is here");
    let third = nar(1, 'c', 6 << 20);
    let small: Vec<_> = third.chunks(1000).map(|piece| zstd::bulk::compress(piece, 1).unwrap()).collect();
    assert!(!send(&third, &small));
    assert_eq!(world.bytes(), before);
    // New ones too, and by somebody who packs otherwise.
    let new = nar(2, 'c', 3 << 20);
    let large: Vec<_> = new.chunks(900_000).map(|piece| zstd::bulk::compress(piece, 7).unwrap()).collect();
    assert!(!send(&new, &large), "its hashes have no places of their own");
    let again = nar(2, 'd', 3 << 20);
    let large: Vec<_> = again.chunks(900_000).map(|piece| zstd::bulk::compress(piece, 1).unwrap()).collect();
    assert!(!send(&again, &large), "what was there first is sent");
    assert!(world.holds(&new));
}

fn a_chunk_that_is_here_need_not_be_sent_by_whoever_may_know_it(world: &World) {
    let (one, other) = (nar(1, 'a', 6 << 20), nar(1, 'b', 6 << 20));
    let hash = world.keep(&one);
    let before = world.bytes();
    let cuts = |nar: &[u8]| {
        let mut cutter = cut::Cutter::new("/nix/store");
        cutter.push(nar);
        std::iter::from_fn(|| cutter.next(true)).map(cut::Cut::settled).collect::<Vec<_>>()
    };
    let refer = |shelving: &mut Shelving<'_>, cut: &cut::Cut, may_refer: &dyn Fn(Sha256) -> bool| {
        let found = shelving.find(Reference::to(cut, cut.digest()), may_refer).unwrap();
        let Some(known) = found else { return false };
        let content = zstd::bulk::decompress(&known.frame, known.size()).unwrap();
        shelving.push_known(known, &content).unwrap();
        true
    };
    let mut shelving = world.chunks.shelve();
    for cut in cuts(&other) {
        assert!(!refer(&mut shelving, &cut, &|_| false), "it is none of their business");
        assert!(!world.chunks.knows(&cut.digest(), &|_| false).unwrap());
        let mut fewer = Reference::to(&cut, cut.digest());
        fewer.fillings.pop();
        assert!(shelving.find(fewer, &|_| true).unwrap().is_none());
        assert!(world.chunks.knows(&cut.digest(), &|nar| nar == hash).unwrap());
        assert!(refer(&mut shelving, &cut, &|nar| nar == hash));
    }
    assert!(shelving.find(Reference { digest: [7; 32], fillings: Vec::new() }, &|_| true).unwrap().is_none());
    let shelved = shelving.finish().unwrap();
    shelving.keep(Sha256::of(&other)).unwrap();
    assert!(world.holds(&other));
    let sent = world.sent(Sha256::of(&other)).unwrap();
    assert_eq!((shelved.file_hash, shelved.file_size), (Sha256::of(&sent), sent.len() as u64));
    assert_eq!(world.bytes(), before);
    // Small ones are no way to make a NAR of a thousand pieces.
    let small = nar(3, 'c', 1000);
    world.keep(&small);
    let before = world.bytes();
    let mut shelving = world.chunks.shelve();
    for _ in 0..200 {
        assert!(refer(&mut shelving, &cuts(&small)[0], &|_| true));
    }
    shelving.finish().unwrap();
    let many = small.repeat(200);
    shelving.keep(Sha256::of(&many)).unwrap();
    assert!(world.holds(&many));
    assert!(world.chunks.index.nar(Sha256::of(&many)).unwrap().unwrap().chunks.len() < 20);
    assert!(world.bytes() > before);
    // Nothing is spared any longer.
    assert!(world.chunks.used().is_empty());
}

fn any_part_of_it_can_be_read(world: &World) {
    // Zeros make frames of a few bytes.
    let nar = [nar(2, 'c', 5 << 20), vec![0; 9 << 20], nar(3, 'd', 3 << 20)].concat();
    let hash = world.keep(&nar);
    let sent = world.sent(hash).unwrap();
    let reading = world.chunks.reading(hash).unwrap().unwrap();
    let (at_once, step) = if world.chunks.is_remote() {
        (usize::try_from(CACHE_BUCKET_PIECE_BYTES).unwrap(), 797_331)
    } else {
        (CACHE_PIECE_BYTES, 97_331)
    };
    for start in (0..sent.len()).step_by(step).chain([1, sent.len() - 1]) {
        for limit in [1, 1000, CACHE_PIECE_BYTES as u64, u64::MAX] {
            let piece = reading.read(start as u64, limit).unwrap();
            let piece: &[u8] = piece.as_ref();
            assert!(!piece.is_empty() && piece.len() as u64 <= limit && piece.len() <= at_once + CACHE_CHUNK_BYTES_MAX);
            assert_eq!(piece, &sent[start..start + piece.len()]);
        }
    }
}

fn what_was_not_kept_leaves_nothing(world: &World) {
    world.keep(&nar(1, 'a', 1 << 20));
    let before = world.bytes();
    let mut shelving = world.chunks.shelve();
    shelving.push(&nar(2, 'a', 9 << 20)).unwrap();
    let incoming = || fs::read_dir(world.site.folder.path().join("incoming")).unwrap().count();
    assert!(if world.is_own() { world.bytes() > before } else { incoming() == 1 });
    drop(shelving);
    assert_eq!((world.bytes(), incoming()), (before, 0));
}

fn a_changed_byte_anywhere_in_a_pack_is_never_sent(world: &World) {
    let hash = world.keep(&nar(4, 'a', 2 << 20));
    let sent = world.sent(hash).unwrap();
    let pack = world.site.packs().remove(0);
    let whole = world.site.pack(&pack);
    for position in (0..whole.len()).step_by(whole.len() / 40) {
        let mut damaged = whole.clone();
        damaged[position] ^= 1;
        world.site.spoil(&pack, &damaged);
        let stored = Stored::Chunked(Arc::new(world.chunks.reading(hash).unwrap().unwrap()));
        let (mut read, mut got) = (stored.reader(), Vec::new());
        assert!(read.read_to_end(&mut got).is_err());
        assert!(sent.starts_with(&got), "what came before the damage was right");
    }
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        world.site.spoil(&pack, &whole[..length]);
        assert!(world.sent(hash).is_err());
    }
    world.site.spoil(&pack, &whole);
    assert_eq!(world.sent(hash).unwrap(), sent);
}

fn a_damaged_chunk_is_not_built_upon_and_comes_anew(world: &mut World) {
    let kept = nar(5, 'a', 1 << 20);
    world.keep(&kept);
    let damage = |place: usize| {
        let pack = world.site.packs().pop().unwrap();
        let mut bytes = world.site.pack(&pack);
        bytes[place..place + 6].copy_from_slice(b"damage");
        world.site.spoil(&pack, &bytes);
    };
    damage(1000);
    assert!(world.sent(Sha256::of(&kept)).is_err());
    let other = nar(5, 'b', 1 << 20);
    world.keep(&other);
    assert!(world.holds(&other) && world.holds(&kept), "it is mended for whoever has it");
    // What was mended stands behind the rest, or in a pack of its own.
    damage(if world.is_own() { (1 << 20) + 1000 } else { 1000 });
    // The same NAR again, which is there already.
    let mut shelving = world.chunks.shelve();
    shelving.push(&kept).unwrap();
    shelving.finish().unwrap();
    shelving.mend().unwrap();
    assert!(world.holds(&other) && world.holds(&kept));
    world.collect();
    world.collect_all();
    assert!(world.holds(&other));
    world.open_again();
    assert!(world.holds(&kept));
}

fn a_row_that_was_changed_is_noticed(world: &World) {
    let hash = world.keep(&nar(6, 'a', 4 << 20));
    for change in [
        "UPDATE chunk SET checksum = digest WHERE number = 2",
        "DELETE FROM part WHERE place = 1",
        "UPDATE nar SET fillings = checksum",
    ] {
        world.chunks.index.corrupt(change);
        assert!(world.chunks.reading(hash).is_err(), "{change}");
    }
}

fn room_comes_back_and_who_reads_reads_on(world: &mut World) {
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
    world.collect();
    assert!(!world.is_own() || world.bytes() < before / 2, "{} of {before}", world.bytes());
    shelving.keep(Sha256::of(&again)).unwrap();
    assert!(world.holds(&again) && world.holds(&nars[5]));
    let mut read = Vec::new();
    reading.reader().read_to_end(&mut read).unwrap();
    assert_eq!(read, sent);
    world.collect_all();
    assert!(world.bytes() < before / 2, "{} of {before}", world.bytes());
    assert!(world.chunks.reading(hashes[0]).unwrap().is_none());
    world.open_again();
    assert!(world.holds(&again) && world.holds(&nars[5]));
    world.chunks.remove(Sha256::of(&again)).unwrap();
    world.chunks.remove(hashes[5]).unwrap();
    world.collect_all();
    assert_eq!((world.bytes(), world.site.packs().len()), (0, 0));
}

fn many_may_push_the_same_at_once(world: &World) {
    let nars: Vec<Vec<u8>> = ['a', 'b', 'c', 'd'].iter().map(|hash| nar(20, *hash, 3 << 20)).collect();
    let chunks = &world.chunks;
    std::thread::scope(|scope| {
        for nar in &nars {
            scope.spawn(|| keep(chunks, nar));
            scope.spawn(|| chunks.sweep().unwrap());
        }
    });
    assert!(nars.iter().all(|nar| world.holds(nar)));
    assert_eq!(world.chunks.check().unwrap(), Vec::<String>::new());
}

#[test]
fn what_a_crash_left_behind_is_cut_off_and_removed_at_the_next_start() {
    let mut world = World::own();
    let kept = nar(1, 'a', 1 << 20);
    world.keep(&kept);
    let before = world.bytes();
    // As a server leaves them that is killed between pack and index.
    let packs = world.site.folder.path().join(FOLDER);
    let mut pack = fs::OpenOptions::new().append(true).open(packs.join("00000000.pack")).unwrap();
    pack.write_all(b"half a chunk").unwrap();
    fs::File::create(packs.join("00000007.pack")).unwrap();
    world.open_again();
    assert_eq!((world.bytes(), world.site.packs().len()), (before, 1));
    let more = nar(2, 'a', 1 << 20);
    world.keep(&more);
    assert!(world.holds(&kept) && world.holds(&more));
}

#[test]
fn what_was_whole_when_it_was_sent_first_is_checked_when_it_is_sent_again() {
    let world = World::own();
    let hash = world.keep(&nar(21, 'a', 2 << 20));
    let sent = world.sent(hash).unwrap();
    let pack = world.site.folder.path().join(FOLDER).join("00000000.pack");
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
    let world = World::own();
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
