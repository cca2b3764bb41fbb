//! What the JSON formats share: printing that is safe to look at, and identifiers made from content.

use std::fmt::Write as _;

use aux_core::Finding;
use serde::Serialize;

use super::escape;

/// Prints a document with two spaces of indentation and a final line feed.
///
/// Characters that could steer a terminal stand as `\u` escapes, which every JSON reader turns back.
pub fn print(document: &impl Serialize) -> String {
    // A document of strings, numbers, lists and structs always serializes: the error is for maps with odd keys.
    let mut plain = serde_json::to_string_pretty(document).unwrap_or_default();
    plain.push('\n');
    let Some(mut clean) = clean_bytes(&plain) else { return plain };
    let mut printed = String::with_capacity(plain.len());
    let mut rest = plain.as_str();
    loop {
        let (before, after) = rest.split_at_checked(clean).unwrap_or((rest, ""));
        printed.push_str(before);
        let mut characters = after.chars();
        let Some(character) = characters.next() else { return printed };
        escape_into(character, &mut printed);
        rest = characters.as_str();
        clean = clean_bytes(rest).unwrap_or(rest.len());
    }
}

/// How many bytes stand before the first character that needs a look; `None` where none does.
///
/// Of ASCII, `serde_json` leaves only the delete character as it is. Blocks are looked at whole, which compilers turn
/// into a few wide comparisons; a report of several megabytes holds hardly any such character.
fn clean_bytes(text: &str) -> Option<usize> {
    const BLOCK_BYTES: usize = 64;
    let needs_look = |byte: &u8| *byte >= 0x7f;
    let mut blocks = text.as_bytes().chunks(BLOCK_BYTES).enumerate();
    let (number, block) = blocks.find(|(_, block)| block.iter().fold(false, |found, byte| found | needs_look(byte)))?;
    Some(number * BLOCK_BYTES + block.iter().position(needs_look)?)
}

fn escape_into(character: char, printed: &mut String) {
    // Line feeds are serde_json's own here; those inside strings are escaped already.
    if character == '\n' || !escape::is_unsafe(character) {
        printed.push(character);
        return;
    }
    let mut units = [0_u16; 2];
    for unit in character.encode_utf16(&mut units) {
        let _ = write!(printed, "\\u{unit:04x}");
    }
}

/// A fingerprint of fields in their order: 32 hexadecimal digits that stay the same as long as the fields do.
pub(super) fn fingerprint(fields: &[&str]) -> String {
    digest(fields).to_hex().as_str().chars().take(32).collect()
}

/// What makes a finding the same finding tomorrow: advisory, package and version, and not where it was seen.
pub(super) fn finding_fingerprint(finding: &Finding) -> String {
    fingerprint(&[&finding.id, &finding.package.name, &finding.package.version])
}

/// A UUID made from a document (RFC 9562, section 5.8: version 8, custom), so that equal documents bear equal ids.
pub(super) fn uuid(document: &impl Serialize) -> String {
    let mut hasher = blake3::Hasher::new();
    // A hasher takes every byte, and the document serializes: see `print`.
    serde_json::to_writer(&mut hasher, document).ok();
    let mut number = u128::from_be_bytes(hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default());
    number = number & !(0xf << 76) | 0x8 << 76;
    number = number & !(0x3 << 62) | 0x2 << 62;
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("urn:uuid:{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// Each field goes in after its length, so that no two lists of fields read the same.
fn digest(fields: &[&str]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field.as_bytes());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_hides_nothing_and_steers_no_terminal() {
        let text = "a\u{9b}31m\u{202e}\u{e0041}\n\u{7f}é";
        let printed = print(&[text]);
        assert!(!printed.chars().any(|character| character != '\n' && escape::is_unsafe(character)), "{printed}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&printed).unwrap(), [text]);
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
        assert_eq!(fingerprint(&["a"]).len(), 32);
    }

    #[test]
    fn a_uuid_says_which_version_it_is() {
        let uuid = uuid(&"x");
        assert_eq!(uuid.len(), 9 + 36);
        assert_eq!(uuid.chars().nth(9 + 14), Some('8'));
        assert!(matches!(uuid.chars().nth(9 + 19), Some('8' | '9' | 'a' | 'b')));
    }
}
