//! What the rules say of one path: a sentence for each, and the rules that do not hold.

use std::collections::BTreeSet;

use aux_core::Finding;

use super::licence::Licence;
use super::sbom::Said;
use super::{Audited, Condition, Facts, Pattern, Policy, Rule, alone};

/// A rule that does not hold for a path, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub rule: String,
    pub reason: String,
    /// Nobody could tell whether it holds; that is no.
    pub is_unknown: bool,
}

/// What one rule says of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ruling {
    pub rule: String,
    pub outcome: Outcome,
}

/// Whether something holds, with why or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Holds(String),
    Fails(String),
    /// Nobody could tell; that is no.
    Unknown(String),
}

/// What every rule says of one path, in the order of the policy.
pub(crate) fn rulings(policy: &Policy, facts: &Facts<'_>) -> Vec<Ruling> {
    let ruling = |rule: &Rule| Ruling { rule: rule.name.clone(), outcome: rule_outcome(rule, facts) };
    policy.rules.iter().map(ruling).collect()
}

/// Judges one path: the evidence, one sentence a rule, and what does not hold.
pub(crate) fn judge(policy: &Policy, facts: &Facts<'_>) -> (Vec<String>, Vec<Broken>) {
    let (mut evidence, mut broken) = (Vec::new(), Vec::new());
    for Ruling { rule, outcome } in rulings(policy, facts) {
        match outcome {
            Outcome::Holds(why) => evidence.push(format!("{rule}: {why}")),
            Outcome::Fails(why) => {
                evidence.push(format!("{rule}: no: {why}"));
                broken.push(Broken { rule, reason: why, is_unknown: false });
            }
            Outcome::Unknown(why) => {
                evidence.push(format!("{rule}: cannot be told: {why}"));
                broken.push(Broken { rule, reason: why, is_unknown: true });
            }
        }
    }
    (evidence, broken)
}

/// The first condition that holds; otherwise why none does.
fn rule_outcome(rule: &Rule, facts: &Facts<'_>) -> Outcome {
    let (mut reasons, mut is_unknown) = (Vec::new(), false);
    for condition in &rule.any {
        match outcome(condition, facts) {
            Outcome::Holds(why) => return Outcome::Holds(why),
            Outcome::Fails(why) => reasons.push(why),
            Outcome::Unknown(why) => {
                is_unknown = true;
                reasons.push(why);
            }
        }
    }
    let why = reasons.join("; ");
    if is_unknown { Outcome::Unknown(why) } else { Outcome::Fails(why) }
}

fn outcome(condition: &Condition, facts: &Facts<'_>) -> Outcome {
    let name = facts.info.path.name();
    match condition {
        Condition::SignedBy { keys, at_least } => {
            let signed = |key: &&aux_nix::signature::PublicKey| facts.info.verify(&alone(key)).is_ok();
            let by: BTreeSet<&str> = keys.iter().filter(signed).map(|key| key.name.as_str()).collect();
            let by: Vec<&str> = by.into_iter().collect();
            match by.as_slice() {
                [] => Outcome::Fails("it is signed by none of the keys".to_owned()),
                by if by.len() < *at_least => {
                    Outcome::Fails(format!("it is signed by {} only, of {at_least} wanted", by.join(", ")))
                }
                by => Outcome::Holds(format!("signed by {}", by.join(", "))),
            }
        }
        Condition::Listed(paths) if paths.contains(&facts.info.path) => Outcome::Holds("listed".to_owned()),
        Condition::Listed(_) => Outcome::Fails("it is not listed".to_owned()),
        Condition::Audit(gate) => match facts.audit {
            Audited::Unknown(why) => Outcome::Unknown(why.to_owned()),
            Audited::Findings(findings) => {
                let against: Vec<String> = findings.iter().filter(|one| gate.fails(one)).map(sentence).collect();
                if against.is_empty() {
                    return Outcome::Holds(format!("nothing known of it is at or above {}", gate.as_str()));
                }
                Outcome::Fails(against.join("; "))
            }
        },
        Condition::FixedOutput(wanted) => {
            let is_fixed = facts.info.content_address.is_some();
            let what = if is_fixed { "its content is fixed" } else { "its content is not fixed" };
            if is_fixed == *wanted { Outcome::Holds(what.to_owned()) } else { Outcome::Fails(what.to_owned()) }
        }
        Condition::Name(patterns) => match fitting(patterns, name) {
            Some(pattern) => Outcome::Holds(format!("its name fits {pattern}")),
            None => Outcome::Fails("its name fits none that are allowed".to_owned()),
        },
        Condition::NameNot(patterns) => match fitting(patterns, name) {
            Some(pattern) => Outcome::Fails(format!("its name fits {pattern}")),
            None => Outcome::Holds("its name fits none that are refused".to_owned()),
        },
        Condition::Agreed { builders, at_least } => match facts.builders.agreeing(facts.info) {
            Err(why) => Outcome::Unknown(why),
            Ok(agreeing) => {
                let by: Vec<&str> = agreeing.intersection(builders).map(String::as_str).collect();
                let what = format!("{} of {at_least} builders agree: {}", by.len(), by.join(", "));
                if by.len() >= *at_least { Outcome::Holds(what) } else { Outcome::Fails(what) }
            }
        },
        Condition::Licence(wanted) => licence(wanted, facts),
    }
}

