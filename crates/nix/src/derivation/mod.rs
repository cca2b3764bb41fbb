//! A store derivation: what it puts out, what it needs, and the environment of its builder.
//!
//! The file form is an `ATerm`, `Derive([outputs],[inputs],[sources],system,builder,[arguments],[environment])` (Nix
//! manual, "Derivation `ATerm` format"). Reading and printing are inverse, byte for byte.

pub mod json;
mod parse;
mod print;
mod text;

pub use parse::{ParseError, Problem};
pub use text::Text;

use std::borrow::Cow;

/// A derivation, borrowing from the bytes it was read from where it can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derivation<'a> {
    pub form: Form,
    pub outputs: Vec<Output<'a>>,
    pub input_derivations: Vec<InputDerivation<'a>>,
    /// Store paths of sources.
    pub input_sources: Vec<Text<'a>>,
    pub system: Text<'a>,
    pub builder: Text<'a>,
    pub arguments: Vec<Text<'a>>,
    /// Names and values, as written; a name stands once.
    pub environment: Vec<(Text<'a>, Text<'a>)>,
}

/// How the file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `Derive(…)`, the usual one.
    Derive,
    /// `DrvWithVersion("xp-dyn-drv",…)`, for derivations that need outputs of outputs.
    DynamicDerivations,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output<'a> {
    /// `out`, `dev`, …
    pub name: Text<'a>,
    /// Its store path; empty where it is not known before the build.
    pub path: Text<'a>,
    /// `sha256`, `r:sha256`, …; empty where the output is not content-addressed.
    pub hash_algorithm: Text<'a>,
    /// The expected hash of a fixed output; `impure` for an impure one; else empty.
    pub hash: Text<'a>,
}

impl Output<'_> {
    /// Whether its content is fixed in advance, as that of a fetched source is.
    pub fn is_fixed(&self) -> bool {
        !self.hash.is_empty() && !self.hash.is("impure")
    }
}

/// A derivation needed, and which of its outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputDerivation<'a> {
    pub path: Text<'a>,
    pub wanted: Wanted<'a>,
}

/// Outputs wanted of a derivation; with dynamic derivations, also outputs of the derivations its outputs are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted<'a> {
    pub outputs: Vec<Text<'a>>,
    pub dynamic: Vec<(Text<'a>, Self)>,
}

impl<'a> Derivation<'a> {
    /// Reads the file form. Nothing may follow it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        parse::parse(bytes)
    }

    /// The value of an environment variable.
    pub fn variable(&self, name: &str) -> Option<&Text<'a>> {
        self.environment.iter().find(|(key, _)| key.is(name)).map(|(_, value)| value)
    }

    /// The value of an environment variable, where it is there, not empty, and text.
    pub fn variable_text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.variable(name).filter(|value| !value.is_empty()).map(Text::lossy)
    }

    /// Whether an output's content is fixed in advance: a download, not something built.
    pub fn is_fixed_output(&self) -> bool {
        self.outputs.iter().any(Output::is_fixed)
    }
}
