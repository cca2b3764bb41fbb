//! `nix-cache-info`: what a binary cache says of itself.

use std::fmt;

use aux_core::limits::CACHE_INFO_BYTES_MAX;

/// The three things Nix asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheInfo {
    /// `/nix/store`.
    pub store_directory: String,
    /// Whether many paths may be asked for at once, as by a profile's garbage collection.
    pub wants_mass_query: bool,
    /// Of several caches the lowest is asked first.
    pub priority: Option<u32>,
}

/// Why a document is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CacheInfoError {
    #[error("a nix-cache-info has at most {CACHE_INFO_BYTES_MAX} bytes")]
    TooLarge,
    #[error("it is not UTF-8")]
    NotText,
    #[error("`{field}: {value}` has no such value")]
    Value { field: &'static str, value: String },
    #[error("`StoreDir` is missing")]
    NoStoreDirectory,
}

impl CacheInfo {
    /// Reads a document; fields it does not know and lines that are no fields are passed over, as Nix does.
    pub fn parse(document: &[u8]) -> Result<Self, CacheInfoError> {
        if document.len() > CACHE_INFO_BYTES_MAX {
            return Err(CacheInfoError::TooLarge);
        }
        let text = std::str::from_utf8(document).map_err(|_| CacheInfoError::NotText)?;
        let (mut store_directory, mut wants_mass_query, mut priority) = (None, false, None);
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            let wrong = |field| CacheInfoError::Value { field, value: value.to_owned() };
            match name {
                "StoreDir" if value.starts_with('/') => store_directory = Some(value.to_owned()),
                "StoreDir" => return Err(wrong("StoreDir")),
                "WantMassQuery" => wants_mass_query = value == "1",
                "Priority" => priority = Some(value.parse().map_err(|_| wrong("Priority"))?),
                _ => {}
            }
        }
        let store_directory = store_directory.ok_or(CacheInfoError::NoStoreDirectory)?;
        Ok(Self { store_directory, wants_mass_query, priority })
    }
}

impl fmt::Display for CacheInfo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "StoreDir: {}", self.store_directory)?;
        writeln!(formatter, "WantMassQuery: {}", u8::from(self.wants_mass_query))?;
        self.priority.map_or(Ok(()), |priority| writeln!(formatter, "Priority: {priority}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        let text = "StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 30\n";
        let info = CacheInfo::parse(text.as_bytes()).unwrap();
        assert_eq!((info.to_string().as_str(), info.priority), (text, Some(30)));
        assert_eq!(
            CacheInfo::parse(b"StoreDir: /nix/store\nNew: x\n\n").unwrap().to_string(),
            "StoreDir: /nix/store\nWantMassQuery: 0\n"
        );
    }

    #[test]
    fn what_says_no_store_is_refused() {
        assert_eq!(CacheInfo::parse(b"<html>"), Err(CacheInfoError::NoStoreDirectory));
        assert!(matches!(CacheInfo::parse(b"StoreDir: x"), Err(CacheInfoError::Value { field: "StoreDir", .. })));
        assert!(matches!(CacheInfo::parse(b"StoreDir: /x\nPriority: -1"), Err(CacheInfoError::Value { .. })));
        assert_eq!(CacheInfo::parse(&vec![b' '; CACHE_INFO_BYTES_MAX + 1]), Err(CacheInfoError::TooLarge));
    }
}
