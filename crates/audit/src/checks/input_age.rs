//! AUX-C023: locked inputs that are old.

use aux_core::{Configuration, FlakeInput, Severity};

use super::judgement::{judged, listed};
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C023",
    title: "Age of the locked inputs",
    severity: Severity::Medium,
    why: "A lock stands still while fixes appear. An input that nobody has updated for weeks lacks every fix since, also those no \
          scanner knows by name.",
    seen: "- repository: `lastModified` of the inputs in `flake.lock`, against the day the audit is judged at. *Failed* is an input older \
           than `input_age_days` in `aux.toml`, 30 where nothing is set. Inputs of inputs count only where they are called `nixpkgs`: \
           those are what programs are built from. An input without a date (a plain file, an archive) leaves the rest undecided.\n\nHow \
           often the input itself changes is not known: a library that is finished stays old.",
    fix: "# nix flake update, then commit flake.lock; or let a job propose it:
#   aux audit . --since HEAD shows what an update fixes",
    judge,
};

const DAY_SECONDS: i64 = 24 * 60 * 60;

fn judge(configuration: &Configuration, terms: &Terms) -> Option<Judgement> {
    judged(&configuration.inputs.locked, |inputs, how| {
        let (mut old, mut dateless, mut oldest) = (Vec::new(), Vec::new(), None);
        for input in inputs.iter().filter(|input| counts(input)) {
            match input.last_modified {
                None => dateless.push(input.name.clone()),
                Some(moment) => {
                    let days = terms.now.as_second().saturating_sub(moment.as_second()) / DAY_SECONDS;
                    oldest = oldest.max(Some(days));
                    if days > i64::from(terms.input_age_days) {
                        old.push(format!("{} ({days} days)", input.name));
                    }
                }
            }
        }
        let limit = terms.input_age_days;
        match (old.is_empty(), dateless.is_empty(), oldest) {
            (false, ..) => Judgement::Failed(format!("older than {limit} days: {} ({how})", listed(&old))),
            (_, false, _) => Judgement::Unknown(format!("without a date: {} ({how})", listed(&dateless))),
            (.., Some(days)) => Judgement::Passed(format!("the oldest input is {} days old ({how})", days.max(0))),
            (.., None) => Judgement::Passed(format!("there are no inputs ({how})")),
        }
    })
}

fn counts(input: &FlakeInput) -> bool {
    let last = input.name.rsplit('/').next().unwrap_or(&input.name);
    input.follows.is_none() && (last == input.name || last == "nixpkgs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(inputs: &[(&str, Option<&str>)]) -> Configuration {
        let input = |(name, moment): &(&str, Option<&str>)| FlakeInput {
            name: (*name).to_owned(),
            follows: None,
            source: "x".to_owned(),
            branch: None,
            revision: None,
            last_modified: moment.map(|moment| moment.parse().unwrap()),
        };
        let mut configuration = Configuration::default();
        configuration.inputs.locked = Fact::seen(inputs.iter().map(input).collect(), "x");
        configuration
    }

    #[test]
    fn young_inputs_and_old_ones_of_others_pass() {
        let young = ("nixpkgs", Some("2024-06-20T00:00:00Z"));
        passed(&CHECK, &with(&[young, ("tool/systems", Some("2020-01-01T00:00:00Z"))]));
        passed(&CHECK, &with(&[]));
    }

    #[test]
    fn an_old_input_fails_and_so_does_an_inputs_old_nixpkgs() {
        failed(&CHECK, &with(&[("nixpkgs", Some("2024-05-01T00:00:00Z")), ("file", None)]));
        failed(&CHECK, &with(&[("tool/nixpkgs", Some("2020-01-01T00:00:00Z"))]));
    }

    #[test]
    fn an_input_without_a_date_is_unknown() {
        unknown(&CHECK, &with(&[("nixpkgs", Some("2024-06-20T00:00:00Z")), ("file", None)]));
        let mut hidden = Configuration::default();
        hidden.inputs.locked = Fact::unseen("hidden");
        unknown(&CHECK, &hidden);
    }
}
