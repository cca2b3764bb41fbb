//! Reads a derivation's file form in one pass, borrowing every string.

use super::text::{first_special, is_escape_letter};
use super::{Derivation, Form, InputDerivation, Output, Text, Wanted};
use aux_core::limits::{DERIVATION_BYTES_MAX, DYNAMIC_OUTPUT_DEPTH_MAX};
use std::collections::BTreeSet;

/// Why bytes are not a derivation, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a derivation: {problem} at byte {offset}")]
pub struct ParseError {
    /// Bytes from the start of the file.
    pub offset: usize,
    pub problem: Problem,
}

/// What is wrong with the bytes at an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("expected `{0}`")]
    Expected(&'static str),
    #[error("the file ends too early")]
    Truncated,
    #[error("something follows the end")]
    TrailingBytes,
    #[error("`\\{}` is no escape Nix writes", char::from(*.0))]
    UnknownEscape(u8),
    #[error("a control character that Nix escapes stands bare")]
    BareControl,
    #[error("the same name stands twice")]
    DuplicateName,
    #[error("only version `xp-dyn-drv` is known")]
    UnknownVersion,
    #[error("outputs of outputs nest deeper than {DYNAMIC_OUTPUT_DEPTH_MAX}")]
    TooDeep,
    #[error("it is longer than {DERIVATION_BYTES_MAX} bytes")]
    TooLong,
}

type Result<T, E = ParseError> = std::result::Result<T, E>;

