//! Pins in Dockerfiles: what each `FROM` is built on (Dockerfile reference, "FROM" and "ARG").

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Pin, PinKind, Pins};

/// Finds the images a Dockerfile begins with; a stage of its own is none.
pub fn find(file: &str, text: &str, pins: &mut Pins) {
    let escape = escape(text);
    let mut arguments: BTreeMap<&str, (Range<usize>, usize)> = BTreeMap::new();
    let mut stages: Vec<&str> = Vec::new();
    for (line, words) in instructions(text, escape) {
        let word = |index: usize| words.get(index).and_then(|span| text.get(span.clone()));
        let Some(instruction) = word(0) else { continue };
        if instruction.eq_ignore_ascii_case("ARG") && stages.is_empty() {
            for span in words.iter().skip(1) {
                if let Some((name, value)) = text.get(span.clone()).and_then(|word| word.split_once('=')) {
                    let quotes = value.len() - value.trim_start_matches(['"', '\'']).len();
                    let start = span.start + name.len() + 1 + quotes;
                    let end = start + value.trim_matches(['"', '\'']).len();
                    arguments.insert(name, (start..end, line));
                }
            }
        } else if instruction.eq_ignore_ascii_case("FROM") {
            let mut rest = words
                .iter()
                .skip(1)
                .skip_while(|span| text.get((*span).clone()).is_some_and(|word| word.starts_with("--")));
            let Some(reference) = rest.next() else { continue };
            let is_named =
                rest.next().and_then(|span| text.get(span.clone())).is_some_and(|word| word.eq_ignore_ascii_case("AS"));
            let (span, line) = origin(text, reference.clone(), line, &arguments);
            let image = text.get(span.clone()).unwrap_or_default();
            if !image.is_empty() && image != "scratch" && !stages.contains(&image) {
                pins.pins.push(pin(file, image, span, line));
            }
            stages.push(if is_named {
                rest.next().and_then(|span| text.get(span.clone())).unwrap_or_default()
            } else {
                ""
            });
        }
    }
}

/// Where an image's name stands: in the `FROM` itself, or in the `ARG` that is all there is of it.
fn origin(
    text: &str,
    span: Range<usize>,
    line: usize,
    arguments: &BTreeMap<&str, (Range<usize>, usize)>,
) -> (Range<usize>, usize) {
    let word = text.get(span.clone()).unwrap_or_default();
    let name = word.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).or_else(|| word.strip_prefix('$'));
    name.and_then(|name| arguments.get(name.split(':').next().unwrap_or(name))).cloned().unwrap_or((span, line))
}

/// The value of a pin is its digest where it has one, else its tag, else the name that stands for the latest.
fn pin(file: &str, image: &str, span: Range<usize>, line: usize) -> Pin {
    let (name, value, start) = match image.split_once('@') {
        Some((name, digest)) => (name, digest, span.start + name.len() + 1),
        None => match image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((name, tag)) => (name, tag, span.start + name.len() + 1),
            None => (image, "latest", span.end),
        },
    };
    let end = span.end;
    let (name, value) = (name.to_owned(), value.to_owned());
    let file = file.to_owned();
    Pin {
        kind: PinKind::Dockerfile,
        name,
        value,
        file,
        line,
        is_active: Some(true),
        span: start..end,
        comments: Vec::new(),
    }
}

/// The parser directive `# escape=` at the top.
fn escape(text: &str) -> char {
    let directives = text.lines().map_while(|line| line.trim().strip_prefix('#').map(str::trim));
    let mut values = directives.filter_map(|line| line.split_once('='));
    let is_backtick = values.any(|(name, value)| name.trim().eq_ignore_ascii_case("escape") && value.trim() == "`");
    if is_backtick { '`' } else { '\\' }
}

/// Instructions with the places of their words; comments between continued lines are passed over.
fn instructions(text: &str, escape: char) -> Vec<(usize, Vec<Range<usize>>)> {
    let mut found: Vec<(usize, Vec<Range<usize>>)> = Vec::new();
    let mut continues = false;
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let code = line.trim_end_matches(['\n', '\r', ' ', '\t']);
        let is_passed_over = code.trim().is_empty() || code.trim_start().starts_with('#');
        if !is_passed_over {
            if !continues {
                found.push((index + 1, Vec::new()));
            }
            continues = code.ends_with(escape);
            let code = code.strip_suffix(escape).unwrap_or(code);
            if let Some((_, words)) = found.last_mut() {
                words.extend(words_of(code, start));
            }
        }
        start += line.len();
    }
    found
}

fn words_of(code: &str, start: usize) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut place = start;
    for word in code.split([' ', '\t']) {
        if !word.is_empty() {
            words.push(place..place + word.len());
        }
        place += word.len() + 1;
    }
    words
}
