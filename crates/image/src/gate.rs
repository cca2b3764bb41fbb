//! The gate of an image: which findings fail its audit, in the words of `--fail-on`.

use aux_core::{Class, Severity};

use crate::audit::{Finding, Fixability};

/// What fails where nobody said otherwise: what somebody could fix.
pub const DEFAULT_GATE: &str = "fixable";

/// A parsed `--fail-on` list: any of its terms fails; a term's parts, joined by `+`, must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    text: String,
    terms: Vec<Vec<Part>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Now,
    Rebase,
    Fixable,
    EndOfLife,
    Class(Class),
    Severity(Severity),
    Kev,
    /// A word of the other audit's gate that no finding of an image answers to.
    Elsewhere,
    Any,
}

/// A word the gate does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{word}` is not a gate word; known are fixable, now, rebase, eol, class:CLASS, severity:SEVERITY, kev, any and none"
)]
pub struct GateError {
    pub word: String,
}

impl Gate {
    pub fn read(text: &str) -> Result<Self, GateError> {
        let mut terms = Vec::new();
        for term in text.split(',').map(str::trim) {
            if term != "none" {
                terms.push(term.split('+').map(part).collect::<Result<Vec<_>, _>>()?);
            }
        }
        Ok(Self { text: text.to_owned(), terms })
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a word of it can be answered by a feed alone: the list knows no severity.
    pub fn needs_feed(&self) -> bool {
        self.terms.iter().flatten().any(|part| matches!(part, Part::Class(_) | Part::Severity(_) | Part::Kev))
    }

    /// Whether a finding fails the audit.
    pub fn fails(&self, finding: &Finding) -> bool {
        self.terms.iter().any(|term| term.iter().all(|part| part.holds(finding)))
    }
}

impl Part {
    fn holds(self, finding: &Finding) -> bool {
        let fix = finding.fixability();
        match self {
            Self::Now => fix == Fixability::Now,
            Self::Rebase => fix == Fixability::Rebase,
            Self::Fixable => fix != Fixability::None,
            Self::EndOfLife => finding.kind == "eol",
            Self::Class(class) => finding.known.as_ref().is_some_and(|known| known.class >= class),
            Self::Severity(severity) => finding.severity() >= severity,
            Self::Kev => finding.known.as_ref().is_some_and(|known| known.kev),
            Self::Elsewhere => false,
            Self::Any => true,
        }
    }
}

fn part(word: &str) -> Result<Part, GateError> {
    let wrong = || GateError { word: word.to_owned() };
    Ok(match word.trim().split_once(':') {
        Some(("class", class)) => Part::Class(class.parse().map_err(|_| wrong())?),
        Some(("severity", severity)) => Part::Severity(severity.parse().map_err(|_| wrong())?),
        Some(("config", severity)) => {
            severity.parse::<Severity>().map_err(|_| wrong())?;
            Part::Elsewhere
        }
        Some(_) => return Err(wrong()),
        None => match word.trim() {
            "now" => Part::Now,
            "rebase" => Part::Rebase,
            "fixable" => Part::Fixable,
            "eol" => Part::EndOfLife,
            "kev" => Part::Kev,
            "unreviewed" | "unknown" => Part::Elsewhere,
            "any" => Part::Any,
            _ => return Err(wrong()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Fix, Known};

    fn finding(fix: Fix, known: Option<Known>) -> Finding {
        Finding {
            package: "foo".into(),
            version: "1".into(),
            pattern: "foo<2".into(),
            kind: "denial-of-service".into(),
            url: "http://x".into(),
            ids: Vec::new(),
            line: 1,
            fix,
            known,
        }
    }

    #[test]
    fn words_ask_for_fixes_and_for_what_the_feed_knows() {
        let version = || ("foo".to_owned(), "2".to_owned(), "2018Q4".to_owned());
        let (now, rebase) = (Fix::now(version()), Fix::rebase(version()));
        let high = Known { class: Class::Unclassified, score: aux_core::Score::from_tenths(75), kev: true };
        let fails = |gate: &str, finding: &Finding| Gate::read(gate).unwrap().fails(finding);
        assert!(fails("fixable", &finding(now.clone(), None)) && fails("fixable", &finding(rebase.clone(), None)));
        assert!(fails("now", &finding(now.clone(), None)) && !fails("now", &finding(rebase.clone(), None)));
        assert!(fails("rebase", &finding(rebase, None)) && !fails("rebase", &finding(now.clone(), None)));
        assert!(!fails("fixable", &finding(Fix::None, None)) && fails("any", &finding(Fix::None, None)));
        assert!(fails("severity:high+now,kev+rebase", &finding(now.clone(), Some(high))));
        assert!(!fails("severity:critical,class:routine", &finding(now.clone(), Some(high))));
        assert!(!fails("severity:low", &finding(now.clone(), None)) && !fails("none", &finding(now, None)));
        assert!(Gate::read("now,severity:low").unwrap().needs_feed() && !Gate::read("any").unwrap().needs_feed());
    }

    #[test]
    fn unknown_words_are_refused() {
        for word in ["", "severity", "severity:huge", "fixable+", "config:huge"] {
            assert!(Gate::read(word).is_err(), "{word}");
        }
        assert!(Gate::read("config:high,unknown,unreviewed").is_ok());
    }
}
