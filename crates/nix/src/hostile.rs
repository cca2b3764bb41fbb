//! Damaged documents of every kind end in a value or an error, never in a panic.

#[path = "../../../tests/support/damage.rs"]
mod damage;

use crate::cache_info::CacheInfo;
use crate::derivation::json;
use crate::signature::{PublicKey, SecretKey, Signature};
use crate::structured_attrs::StructuredAttributes;
use crate::{Derivation, NarInfo, StorePath, flake_lock, nar, path_info};
use damage::{every_form, every_text};

#[test]
fn a_damaged_derivation_is_refused_or_printed_as_it_was_read() {
    every_form("derivation", &|bytes| {
        if let Ok(derivation) = Derivation::parse(bytes) {
            assert_eq!(derivation.print(), bytes);
        }
    });
}

#[test]
fn damaged_json_of_derivations_is_refused_or_read() {
    every_form("derivation_json", &|bytes| {
        for (_, derivation) in json::parse(bytes).unwrap_or_default() {
            assert!(Derivation::parse(&derivation.print()).is_ok());
        }
    });
}

#[test]
fn damaged_structured_attributes_are_refused_or_read() {
    every_form("structured_attrs", &|bytes| {
        drop(StructuredAttributes::parse(bytes).map(|attributes| attributes.known_vulnerabilities()));
    });
}

#[test]
fn a_damaged_lock_is_refused_or_read() {
    every_form("flake_lock", &|bytes| drop(flake_lock::parse(bytes)));
}

#[test]
fn damaged_path_info_is_refused_or_read() {
    every_form("path_info", &|bytes| drop(path_info::parse(bytes)));
}

#[test]
fn a_damaged_store_path_is_refused_or_taken_apart() {
    every_text("store_path", &|text| {
        drop(StorePath::parse(text).map(|path| path.derivation_name().map(str::len)));
        drop(StorePath::parse_base(text));
    });
}

#[test]
fn a_damaged_nar_is_refused_or_written_as_it_was_read() {
    every_form("nar", &|bytes| {
        let mut writer = nar::Writer::new(Vec::new());
        if nar::copy(&mut nar::Reader::new(bytes), &mut writer).is_ok() {
            assert!(writer.finish().unwrap() == bytes);
        }
    });
}

#[test]
fn a_damaged_narinfo_is_refused_or_prints_as_it_was_understood() {
    every_form("narinfo", &|bytes| {
        drop(CacheInfo::parse(bytes));
        if let Ok(info) = NarInfo::parse(bytes) {
            assert_eq!(NarInfo::parse(info.print().as_bytes()), Ok(info));
        }
    });
}

#[test]
fn a_damaged_key_is_refused_or_printed_as_it_was_read() {
    every_text("cache_key", &|text| {
        drop(SecretKey::parse(text).map(|key| assert_eq!(key.reveal().as_str(), text.trim_ascii_end())));
        drop(PublicKey::parse(text).map(|key| assert_eq!(key.to_string(), text)));
        drop(Signature::parse(text).map(|signature| assert_eq!(signature.to_string(), text)));
    });
}
