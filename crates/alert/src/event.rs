//! Something to tell a person, once: an advisory, a package of a system, and what changed.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The advisory was not known to hit this system.
    New,
    /// A fix can be taken where there was none.
    FixAvailable,
    /// The security team calls it critical now.
    NowCritical,
    /// A new image is worth it: `system` is the image.
    ImageDue,
}

impl EventKind {
    pub const ALL: [Self; 4] = [Self::New, Self::FixAvailable, Self::NowCritical, Self::ImageDue];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::FixAvailable => "fix_available",
            Self::NowCritical => "now_critical",
            Self::ImageDue => "image_due",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A word that is no kind of event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of event: new, fix_available, now_critical or image_due")]
pub struct UnknownKind(pub String);

impl FromStr for EventKind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| UnknownKind(word.to_owned()))
    }
}

/// Something to tell. `system`, `advisory`, `package` and `kind` are its key: it happens once.
///
/// The version has no part in the key: a bump to a version that is vulnerable too is not news. Its JSON is the `data` of
/// a webhook and the `document` of the queue; see docs/formats/webhook.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The machine or repository, as its owner names it.
    pub system: String,
    pub advisory: String,
    pub package: String,
    #[serde(rename = "event")]
    pub kind: EventKind,
    /// The version found there.
    pub version: String,
    /// Whether the security team's class, not CVSS, says critical.
    pub is_critical: bool,
    /// CVSS in words (`high`); `None` where nobody scored it.
    pub severity: Option<String>,
    pub title: Option<String>,
    /// Versions to take, the nearest first; empty where there is no fix to take.
    pub fixed_versions: Vec<String>,
    /// What to do, such as a command to type; a default is worded where this is `None`.
    pub advice: Option<String>,
    /// Where to read more.
    pub url: Option<String>,
    #[serde(with = "rfc3339")]
    pub raised: Timestamp,
    /// A trial by a person; it says so wherever it is shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_test: bool,
}

impl Event {
    /// What makes it happen once. Unit separators keep the parts apart, whatever they hold.
    pub fn key(&self) -> String {
        let part = |text: &str| text.replace('\u{1f}', "\u{1f}\u{1f}.");
        let parts = [part(&self.system), part(&self.advisory), part(&self.package), self.kind.to_string()];
        parts.join("\u{1f}")
    }

    /// An event for `aux alert test`, as real as can be.
    pub fn test(system: &str, now: Timestamp) -> Self {
        Self {
            system: system.to_owned(),
            advisory: "CVE-2014-0160".to_owned(),
            package: "openssl".to_owned(),
            kind: EventKind::New,
            version: "1.0.1f".to_owned(),
            is_critical: false,
            severity: Some("high".to_owned()),
            title: Some("this is a test of alerts; nothing was found".to_owned()),
            fixed_versions: vec!["1.0.1g".to_owned()],
            advice: None,
            url: Some("https://nvd.nist.gov/vuln/detail/CVE-2014-0160".to_owned()),
            raised: now,
            is_test: true,
        }
    }
}

/// A moment as documents write it.
pub(crate) mod rfc3339 {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(moment)
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_subjects_share_a_key() {
        let event = |system: &str, advisory: &str| Event {
            advisory: advisory.to_owned(),
            ..Event::test(system, Timestamp::UNIX_EPOCH)
        };
        assert_ne!(event("a\u{1f}b", "c").key(), event("a", "b\u{1f}c").key());
        assert_ne!(event("a\u{1f}", "\u{1f}c").key(), event("a\u{1f}\u{1f}", "c").key());
    }

    #[test]
    fn kinds_read_as_they_are_written() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("newer".parse::<EventKind>().is_err());
    }
}
