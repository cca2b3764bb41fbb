//! AUX-C004: firewall.

use aux_core::{Configuration, Severity};

use super::judgement::switched_on;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C004",
    title: "Firewall",
    severity: Severity::High,
    why: "Every service that listens is open to everybody who can reach the machine, also those that somebody started for a moment or that a package brought along.",
    seen: "- evaluated: `networking.firewall.enable`; a ruleset of one's own (`networking.nftables.ruleset`, `services.firewalld.enable`) counts too.
- running: whether systemd holds `firewall.service`, `nftables.service` or `firewalld.service` for active.

The rules themselves are not read, which ports are open is not judged, and a packet filter outside the machine is not seen.",
    fix: "networking.firewall.enable = true;",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    switched_on(&configuration.network.firewall, "a firewall is on", "no firewall is on")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(fact: Fact<bool>) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.network.firewall = fact;
        configuration
    }

    #[test]
    fn a_firewall_passes() {
        passed(&CHECK, &with(Fact::seen(true, "x")));
    }

    #[test]
    fn no_firewall_fails() {
        failed(&CHECK, &with(Fact::seen(false, "x")));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        unknown(&CHECK, &with(Fact::unseen("hidden")));
    }
}
