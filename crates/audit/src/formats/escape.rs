//! Foreign text made harmless for where it goes: a terminal, Markdown, XML, an address.
//!
//! Package names, paths and messages come from files that a stranger may have written.

use std::fmt::Write as _;

pub(super) use aux_core::visible::is_unsafe;
pub use aux_core::visible::visible;

/// The text as plain inline Markdown (GitHub's dialect): no markup, link, mention or table cell comes out of it.
pub(super) fn markdown(text: &str) -> String {
    let shown = visible(text);
    let mut escaped = String::with_capacity(shown.len() + 8);
    let mut before = ' ';
    for (at, character) in shown.char_indices() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '|' => escaped.push_str("&#124;"),
            // GitHub looks for mentions and issue numbers after Markdown is done: only an empty comment keeps it off.
            '@' | '#' => {
                escaped.push(character);
                escaped.push_str("<!-- -->");
            }
            // An address becomes a link by itself (GFM, section 6.9) unless it is interrupted.
            ':' if shown.get(at..).is_some_and(|rest| rest.starts_with("://")) => escaped.push_str("&#58;"),
            '.' if before.eq_ignore_ascii_case(&'w') => escaped.push_str("&#46;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '$' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
        before = character;
    }
    escaped
}

/// The text for an XML attribute or element; what XML 1.0 (section 2.2) forbids is written out visibly.
pub(super) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in visible(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => escaped.extend(character.escape_unicode()),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// The text as SARIF message text: braces are placeholders there and brackets links (SARIF 2.1.0, sections 3.11.5, 3.11.6).
pub(super) fn sarif(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in visible(text).chars() {
        match character {
            '{' => escaped.push_str("{{"),
            '}' => escaped.push_str("}}"),
            '[' | ']' | '\\' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A path as a URI reference (RFC 3986, section 4.2): relative as it is, absolute as `file:///…`.
pub(super) fn path_uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut uri = String::with_capacity(path.len() + 8);
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    percent(path, |byte| byte == b'/', &mut uri);
    uri
}

/// A package URL or other identifier with what no URI may hold percent-encoded (RFC 3986, section 2).
pub(super) fn identifier(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    percent(text, |byte| b":/?#@!$&'()*+,;=%".contains(&byte), &mut encoded);
    encoded
}

/// Percent-encodes everything but the unreserved characters (RFC 3986, section 2.3) and those `kept`.
fn percent(text: &str, kept: impl Fn(u8) -> bool, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') || kept(byte) {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

/// The text when it is a web address that may stand in a document as it is.
pub(super) fn web_address(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let sound = |byte: u8| byte.is_ascii_graphic() && !br#"<>"{}|\^`[]'"#.contains(&byte);
    let mut bytes = rest.bytes();
    (bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric()) && bytes.all(sound) && percents_are_whole(rest))
        .then_some(text)
}

/// Every `%` begins an encoded byte (RFC 3986, section 2.1).
fn percents_are_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(visible("a\u{1b}[31mb\nc\u{9b}\u{202e}"), r"a\u{1b}[31mb\nc\u{9b}\u{202e}");
        assert!(matches!(visible("zażółć › 3.0"), Cow::Borrowed(_)));
    }

    #[test]
    fn markdown_stays_text() {
        assert_eq!(markdown("<img src=x>"), "&lt;img src=x&gt;");
        assert_eq!(markdown("a|b [x](y) `c` *d*"), r"a&#124;b \[x\](y) \`c\` \*d\*");
        assert_eq!(markdown("@team #1"), "@<!-- -->team #<!-- -->1");
        assert_eq!(markdown("https://x www.x"), "https&#58;//x www&#46;x");
        assert_eq!(markdown("a\nb"), r"a\\nb");
    }

    #[test]
    fn xml_holds_only_what_xml_may_hold() {
        assert_eq!(xml("<a b=\"c\">&'\u{0}\u{ffff}"), "&lt;a b=&quot;c&quot;&gt;&amp;&apos;\\u{0}\\u{ffff}");
    }

    #[test]
    fn sarif_text_has_no_placeholder_and_no_link() {
        assert_eq!(sarif("{0} [x](y)\\"), r"{{0}} \[x\](y)\\");
    }

    #[test]
    fn paths_become_references() {
        assert_eq!(path_uri("./a b/c:d"), "a%20b/c%3Ad");
        assert_eq!(path_uri("/srv/flake.lock"), "file:///srv/flake.lock");
        assert_eq!(identifier("pkg:nix/a@1?b=c#d e<\u{1b}é"), "pkg:nix/a@1?b=c#d%20e%3C%1B%C3%A9");
    }

    #[test]
    fn only_sound_addresses_pass() {
        assert!(web_address("https://example.org/a?b=%20c#d").is_some());
        for wrong in ["javascript:alert(1)", "https://a b", "https://a/%zz", "https://a/)\"<", "https://", "http://a\n"]
        {
            assert!(web_address(wrong).is_none(), "{wrong}");
        }
    }
}