/// Each licence that the SBOM says of the path must be taken; what it does not say nobody knows.
fn licence(wanted: &Licence, facts: &Facts<'_>) -> Outcome {
    let Some(sbom) = facts.sbom else { return Outcome::Unknown("no SBOM was given".to_owned()) };
    let by = format!("the SBOM {}", sbom.digest);
    let said = match sbom.licences(&facts.info.path) {
        None => return Outcome::Unknown(format!("{by} does not name the path")),
        Some([]) => return Outcome::Unknown(format!("{by} says no licence of it")),
        Some(said) => said,
    };
    let (mut taken, mut against) = (Vec::new(), Vec::new());
    for one in said {
        let text = match one {
            Said::Name(name) => {
                return Outcome::Unknown(format!("{by} says `{name}`, which is no licence of the SPDX list"));
            }
            Said::Expression(text) => text,
        };
        match wanted.takes(text) {
            Err(reason) => {
                return Outcome::Unknown(format!("{by} says `{text}`, which is no SPDX expression: {reason}"));
            }
            Ok(true) => taken.push(text.as_str()),
            Ok(false) => against.push(format!("{text} ({} is not taken)", wanted.against(text).join(", "))),
        }
    }
    if against.is_empty() {
        return Outcome::Holds(format!("its licence is {}, as {by} says", taken.join(" and ")));
    }
    Outcome::Fails(format!("its licence is {}, as {by} says", against.join(" and ")))
}

fn fitting<'p>(patterns: &'p [Pattern], name: &str) -> Option<&'p str> {
    patterns.iter().find(|pattern| pattern.fits(name)).map(Pattern::as_str)
}

