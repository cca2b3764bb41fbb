//! Logical lines of a makefile: joined at their ends, told from their comments, with their place in the file.

/// A file as text. Makefiles older than UTF-8 name their authors in another encoding; their bytes stand as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub text: String,
    /// Each character stands for one byte.
    is_latin: bool,
}

impl Text {
    pub fn read(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { text: text.to_owned(), is_latin: false },
            Err(_) => Self { text: bytes.iter().map(|byte| char::from(*byte)).collect(), is_latin: true },
        }
    }

    /// The bytes of the same file with another text.
    pub fn bytes_of(&self, text: &str) -> Vec<u8> {
        if self.is_latin {
            // Only what is ASCII comes in.
            text.chars().map(|one| u8::try_from(one).unwrap_or(b'?')).collect()
        } else {
            text.as_bytes().to_vec()
        }
    }

    /// The line of the first NUL, behind which make reads nothing of a line.
    pub fn line_of_nul(&self) -> Option<usize> {
        self.text.find('\0').map(|offset| aux_core::line_of(&self.text, offset))
    }
}

/// One line as make takes it, which may be several in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Logical<'t> {
    /// Of its first line, counted from 1.
    pub(super) number: usize,
    /// Where it begins in the text.
    pub(super) start: usize,
    pub(super) raw: &'t str,
}

/// The logical lines of a text.
pub(super) fn logical(text: &str) -> impl Iterator<Item = Logical<'_>> {
    let mut start = 0;
    let mut number = 1;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let mut length = 0;
        let mut count = 0;
        for line in rest.split_inclusive('\n') {
            length += line.len();
            count += 1;
            if !continues(line) {
                break;
            }
        }
        let line = Logical { number, start, raw: rest.get(..length)?.trim_end_matches(['\n', '\r']) };
        start += length;
        number += count;
        Some(line)
    })
}

/// An odd number of backslashes joins a line with the next (make's manual, 3.1.1).
fn continues(line: &str) -> bool {
    let Some(line) = line.strip_suffix('\n') else { return false };
    let line = line.strip_suffix('\r').unwrap_or(line);
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

impl Logical<'_> {
    /// Bytes in front of its comment.
    pub(super) fn code_bytes(&self) -> usize {
        comment_start(self.raw).unwrap_or(self.raw.len())
    }

    /// Without its comment, joined: a continuation and the blanks around it are one blank.
    pub(super) fn joined(&self) -> String {
        let code = self.raw.get(..self.code_bytes()).unwrap_or(self.raw);
        let mut parts = Vec::new();
        let mut lines = code.split('\n').peekable();
        let mut is_first = true;
        while let Some(line) = lines.next() {
            let line = line.strip_suffix('\r').unwrap_or(line);
            let line = if lines.peek().is_some() { line.strip_suffix('\\').unwrap_or(line).trim_end() } else { line };
            parts.push(if is_first { line } else { line.trim_start_matches([' ', '\t']) });
            is_first = false;
        }
        parts.join(" ").replace("\\#", "#")
    }
}

/// Where the comment begins: at a `#` that no backslash escapes and that is no part of a reference.
fn comment_start(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let mut depth = 0_usize;
    let mut previous = 0;
    let mut backslashes = 0;
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' | b'{' if previous == b'$' || depth > 0 => depth += 1,
            b')' | b'}' => depth = depth.saturating_sub(1),
            b'#' if depth == 0 && backslashes % 2 == 0 => return Some(index),
            _ => {}
        }
        backslashes = if *byte == b'\\' { backslashes + 1 } else { 0 };
        previous = *byte;
    }
    None
}
