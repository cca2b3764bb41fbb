//! A page of a terminal: lines wrapped to its width, hanging under what they belong to, in colour or without.

use std::fmt::Write as _;

use super::Options;
use super::escape;

/// Columns below which wrapping makes text worse, and a table of two columns impossible.
const WIDTH_MIN: usize = 40;
/// Columns a body keeps for itself; with less it starts below its lead.
const BODY_MIN: usize = 24;
const INDENT: usize = 4;

/// How a piece of text is set apart, as Select Graphic Rendition parameters (ECMA-48, section 8.3.117).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Bold,
    Red,
    Yellow,
}

/// Text for a terminal in the making. Everything that goes in is made visible first.
pub(super) struct Page {
    text: String,
    width: usize,
    colour: bool,
}

impl Page {
    pub(super) fn new(options: Options<'_>) -> Self {
        Self { text: String::new(), width: options.width.max(WIDTH_MIN), colour: options.colour }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A heading, or any line of its own; what is too long goes on below, indented.
    pub(super) fn line(&mut self, paint: Paint, text: &str) {
        for (number, line) in wrapped(&escape::visible(text), self.width, self.width - INDENT).iter().enumerate() {
            let indent = if number == 0 { 0 } else { INDENT };
            self.push(indent, paint, line);
            self.text.push('\n');
        }
    }

    /// A lead and a body that hangs beside it; a lead that leaves no room stands on a line of its own.
    pub(super) fn hanging(&mut self, paint: Paint, lead: &str, body: &str) {
        let lead = escape::visible(lead);
        let mut indent = width_of(&lead);
        if indent + BODY_MIN > self.width {
            self.line(paint, lead.trim_end());
            indent = INDENT;
            self.push(indent, Paint::Plain, "");
        } else {
            self.push(0, paint, &lead);
        }
        let room = self.width - indent;
        for (number, line) in wrapped(&escape::visible(body), room, room).iter().enumerate() {
            if number > 0 {
                self.push(indent, Paint::Plain, "");
            }
            self.text.push_str(line);
            self.end_line();
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn push(&mut self, indent: usize, paint: Paint, text: &str) {
        let parameter = match paint {
            Paint::Plain => None,
            Paint::Bold => Some("1"),
            Paint::Red => Some("1;31"),
            Paint::Yellow => Some("33"),
        };
        let _ = match parameter.filter(|_| self.colour) {
            Some(parameter) => write!(self.text, "{:indent$}\u{1b}[{parameter}m{text}\u{1b}[0m", ""),
            None => write!(self.text, "{:indent$}{text}", ""),
        };
    }

    /// Nothing invisible stays at the end of a line.
    fn end_line(&mut self) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }
}

/// Columns a text takes. Every character counts as one: names of packages are written in narrow letters.
pub(super) fn width_of(text: &str) -> usize {
    text.chars().count()
}

/// The text made visible and cut in its middle to at most `width` columns.
pub(super) fn shortened(text: &str, width: usize) -> String {
    let shown = escape::visible(text);
    let length = width_of(&shown);
    if length <= width {
        return shown.into_owned();
    }
    let kept = width.saturating_sub(1);
    let head: String = shown.chars().take(kept.div_ceil(2)).collect();
    let tail: String = shown.chars().skip(length - kept / 2).collect();
    format!("{head}…{tail}")
}

/// Words laid on lines of at most `first` and then `rest` columns; a word longer than a line is cut. Never empty.
fn wrapped(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let indent = width_of(text) - width_of(text.trim_start_matches(' '));
    let mut line = " ".repeat(indent);
    let (mut room, mut used) = (first, indent);
    let mut begun = false;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut word = word;
        if begun && used + 1 + width_of(word) > room {
            lines.push(std::mem::take(&mut line));
            (room, used) = (rest, 0);
        } else if begun {
            line.push(' ');
            used += 1;
        }
        while used + width_of(word) > room {
            let cut = word.char_indices().nth(room.saturating_sub(used).max(1)).map_or(word.len(), |(at, _)| at);
            let (head, tail) = word.split_at(cut);
            line.push_str(head);
            lines.push(std::mem::take(&mut line));
            (room, used, word) = (rest, 0, tail);
        }
        line.push_str(word);
        used += width_of(word);
        begun = true;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_and_long_ones_are_cut() {
        assert_eq!(wrapped("aa bb cc", 5, 4), ["aa bb", "cc"]);
        assert_eq!(wrapped("abcdefgh ij", 3, 4), ["abc", "defg", "h ij"]);
        assert_eq!(wrapped("", 3, 4), [""]);
    }

    #[test]
    fn a_long_word_keeps_its_ends() {
        assert_eq!(shortened("abcdefghij", 5), "ab…ij");
        assert_eq!(shortened("abc", 5), "abc");
    }
}
