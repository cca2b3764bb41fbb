//! Inputs as they come: packed, bombs, truncated, hostile archives, folders with loops.

use super::*;
use aux_core::limits::{ENTRIES_MAX, LINE_BYTES_MAX};
use std::fs;
use std::io::Write;

/// `hello\n` as `xz` packs it; our encoder is not linked.
const XZ: &[u8] = b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\x01\x00\x05\x68\x65\x6c\x6c\x6f\x0a\x00\x00\x00\xa5\x60\x97\xf1\x94\xf6\xfd\xe0\x00\x01\x1e\x06\xc1\x2f\xa4\x1d\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd_bytes(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        // Written by hand, because the builder refuses the hostile names we want.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, InputError> {
    let mut out = Vec::new();
    source::reader("x".to_owned(), bytes)?.read_into(&mut out, 1 << 40).map(|()| out)
}

/// Names and contents, or the error's text.
fn collect(path: impl AsRef<Path>) -> Vec<Result<(String, Vec<u8>), String>> {
    let mut seen = Vec::new();
    entries(path, 1 << 20, &mut |entry| {
        seen.push(match entry {
            Ok(entry) => Ok((entry.name.to_owned(), entry.bytes.to_vec())),
            Err(error) => Err(error.to_string()),
        });
    });
    seen
}

#[test]
fn every_packing_is_recognised_by_content_and_members_are_joined() {
    for pack in [gzip, zstd_bytes, bzip2] {
        let joined = [pack(b"one "), pack(b"two")].concat();
        assert_eq!(unpacked(&joined).unwrap(), b"one two");
        let mut unchanged = pack(b"x");
        unchanged.extend(pack(b""));
        assert_eq!(unpacked(&unchanged).unwrap(), b"x");
    }
    assert_eq!(unpacked(XZ).unwrap(), b"hello\n");
    assert_eq!(unpacked(&[XZ, XZ].concat()).unwrap(), b"hello\nhello\n");
    assert_eq!(unpacked(b"plain").unwrap(), b"plain");
    assert_eq!(unpacked(b"").unwrap(), b"");
}