/// `CVE-2021-3711 (critical) affects openssl 1.1.1g`.
fn sentence(finding: &Finding) -> String {
    let verb = match finding.state {
        aux_core::State::Affected => "affects",
        aux_core::State::Unknown => "may affect",
        aux_core::State::Unreviewed => "may be about",
        aux_core::State::NotAffected | aux_core::State::FixedByPatch => "does not affect",
    };
    let (id, package) = (&finding.id, &finding.package);
    format!("{id} ({}) {verb} {} {}", finding.severity.as_str(), package.name, package.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Builders, NoBuilders, Sbom};
    use aux_nix::NarInfo;

    const INFO: &str = "StorePath: /nix/store/01rwx9dqpbp7r777v319h2acnmqqawp0-openssl-1.1.1g\nURL: nar/x.nar\n\
        Compression: none\nNarHash: sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73\nNarSize: 1\nReferences: \n";

    /// The double at the seam: these say the same.
    #[derive(Debug)]
    struct Agreeing(&'static [&'static str]);

    impl Builders for Agreeing {
        fn agreeing(&self, _info: &NarInfo) -> Result<BTreeSet<String>, String> {
            Ok(self.0.iter().map(|name| (*name).to_owned()).collect())
        }
    }

    fn broken(any: &str, audit: Audited<'_>, builders: &dyn Builders) -> Option<Broken> {
        let policy = Policy::parse(&format!("[[rule]]\nname = \"r\"\nany = [{any}]\n")).unwrap();
        let info = NarInfo::parse(INFO.as_bytes()).unwrap();
        let (evidence, mut broken) = judge(&policy, &Facts { info: &info, audit, builders, sbom: None });
        assert_eq!(evidence.len(), 1);
        broken.pop()
    }

    #[test]
    fn any_condition_is_enough_and_what_nobody_knows_is_no() {
        let none = Audited::Findings(&[]);
        let unknown = Audited::Unknown("there is no feed");
        assert_eq!(broken("{ audit = \"any\" }", none, &NoBuilders), None);
        let told = broken("{ audit = \"any\" }, { fixed-output = true }", unknown, &NoBuilders).unwrap();
        assert_eq!((told.is_unknown, &*told.reason), (true, "there is no feed; its content is not fixed"));
        assert_eq!(broken("{ audit = \"any\" }, { fixed-output = false }", unknown, &NoBuilders), None);
        assert_eq!(broken("{ name = [\"openssl-*\"] }", none, &NoBuilders), None);
        assert_eq!(
            broken("{ name-not = [\"openssl-*\"] }", none, &NoBuilders).unwrap().reason,
            "its name fits openssl-*"
        );
    }

    #[test]
    fn a_licence_is_known_where_an_sbom_says_it_of_the_very_path() {
        let said = |licences: &str| {
            let path = "/nix/store/01rwx9dqpbp7r777v319h2acnmqqawp0-openssl-1.1.1g";
            let text = format!(
                "{{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.6\", \"components\": \
                 [{{\"bom-ref\": \"{path}\", \"licenses\": [{licences}]}}]}}"
            );
            Sbom::parse(&text, "/nix/store").unwrap()
        };
        let policy = "[[rule]]\nname = \"r\"\nany = [{ licence = { allow = [\"MIT\", \"OpenSSL\"] } }]\n";
        let policy = Policy::parse(policy).unwrap();
        let judged = |path: &str, sbom: Option<&Sbom>| {
            let info = NarInfo::parse(INFO.replace("openssl-1.1.1g", path).as_bytes()).unwrap();
            let audit = Audited::Findings(&[]);
            let (evidence, broken) = judge(&policy, &Facts { info: &info, audit, builders: &NoBuilders, sbom });
            (evidence[0].clone(), broken.first().map(|one| one.is_unknown))
        };
        let id = |id: &str| format!("{{\"license\": {{\"id\": \"{id}\"}}}}");
        for (licences, sentence, is_unknown) in [
            (id("OpenSSL"), "r: its licence is OpenSSL, as the SBOM ", None),
            (format!("{}, {}", id("MIT"), id("OpenSSL")), "r: its licence is MIT and OpenSSL, as", None),
            (format!("{}, {}", id("MIT"), id("ISC")), "r: no: its licence is ISC (ISC is not taken), as", Some(false)),
            ("{\"expression\": \"ISC OR MIT\"}".to_owned(), "r: its licence is ISC OR MIT, as", None),
            ("{\"license\": {\"name\": \"MIT\"}}".to_owned(), "r: cannot be told: the SBOM", Some(true)),
            (id("Apache License"), "r: cannot be told: the SBOM", Some(true)),
            (String::new(), "r: cannot be told: the SBOM", Some(true)),
        ] {
            let (evidence, broken) = judged("openssl-1.1.1g", Some(&said(&licences)));
            assert!(evidence.starts_with(sentence) && broken == is_unknown, "{licences}: {evidence}");
        }
        let other = judged("openssl-1.1.1h", Some(&said(&id("MIT"))));
        assert!(other.0.contains("does not name the path") && other.1 == Some(true), "{other:?}");
        assert_eq!(judged("openssl-1.1.1g", None), ("r: cannot be told: no SBOM was given".to_owned(), Some(true)));
    }

    #[test]
    fn builders_agree_when_enough_of_the_named_ones_do() {
        let any = "{ agreed = [\"a\", \"b\", \"c\"], at-least = 2 }";
        let none = Audited::Findings(&[]);
        assert_eq!(broken(any, none, &Agreeing(&["a", "c", "z"])), None);
        assert_eq!(broken(any, none, &Agreeing(&["a", "z"])).unwrap().reason, "1 of 2 builders agree: a");
        assert!(broken(any, none, &NoBuilders).unwrap().is_unknown);
    }
}
