//! Expansion of references: variables, and the functions whose answer is in their arguments alone.

use std::cell::Cell;

use aux_core::limits::MAKE_EXPANSION_BYTES_MAX;

use super::statement::Test;
use super::{Makefile, Variable};

/// How deep references may stand in one another; a variable that names itself is refused by make too.
const DEPTH_MAX: usize = 48;

/// Variables make sets by itself, from where it runs.
const BY_MAKE: [&str; 10] =
    ["CURDIR", "MAKEFILE_LIST", "MAKEFLAGS", "MAKE", "PWD", "HOME", "PATH", "USER", "SHELL", "MAKECMDGOALS"];

impl Makefile {
    /// A text with its references expanded; `None` where make alone knows.
    pub(super) fn expand(&self, text: &str) -> Option<String> {
        Expansion { makefile: self, budget: Cell::new(MAKE_EXPANSION_BYTES_MAX) }.text(text, 0)
    }

    pub(super) fn expand_variable(&self, name: &str) -> Option<String> {
        Expansion { makefile: self, budget: Cell::new(MAKE_EXPANSION_BYTES_MAX) }.variable(name, 0)
    }

    pub(super) fn test(&self, test: &Test) -> Option<bool> {
        match test {
            Test::Equal { one, other, is_wanted } => Some((self.expand(one)? == self.expand(other)?) == *is_wanted),
            Test::Defined { name, is_wanted } => {
                let name = self.expand(name)?;
                let name = name.trim();
                let is_defined = match self.variables.get(name) {
                    Some(Variable { value, .. }) => value.as_ref().map(|value| !value.is_empty())?,
                    None if BY_MAKE.contains(&name) => return None,
                    None => false,
                };
                Some(is_defined == *is_wanted)
            }
            Test::Unclear => None,
        }
    }
}

