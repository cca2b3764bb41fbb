//! AUX-C012: the sandbox of builds.

use aux_core::{Configuration, Severity};

use super::judgement::judged;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C012",
    title: "Sandbox of builds",
    severity: Severity::Medium,
    why: "A build runs other people's scripts. Without a sandbox they see the network and every file their user may read, and what they \
          make depends on it.",
    seen: "- evaluated: `nix.settings.sandbox`; in older releases `nix.useSandbox`.\n- running: `sandbox` in `/etc/nix/nix.conf` and the \
           files it includes; Nix's own default on Linux is `true`.\n\n`relaxed` fails: a derivation may then leave the sandbox by \
           asking for it.",
    fix: "nix.settings.sandbox = true;",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    judged(&configuration.nix.sandbox, |sandbox, how| match sandbox.as_str() {
        "true" => Judgement::Passed(format!("builds run in a sandbox ({how})")),
        "false" => Judgement::Failed(format!("builds run without a sandbox ({how})")),
        "relaxed" => Judgement::Failed(format!("the sandbox is relaxed: a derivation may leave it ({how})")),
        other => Judgement::Unknown(format!("`{other}` is no known value ({how})")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(value: &str) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.nix.sandbox = Fact::seen(value.to_owned(), "x");
        configuration
    }

    #[test]
    fn a_sandbox_passes() {
        passed(&CHECK, &with("true"));
    }

    #[test]
    fn none_and_a_relaxed_one_fail() {
        failed(&CHECK, &with("false"));
        failed(&CHECK, &with("relaxed"));
    }

    #[test]
    fn what_is_not_seen_or_not_known_is_unknown() {
        unknown(&CHECK, &with("perhaps"));
        let mut hidden = Configuration::default();
        hidden.nix.sandbox = Fact::unseen("hidden");
        unknown(&CHECK, &hidden);
    }
}
