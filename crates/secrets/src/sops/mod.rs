//! Files of sops that are encrypted to keys of age, in YAML and JSON: every value is opened, and the MAC over all of them checked,
//! before any of them is believed.

mod tree;
mod value;

use std::slice;

use aux_core::hexadecimal;
use aux_core::limits::{SOPS_DEPTH_MAX, SOPS_VALUES_MAX};
use sha2::{Digest as _, Sha512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::age_file::{self, AgeError, Identities};
use crate::secret::SecretBytes;
use tree::Node;
use value::{DataKey, is_encrypted};

/// What the hash begins with where only encrypted values are in the MAC, so that the two kinds cannot be taken for one another.
const ENCRYPTED_ONLY: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b, 0x97, 0x5b,
    0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];
/// What a file may be encrypted to beside age.
const OTHERS: [&str; 6] = ["pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Yaml,
    Json,
}

/// A value of a file, and where it stood: the keys that lead to it, and numbers from 0 in lists.
pub struct SopsValue {
    pub path: Vec<String>,
    pub value: SecretBytes,
}

/// What a file holds.
pub struct Opened {
    pub values: Vec<SopsValue>,
    /// Places of values that were not encrypted, and are no secrets.
    pub open: Vec<Vec<String>>,
}

/// Why nothing is taken over from a file. Nothing of what it holds stands in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SopsError {
    #[error("cannot be read: {cause}")]
    Syntax { cause: String },
    #[error("more than {SOPS_VALUES_MAX} values (SOPS_VALUES_MAX)")]
    Values,
    #[error("is no file of sops: it has no table `sops`")]
    Foreign,
    #[error("its table `sops` has no `{field}`")]
    Field { field: &'static str },
    #[error("is encrypted to {keys} and to no key of age")]
    OtherKeys { keys: String },
    #[error("its data key is shared among groups of keys")]
    Groups,
    #[error("none of the given identities opens its data key, which is for {recipients}")]
    NoIdentity { recipients: String },
    #[error("its data key for {recipient}: {cause}")]
    DataKey { recipient: String, cause: String },
    #[error("{place}: {why}")]
    Value { place: String, why: &'static str },
    #[error("its MAC is not that of its values: something was changed, added, moved or removed since it was encrypted")]
    Mac,
}

/// Opens a file. Whatever is wrong with any part of it, nothing comes out.
pub fn open(text: &str, format: Format, identities: &Identities) -> Result<Opened, SopsError> {
    let root = match format {
        Format::Yaml => tree::of_yaml(text)?,
        Format::Json => tree::of_json(text)?,
    };
    let metadata = root.get("sops").ok_or(SopsError::Foreign)?;
    let field = |field| metadata.get(field).and_then(Node::text).ok_or(SopsError::Field { field });
    let (mac, modified) = (field("mac")?, field("lastmodified")?);
    let key = data_key(metadata, identities)?;
    let is_encrypted_only = metadata.get("mac_only_encrypted") == Some(&Node::Plain("True".to_owned()));
    let mut walk = Walk {
        key: &key,
        hash: Sha512::new(),
        is_encrypted_only,
        opened: Opened { values: Vec::new(), open: Vec::new() },
    };
    if is_encrypted_only {
        walk.hash.update(ENCRYPTED_ONLY);
    }
    let Node::Map(entries) = &root else { return Err(SopsError::Foreign) };
    for (name, node) in entries.iter().filter(|(name, _)| name != "sops") {
        let place = slice::from_ref(name);
        walk.node(node, place, place)?;
    }
    let Walk { hash, opened, .. } = walk;
    let computed = Zeroizing::new(hexadecimal(&hash.finalize()).to_ascii_uppercase());
    let (stated, _) = key.open(mac, modified).map_err(|_| SopsError::Mac)?;
    if bool::from(stated.reveal().ct_eq(computed.as_bytes())) { Ok(opened) } else { Err(SopsError::Mac) }
}

fn data_key(metadata: &Node, identities: &Identities) -> Result<DataKey, SopsError> {
    let is_there = |name: &str| matches!(metadata.get(name), Some(Node::List(keys)) if !keys.is_empty());
    if is_there("key_groups") {
        return Err(SopsError::Groups);
    }
    let Some(Node::List(keys)) = metadata.get("age").filter(|_| is_there("age")) else {
        let others: Vec<&str> = OTHERS.into_iter().filter(|name| is_there(name)).collect();
        let keys = if others.is_empty() { "nobody".to_owned() } else { others.join(", ") };
        return Err(SopsError::OtherKeys { keys });
    };
    let mut recipients = Vec::new();
    for key in keys {
        let part = |name, field| key.get(name).and_then(Node::text).ok_or(SopsError::Field { field });
        let (recipient, file) = (part("recipient", "age.recipient")?, part("enc", "age.enc")?);
        let wrong = |cause: &str| SopsError::DataKey { recipient: recipient.to_owned(), cause: cause.to_owned() };
        match age_file::decrypt(file.as_bytes(), identities) {
            Ok(bytes) => return DataKey::of(&bytes).ok_or_else(|| wrong("has not 32 bytes")),
            Err(AgeError::NoIdentity) => recipients.push(recipient),
            Err(error) => return Err(wrong(&error.to_string())),
        }
    }
    Err(SopsError::NoIdentity { recipients: recipients.join(", ") })
}

struct Walk<'k> {
    key: &'k DataKey,
    hash: Sha512,
    is_encrypted_only: bool,
    opened: Opened,
}