#[test]
fn truncated_or_damaged_packed_data_is_an_error_naming_the_file() {
    let text: Vec<u8> = (0..50_000_u32).flat_map(|number| (number.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
    for whole in [gzip(&text), zstd_bytes(&text), bzip2(&text), XZ.to_vec()] {
        for length in [6, 13, whole.len() / 2, whole.len() - 1] {
            let error = unpacked(&whole[..length]).unwrap_err().to_string();
            assert!(error.starts_with("x: damaged or truncated "), "{error}");
        }
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0xff;
        assert!(unpacked(&flipped).is_err() || unpacked(&flipped).unwrap() != text);
        let mut garbage = whole;
        garbage.extend_from_slice(b"garbage after the end");
        assert!(unpacked(&garbage).is_err());
    }
}

#[test]
fn a_zip_bomb_is_refused_by_its_ratio() {
    let zeros = vec![0; 1 << 20];
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..96 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let mut input = source::reader("bomb.json.zst".to_owned(), bomb.as_slice()).unwrap();
    let error = input.read_into(&mut Vec::new(), u64::MAX).unwrap_err();
    assert!(matches!(error, InputError::UnpackRatio { .. }), "{error}");
    assert!(error.to_string().starts_with("bomb.json.zst: "), "{error}");
}

#[test]
fn a_file_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("four.gz");
    fs::File::create(&path).unwrap().write_all(&gzip(b"four")).unwrap();
    assert_eq!(read(&path, 4).unwrap(), b"four");
    let error = read(&path, 3).unwrap_err();
    assert!(matches!(error, InputError::TooLarge { limit_bytes: 3, .. }), "{error}");
    assert!(matches!(read(folder.path().join("none"), 1), Err(InputError::Missing { .. })));
    assert!(matches!(read(folder.path(), 1), Err(InputError::Folder { .. })));
}

#[test]
fn the_limit_holds_for_an_entry_and_its_message_names_the_whole_limit() {
    let folder = tempfile::tempdir().unwrap();
    fs::File::create(folder.path().join("large")).unwrap().write_all(&vec![b'x'; 2 << 20]).unwrap();
    fs::File::create(folder.path().join("middle")).unwrap().write_all(&vec![b'x'; 600 << 10]).unwrap();
    let seen = collect(folder.path());
    assert!(seen[0].as_ref().unwrap_err().contains("larger than the 1048576 bytes"), "{:?}", seen[0]);
    assert_eq!(seen[1].as_ref().unwrap().1.len(), 600 << 10);
}

#[test]
fn a_tar_gives_its_files_and_refuses_those_that_leave_it() {
    let folder = tempfile::tempdir().unwrap();
    let tar = tar_of(&[
        ("./good.json", b"1"),
        ("../../etc/passwd", b"2"),
        ("/absolute", b"3"),
        ("deep/packed.gz", &gzip(b"4")),
        (".hidden", b"5"),
        ("a/b/c", b"6"),
    ]);
    for (name, bytes) in [("a.tar", tar.clone()), ("no-name", gzip(&tar)), ("b.tar.zst", zstd_bytes(&tar))] {
        let path = folder.path().join(name);
        fs::File::create(&path).unwrap().write_all(&bytes).unwrap();
        let seen = collect(&path);
        let shown = path.display();
        assert_eq!(seen[0], Ok((format!("{shown}!good.json"), b"1".to_vec())));
        assert!(seen[1].as_ref().unwrap_err().contains("leaves the archive"));
        assert!(seen[2].as_ref().unwrap_err().contains("leaves the archive"));
        assert_eq!(seen[3], Ok((format!("{shown}!deep/packed.gz"), b"4".to_vec())));
        assert_eq!(seen[4], Ok((format!("{shown}!a/b/c"), b"6".to_vec())));
        assert_eq!(seen.len(), 5);
    }
    // The same archives are found inside a folder.
    assert_eq!(collect(folder.path()).len(), 15);
}

#[test]
fn a_truncated_tar_gives_what_it_has_and_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let tar = tar_of(&[("one", b"1"), ("two", &[b'2'; 2_000])]);
    for (name, bytes) in [("cut.tar", tar[..1_800].to_vec()), ("cut.tar.zst", zstd_bytes(&tar[..1_800]))] {
        let path = folder.path().join(name);
        fs::File::create(&path).unwrap().write_all(&bytes).unwrap();
        let seen = collect(&path);
        assert_eq!(seen[0].as_ref().unwrap().1, b"1");
        assert!(seen[1].as_ref().unwrap_err().contains("damaged or truncated archive"), "{seen:?}");
    }
    // Cut between two entries, and followed by a second archive that other readers would not look at.
    for (name, bytes) in [("ends.tar", tar[..1_024].to_vec()), ("two.tar", [tar.clone(), tar.clone()].concat())] {
        let path = folder.path().join(name);
        fs::File::create(&path).unwrap().write_all(&bytes).unwrap();
        assert!(collect(&path).last().unwrap().is_err(), "{name}");
    }
    let path = folder.path().join("packed-cut.tar.zst");
    let packed = zstd_bytes(&tar);
    fs::File::create(&path).unwrap().write_all(&packed[..packed.len() - 3]).unwrap();
    let seen = collect(&path);
    assert!(seen.last().unwrap().as_ref().unwrap_err().contains("truncated"), "{seen:?}");
}

#[test]
fn an_entry_name_of_megabytes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    let name = vec![b'n'; 4 << 20];
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(name.len() as u64);
    header.set_cksum();
    builder.append(&header, name.as_slice()).unwrap();
    let path = folder.path().join("long.tar");
    fs::File::create(&path).unwrap().write_all(&builder.into_inner().unwrap()).unwrap();
    let seen = collect(&path);
    assert!(seen[0].as_ref().unwrap_err().contains("1048576 bytes"), "{seen:?}");
}

