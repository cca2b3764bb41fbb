//! Writes a narinfo, field for field as Nix does.

use std::fmt::Write as _;

use super::NarInfo;
use crate::BaseName;

pub(super) fn print(info: &NarInfo) -> String {
    let mut text = String::with_capacity(512 + info.references.len() * 64);
    // The second argument is written into a `String`, which takes everything.
    let mut field = |name: &str, value: &dyn std::fmt::Display| {
        let _infallible = writeln!(text, "{name}: {value}");
    };
    field("StorePath", &info.store_path());
    field("URL", &info.url);
    field("Compression", &info.compression);
    if let Some(hash) = &info.file_hash {
        field("FileHash", hash);
    }
    if let Some(size) = &info.file_size {
        field("FileSize", size);
    }
    field("NarHash", &info.nar_hash);
    field("NarSize", &info.nar_size);
    // Without references there stands a blank after the colon; Nix skips a character there.
    let references: Vec<&str> = info.references.iter().map(BaseName::as_str).collect();
    field("References", &references.join(" "));
    if let Some(deriver) = &info.deriver {
        field("Deriver", deriver);
    }
    if let Some(system) = &info.system {
        field("System", system);
    }
    for signature in &info.signatures {
        field("Sig", signature);
    }
    if let Some(address) = &info.content_address {
        field("CA", address);
    }
    text
}
