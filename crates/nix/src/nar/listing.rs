//! The listing of a NAR that a cache keeps beside it: the JSON of a `.ls` file, version 1, in the order Nix 2.8 writes it.

use std::fmt::Write as _;

use super::Event;
use super::read::shown;

/// Builds a listing from the events of a reader, in memory: some fifty bytes an entry.
#[derive(Debug)]
pub struct Listing {
    text: String,
    /// For each folder that is open, whether it has an entry already.
    folders: Vec<bool>,
}

/// Why a NAR has no listing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    #[error("`{0}` is not UTF-8, and JSON has no other names")]
    NotText(String),
}

impl Default for Listing {
    fn default() -> Self {
        Self { text: r#"{"version":1,"root":"#.to_owned(), folders: Vec::new() }
    }
}

impl Listing {
    /// Takes the next event.
    pub fn add(&mut self, event: &Event<'_>) -> Result<(), ListingError> {
        match event {
            Event::Directory => {
                self.text.push_str(r#"{"type":"directory","entries":{"#);
                self.folders.push(false);
            }
            Event::Entry { name } => {
                if let Some(has_entry) = self.folders.last_mut()
                    && std::mem::replace(has_entry, true)
                {
                    self.text.push(',');
                }
                self.quote(name)?;
                self.text.push(':');
            }
            Event::File { is_executable, size, offset } => {
                let executable = if *is_executable { r#","executable":true"# } else { "" };
                let file = format_args!(r#"{{"type":"regular","size":{size}{executable},"narOffset":{offset}}}"#);
                // Writing to a `String` does not fail.
                let _infallible = self.text.write_fmt(file);
            }
            Event::Symlink { target } => {
                self.text.push_str(r#"{"type":"symlink","target":"#);
                self.quote(target)?;
                self.text.push('}');
            }
            Event::Leave => {
                self.folders.pop();
                self.text.push_str("}}");
            }
        }
        Ok(())
    }

    /// The document, once the reader has ended.
    pub fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn quote(&mut self, bytes: &[u8]) -> Result<(), ListingError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ListingError::NotText(shown(bytes)))?;
        self.text.push_str(&serde_json::Value::from(text).to_string());
        Ok(())
    }
}