/// The variables a text refers to by a plain name.
pub(super) fn names_in(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (index, _) in text.match_indices('$') {
        let rest = text.get(index + 1..).unwrap_or_default();
        if rest.starts_with(['(', '{']) {
            let inside = rest.get(1..).unwrap_or_default();
            let end = inside.find([')', '}', '$', ' ', ',', ':']).unwrap_or(inside.len());
            names.extend(inside.get(..end).filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    names
}

struct Expansion<'m> {
    makefile: &'m Makefile,
    /// Bytes that may still come out: two references to a variable of two references double with each step.
    budget: Cell<usize>,
}

impl Expansion<'_> {
    fn text(&self, text: &str, depth: usize) -> Option<String> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let mut characters = after.chars();
            match characters.next() {
                None => rest = "",
                Some('$') => {
                    expanded.push('$');
                    rest = characters.as_str();
                }
                Some(open @ ('(' | '{')) => {
                    let close = if open == '(' { ')' } else { '}' };
                    let (inside, behind) = enclosed(characters.as_str(), open, close)?;
                    expanded.push_str(&self.reference(inside, depth)?);
                    rest = behind;
                }
                Some(single) => {
                    expanded.push_str(&self.variable(single.encode_utf8(&mut [0; 4]), depth)?);
                    rest = characters.as_str();
                }
            }
            self.spend(expanded.len())?;
        }
        expanded.push_str(rest);
        self.spend(expanded.len())?;
        Some(expanded)
    }

    fn spend(&self, bytes: usize) -> Option<()> {
        self.budget.set(self.budget.get().checked_sub(bytes)?);
        Some(())
    }

    fn reference(&self, inside: &str, depth: usize) -> Option<String> {
        if let Some((function, arguments)) = inside.split_once([' ', '\t'])
            && is_function(function)
        {
            return self.call(function, arguments.trim_start(), depth);
        }
        let name = self.text(inside, depth + 1)?;
        match name.split_once(':') {
            // `$(VAR:.c=.o)` is patsubst in another coat.
            Some((name, substitution)) => {
                let (from, to) = substitution.split_once('=')?;
                let value = self.variable(name, depth)?;
                if from.contains('%') {
                    return None;
                }
                let words = value.split_whitespace();
                Some(joined(
                    words.map(|word| word.strip_suffix(from).map_or(word.to_owned(), |stem| stem.to_owned() + to)),
                ))
            }
            None => self.variable(&name, depth),
        }
    }

    fn variable(&self, name: &str, depth: usize) -> Option<String> {
        match self.makefile.variables.get(name) {
            None if BY_MAKE.contains(&name) => None,
            None => Some(String::new()),
            Some(Variable { value, is_simple: true, .. }) => {
                self.spend(value.as_ref().map_or(0, String::len))?;
                value.clone()
            }
            Some(Variable { value, .. }) => self.text(value.as_ref()?, depth + 1),
        }
    }

    fn call(&self, function: &str, arguments: &str, depth: usize) -> Option<String> {
        if function == "shell" {
            let command = self.text(arguments, depth + 1)?;
            let words: Vec<&str> = command.split_whitespace().collect();
            return matches!(words[..], ["uname"] | ["uname", "-s"]).then(|| self.makefile.system.clone());
        }
        if matches!(function, "info" | "warning") {
            return Some(String::new());
        }
        let parts = split_arguments(arguments);
        let argument = |index: usize| self.text(parts.get(index).copied().unwrap_or_default(), depth + 1);
        let rest = || self.text(arguments, depth + 1);
        Some(match function {
            "strip" => joined(rest()?.split_whitespace().map(str::to_owned)),
            "firstword" => rest()?.split_whitespace().next().unwrap_or_default().to_owned(),
            "lastword" => rest()?.split_whitespace().next_back().unwrap_or_default().to_owned(),
            "words" => rest()?.split_whitespace().count().to_string(),
            "subst" => argument(2)?.replace(&argument(0)?, &argument(1)?),
            "findstring" => {
                let wanted = argument(0)?;
                if argument(1)?.contains(&wanted) { wanted } else { String::new() }
            }
            "word" => {
                let number: usize = argument(0)?.trim().parse().ok()?;
                argument(1)?.split_whitespace().nth(number.checked_sub(1)?).unwrap_or_default().to_owned()
            }
            "addprefix" => {
                let prefix = argument(0)?;
                joined(argument(1)?.split_whitespace().map(|word| format!("{prefix}{word}")))
            }
            "addsuffix" => {
                let suffix = argument(0)?;
                joined(argument(1)?.split_whitespace().map(|word| format!("{word}{suffix}")))
            }
            "filter" | "filter-out" => {
                let patterns = argument(0)?;
                if patterns.contains('%') {
                    return None;
                }
                let is_named = |word: &str| patterns.split_whitespace().any(|pattern| pattern == word);
                let words = argument(1)?;
                joined(
                    words.split_whitespace().filter(|word| is_named(word) == (function == "filter")).map(str::to_owned),
                )
            }
            "if" => argument(if self.text(parts.first()?.trim(), depth + 1)?.is_empty() { 2 } else { 1 })?,
            "or" => {
                for index in 0..parts.len() {
                    let value = argument(index)?;
                    if !value.trim().is_empty() {
                        return Some(value.trim().to_owned());
                    }
                }
                String::new()
            }
            // What depends on files, on make's own state, or on programs.
            _ => return None,
        })
    }
}

fn is_function(word: &str) -> bool {
    matches!(
        word,
        "shell"
            | "strip"
            | "firstword"
            | "lastword"
            | "words"
            | "subst"
            | "findstring"
            | "word"
            | "addprefix"
            | "addsuffix"
            | "filter"
            | "filter-out"
            | "if"
            | "or"
            | "and"
            | "info"
            | "warning"
            | "error"
            | "wildcard"
            | "patsubst"
            | "sort"
            | "dir"
            | "notdir"
            | "basename"
            | "suffix"
            | "join"
            | "wordlist"
            | "realpath"
            | "abspath"
            | "foreach"
            | "call"
            | "eval"
            | "value"
            | "origin"
            | "flavor"
            | "file"
            | "let"
            | "guile"
            | "intcmp"
    )
}

/// What stands up to the bracket that closes, and what is behind it.
fn enclosed(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (index, one) in text.char_indices() {
        if one == open {
            depth += 1;
        } else if one == close {
            if depth == 0 {
                return Some((text.get(..index)?, text.get(index + 1..)?));
            }
            depth -= 1;
        }
    }
    None
}

fn split_arguments(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'{' => depth += 1,
            b')' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.extend(text.get(start..index));
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" ")
}
