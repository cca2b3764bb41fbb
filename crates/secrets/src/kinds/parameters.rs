//! What a declaration may say of a secret's type: every key of every type, each optional.

use std::net::IpAddr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::derive::Label;

/// The parameters of a rule as they are written down; which of them a type takes, [`super::Rule::of`] knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alphabet: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_lower: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_upper: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_digit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_symbol: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<u32>,
    /// Fewer than 80 bits are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weak: Option<bool>,
    /// The secret whose hash it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<Label>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The hash is committed, as a public half.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ip: Vec<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// The authority that signs a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<Label>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The envelope with gokey's master password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<Label>,
    /// The envelope with gokey's seed file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<Label>,
    #[serde(skip_serializing_if = "Option::is_none", alias = "legacySeed")]
    pub legacy_seed: Option<String>,
}

impl Parameters {
    /// The names of those that are given.
    pub fn given(&self) -> Vec<String> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(map)) => map.into_iter().map(|(name, _)| name).collect(),
            _ => Vec::new(),
        }
    }
}
