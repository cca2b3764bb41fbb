//! What a document is, told by its content. A file's name plays no part.

use crate::list::{has_pkgsrc_revision, is_pkgsrc_name, split_pkgsrc_name};
use crate::store_name;
use serde::Deserializer;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;

/// Bytes at the start of a document that are looked at to tell text from the rest.
pub const START_BYTES: usize = 64 << 10;
/// Keys of an unknown JSON object that its problem shows.
const KEYS_SHOWN: usize = 6;

/// A kind of document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    Empty,
    Binary,
    /// A page of a web server, most often an error that was saved in place of the file.
    Html,
    Xml,
    /// SPDX in its tag-value form.
    SpdxTagValue,
    /// A derivation in Nix's `ATerm` form.
    Derivation,
    /// A JSON document; [`json`] tells which.
    Json,
    NameList,
    PurlList,
    PkgsrcList,
    /// `pkg_info -X`: blocks of `VARIABLE=VALUE` lines (`pkg_summary(5)`).
    PkgsrcSummary,
    /// Text that holds no names.
    Prose,
}

/// A kind of JSON document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonDocument {
    CycloneDx,
    Spdx,
    /// SPDX 3, which is JSON-LD and another model.
    Spdx3,
    FlakeLock,
    DerivationJson,
    PathInfo,
    /// An evaluated configuration, `aux.configuration`.
    Configuration,
    /// A list of names, or a list of such lists.
    NameList,
    /// An image manifest, or anything else with a `pkgsrc` list in it.
    Manifest,
    /// With the keys it has.
    Unknown(Vec<String>),
    /// Not JSON after all, with where and why.
    Broken(String),
}

/// Tells what a document is by its first bytes, up to [`START_BYTES`] of them.
pub fn document(start: &[u8]) -> Document {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let trimmed = start.trim_ascii_start();
    if trimmed.is_empty() {
        return Document::Empty;
    }
    if start.contains(&0) {
        return Document::Binary;
    }
    if trimmed.starts_with(b"Derive(") || trimmed.starts_with(b"DrvWithVersion(") {
        return Document::Derivation;
    }
    match trimmed.first() {
        Some(b'{' | b'[') => return Document::Json,
        Some(b'<') => {
            let head = String::from_utf8_lossy(trimmed.get(..256).unwrap_or(trimmed)).to_ascii_lowercase();
            let html = ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| head.contains(tag));
            return if html { Document::Html } else { Document::Xml };
        }
        _ => {}
    }
    lines(start)
}

/// Tells lists apart by their first lines.
fn lines(start: &[u8]) -> Document {
    let text = String::from_utf8_lossy(start);
    // The last line may have been cut by the bound.
    let whole =
        if start.len() >= START_BYTES { text.rsplit_once('\n').map_or(&*text, |(whole, _)| whole) } else { &text };
    let (mut names, mut purls, mut described, mut revisions, mut other) = (0, 0, 0, 0, 0);
    for line in whole.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        // `pkgin -p list` writes a semicolon between the name and the rest.
        let (word, rest) = line.split_once(|one: char| one.is_whitespace() || one == ';').unwrap_or((line, ""));
        if line.starts_with("SPDXVersion:") {
            return Document::SpdxTagValue;
        }
        if line.starts_with("PKGNAME=") {
            return Document::PkgsrcSummary;
        }
        if line.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("pkg:")) {
            purls += 1;
        } else if rest.is_empty() && (store_name::is_valid(word) || store_name::base_name(word).is_some()) {
            names += 1;
            revisions += usize::from(has_pkgsrc_revision(word));
        } else if is_pkgsrc_name(word) && !split_pkgsrc_name(word).1.is_empty() {
            described += 1;
        } else {
            other += 1;
        }
    }
    // A few bad lines in a list are problems of their own; a text that is mostly something else is no list.
    if other > names + purls + described {
        return Document::Prose;
    }
    match (purls, described > names || revisions > 0) {
        (1.., _) if purls >= names + described => Document::PurlList,
        (_, true) => Document::PkgsrcList,
        _ => Document::NameList,
    }
}

