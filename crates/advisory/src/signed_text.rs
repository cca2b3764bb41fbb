//! Clear-signed text (RFC 9580, section 7): what was signed, apart from what stands around it.

use std::borrow::Cow;

use aux_core::limits;

/// A text and the signature that was found with it, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedText {
    /// What the signature covers: lines end in CR LF but for the last, trailing blanks and dash escapes are gone.
    pub(crate) text: Vec<u8>,
    /// The armored signature block.
    pub(crate) signature: String,
}

/// Why a document that begins as clear-signed text is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    #[error("the signed text has no end: the file is cut short")]
    Unfinished,
    #[error("line {0} of the armor header is not a `Hash:` line")]
    Header(usize),
    #[error("something stands after the signature, on line {0}")]
    Trailing(usize),
    #[error("the signature block is not text")]
    NotText,
    #[error("the signature block is longer than {} bytes", limits::SIGNATURE_BYTES_MAX)]
    TooLong,
}

const BEGIN_MESSAGE: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const BEGIN_SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
const END_SIGNATURE: &[u8] = b"-----END PGP SIGNATURE-----";

/// The body of a document and where it begins.
pub(crate) struct Framed<'d> {
    /// Each line with its number in the document, counted from 1, dash escapes removed.
    pub(crate) lines: Vec<(usize, Cow<'d, [u8]>)>,
    pub(crate) signed: Option<SignedText>,
}

/// Splits clear-signed text; any other document is all body.
pub(crate) fn unframe(document: &[u8]) -> Result<Framed<'_>, FramingError> {
    let mut lines = document.split(|byte| *byte == b'\n').enumerate().map(|(index, line)| (index + 1, line)).peekable();
    if lines.next_if(|(_, line)| trimmed(line) == BEGIN_MESSAGE).is_none() {
        let body = lines.map(|(number, line)| (number, Cow::Borrowed(trimmed(line)))).collect();
        return Ok(Framed { lines: body, signed: None });
    }
    // Only `Hash` headers may stand here, so that nothing that looks signed is unsigned (RFC 9580, section 7.1).
    for (number, line) in lines.by_ref().map(|(number, line)| (number, trimmed(line))) {
        match line {
            b"" => break,
            _ if line.starts_with(b"Hash: ") => {}
            _ => return Err(FramingError::Header(number)),
        }
    }
    let mut body = Vec::new();
    let mut ended = false;
    while let Some((number, line)) = lines.next_if(|(_, line)| trimmed(line) != BEGIN_SIGNATURE) {
        let line = trimmed(line);
        body.push((number, Cow::Borrowed(line.strip_prefix(b"- ").unwrap_or(line))));
    }
    let mut signature = Vec::new();
    for (number, line) in lines {
        let line = trimmed(line);
        if ended && !line.is_empty() {
            return Err(FramingError::Trailing(number));
        }
        signature.extend_from_slice(line);
        signature.push(b'\n');
        ended |= line == END_SIGNATURE;
        if signature.len() > limits::SIGNATURE_BYTES_MAX {
            return Err(FramingError::TooLong);
        }
    }
    if !ended {
        return Err(FramingError::Unfinished);
    }
    let text = body.iter().map(|(_, line)| line.as_ref()).collect::<Vec<_>>().join(&b"\r\n"[..]);
    let signature = String::from_utf8(signature).map_err(|_| FramingError::NotText)?;
    Ok(Framed { lines: body, signed: Some(SignedText { text, signature }) })
}

/// Without the blanks at its end, which the signature does not cover.
fn trimmed(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\r')).map_or(0, |last| last + 1);
    line.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA512\n\none \t\n- -----two\n\n\
        -----BEGIN PGP SIGNATURE-----\n\nabcd\n-----END PGP SIGNATURE-----\n\n";

    #[test]
    fn the_signed_text_is_canonical_and_its_lines_keep_their_numbers() {
        let framed = unframe(SIGNED.as_bytes()).unwrap();
        let lines: Vec<(usize, &[u8])> = framed.lines.iter().map(|(number, line)| (*number, line.as_ref())).collect();
        assert_eq!(lines, [(4, &b"one"[..]), (5, b"-----two"), (6, b"")]);
        assert_eq!(framed.signed.unwrap().text, b"one\r\n-----two\r\n");
    }

    #[test]
    fn nothing_may_stand_where_it_would_look_signed() {
        for (from, to, error) in [
            ("Hash: SHA512", "Hash: SHA512\nevil<1 x u", FramingError::Header(3)),
            ("SIGNATURE-----\n\n", "SIGNATURE-----\n\nevil", FramingError::Trailing(12)),
            ("-----END", "-----", FramingError::Unfinished),
        ] {
            let at = SIGNED.rfind(from).unwrap();
            let changed = format!("{}{to}{}", &SIGNED[..at], &SIGNED[at + from.len()..]);
            assert_eq!(unframe(changed.as_bytes()).err(), Some(error), "{changed}");
        }
    }

    #[test]
    fn plain_text_is_all_body() {
        let framed = unframe(b"a\nb").unwrap();
        assert!(framed.signed.is_none() && framed.lines.len() == 2);
    }
}
