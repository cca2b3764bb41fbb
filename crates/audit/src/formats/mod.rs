//! Every way to write a report down, behind one door: a format, a report and options give a text.
//!
//! Each format is a pure function: the same report gives the same bytes, and the text ends with a line feed.

pub mod changes;
pub mod cyclonedx;
mod document;
mod escape;
pub mod explanation;
mod group;
pub mod json;
pub mod junit;
mod machines;
pub mod markdown;
pub mod openvex;
mod page;
pub mod sarif;
pub mod table;
mod words;

#[cfg(test)]
mod golden;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod schemas;

pub use document::print as json_document;
pub use escape::visible;
pub use words::age;

use crate::Report;

/// What a format may need to know beside the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options<'a> {
    /// The version the documents name as their maker's.
    pub tool_version: &'a str,
    /// Columns of the terminal; the table alone looks at it.
    pub width: usize,
    /// Whether the table may use colour. Nothing is said by colour alone.
    pub colour: bool,
}

/// A way to write a report down, by the word `--format` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    Table,
    Json,
    Sarif,
    OpenVex,
    CycloneDx,
    Markdown,
    Junit,
}

impl Format {
    pub const ALL: [Self; 7] =
        [Self::Table, Self::Json, Self::Sarif, Self::OpenVex, Self::CycloneDx, Self::Markdown, Self::Junit];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::OpenVex => "openvex",
            Self::CycloneDx => "cyclonedx",
            Self::Markdown => "markdown",
            Self::Junit => "junit",
        }
    }

    /// The format of a word of [`Self::as_str`]; there are no others.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

/// Writes `report` down as `format`.
pub fn render(format: Format, report: &Report, options: Options<'_>) -> String {
    match format {
        Format::Table => table::render(report, options),
        Format::Json => json::render(report),
        Format::Sarif => sarif::render(report, options),
        Format::OpenVex => openvex::render(report, options),
        Format::CycloneDx => cyclonedx::render(report, options),
        Format::Markdown => markdown::render(report),
        Format::Junit => junit::render(report),
    }
}

/// The name documents give their maker.
const TOOL: &str = "aux";
/// Where a reader of a document learns about its maker.
const TOOL_PAGE: &str = "https://github.com/auxolotl/aux";
