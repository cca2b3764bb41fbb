//! What `nix copy --to file://` writes is read, verified and printed back byte for byte.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aux_nix::content_address::{ContentError, Method};
use aux_nix::references::ReferenceScanner;
use aux_nix::signature::{Proof, SecretKey, SignatureError, TrustedKeys};
use aux_nix::{BaseName, NarInfo, Sha256, nar};

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/2.8/cache")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(vectors().join(name)).unwrap()
}

fn nar_bytes(info: &NarInfo) -> Vec<u8> {
    std::fs::read(vectors().join(format!("nar/{}.nar", info.path))).unwrap()
}

/// Every narinfo of the cache, by its file's name.
fn narinfos() -> Vec<(String, NarInfo)> {
    let files = std::fs::read_dir(vectors()).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "narinfo"));
    let read = |path: PathBuf| {
        let document = std::fs::read(&path).unwrap();
        let info = NarInfo::parse(&document).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(info.print(), String::from_utf8(document).unwrap(), "{}", path.display());
        (path.file_stem().unwrap().to_string_lossy().into_owned(), info)
    };
    files.map(read).collect()
}

#[test]
fn real_narinfos_are_printed_as_they_were_read() {
    let infos = narinfos();
    assert_eq!(infos.len(), 9);
    for (name, info) in infos {
        assert_eq!(info.path.digest(), name);
    }
}

#[test]
fn nixs_signatures_are_verified_and_made_again() {
    let key = SecretKey::parse(&text("secret-key")).unwrap();
    let trusted = TrustedKeys::parse(&text("public-key")).unwrap();
    let mut signed = 0;
    for (_, info) in narinfos() {
        let Some(signature) = info.signatures.first() else {
            assert_eq!(info.verify(&trusted), Err(SignatureError::Unsigned));
            continue;
        };
        assert_eq!(info.verify(&trusted).unwrap().proof(), &Proof::Signature(signature.key.clone()));
        let mut again = info.clone();
        again.signatures.clear();
        again.sign(&key);
        assert_eq!(again.print(), info.print());
        signed += 1;
    }
    assert_eq!(signed, 8);
}

#[test]
fn a_content_address_gives_the_store_path_that_nix_gave() {
    let mut kinds = BTreeSet::new();
    for (_, info) in narinfos() {
        let Some(address) = &info.content_address else { continue };
        let others: BTreeSet<BaseName> = info.references.iter().filter(|path| **path != info.path).cloned().collect();
        let itself = info.references.contains(&info.path);
        let path = address.store_path(info.store_directory(), info.path.name(), &others, itself).unwrap();
        assert_eq!(path, info.path);
        kinds.insert((address.method, address.hash.algorithm(), others.is_empty(), itself));
    }
    // Flat by two algorithms, recursive by two and with itself, text with and without references.
    assert_eq!(kinds.len(), 7);
}

#[test]
fn real_nars_come_back_byte_for_byte_and_list_as_nix_lists_them() {
    for (name, info) in narinfos() {
        let bytes = nar_bytes(&info);
        assert_eq!((Sha256::of(&bytes), bytes.len() as u64), (info.nar_hash, info.nar_size));
        let mut writer = nar::Writer::new(Vec::new());
        nar::copy(&mut nar::Reader::new(bytes.as_slice()), &mut writer).unwrap();
        assert!(writer.finish().unwrap() == bytes, "{name}");
        let mut listing = nar::Listing::default();
        let mut reader = nar::Reader::new(bytes.as_slice());
        while let Some(event) = reader.next().unwrap() {
            listing.add(&event).unwrap();
        }
        if !info.path.name().contains(".drv") {
            assert_eq!(listing.finish(), text(&format!("{name}.ls")));
        }
    }
}

#[test]
fn references_are_found_where_nix_found_them() {
    let infos = narinfos();
    for (_, info) in &infos {
        let mut scanner = ReferenceScanner::new(infos.iter().map(|(_, info)| info.path.clone()));
        scanner.update(&nar_bytes(info));
        let found = scanner.finish();
        // A derivation names its output, which Nix does not count.
        let expected = info.references.iter().filter(|path| !info.path.name().contains(".drv") || found.contains(path));
        let known: BTreeSet<_> = found.iter().filter(|path| info.references.contains(path)).collect();
        assert_eq!(known, expected.collect(), "{}", info.path);
    }
}

