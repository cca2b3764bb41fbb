//! A policy as people write it.

use std::collections::BTreeSet;

use aux_audit::Gate;
use aux_core::limits::CACHE_POLICY_BYTES_MAX;
use aux_nix::BaseName;
use aux_nix::signature::PublicKey;
use serde::Deserialize;

use super::{Condition, FEED_AGE_DAYS_MAX, Licence, Policy, Rule, WhenAffected};
use crate::names::{Pattern, label};

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("a policy has at most {CACHE_POLICY_BYTES_MAX} bytes (CACHE_POLICY_BYTES_MAX)")]
    TooLarge,
    #[error("policy:{line}: {message}")]
    Syntax { line: usize, message: String },
    #[error("rule {rule}: {message}")]
    Rule { rule: String, message: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Document {
    #[serde(default)]
    rule: Vec<RuleText>,
    when_affected: Option<WhenAffected>,
    feed_age_days_max: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    name: String,
    any: Vec<ConditionText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ConditionText {
    signed_by: Option<Vec<String>>,
    listed: Option<Vec<String>>,
    audit: Option<String>,
    fixed_output: Option<bool>,
    name: Option<Vec<String>>,
    name_not: Option<Vec<String>>,
    agreed: Option<Vec<String>>,
    licence: Option<LicenceText>,
    at_least: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LicenceText {
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
}

pub(super) fn parse(text: &str) -> Result<Policy, PolicyError> {
    if text.len() > CACHE_POLICY_BYTES_MAX {
        return Err(PolicyError::TooLarge);
    }
    let document: Document = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| aux_core::line_of(text, span.start));
        PolicyError::Syntax { line, message: error.message().to_owned() }
    })?;
    let mut names = BTreeSet::new();
    let mut rules = Vec::new();
    for rule in document.rule {
        let failed = |message: String| PolicyError::Rule { rule: format!("`{}`", rule.name), message };
        let name =
            label(&rule.name).ok_or_else(|| failed("its name is not one line of 1 to 200 characters".to_owned()))?;
        if !names.insert(name.clone()) {
            return Err(failed("another rule has this name".to_owned()));
        }
        if rule.any.is_empty() {
            return Err(failed("`any` is empty, so that it could never hold".to_owned()));
        }
        let any: Vec<Condition> = rule.any.into_iter().map(condition).collect::<Result<_, _>>().map_err(&failed)?;
        let has = |what: fn(&Condition) -> bool| any.iter().any(what);
        if has(|one| matches!(one, Condition::Audit(_))) && has(|one| matches!(one, Condition::Licence(_))) {
            // A new feed has it judged again, and no SBOM is at hand then.
            return Err(failed("`audit` and `licence` stand in rules of their own".to_owned()));
        }
        rules.push(Rule { name, any });
    }
    Ok(Policy {
        rules,
        when_affected: document.when_affected.unwrap_or(WhenAffected::Flag),
        feed_age_days_max: document.feed_age_days_max.unwrap_or(FEED_AGE_DAYS_MAX),
    })
}

