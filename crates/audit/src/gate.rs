//! The gate: which findings fail an audit, in the words of `--fail-on`.

use aux_core::{CheckResult, CheckState, Class, Finding, Severity, State};

/// A parsed `--fail-on` list: any of its terms fails; a term's parts, joined by `+`, must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    text: String,
    terms: Vec<Vec<Part>>,
}

/// What fails where nobody said otherwise.
pub const DEFAULT_GATE: &str = "class:critical,severity:high+fixable";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Class(Class),
    Severity(Severity),
    Fixable,
    Kev,
    Unreviewed,
    Unknown,
    /// About configuration checks of this severity or above; no package finding has it.
    Config(Severity),
    Any,
}

/// A word the gate does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{word}` is not a gate word; known are class:CLASS, severity:SEVERITY, fixable, kev, unreviewed, unknown, config:SEVERITY, any and none"
)]
pub struct GateError {
    pub word: String,
}

impl Gate {
    pub fn read(text: &str) -> Result<Self, GateError> {
        let mut terms = Vec::new();
        for term in text.split(',').map(str::trim) {
            if term == "none" {
                continue;
            }
            terms.push(term.split('+').map(part).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(Self { text: text.to_owned(), terms })
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a finding fails the audit. Waived findings never do.
    pub fn fails(&self, finding: &Finding) -> bool {
        finding.waived.is_none() && self.terms.iter().any(|term| term_holds(term, finding))
    }

    /// Whether a configuration check fails the audit. Waived ones never do.
    pub fn fails_check(&self, check: &CheckResult) -> bool {
        check.waived.is_none() && self.terms.iter().any(|term| term_holds_for_check(term, check))
    }
}

/// The words of a configuration check: `config:…`, `any` and `unknown`. All others are about packages.
fn term_holds_for_check(term: &[Part], check: &CheckResult) -> bool {
    let state = if term.contains(&Part::Unknown) { CheckState::Unknown } else { CheckState::Failed };
    check.state == state
        && term.iter().all(|part| match part {
            Part::Config(severity) => check.severity >= *severity,
            Part::Unknown | Part::Any => true,
            Part::Class(_) | Part::Severity(_) | Part::Fixable | Part::Kev | Part::Unreviewed => false,
        })
}

fn part(word: &str) -> Result<Part, GateError> {
    let wrong = || GateError { word: word.to_owned() };
    Ok(match word.trim().split_once(':') {
        Some(("class", class)) => Part::Class(class.parse().map_err(|_| wrong())?),
        Some(("severity", severity)) => Part::Severity(severity.parse().map_err(|_| wrong())?),
        Some(("config", severity)) => Part::Config(severity.parse().map_err(|_| wrong())?),
        Some(_) => return Err(wrong()),
        None => match word.trim() {
            "fixable" => Part::Fixable,
            "kev" => Part::Kev,
            "unreviewed" => Part::Unreviewed,
            "unknown" => Part::Unknown,
            "any" => Part::Any,
            _ => return Err(wrong()),
        },
    })
}

/// Parts speak of alarms, unless one of them names another state.
fn term_holds(term: &[Part], finding: &Finding) -> bool {
    let state = if term.contains(&Part::Unreviewed) {
        State::Unreviewed
    } else if term.contains(&Part::Unknown) {
        State::Unknown
    } else {
        State::Affected
    };
    finding.state == state
        && term.iter().all(|part| match part {
            Part::Class(class) => finding.class >= *class,
            Part::Severity(severity) => finding.severity >= *severity,
            Part::Fixable => finding.is_fixable(),
            Part::Kev => finding.kev,
            Part::Config(_) => false,
            Part::Unreviewed | Part::Unknown | Part::Any => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aux_core::{Fix, Package};

    fn finding(state: State, severity: Severity, class: Class, fixable: bool) -> Finding {
        let package = Package { name: "p".into(), version: "1".into(), purl: "pkg:nix/p@1".into() };
        let fix = Fix { channel: "c".into(), version: "2".into(), revision: None };
        Finding {
            class,
            severity,
            fixes: fixable.then_some(fix).into_iter().collect(),
            ..Finding::new("CVE-2020-0001", package, state)
        }
    }

    #[test]
    fn any_term_fails_and_all_its_parts_must_hold() {
        let gate = Gate::read(DEFAULT_GATE).unwrap();
        let high = |fixable| finding(State::Affected, Severity::High, Class::Unclassified, fixable);
        assert!(!gate.fails(&high(false)), "a fix only upstream is not fixable");
        assert!(gate.fails(&high(true)));
        assert!(gate.fails(&finding(State::Affected, Severity::Low, Class::Critical, false)));
        assert!(!gate.fails(&finding(State::Unreviewed, Severity::Critical, Class::Critical, true)));
        let mut waived = high(true);
        waived.waived = Some("accepted".into());
        assert!(!gate.fails(&waived));
    }

    #[test]
    fn states_fail_only_where_asked() {
        let unreviewed = finding(State::Unreviewed, Severity::High, Class::Unclassified, false);
        assert!(!Gate::read("any").unwrap().fails(&unreviewed));
        assert!(Gate::read("unreviewed").unwrap().fails(&unreviewed));
        assert!(!Gate::read("unreviewed+severity:critical").unwrap().fails(&unreviewed));
        assert!(!Gate::read("none").unwrap().fails(&finding(
            State::Affected,
            Severity::Critical,
            Class::Critical,
            true
        )));
    }

    #[test]
    fn checks_answer_to_their_own_words_and_to_any() {
        let check = |state, severity| CheckResult {
            id: "AUX-C001",
            title: "t",
            state,
            severity,
            class: Class::Unclassified,
            why: "w",
            evidence: vec![],
            fix: "f",
            waived: None,
        };
        let fails = |word, check: &CheckResult| Gate::read(word).unwrap().fails_check(check);
        let failed = check(CheckState::Failed, Severity::Medium);
        assert!(fails("config:medium", &failed) && fails("config:low", &failed) && fails("any", &failed));
        for word in ["config:high", "severity:low", "fixable", "unknown", "none", "config:low+unknown", DEFAULT_GATE] {
            assert!(!fails(word, &failed), "{word}");
        }
        let unseen = check(CheckState::Unknown, Severity::High);
        assert!(fails("unknown", &unseen) && fails("config:high+unknown", &unseen));
        assert!(!fails("any", &unseen) && !fails("config:low", &unseen));
        assert!(!fails("any", &check(CheckState::Passed, Severity::High)));
        assert!(!fails("any", &CheckResult { waived: Some("r".into()), ..failed }));
        assert!(!Gate::read("config:low").unwrap().fails(&finding(
            State::Affected,
            Severity::High,
            Class::Critical,
            true
        )));
    }

    #[test]
    fn unknown_words_are_refused() {
        for word in ["", "severity", "severity:huge", "sev:high", "any+"] {
            assert!(Gate::read(word).is_err(), "{word}");
        }
    }
}
