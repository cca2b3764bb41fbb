//! Lines of an input, one at a time, without a bound on the whole: only a single line is bounded.

use super::InputError;
use aux_core::limits::LINE_BYTES_MAX;
use std::io::{BufRead, BufReader, Read};

/// One line of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// Its bytes without the line ending.
    Whole(&'a [u8]),
    /// The first `LINE_BYTES_MAX` bytes of a line that is longer; the rest was passed over.
    Cut(&'a [u8]),
}

/// Hands every line with its number, from 1, to `visit`. Line endings are LF or CRLF.
pub fn lines(name: &str, reader: &mut dyn Read, visit: &mut dyn FnMut(u64, Line<'_>)) -> Result<(), InputError> {
    let mut reader = BufReader::with_capacity(LINE_BYTES_MAX, reader);
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        number += 1;
        match next(&mut reader, &mut line).map_err(|error| InputError::from_io(name, error))? {
            End::Input if line.is_empty() => return Ok(()),
            End::Cut => visit(number, Line::Cut(&line)),
            End::Line | End::Input => visit(number, Line::Whole(line.strip_suffix(b"\r").unwrap_or(&line))),
        }
    }
}

enum End {
    Line,
    Input,
    Cut,
}

/// Reads up to the next line feed, keeping no more than the bound.
fn next(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> std::io::Result<End> {
    let mut cut = false;
    loop {
        let available = match reader.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            return Ok(if cut { End::Cut } else { End::Input });
        }
        let feed = available.iter().position(|byte| *byte == b'\n');
        let part = available.get(..feed.unwrap_or(available.len())).unwrap_or_default();
        let room = LINE_BYTES_MAX - line.len().min(LINE_BYTES_MAX);
        cut |= part.len() > room;
        line.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        let used = part.len() + usize::from(feed.is_some());
        reader.consume(used);
        if feed.is_some() {
            return Ok(if cut { End::Cut } else { End::Line });
        }
    }
}
