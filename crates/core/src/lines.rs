//! Which line of a text a place in it stands on.

/// The line of a byte offset, counted from 1; the last line where the offset leads behind the text or into a character.
pub fn line_of(text: &str, offset: usize) -> usize {
    1 + text.get(..offset).unwrap_or(text).bytes().filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        for (offset, line) in [(0, 1), (1, 1), (2, 2), (4, 3), (99, 3)] {
            assert_eq!(line_of("a\nb\nc", offset), line, "{offset}");
        }
    }
}
