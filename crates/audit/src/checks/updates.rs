//! AUX-C026: updates that come by themselves.

use aux_core::{Configuration, Severity};

use super::judgement::judged;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C026",
    title: "Updates without a person",
    severity: Severity::Low,
    why: "A fix helps once it is installed. Machines that wait for somebody to remember them wait long.",
    seen: "- evaluated: `system.autoUpgrade.enable`, `services.comin.enable`.\n- running: `nixos-upgrade.timer` and `comin.service` below \
           `/etc/systemd/system`.\n\nA job elsewhere that deploys to this machine is not seen from here; waive the check where there is one.",
    fix: "system.autoUpgrade = {
  enable = true;
  flake = \"github:example/fleet\";
  dates = \"daily\";
  randomizedDelaySec = \"45min\";
};",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    judged(&configuration.updates, |updates, how| match updates {
        Some(name) => Judgement::Passed(format!("{name} installs updates ({how})")),
        None => Judgement::Failed(format!("nothing here installs updates by itself ({how})")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(updates: Fact<Option<String>>) -> Configuration {
        Configuration { updates, ..Configuration::default() }
    }

    #[test]
    fn automatic_updates_pass() {
        passed(&CHECK, &with(Fact::seen(Some("system.autoUpgrade".to_owned()), "x")));
    }

    #[test]
    fn none_fails() {
        failed(&CHECK, &with(Fact::seen(None, "x")));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        unknown(&CHECK, &with(Fact::unseen("hidden")));
    }
}