fn condition(text: ConditionText) -> Result<Condition, String> {
    let ConditionText { signed_by, listed, audit, fixed_output, name, name_not, agreed, licence, at_least } = text;
    let at_least_of = |count: usize| match at_least.unwrap_or(1) {
        0 => Err("`at-least` is 0, so that it would always hold".to_owned()),
        number if number > count => Err(format!("`at-least` is {number}, and only {count} are named")),
        number => Ok(number),
    };
    let mut found = Vec::new();
    if let Some(keys) = signed_by {
        let keys = keys.iter().map(|key| PublicKey::parse(key).map_err(|error| format!("`{key}`: {error}")));
        let keys = keys.collect::<Result<BTreeSet<_>, _>>()?;
        found.push(Condition::SignedBy { at_least: at_least_of(keys.len())?, keys: keys.into_iter().collect() });
    }
    if let Some(paths) = listed {
        let base = |path: &String| BaseName::parse(path.rsplit('/').next().unwrap_or(path));
        let paths = paths.iter().map(|path| base(path).map_err(|error| error.to_string()));
        found.push(Condition::Listed(paths.collect::<Result<_, _>>()?));
    }
    if let Some(words) = audit {
        found.push(Condition::Audit(Gate::read(&words).map_err(|error| error.to_string())?));
    }
    found.extend(fixed_output.map(Condition::FixedOutput));
    found.extend(name.map(|names| patterns(&names)).transpose()?.map(Condition::Name));
    found.extend(name_not.map(|names| patterns(&names)).transpose()?.map(Condition::NameNot));
    if let Some(builders) = agreed {
        let builders: BTreeSet<String> = builders.into_iter().collect();
        found.push(Condition::Agreed { at_least: at_least_of(builders.len())?, builders });
    }
    let licence = licence.map(|lists| Licence::new(lists.allow.as_deref(), lists.deny.as_deref()));
    found.extend(licence.transpose()?.map(Condition::Licence));
    let counts = matches!(found.first(), Some(Condition::SignedBy { .. } | Condition::Agreed { .. }));
    match (found.pop(), found.is_empty()) {
        (Some(_), true) if at_least.is_some() && !counts => {
            Err("`at-least` stands beside `signed-by` or `agreed` only".to_owned())
        }
        (Some(condition), true) => Ok(condition),
        _ => {
            Err("each condition names exactly one of signed-by, listed, audit, fixed-output, name, name-not, agreed, \
                  licence"
                .to_owned())
        }
    }
}

fn patterns(texts: &[String]) -> Result<Vec<Pattern>, String> {
    texts
        .iter()
        .map(|text| Pattern::parse(text).ok_or_else(|| format!("`{text}` is no pattern of store names")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_says_what_it_wants() {
        let policy = Policy::parse(
            r#"
            when-affected = "withdraw"
            [[rule]]
            name = "origin"
            any = [
              { signed-by = ["cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="] },
              { fixed-output = true },
            ]
            [[rule]]
            name = "no critical"
            any = [{ audit = "severity:critical" }]
            "#,
        )
        .unwrap();
        assert_eq!((policy.rules.len(), policy.when_affected), (2, WhenAffected::Withdraw));
        assert_eq!(policy.audited().rules[0].name, "no critical");
        assert_eq!(Policy::parse("").unwrap().rules, []);
    }

    #[test]
    fn what_could_not_mean_what_somebody_thinks_is_refused() {
        let rule = |any: &str| format!("[[rule]]\nname = \"r\"\nany = [{any}]\n");
        for (text, message) in [
            ("rules = 1".to_owned(), "policy:1: unknown field `rules`"),
            ("\n\n[[rule]]\nname = 3".to_owned(), "policy:4: invalid type"),
            (rule(""), "`any` is empty"),
            (rule("{}"), "names exactly one"),
            (rule("{ fixed-output = true, audit = \"any\" }"), "names exactly one"),
            (rule("{ audit = \"severe\" }"), "`severe` is not a gate word"),
            (rule("{ signed-by = [\"x\"] }"), "`x`: there is no `:`"),
            (rule("{ signed-by = [], at-least = 1 }"), "only 0 are named"),
            (rule("{ agreed = [\"a\"], at-least = 0 }"), "would always hold"),
            (rule("{ audit = \"any\", at-least = 1 }"), "`at-least` stands beside"),
            (rule("{ name = [\"a b\"] }"), "no pattern"),
            (rule("{ licence = {} }"), "neither `allow` nor `deny`"),
            (rule("{ licence = { allow = [\"Expat\"] } }"), "`Expat` is no licence of the SPDX list"),
            (rule("{ licence = { allows = [\"MIT\"] } }"), "unknown field `allows`"),
            (rule("{ licence = { deny = [\"MIT\"] } }, { audit = \"any\" }"), "in rules of their own"),
            (rule("{ listed = [\"x\"] }"), "`x` does not begin"),
            (rule("{ fixed-output = true }") + &rule("{ fixed-output = true }"), "another rule has this name"),
        ] {
            let error = Policy::parse(&text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
