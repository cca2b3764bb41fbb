//! Whose a secret is.

use std::fmt;
use std::str::FromStr;

use crate::derive::Label;

/// A secret's scope as it is declared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Every machine has its own value; those of these groups only, where any are named.
    Machines { groups: Vec<Label> },
    /// One machine.
    Machine(Label),
    /// The machines of a group share one value.
    Group(Label),
    /// It never reaches a machine.
    Admin,
}

/// A word that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no scope; it is machine, machine:NAME, group:NAME or admin")]
pub struct ScopeError {
    pub word: String,
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(word: &str) -> Result<Self, ScopeError> {
        let wrong = || ScopeError { word: word.to_owned() };
        match word.split_once(':') {
            None if word == "machine" => Ok(Self::Machines { groups: Vec::new() }),
            None if word == "admin" => Ok(Self::Admin),
            Some(("machine", name)) => name.parse().map(Self::Machine).map_err(|_| wrong()),
            Some(("group", name)) => name.parse().map(Self::Group).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machines { .. } => to.write_str("machine"),
            Self::Machine(name) => write!(to, "machine:{name}"),
            Self::Group(name) => write!(to, "group:{name}"),
            Self::Admin => to.write_str("admin"),
        }
    }
}

/// One who has a key of the tree, and secrets under it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    Admin,
    Group(Label),
    Machine(Label),
}

impl Holder {
    /// The machine's or group's name.
    pub fn label(&self) -> Option<&Label> {
        match self {
            Self::Admin => None,
            Self::Group(label) | Self::Machine(label) => Some(label),
        }
    }

    /// The folder of its envelopes below `secrets/`.
    pub fn folder(&self) -> String {
        match self {
            Self::Admin => "admin".to_owned(),
            Self::Group(label) => format!("group-{label}"),
            Self::Machine(label) => format!("machine-{label}"),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => to.write_str("admin"),
            Self::Group(label) => write!(to, "group:{label}"),
            Self::Machine(label) => write!(to, "machine:{label}"),
        }
    }
}

impl FromStr for Holder {
    type Err = ScopeError;

    fn from_str(word: &str) -> Result<Self, ScopeError> {
        match word.parse()? {
            Scope::Admin => Ok(Self::Admin),
            Scope::Group(label) => Ok(Self::Group(label)),
            Scope::Machine(label) => Ok(Self::Machine(label)),
            Scope::Machines { .. } => Err(ScopeError { word: word.to_owned() }),
        }
    }
}