/// Tells what a JSON document is by its outermost keys, reading no further than needed.
pub fn json(bytes: &[u8]) -> JsonDocument {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut seen = Seen::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let outcome = deserializer.deserialize_any(Outermost(&mut seen)).and_then(|()| deserializer.end());
    if let Some(decided) = seen.decided {
        return decided;
    }
    match outcome {
        Err(error) => JsonDocument::Broken(error.to_string()),
        Ok(()) if contains(bytes, b"\"pkgsrc\"") => JsonDocument::Manifest,
        Ok(()) => JsonDocument::Unknown(seen.keys),
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[derive(Default)]
struct Seen {
    decided: Option<JsonDocument>,
    /// The first keys, for the message that they are not known.
    keys: Vec<String>,
    /// Those that mean something only together.
    telling: BTreeSet<&'static str>,
}

/// Keys that mean something only together with another.
const TELLING: &[&str] = &["nodes", "root", "uuid", "v", "info", "version"];

impl Seen {
    /// Notes one more key of the outermost object; true where the keys so far decide.
    fn note(&mut self, key: String) -> bool {
        self.telling.extend(TELLING.iter().copied().find(|telling| *telling == key));
        self.decided = self.decide(&key);
        if self.keys.len() < KEYS_SHOWN {
            self.keys.push(key);
        }
        self.decided.is_some()
    }

    fn decide(&self, key: &str) -> Option<JsonDocument> {
        let has = |wanted: &str| self.telling.contains(wanted);
        Some(match key {
            "bomFormat" | "specVersion" => JsonDocument::CycloneDx,
            "spdxVersion" => JsonDocument::Spdx,
            "@context" => JsonDocument::Spdx3,
            "derivations" => JsonDocument::DerivationJson,
            "pkgsrc" => JsonDocument::Manifest,
            crate::configuration::KEY => JsonDocument::Configuration,
            _ if has("nodes") && has("root") => JsonDocument::FlakeLock,
            _ if has("uuid") && has("v") => JsonDocument::Manifest,
            _ if has("info") && has("version") => JsonDocument::PathInfo,
            _ => {
                store_name::base_name(key)?;
                if key.strip_suffix(".drv").is_some() { JsonDocument::DerivationJson } else { JsonDocument::PathInfo }
            }
        })
    }
}

/// Reads the outermost keys; stops with an error as soon as something is decided.
struct Outermost<'a>(&'a mut Seen);

impl<'de> Visitor<'de> for Outermost<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if self.0.note(key) {
                return Err(A::Error::custom("decided"));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if list.next_element_seed(First(self.0))?.is_none() {
            return Ok(());
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// Reads the first element of an outermost list.
struct First<'a>(&'a mut Seen);

impl<'de> serde::de::DeserializeSeed<'de> for First<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for First<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name, a list of names or an object")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.0.decided = Some(JsonDocument::NameList);
        Err(E::custom("decided"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.0.decided = Some(JsonDocument::NameList);
        Err(A::Error::custom("decided"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if ["path", "narSize", "narHash"].contains(&&*key) {
                self.0.decided = Some(JsonDocument::PathInfo);
                return Err(A::Error::custom("decided"));
            }
            if self.0.keys.len() < KEYS_SHOWN {
                self.0.keys.push(key);
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_by_content() {
        for (bytes, wanted) in [
            (b"".as_slice(), Document::Empty),
            (b"\xef\xbb\xbf \n", Document::Empty),
            (b"\x7fELF\x02\x01\x01\x00", Document::Binary),
            (b"o\0p\0e\0n\0", Document::Binary),
            (b"\n<!DOCTYPE html><html>", Document::Html),
            (b"<?xml version=\"1.0\"?><bom xmlns=\"x\">", Document::Xml),
            (b"SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\n", Document::SpdxTagValue),
            (b"Derive([(\"out\"", Document::Derivation),
            (b"\xef\xbb\xbf{\"a\": 1}", Document::Json),
            (b"[]", Document::Json),
            (b"# list\nopenssl-3.0.13\nhello\n", Document::NameList),
            (b"pkg:npm/foo@1.2\nPKG:npm/bar@1\n", Document::PurlList),
            (b"curl-7.23.1nb1\nperl-5.14.2nb3\nxz-5.2\n", Document::PkgsrcList),
            (b"curl-7.23.1       Client that groks URLs\nxz-5  General-purpose\n", Document::PkgsrcList),
            (b"curl-7.23.1;Client that groks URLs\nxz-5;General-purpose\n", Document::PkgsrcList),
            (b"COMMENT=Client\nPKGNAME=curl-7.23.1\n\n", Document::PkgsrcSummary),
            (b"404: Not Found\n", Document::Prose),
            (b"# A title\n\nThis is a text about things.\nIt goes on.\n", Document::Prose),
        ] {
            assert_eq!(document(bytes), wanted, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn json_documents_are_told_by_their_outermost_keys() {
        let hash = "0c0b2a3d4f5g6h7i8j9k0l1m2n3p4q5r";
        for (text, wanted) in [
            (r#"{"x": {"spdxVersion": 1}, "bomFormat": "CycloneDX""#.to_owned(), JsonDocument::CycloneDx),
            (r#"{"spdxVersion": "SPDX-2.3"}"#.to_owned(), JsonDocument::Spdx),
            (r#"{"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}"#.to_owned(), JsonDocument::Spdx3),
            (r#"{"nodes": {}, "root": "root", "version": 7}"#.to_owned(), JsonDocument::FlakeLock),
            (r#"{"version": 7, "root": "root", "nodes": {}}"#.to_owned(), JsonDocument::FlakeLock),
            (format!(r#"{{"/nix/store/{hash}-a-1.drv": {{}}}}"#), JsonDocument::DerivationJson),
            (format!(r#"{{"{hash}-a-1.drv": {{}}}}"#), JsonDocument::DerivationJson),
            (r#"{"derivations": {}, "version": 4}"#.to_owned(), JsonDocument::DerivationJson),
            (format!(r#"{{"/nix/store/{hash}-a-1": {{}}}}"#), JsonDocument::PathInfo),
            (format!(r#"[{{"path": "/nix/store/{hash}-a-1"}}]"#), JsonDocument::PathInfo),
            (r#"{"info": {}, "version": 2}"#.to_owned(), JsonDocument::PathInfo),
            (r#"["a-1"]"#.to_owned(), JsonDocument::NameList),
            (r#"[["a-1"]]"#.to_owned(), JsonDocument::NameList),
            (r#"{"pkgsrc": []}"#.to_owned(), JsonDocument::Manifest),
            (r#"{"auxConfiguration": 1, "options": {}}"#.to_owned(), JsonDocument::Configuration),
            (r#"{"spec": {"pkgsrc": []}}"#.to_owned(), JsonDocument::Manifest),
            (r#"{"v": 2, "uuid": "x"}"#.to_owned(), JsonDocument::Manifest),
            (r#"{"a": 1}"#.to_owned(), JsonDocument::Unknown(vec!["a".to_owned()])),
            ("[]".to_owned(), JsonDocument::Unknown(Vec::new())),
        ] {
            assert_eq!(json(text.as_bytes()), wanted, "{text}");
        }
        for broken in ["{", "[1,", "{\"a\": \"\u{1}\"}", "{} x", "{\"a\" 1}"] {
            assert!(matches!(json(broken.as_bytes()), JsonDocument::Broken(_)), "{broken}");
        }
        assert!(matches!(json("[".repeat(100_000).as_bytes()), JsonDocument::NameList | JsonDocument::Broken(_)));
        assert!(matches!(json("{\"a\":".repeat(100_000).as_bytes()), JsonDocument::Broken(_)));
    }
}
