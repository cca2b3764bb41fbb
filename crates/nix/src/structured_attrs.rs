//! Structured attributes: a derivation's attributes as one JSON document instead of environment variables.
//!
//! They stand in the environment variable `__json` (Nix manual, "Advanced attributes", `__structuredAttrs`).

use serde_json::{Map, Value};

/// The document, read.
#[derive(Debug, Clone, PartialEq)]
pub struct StructuredAttributes(Map<String, Value>);

/// Why `__json` could not be read.
#[derive(Debug, thiserror::Error)]
#[error("structured attributes are no JSON object")]
pub struct StructuredAttributesError(#[source] serde_json::Error);

impl StructuredAttributes {
    pub fn parse(document: &[u8]) -> Result<Self, StructuredAttributesError> {
        serde_json::from_slice(document).map(Self).map_err(StructuredAttributesError)
    }

    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The attribute as the strings it would be as an environment variable: a list gives one each, `true` gives `1`,
    /// and what is false, null, empty or absent gives none.
    pub fn strings(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::Array(items)) => items.iter().filter_map(plain).collect(),
            Some(value) => plain(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// `meta.knownVulnerabilities`, which nixpkgs does not pass on today but other package sets may.
    pub fn known_vulnerabilities(&self) -> Vec<String> {
        let known = self.0.get("meta").and_then(|meta| meta.get("knownVulnerabilities"));
        known.and_then(Value::as_array).map(|items| items.iter().filter_map(plain).collect()).unwrap_or_default()
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Bool(true) => Some("1".to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_read_as_variables_would() {
        let document = br#"{"patches":["/a","",null],"version":"1","strict":true,"no":false,"level":3,
            "meta":{"knownVulnerabilities":["CVE-2016-1234"]}}"#;
        let attributes = StructuredAttributes::parse(document).unwrap();
        assert_eq!(attributes.strings("patches"), ["/a"]);
        assert_eq!(attributes.strings("version"), ["1"]);
        assert_eq!(attributes.strings("strict"), ["1"]);
        assert_eq!(attributes.strings("level"), ["3"]);
        assert!(attributes.strings("no").is_empty() && attributes.strings("absent").is_empty());
        assert_eq!(attributes.known_vulnerabilities(), ["CVE-2016-1234"]);
        assert!(attributes.value("meta").is_some());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for document in ["", "[]", "{", "{\"a\":1}x"] {
            assert!(StructuredAttributes::parse(document.as_bytes()).is_err());
        }
    }
}
