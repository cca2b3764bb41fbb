//! Fields one by one: what is read, printed, and refused.

use super::*;
use crate::content_address::Method;

const DIGEST: &str = "01rwx9dqpbp7r777v319h2acnmqqawp0";
const HASH: &str = "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";

fn document() -> String {
    let signature = format!("{}==", "A".repeat(86));
    format!(
        "StorePath: /nix/store/{DIGEST}-hello-2.12\nURL: nar/x.nar.xz\nCompression: xz\nFileHash: {HASH}\nFileSize: 5\n\
         NarHash: {HASH}\nNarSize: 120\nReferences: {DIGEST}-a {DIGEST}-b\nDeriver: {DIGEST}-hello.drv\n\
         System: x86_64-linux\nSig: k-1:{signature}\nCA: fixed:r:{HASH}\n"
    )
}

fn refused(change: impl Fn(String) -> String) -> NarInfoError {
    NarInfo::parse(change(document()).as_bytes()).unwrap_err()
}

#[test]
fn every_field_is_read_and_printed_back() {
    let info = NarInfo::parse(document().as_bytes()).unwrap();
    assert_eq!(info.print(), document());
    assert_eq!(info.store_path(), format!("/nix/store/{DIGEST}-hello-2.12"));
    assert_eq!((info.file_size, info.nar_size, info.system()), (Some(5), 120, Some("x86_64-linux")));
    assert_eq!(info.content_address.as_ref().unwrap().method, Method::Recursive);
    assert_eq!(
        info.fingerprint(),
        format!("1;/nix/store/{DIGEST}-hello-2.12;{HASH};120;/nix/store/{DIGEST}-a,/nix/store/{DIGEST}-b")
    );
}

#[test]
fn what_older_caches_write_is_understood() {
    let old = document()
        .replace("Compression: xz\n", "")
        .replace(&format!("Deriver: {DIGEST}-hello.drv"), "Deriver: unknown-deriver")
        .replace(&format!("References: {DIGEST}-a {DIGEST}-b\n"), "References: \nNew: field\n");
    let info = NarInfo::parse(old.as_bytes()).unwrap();
    assert_eq!((info.compression, info.deriver.clone()), (Compression::Bzip2, None));
    assert!(info.references.is_empty());
    assert!(info.print().contains("References: \n") && !info.print().contains("New"));
}

#[test]
fn a_field_that_counts_once_stands_once() {
    for field in ["StorePath", "URL", "Compression", "FileHash", "NarHash", "NarSize", "References", "Deriver", "CA"] {
        let line = document().lines().find(|line| line.starts_with(field)).unwrap().to_owned();
        let error = refused(|text| format!("{text}{line}\n"));
        assert_eq!(error, NarInfoError::Duplicate { line: 13, field });
    }
}

#[test]
fn what_must_be_there_is_asked_for() {
    for field in ["StorePath", "URL", "NarHash", "NarSize"] {
        let error = refused(|text| text.replace(&format!("{field}:"), "Other:"));
        assert_eq!(error, NarInfoError::Missing { field });
    }
    assert_eq!(refused(|text| text.replace("NarSize: 120", "NarSize: 0")), NarInfoError::Missing { field: "NarSize" });
}

#[test]
fn a_url_that_leads_elsewhere_is_refused() {
    for url in ["../x", "nar/../../x", "/etc/passwd", "nar//x", "./x", "", "nar/", "nar/.."] {
        let error = refused(|text| text.replace("nar/x.nar.xz", url));
        assert!(matches!(error, NarInfoError::Url { line: 2, source: NarUrlError::Part(_) }), "{url}: {error}");
    }
    for url in ["https://evil.example/x", "nar/%2e%2e/x", "nar\\..\\x", "nar/é", "file:x", "nar/a b", "nar/x#y"] {
        let error = refused(|text| text.replace("nar/x.nar.xz", url));
        assert!(matches!(error, NarInfoError::Url { line: 2, source: NarUrlError::Character(_) }), "{url}: {error}");
    }
    assert!(NarUrl::parse(&"a".repeat(2_000)).is_err());
    assert!(NarUrl::parse(&format!("nar/x.nar?hash={DIGEST}")).is_ok());
}

#[test]
fn values_that_are_none_are_refused_with_their_line() {
    for (from, to, part) in [
        ("/nix/store/", "nix/store/", "line 1: StorePath:"),
        ("/nix/store/", "/nix/../store/", "line 1: the store directory"),
        ("/nix/store/", "/nix;store/", "line 1: the store directory"),
        ("Compression: xz", "Compression: rar", "line 3: `rar`"),
        ("FileHash: sha256", "FileHash: sha1", "line 4: FileHash:"),
        ("FileSize: 5", "FileSize: +5", "line 5: FileSize: `+5`"),
        ("FileSize: 5", "FileSize: 99999999999999999999", "line 5: FileSize:"),
        ("NarHash: sha256:0mdq", "NarHash: sha256:emdq", "line 6: NarHash:"),
        ("References: 0", "References: ../0", "line 8: References:"),
        ("Deriver: 0", "Deriver: /nix/store/0", "line 9: Deriver:"),
        ("Sig: k-1:", "Sig: k-1", "line 11: the signature is none:"),
        ("CA: fixed", "CA: floating", "line 12: CA:"),
        ("URL: ", "URL:", "line 2: is not `Field: value`"),
        ("xz\nFileHash", "xz\r\nFileHash", "line 3: is not UTF-8, or holds a control character"),
    ] {
        let error = refused(|text| text.replacen(from, to, 1)).to_string();
        assert!(error.starts_with(part), "{to}: {error}");
    }
}

#[test]
fn a_document_that_is_cut_or_too_long_is_refused() {
    assert_eq!(refused(|text| text.trim_end().to_owned()), NarInfoError::NoLineEnd { line: 12 });
    assert_eq!(NarInfo::parse(b""), Err(NarInfoError::Missing { field: "StorePath" }));
    assert_eq!(NarInfo::parse(&vec![b'a'; 2 << 20]), Err(NarInfoError::TooLarge));
    let many =
        |text: String| (0..64_u32).fold(text, |text, index| format!("{text}Sig: k{index}:{}==\n", "A".repeat(86)));
    assert_eq!(refused(many), NarInfoError::TooManySignatures { line: 76 });
}

#[test]
fn signing_replaces_the_signature_of_that_name() {
    let key = SecretKey::parse(include_str!("../../tests/vectors/2.8/cache/secret-key")).unwrap();
    let mut info = NarInfo::parse(document().as_bytes()).unwrap();
    info.sign(&key);
    info.nar_size += 1;
    let trusted = TrustedKeys::new([key.public().clone()]);
    assert!(matches!(info.verify(&trusted), Err(SignatureError::Wrong { .. })));
    info.sign(&key);
    assert_eq!(info.signatures.len(), 2);
    assert_eq!(info.verify(&trusted).unwrap().nar_size, 121);
}