impl Walk<'_> {
    /// `path` has numbers of lists, `keys` has none: sops binds a value to the keys alone.
    fn node(&mut self, node: &Node, path: &[String], keys: &[String]) -> Result<(), SopsError> {
        let below = |path: &[String], name: &str| [path, &[name.to_owned()]].concat();
        if path.len() > SOPS_DEPTH_MAX || self.opened.values.len() > SOPS_VALUES_MAX {
            return Err(SopsError::Values);
        }
        match node {
            Node::Map(entries) => {
                entries.iter().try_for_each(|(name, node)| self.node(node, &below(path, name), &below(keys, name)))
            }
            Node::List(nodes) => {
                let mut nodes = nodes.iter().enumerate();
                nodes.try_for_each(|(index, node)| self.node(node, &below(path, &index.to_string()), keys))
            }
            Node::Text(text) if is_encrypted(text) => {
                let wrong = |why| SopsError::Value { place: path.join("."), why };
                let (value, kind) = self.key.open(text, &(keys.join(":") + ":")).map_err(wrong)?;
                self.hash.update(value.reveal());
                let value = match (kind.as_str(), value.reveal()) {
                    // As it is written everywhere but in sops's own form.
                    ("bool", b"True") => SecretBytes::from(&b"true"[..]),
                    ("bool", b"False") => SecretBytes::from(&b"false"[..]),
                    ("str" | "int" | "float" | "bytes" | "time" | "bool", _) => value,
                    _ => return Err(wrong("is of a type this program does not know")),
                };
                self.opened.values.push(SopsValue { path: path.to_vec(), value });
                Ok(())
            }
            Node::Text(text) | Node::Plain(text) => {
                if !self.is_encrypted_only {
                    self.hash.update(text.as_bytes());
                }
                self.opened.open.push(path.to_vec());
                Ok(())
            }
            Node::Null => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by sops 3.11 for an identity that belongs to nobody.
    const YAML: &str = include_str!("../../../../fuzz/seeds/sops/file.yaml");
    const JSON: &str = include_str!("../../../../fuzz/seeds/sops/file.json");

    fn identity() -> Identities {
        let text = "AGE-SECRET-KEY-1DCYWFYXPFAUAAFX0DPJF299ETRVFJ5R58HX62Q6Q9TYH6U59HL0QUFHRMX";
        Identities::read(&SecretBytes::from(text.to_owned())).ok().unwrap()
    }

    fn opened(text: &str, format: Format) -> Result<Vec<(String, String)>, SopsError> {
        let values = open(text, format, &identity())?.values;
        let one = |one: &SopsValue| (one.path.join("."), one.value.reveal_text().unwrap().to_owned());
        Ok(values.iter().map(one).collect())
    }

    #[test]
    fn what_sops_wrote_is_opened_with_its_types() {
        let pair = |path: &str, value: &str| (path.to_owned(), value.to_owned());
        assert_eq!(opened(YAML, Format::Yaml).unwrap(), [pair("a", "x"), pair("b.0", "1")]);
        assert_eq!(opened(JSON, Format::Json).unwrap(), [pair("a", "x"), pair("b.0", "true")]);
    }

    #[test]
    fn what_was_moved_changed_added_or_removed_is_refused() {
        let line = |start: &str| YAML.lines().find(|line| line.starts_with(start)).unwrap();
        let (first, mac) = (line("a: "), line("    mac: "));
        let renamed = YAML.replace(first, &first.replacen("a: ", "c: ", 1));
        assert!(matches!(opened(&renamed, Format::Yaml), Err(SopsError::Value { .. })));
        for changed in [
            YAML.replace(first, "a: y"),
            YAML.replace(first, ""),
            format!("new: 1\n{YAML}"),
            YAML.replace(mac, &first.replacen("a: ", "    mac: ", 1)),
        ] {
            assert_eq!(opened(&changed, Format::Yaml).err(), Some(SopsError::Mac), "{changed}");
        }
        let at = YAML.find("iv:").unwrap() + 3;
        let flipped = format!("{}{}{}", &YAML[..at], if &YAML[at..=at] == "A" { "B" } else { "A" }, &YAML[at + 1..]);
        assert!(matches!(opened(&flipped, Format::Yaml), Err(SopsError::Value { .. })));
    }
}