#[test]
fn content_addresses_vouch_for_the_real_nars_and_for_no_others() {
    let mut needed_nar = 0;
    for (name, info) in narinfos() {
        let bytes = nar_bytes(&info);
        if info.content_address.is_none() {
            assert!(matches!(info.verify_content(bytes.as_slice()), Err(ContentError::None)));
            continue;
        }
        let proof = info.verify_content(bytes.as_slice()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(proof.proof(), &Proof::ContentAddress);
        match info.verify_content_address() {
            Ok(_) => {}
            Err(ContentError::NeedsNar) => needed_nar += 1,
            Err(error) => panic!("{name}: {error}"),
        }
        refuse_forgeries(&info, bytes);
    }
    assert_eq!(needed_nar, 7);
}

/// A path that is right, with other content or another name, has no proof.
fn refuse_forgeries(info: &NarInfo, mut bytes: Vec<u8>) {
    let mut renamed = info.clone();
    renamed.path = BaseName::parse(&format!("{}-evil", info.path.digest())).unwrap();
    assert!(matches!(renamed.verify_content_address(), Err(ContentError::Path { .. } | ContentError::Address(_))));
    // The first byte of the content, wherever that is.
    let reader = &mut nar::Reader::new(bytes.as_slice());
    let offset = loop {
        if let Some(nar::Event::File { offset, .. }) = reader.next().unwrap() {
            break usize::try_from(offset).unwrap();
        }
    };
    *bytes.get_mut(offset).unwrap() ^= 1;
    assert!(matches!(info.verify_content(bytes.as_slice()), Err(ContentError::OtherNar { .. })));
    // Who forges a NAR says its hash as well.
    let mut forged = info.clone();
    forged.nar_hash = Sha256::of(&bytes);
    assert!(matches!(forged.verify_content(bytes.as_slice()), Err(ContentError::Content { .. })));
    assert!(matches!(forged.verify_content_address(), Err(ContentError::NarHash | ContentError::NeedsNar)));
}

#[test]
fn content_that_refers_to_itself_is_hashed_as_each_generation_of_nix_hashes_it() {
    let versions = vectors().join("../..");
    let mut addresses = BTreeSet::new();
    for (version, base) in [
        ("2.8", "5basz2x4nna2nzrfja52pmspzymdvwqq-ca-self"),
        ("2.26", "jpvfxand15v9bsbd2fn59q7yh7dw0d4r-ca-self"),
        ("2.34", "jpvfxand15v9bsbd2fn59q7yh7dw0d4r-ca-self"),
    ] {
        let folder = versions.join(version).join("cache");
        let path = BaseName::parse(base).unwrap();
        let document = std::fs::read(folder.join(format!("{}.narinfo", path.digest()))).unwrap();
        let info = NarInfo::parse(&document).unwrap();
        assert_eq!(info.print().as_bytes(), document);
        assert!(matches!(info.verify_content_address(), Err(ContentError::NeedsNar)));
        let nar = std::fs::read(folder.join(format!("nar/{base}.nar"))).unwrap();
        assert!(info.verify_content(nar.as_slice()).is_ok(), "{version}");
        addresses.insert(info.content_address);
    }
    assert_eq!(addresses.len(), 2);
}

#[test]
fn a_single_files_address_does_not_vouch_for_a_folder() {
    let infos = narinfos();
    let of = |part: &str| infos.iter().map(|(_, info)| info).find(|info| info.print().contains(part)).unwrap();
    let folder = nar_bytes(of("CA: fixed:r:sha1"));
    assert!(matches!(of("CA: fixed:sha512").verify_content(folder.as_slice()), Err(ContentError::NotFile)));
    let mut git = of("CA: fixed:r:sha1").clone();
    git.content_address.as_mut().unwrap().method = Method::Git;
    let (directory, name) = (git.store_directory().to_owned(), git.path.name().to_owned());
    let address = git.content_address.as_ref().unwrap();
    git.path = address.store_path(&directory, &name, &BTreeSet::new(), false).unwrap();
    assert!(matches!(git.verify_content(folder.as_slice()), Err(ContentError::Unsupported(_))));
}