pub(super) fn parse(bytes: &[u8]) -> Result<Derivation<'_>> {
    let mut reader = Reader { bytes, offset: 0 };
    if u64::try_from(bytes.len()).is_ok_and(|length| length > DERIVATION_BYTES_MAX) {
        return Err(reader.error(Problem::TooLong));
    }
    let form = reader.form()?;
    let outputs = reader.list(Reader::output)?;
    reader.expect(",")?;
    let input_derivations = reader.list(|reader| reader.input_derivation(form))?;
    reader.expect(",")?;
    let input_sources = reader.list(Reader::text)?;
    reader.expect(",")?;
    let system = reader.text()?;
    reader.expect(",")?;
    let builder = reader.text()?;
    reader.expect(",")?;
    let arguments = reader.list(Reader::text)?;
    reader.expect(",")?;
    let environment = reader.list(Reader::variable)?;
    let end_of_names = reader.offset;
    reader.expect(")")?;
    if reader.offset < bytes.len() {
        return Err(reader.error(Problem::TrailingBytes));
    }
    if has_duplicates(environment.iter().map(|(name, _)| name))
        || has_duplicates(outputs.iter().map(|output: &Output<'_>| &output.name))
        || has_duplicates(input_derivations.iter().map(|input: &InputDerivation<'_>| &input.path))
    {
        return Err(ParseError { offset: end_of_names, problem: Problem::DuplicateName });
    }
    Ok(Derivation { form, outputs, input_derivations, input_sources, system, builder, arguments, environment })
}

/// Nix writes names in order, so comparing neighbours settles nearly every file.
fn has_duplicates<'t>(names: impl Iterator<Item = &'t Text<'t>> + Clone) -> bool {
    let sorted = names.clone().zip(names.clone().skip(1)).all(|(left, right)| left < right);
    if sorted {
        return false;
    }
    let mut seen = BTreeSet::new();
    !names.into_iter().all(|name| seen.insert(name))
}

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn error(&self, problem: Problem) -> ParseError {
        ParseError { offset: self.offset, problem }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.offset).copied()
    }

    fn expect(&mut self, word: &'static str) -> Result<()> {
        let rest = self.rest();
        if rest.starts_with(word.as_bytes()) {
            self.offset += word.len();
            return Ok(());
        }
        let cut = word.as_bytes().starts_with(rest);
        Err(self.error(if cut { Problem::Truncated } else { Problem::Expected(word) }))
    }

    fn form(&mut self) -> Result<Form> {
        if self.peek() == Some(b'D') && self.rest().get(1) == Some(&b'r') {
            self.expect("DrvWithVersion(")?;
            let version_offset = self.offset;
            if !self.text()?.is("xp-dyn-drv") {
                return Err(ParseError { offset: version_offset, problem: Problem::UnknownVersion });
            }
            self.expect(",")?;
            return Ok(Form::DynamicDerivations);
        }
        self.expect("Derive(")?;
        Ok(Form::Derive)
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect("[")?;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.offset += 1;
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            match self.peek() {
                Some(b',') => self.offset += 1,
                Some(b']') => {
                    self.offset += 1;
                    return Ok(items);
                }
                Some(_) => return Err(self.error(Problem::Expected("]"))),
                None => return Err(self.error(Problem::Truncated)),
            }
        }
    }

    fn text(&mut self) -> Result<Text<'a>> {
        self.expect("\"")?;
        let rest = self.rest();
        let mut length = 0;
        loop {
            let tail = rest.get(length..).unwrap_or_default();
            let Some(run) = first_special(tail) else {
                self.offset = self.bytes.len();
                return Err(self.error(Problem::Truncated));
            };
            length += run;
            match (tail.get(run), tail.get(run + 1)) {
                (Some(b'"'), _) => {
                    self.offset += length + 1;
                    return Ok(Text::from_spelling(rest.get(..length).unwrap_or_default()));
                }
                (Some(b'\\'), Some(&letter)) if is_escape_letter(letter) => length += 2,
                (Some(b'\\'), letter) => {
                    self.offset += length;
                    return Err(self.error(letter.map_or(Problem::Truncated, |&letter| Problem::UnknownEscape(letter))));
                }
                _ => {
                    self.offset += length;
                    return Err(self.error(Problem::BareControl));
                }
            }
        }
    }

    fn output(&mut self) -> Result<Output<'a>> {
        self.expect("(")?;
        let name = self.text()?;
        self.expect(",")?;
        let path = self.text()?;
        self.expect(",")?;
        let hash_algorithm = self.text()?;
        self.expect(",")?;
        let hash = self.text()?;
        self.expect(")")?;
        Ok(Output { name, path, hash_algorithm, hash })
    }

    fn input_derivation(&mut self, form: Form) -> Result<InputDerivation<'a>> {
        self.expect("(")?;
        let path = self.text()?;
        self.expect(",")?;
        let wanted = self.wanted(form, 0)?;
        self.expect(")")?;
        Ok(InputDerivation { path, wanted })
    }

    fn wanted(&mut self, form: Form, depth: usize) -> Result<Wanted<'a>> {
        if form == Form::Derive || self.peek() != Some(b'(') {
            return Ok(Wanted { outputs: self.list(Reader::text)?, dynamic: Vec::new() });
        }
        if depth >= DYNAMIC_OUTPUT_DEPTH_MAX {
            return Err(self.error(Problem::TooDeep));
        }
        self.expect("(")?;
        let outputs = self.list(Reader::text)?;
        self.expect(",")?;
        let children_offset = self.offset;
        let dynamic = self.list(|reader| {
            reader.expect("(")?;
            let name = reader.text()?;
            reader.expect(",")?;
            let child = reader.wanted(form, depth + 1)?;
            reader.expect(")")?;
            Ok((name, child))
        })?;
        if dynamic.is_empty() {
            // Nix writes the short form then; accepting the long one would print back differently.
            return Err(ParseError { offset: children_offset, problem: Problem::Expected("an output of an output") });
        }
        self.expect(")")?;
        Ok(Wanted { outputs, dynamic })
    }

    fn variable(&mut self) -> Result<(Text<'a>, Text<'a>)> {
        self.expect("(")?;
        let name = self.text()?;
        self.expect(",")?;
        let value = self.text()?;
        self.expect(")")?;
        Ok((name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const SMALL: &str = r#"Derive([("out","/nix/store/x-a","","")],[("/nix/store/y.drv",["dev","out"])],["/s"],"x86_64-linux","/bin/sh",["-e"],[("a","\"\\\n\r\t"),("b","")])"#;
    const DYNAMIC: &str = r#"DrvWithVersion("xp-dyn-drv",[("out","","r:sha256","")],[("/a.drv",["out"]),("/b.drv",(["out"],[("dev",["out"]),("out",([],[("out",["lib"])]))]))],[],"s","b",[],[])"#;

    fn problem(text: &str) -> (usize, Problem) {
        let error = Derivation::parse(text.as_bytes()).unwrap_err();
        (error.offset, error.problem)
    }

    #[test]
    fn a_small_derivation_is_read_and_printed_back() {
        let derivation = Derivation::parse(SMALL.as_bytes()).unwrap();
        assert_eq!(&*derivation.variable("a").unwrap().value(), b"\"\\\n\r\t");
        assert_eq!(derivation.variable_text("b"), None);
        assert_eq!(derivation.print(), SMALL.as_bytes());
        assert!(!derivation.is_fixed_output());
    }

    #[test]
    fn a_dynamic_derivation_is_read_and_printed_back() {
        let derivation = Derivation::parse(DYNAMIC.as_bytes()).unwrap();
        assert_eq!(derivation.form, Form::DynamicDerivations);
        assert_eq!(derivation.input_derivations[1].wanted.dynamic.len(), 2);
        assert_eq!(derivation.print(), DYNAMIC.as_bytes());
        // A floating output has an algorithm and no hash.
        assert!(!derivation.is_fixed_output());
    }

    #[test]
    fn bytes_that_are_not_utf_8_survive() {
        let bytes = SMALL.as_bytes().iter().map(|&byte| if byte == b'x' { 0xff } else { byte }).collect::<Vec<_>>();
        assert_eq!(Derivation::parse(&bytes).unwrap().print(), bytes);
    }

    #[test]
    fn every_truncation_is_called_one() {
        for text in [SMALL, DYNAMIC] {
            for length in 0..text.len() {
                assert_eq!(problem(&text[..length]).1, Problem::Truncated, "cut at {length}");
            }
        }
    }

    #[test]
    fn errors_say_what_and_where() {
        assert_eq!(problem("Derive(x"), (7, Problem::Expected("[")));
        assert_eq!(problem("Nothing"), (0, Problem::Expected("Derive(")));
        assert_eq!(problem(&format!("{SMALL}\n")), (SMALL.len(), Problem::TrailingBytes));
        assert_eq!(problem(r#"Derive([("o\q"#), (11, Problem::UnknownEscape(b'q')));
        assert_eq!(problem("Derive([(\"o\n"), (11, Problem::BareControl));
        assert_eq!(problem(r#"DrvWithVersion("2","#), (15, Problem::UnknownVersion));
        assert_eq!(problem(&SMALL.replace("(\"b\"", "(\"a\"")).1, Problem::DuplicateName);
        let deep = format!("DrvWithVersion(\"xp-dyn-drv\",[],[(\"/a.drv\",{}", "([],[(\"out\",".repeat(100_000));
        assert_eq!(problem(&deep).1, Problem::TooDeep);
        assert_eq!(Derivation::parse(b"Derive(x").unwrap_err().to_string(), "not a derivation: expected `[` at byte 7");
    }

    fn text() -> impl Strategy<Value = Text<'static>> {
        vec(any::<u8>(), 0..12).prop_map(|value| Text::new(&value).into_owned())
    }

    fn wanted() -> impl Strategy<Value = Wanted<'static>> {
        let leaf = vec(text(), 0..3).prop_map(|outputs| Wanted { outputs, dynamic: Vec::new() });
        leaf.prop_recursive(3, 12, 3, |inner| {
            (vec(text(), 0..3), vec((text(), inner), 0..3)).prop_map(|(outputs, dynamic)| Wanted { outputs, dynamic })
        })
    }

    fn named<T: std::fmt::Debug>(item: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<(Text<'static>, T)>> {
        vec((text(), item), 0..4).prop_map(|mut items| {
            items.sort_by(|left, right| left.0.cmp(&right.0));
            items.dedup_by(|left, right| left.0 == right.0);
            items
        })
    }

    proptest! {
        #[test]
        fn reading_undoes_printing(
            outputs in named((text(), text(), text())),
            inputs in named(wanted()),
            lists in (vec(text(), 0..4), vec(text(), 0..4)),
            words in (text(), text()),
            environment in named(text()),
        ) {
            let derivation = Derivation {
                form: Form::DynamicDerivations,
                outputs: outputs.into_iter().map(|(name, (path, hash_algorithm, hash))| {
                    Output { name, path, hash_algorithm, hash }
                }).collect(),
                input_derivations: inputs.into_iter().map(|(path, wanted)| InputDerivation { path, wanted }).collect(),
                input_sources: lists.0,
                system: words.0,
                builder: words.1,
                arguments: lists.1,
                environment,
            };
            let printed = derivation.print();
            prop_assert_eq!(Derivation::parse(&printed).unwrap(), derivation);
        }

        #[test]
        fn a_changed_byte_is_refused_or_printed_back(position in 0..DYNAMIC.len(), byte: u8) {
            let mut bytes = DYNAMIC.as_bytes().to_vec();
            bytes[position] = byte;
            if let Ok(derivation) = Derivation::parse(&bytes) {
                prop_assert_eq!(derivation.print(), bytes);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let printed = Derivation::parse(&bytes).map(|derivation| derivation.print());
            prop_assert!(printed.is_err() || printed == Ok(bytes));
        }
    }
}