#[test]
fn a_folder_is_walked_in_order_and_links_never_lead_in_circles() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("b/inner")).unwrap();
    for (name, text) in [("c", "3"), ("a", "1"), ("b/inner/x", "2"), (".git", "no")] {
        fs::File::create(root.join(name)).unwrap().write_all(text.as_bytes()).unwrap();
    }
    fs::File::create(root.join("d")).unwrap().write_all(&gzip(b"4")).unwrap();
    std::os::unix::fs::symlink(root, root.join("b/up")).unwrap();
    std::os::unix::fs::symlink(root.join("e"), root.join("e")).unwrap();
    let seen = collect(root);
    let texts: Vec<_> = seen.iter().flatten().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect();
    assert_eq!(texts, ["1", "2", "3", "4"]);
    assert_eq!(seen.iter().filter(|one| one.is_err()).count(), 1, "the link to itself");
}

#[test]
fn folders_deeper_than_the_bound_are_said_to_be_unread() {
    let folder = tempfile::tempdir().unwrap();
    let mut path = folder.path().to_path_buf();
    for _ in 0..40 {
        path.push("d");
    }
    fs::create_dir_all(&path).unwrap();
    let seen = collect(folder.path());
    assert_eq!(seen.len(), 1);
    assert!(seen[0].as_ref().unwrap_err().contains("FOLDER_DEPTH_MAX"));
    const { assert!(ENTRIES_MAX > 100_000) };
}

#[test]
fn lines_end_with_either_ending_and_a_long_one_is_cut() {
    let long = "x".repeat(LINE_BYTES_MAX);
    let text = format!("one\r\n\n{long}\n{long}yz\nlast");
    let mut seen = Vec::new();
    lines("list", &mut text.as_bytes(), &mut |number, line| {
        seen.push(match line {
            Line::Whole(bytes) => (number, bytes.len(), false),
            Line::Cut(bytes) => (number, bytes.len(), true),
        });
    })
    .unwrap();
    let most = LINE_BYTES_MAX;
    assert_eq!(seen, [(1, 3, false), (2, 0, false), (3, most, false), (4, most, true), (5, 4, false)]);
}

#[test]
fn what_was_peeked_at_is_still_read() {
    let packed = gzip(b"0123456789");
    let mut input = source::reader("x".to_owned(), packed.as_slice()).unwrap();
    assert_eq!(input.peek(4).unwrap(), b"0123");
    let mut three = [0; 3];
    input.read_exact(&mut three).unwrap();
    assert_eq!(&three, b"012");
    assert_eq!(input.peek(100).unwrap(), b"3456789");
    let mut rest = Vec::new();
    input.read_into(&mut rest, 7).unwrap();
    assert_eq!(rest, b"3456789");
}

#[test]
fn an_error_says_its_name_once() {
    let error = InputError::Missing { name: "a: b".to_owned() };
    assert_eq!(error.message(), "no such file or folder");
    assert_eq!(error.name(), "a: b");
}

#[test]
fn many_files_come_in_order_and_whole_whoever_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let large = vec![b'x'; 300 << 10];
    let names: Vec<String> = (0..200).map(|number| format!("{number:03}")).collect();
    for name in &names {
        // Among them a packed one and one that is too large to be read ahead, in either half.
        let bytes = match name.as_str() {
            "010" | "190" => gzip(b"packed"),
            "020" | "180" => large.clone(),
            _ => name.clone().into_bytes(),
        };
        crate::file::replace(folder.path().join(name), &bytes).unwrap();
    }
    let seen: Vec<(String, Vec<u8>)> = collect(folder.path()).into_iter().map(Result::unwrap).collect();
    assert_eq!(seen.len(), names.len());
    for (name, (path, bytes)) in names.iter().zip(&seen) {
        assert!(path.ends_with(name.as_str()), "{path}");
        match name.as_str() {
            "010" | "190" => assert_eq!(bytes, b"packed"),
            "020" | "180" => assert_eq!(bytes, &large),
            _ => assert_eq!(bytes, name.as_bytes()),
        }
    }
}
