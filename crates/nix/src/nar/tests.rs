//! Trees of every shape come back byte for byte, and what Nix would not write is refused where it stands.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Tree {
    File(bool, Vec<u8>),
    Symlink(Vec<u8>),
    Folder(BTreeMap<Vec<u8>, Self>),
}

fn write(tree: &Tree, writer: &mut Writer<Vec<u8>>) {
    match tree {
        Tree::File(is_executable, bytes) => {
            writer.file(*is_executable, bytes.len() as u64).unwrap();
            bytes.chunks(5).for_each(|chunk| writer.content(chunk).unwrap());
            writer.end_file().unwrap();
        }
        Tree::Symlink(target) => writer.symlink(target).unwrap(),
        Tree::Folder(entries) => {
            writer.directory().unwrap();
            for (name, tree) in entries {
                writer.entry(name).unwrap();
                write(tree, writer);
            }
            writer.leave().unwrap();
        }
    }
}

fn nar(tree: &Tree) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    write(tree, &mut writer);
    writer.finish().unwrap()
}

fn again(bytes: &[u8]) -> Result<Vec<u8>, CopyError> {
    let mut writer = Writer::new(Vec::new());
    copy(&mut Reader::new(bytes), &mut writer)?;
    Ok(writer.finish()?)
}

/// The strings of a NAR, one for each word; a word of `0x` and digits is bytes as they are.
fn words(words: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in words {
        bytes.extend((word.len() as u64).to_le_bytes());
        bytes.extend(word.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    bytes
}

const MAGIC_WORD: &str = "nix-archive-1";

fn refused(bytes: &[u8]) -> (u64, NarProblem) {
    match again(bytes).unwrap_err() {
        CopyError::Read(NarError { offset, problem }) => (offset, problem),
        CopyError::Write(error) => panic!("{error}"),
    }
}

fn folder_of(names: &[&str]) -> Vec<u8> {
    let mut all = vec![MAGIC_WORD, "(", "type", "directory"];
    for name in names {
        all.extend(["entry", "(", "name", name, "node", "(", "type", "symlink", "target", "t", ")", ")"]);
    }
    all.push(")");
    words(&all)
}

fn tree() -> impl Strategy<Value = Tree> {
    let name = || proptest::collection::vec(prop_oneof![1..47_u8, 48..=255_u8], 1..12);
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let leaf = prop_oneof![
        (any::<bool>(), bytes()).prop_map(|(is_executable, bytes)| Tree::File(is_executable, bytes)),
        name().prop_map(Tree::Symlink),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        let real = name().prop_filter("no dots", |name| !matches!(name.as_slice(), b"." | b".."));
        proptest::collection::btree_map(real, inner, 0..6).prop_map(Tree::Folder)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_written_again(tree in tree()) {
        let bytes = nar(&tree);
        prop_assert_eq!(again(&bytes).unwrap(), bytes);
    }

    #[test]
    fn a_nar_that_is_cut_or_has_more_is_refused(tree in tree(), at in any::<prop::sample::Index>()) {
        let mut bytes = nar(&tree);
        let at = at.index(bytes.len());
        prop_assert!(matches!(refused(&bytes[..at]).1, NarProblem::Truncated | NarProblem::Magic));
        let length = bytes.len() as u64;
        bytes.push(0);
        let (offset, problem) = refused(&bytes);
        prop_assert!(offset == length && matches!(problem, NarProblem::Trailing));
    }

    #[test]
    fn what_a_changed_byte_leaves_readable_is_still_the_one_nar_of_its_tree(
        tree in tree(), at in any::<prop::sample::Index>(), byte: u8,
    ) {
        let mut bytes = nar(&tree);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(copied) = again(&bytes) {
            prop_assert_eq!(copied, bytes);
        }
    }
}

#[test]
fn names_that_lead_out_or_hide_are_refused() {
    for (name, expected) in [
        ("", NameProblem::Empty),
        (".", NameProblem::Dots),
        ("..", NameProblem::Dots),
        ("a/b", NameProblem::Slash),
        ("/", NameProblem::Slash),
        ("a\0b", NameProblem::Nul),
        (&"n".repeat(256), NameProblem::TooLong),
    ] {
        let (offset, problem) = refused(&folder_of(&[name]));
        assert!(matches!(problem, NarProblem::Name { problem, .. } if problem == expected), "{name}");
        assert_eq!(offset, 24 + 16 + 16 + 24 + 16 + 16 + 16);
    }
}

#[test]
fn names_come_once_and_in_the_order_of_their_bytes() {
    assert!(again(&folder_of(&["A", "a", "a.b", "aa", "é"])).is_ok());
    for (names, expected) in [
        (["a", "a"], NameProblem::Duplicate),
        (["b", "a"], NameProblem::Order),
        (["a", "A"], NameProblem::Order),
        (["é", "z"], NameProblem::Order),
        (["aa", "a.b"], NameProblem::Order),
    ] {
        let (_, problem) = refused(&folder_of(&names));
        assert!(matches!(problem, NarProblem::Name { problem, .. } if problem == expected), "{names:?}");
    }
}

#[test]
fn fields_that_nix_does_not_write_are_refused() {
    let file = |fields: &[&str]| words(&[&[MAGIC_WORD, "(", "type", "regular"], fields, &[")"]].concat());
    assert!(again(&file(&["contents", "x"])).is_ok());
    assert!(again(&file(&["executable", "", "contents", "x"])).is_ok());
    for fields in [
        &["executable", "1", "contents", "x"][..],
        &["contents", "x", "executable", ""],
        &["contents", "x", "contents", "x"],
        &["mtime", "0", "contents", "x"],
        &["a-word-that-is-longer-than-any", "contents", "x"],
        &[],
    ] {
        let (_, problem) = refused(&file(fields));
        assert!(matches!(problem, NarProblem::Unexpected { .. }), "{fields:?}: {problem}");
    }
    for wrong in [
        &[MAGIC_WORD, "(", "type", "socket", ")"][..],
        &[MAGIC_WORD, "(", "kind"],
        &[MAGIC_WORD, "(", "type", "directory", "entry", "(", "node"],
        &[MAGIC_WORD, "(", "type", "directory", "file"],
    ] {
        assert!(matches!(refused(&words(wrong)).1, NarProblem::Unexpected { .. }), "{wrong:?}");
    }
    let link = |target: &str| words(&[MAGIC_WORD, "(", "type", "symlink", "target", target, ")"]);
    assert!(matches!(refused(&link("")).1, NarProblem::Target));
    assert!(matches!(refused(&link("a\0")).1, NarProblem::Target));
    assert!(matches!(refused(&link(&"a".repeat(4_096))).1, NarProblem::TargetTooLong));
    assert!(again(&link(&"a".repeat(4_095))).is_ok());
}

#[test]
fn padding_is_zero_and_the_magic_is_ours() {
    let mut bytes = nar(&Tree::File(false, b"abc".to_vec()));
    let at = bytes.len() - 17;
    bytes[at] = 1;
    let (offset, problem) = refused(&bytes);
    assert!(matches!(problem, NarProblem::Padding));
    assert_eq!(offset, at as u64 - 4);
    assert!(matches!(refused(&words(&["nix-archive-2"])), (0, NarProblem::Magic)));
    assert!(matches!(refused(b"\x7fELF and more of that"), (0, NarProblem::Magic)));
    assert!(matches!(refused(b""), (0, NarProblem::Magic)));
}

#[test]
fn a_size_beyond_the_end_takes_no_memory() {
    let mut bytes = words(&[MAGIC_WORD, "(", "type", "regular", "contents"]);
    bytes.extend(u64::MAX.to_le_bytes());
    bytes.extend(b"abc");
    let length = bytes.len() as u64;
    assert!(matches!(refused(&bytes), (offset, NarProblem::Truncated) if offset == length));
    let mut passed_over = Reader::new(bytes.as_slice());
    assert!(matches!(passed_over.next(), Ok(Some(Event::File { size: u64::MAX, .. }))));
    assert!(matches!(passed_over.next().unwrap_err().problem, NarProblem::Truncated));
}

#[test]
fn folders_end_at_a_depth() {
    let deep = |depth: usize| {
        let mut all = vec![MAGIC_WORD, "(", "type", "directory"];
        (1..depth).for_each(|_| all.extend(["entry", "(", "name", "d", "node", "(", "type", "directory"]));
        (1..depth).for_each(|_| all.extend([")", ")"]));
        all.push(")");
        words(&all)
    };
    assert!(again(&deep(256)).is_ok());
    assert!(matches!(refused(&deep(257)).1, NarProblem::TooDeep));
    assert!(matches!(refused(&deep(300_000)).1, NarProblem::TooDeep));
}

#[test]
fn the_writer_refuses_what_the_reader_would() {
    let mut writer = Writer::new(Vec::new());
    assert!(matches!(writer.entry(b"a"), Err(NarWriteError::Misplaced { .. })));
    assert!(matches!(writer.leave(), Err(NarWriteError::Misplaced { .. })));
    writer.directory().unwrap();
    assert!(matches!(writer.symlink(b"x"), Err(NarWriteError::Misplaced { .. })));
    assert!(matches!(writer.entry(b".."), Err(NarWriteError::Name { .. })));
    writer.entry(b"b").unwrap();
    assert!(matches!(writer.symlink(b""), Err(NarWriteError::Target)));
    assert!(matches!(writer.content(b"a"), Err(NarWriteError::Misplaced { .. })));
    writer.file(false, 2).unwrap();
    assert!(matches!(writer.content(b"abc"), Err(NarWriteError::Size { difference: "more", .. })));
    writer.content(b"a").unwrap();
    assert!(matches!(writer.end_file(), Err(NarWriteError::Size { difference: "fewer", .. })));
    assert!(matches!(writer.finish(), Err(NarWriteError::Misplaced { .. })));
}

#[test]
fn contents_can_be_read_in_part_or_not_at_all() {
    let entries =
        [(b"a".to_vec(), Tree::File(false, b"hello".to_vec())), (b"b".to_vec(), Tree::File(true, vec![7; 99]))];
    let bytes = nar(&Tree::Folder(entries.into()));
    let mut reader = Reader::with_capacity(16, bytes.as_slice());
    let mut sizes = Vec::new();
    while let Some((event, mut content)) = reader.next_with_content().unwrap() {
        if let Event::File { offset, size, .. } = event {
            assert_eq!(content.offset(), offset);
            let mut start = [0; 2];
            content.read_exact(&mut start).unwrap();
            assert_eq!(bytes[usize::try_from(offset).unwrap()..][..2], start);
            sizes.push((size, content.remaining()));
        }
    }
    assert_eq!(sizes, [(5, 3), (99, 97)]);
    assert_eq!(reader.offset(), bytes.len() as u64);
}

#[test]
fn a_listing_quotes_its_names_and_has_no_other_bytes() {
    let listing = |name: &[u8]| {
        let bytes = nar(&Tree::Folder([(name.to_vec(), Tree::Symlink(b"t\"".to_vec()))].into()));
        let mut listing = Listing::default();
        let mut reader = Reader::new(bytes.as_slice());
        while let Some(event) = reader.next().unwrap() {
            listing.add(&event)?;
        }
        Ok(listing.finish())
    };
    let expected =
        r#"{"version":1,"root":{"type":"directory","entries":{"a\n\"é":{"type":"symlink","target":"t\""}}}}"#;
    assert_eq!(listing("a\n\"é".as_bytes()).as_deref(), Ok(expected));
    assert_eq!(listing(b"\xff"), Err(ListingError::NotText("\u{fffd}".into())));
}

#[test]
fn an_error_of_the_source_is_told_from_a_short_nar() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let error = Reader::new(Failing).next().unwrap_err();
    assert_eq!(error.to_string(), "byte 0 of the NAR: it cannot be read: the disk is gone");
}
