//! How bad: a CVSS score and its band, and the class a security team gives, which is not the same thing.

use std::fmt;
use std::str::FromStr;

/// A CVSS base score in tenths: 98 is 9.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(u8);

impl Score {
    /// A score from tenths; above 10.0 there is none.
    pub fn from_tenths(tenths: u8) -> Option<Self> {
        (tenths <= 100).then_some(Self(tenths))
    }

    /// A score from the number in a document (`9.8`); outside 0.0–10.0 there is none.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within 0..=100 first")]
    pub fn from_number(score: f64) -> Option<Self> {
        let tenths = (score * 10.0).round();
        (0.0..=100.0).contains(&tenths).then_some(Self(tenths as u8))
    }

    pub fn tenths(self) -> u8 {
        self.0
    }

    /// The number people write: 9.8.
    pub fn number(self) -> f64 {
        f64::from(self.0) / 10.0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// The qualitative band of a score (CVSS v3.1 specification, section 5); `Unknown` where nobody scored it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Unknown,
    None,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub fn of(score: Option<Score>) -> Self {
        match score.map(Score::tenths) {
            None => Self::Unknown,
            Some(0) => Self::None,
            Some(1..=39) => Self::Low,
            Some(40..=69) => Self::Medium,
            Some(70..=89) => Self::High,
            Some(_) => Self::Critical,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl FromStr for Severity {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text.to_ascii_lowercase().as_str() {
            "unknown" => Ok(Self::Unknown),
            "none" => Ok(Self::None),
            "low" => Ok(Self::Low),
            "medium" | "moderate" => Ok(Self::Medium),
            "high" | "important" => Ok(Self::High),
            "critical" => Ok(Self::Critical),
            _ => Err(UnknownWord { word: text.to_owned(), expected: "low, medium, high, critical, none or unknown" }),
        }
    }
}

/// What the security team says of an advisory. It, not CVSS, drives automatic action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Class {
    /// The team has not spoken.
    #[default]
    Unclassified,
    Routine,
    Important,
    Critical,
}

impl Class {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unclassified => "unclassified",
            Self::Routine => "routine",
            Self::Important => "important",
            Self::Critical => "critical",
        }
    }

    pub fn as_byte(self) -> u8 {
        match self {
            Self::Unclassified => 0,
            Self::Routine => 1,
            Self::Important => 2,
            Self::Critical => 3,
        }
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Unclassified, Self::Routine, Self::Important, Self::Critical].get(usize::from(byte)).copied()
    }
}

impl FromStr for Class {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "unclassified" => Ok(Self::Unclassified),
            "routine" => Ok(Self::Routine),
            "important" => Ok(Self::Important),
            "critical" => Ok(Self::Critical),
            _ => Err(UnknownWord { word: text.to_owned(), expected: "critical, important, routine or unclassified" }),
        }
    }
}

/// A word outside its closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not one of {expected}")]
pub struct UnknownWord {
    pub word: String,
    pub expected: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_follow_the_cvss_specification() {
        let band = |number| Severity::of(Score::from_number(number)).as_str();
        assert_eq!(
            [band(0.0), band(0.1), band(3.9), band(4.0), band(6.9), band(7.0), band(8.9), band(9.0), band(10.0)],
            ["none", "low", "low", "medium", "medium", "high", "high", "critical", "critical"]
        );
        assert_eq!(Severity::of(None), Severity::Unknown);
        assert_eq!(Score::from_number(10.1), None);
        assert_eq!(Score::from_number(f64::NAN), None);
    }

    #[test]
    fn a_class_survives_its_byte() {
        for byte in 0..4 {
            assert_eq!(Class::from_byte(byte).map(Class::as_byte), Some(byte));
        }
        assert_eq!(Class::from_byte(4), None);
    }
}
