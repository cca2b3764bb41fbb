//! What is watched: this machine, and every target somebody asked for.

use serde::{Deserialize, Serialize};

/// What the machine itself is called in every answer.
pub const THIS_MACHINE: &str = "this machine";

/// A watched system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// What answers call it; unique in a state folder.
    pub name: String,
    /// What `aux audit` would be given; `None` is the machine itself.
    pub target: Option<String>,
    /// Audited again after this time even where nothing is seen to change.
    pub every_seconds: u64,
}

impl Watched {
    pub fn this_machine(every_seconds: u64) -> Self {
        Self { name: THIS_MACHINE.to_owned(), target: None, every_seconds }
    }

    /// A target that is called by its own name.
    pub fn target(target: impl Into<String>, every_seconds: u64) -> Self {
        let target = target.into();
        Self { name: target.clone(), target: Some(target), every_seconds }
    }
}
