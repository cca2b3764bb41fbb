//! What a person is told of: an advisory on a package of a system, and what changed about it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::Known;

/// What an event is about; with its kind, the key that makes it happen once.
///
/// The package's version has no part in it: a bump to a version that is vulnerable too is not news.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    pub system: String,
    pub advisory: String,
    pub package: String,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// The advisory was not known to hit this system.
    New,
    /// A fix can be taken where there was none.
    FixAvailable,
    /// The team calls it critical now.
    NowCritical,
}

impl EventKind {
    pub const ALL: [Self; 3] = [Self::New, Self::FixAvailable, Self::NowCritical];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::FixAvailable => "fix_available",
            Self::NowCritical => "now_critical",
        }
    }
}

/// A word that is no kind of event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of event")]
pub struct UnknownKind(pub String);

impl FromStr for EventKind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| UnknownKind(word.to_owned()))
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Something to tell, with the finding as it stood then.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub subject: Subject,
    pub kind: EventKind,
    /// Everything that telling this one tells: a new finding that has a fix is not told of twice.
    pub covers: Vec<EventKind>,
    pub finding: Known,
    pub raised: Timestamp,
}
