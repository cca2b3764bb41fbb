//! Pins in a Jenkinsfile: `image_ver:` and `pi:`, as arguments of a call or as words of a label.

use std::ops::Range;

use aux_core::line_of;

use super::{Pin, PinKind, Pins};

const NAMES: [(&str, PinKind); 2] = [("image_ver", PinKind::JenkinsImage), ("pi", PinKind::JenkinsPlatform)];

/// Finds both; comments are passed over.
pub fn find(file: &str, text: &str, pins: &mut Pins) {
    for (kind, span) in spans(text) {
        let value = text.get(span.clone()).unwrap_or_default().to_owned();
        let name = NAMES.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name);
        pins.pins.push(Pin {
            kind,
            name: name.to_owned(),
            value,
            file: file.to_owned(),
            line: line_of(text, span.start),
            is_active: Some(true),
            span,
            comments: Vec::new(),
        });
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Code,
    Line,
    Block,
    /// A string, and what closes it.
    Text(&'static str),
}

/// Quotes of Groovy, the longer ones first.
const QUOTES: [&str; 4] = ["'''", "\"\"\"", "'", "\""];

fn spans(text: &str) -> Vec<(PinKind, Range<usize>)> {
    let mut found = Vec::new();
    let mut inside = Inside::Code;
    let mut place = 0;
    while let Some(rest) = text.get(place..).filter(|rest| !rest.is_empty()) {
        let mut step = rest.chars().next().map_or(1, char::len_utf8);
        match inside {
            Inside::Line if rest.starts_with('\n') => inside = Inside::Code,
            Inside::Block if rest.starts_with("*/") => (inside, step) = (Inside::Code, 2),
            Inside::Line | Inside::Block => {}
            Inside::Text(_) if rest.starts_with('\\') => {
                step += rest.chars().nth(1).map_or(0, char::len_utf8);
            }
            Inside::Text(quote) if rest.starts_with(quote) => (inside, step) = (Inside::Code, quote.len()),
            Inside::Code if rest.starts_with("//") => inside = Inside::Line,
            Inside::Code if rest.starts_with("/*") => (inside, step) = (Inside::Block, 2),
            Inside::Code | Inside::Text(_) => {
                let quote = QUOTES.into_iter().find(|quote| inside == Inside::Code && rest.starts_with(quote));
                if let Some(quote) = quote {
                    (inside, step) = (Inside::Text(quote), quote.len());
                } else if let Some((kind, span)) = named(text, place, inside == Inside::Code) {
                    // The quote that closes a value in code is passed over with it.
                    step = span.end - place + usize::from(inside == Inside::Code);
                    found.push((kind, span));
                }
            }
        }
        place += step;
    }
    found
}

/// A name at this place with a value behind its colon: in code a string, in a label the word itself.
fn named(text: &str, place: usize, is_code: bool) -> Option<(PinKind, Range<usize>)> {
    let is_word = |one: char| one.is_ascii_alphanumeric() || one == '_';
    if text.get(..place)?.ends_with(is_word) {
        return None;
    }
    let rest = text.get(place..)?;
    let (name, kind) = NAMES.into_iter().find(|(name, _)| rest.starts_with(name))?;
    let after = rest.get(name.len()..)?;
    let value = if is_code { after.trim_start().strip_prefix(':')?.trim_start() } else { after.strip_prefix(':')? };
    let start = text.len() - value.len();
    if is_code {
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let length = value.get(1..)?.find(quote)?;
        return (length > 0).then_some((kind, start + 1..start + 1 + length));
    }
    let is_value = |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '-' | '_');
    let length = value.find(|one| !is_value(one)).unwrap_or(value.len());
    (length > 0).then_some((kind, start..start + length))
}
