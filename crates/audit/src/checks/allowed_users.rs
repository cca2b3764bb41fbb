//! AUX-C008: who may speak to the Nix daemon at all.

use aux_core::{Configuration, Severity};

use super::judgement::{judged, listed};
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C008",
    title: "Users the Nix daemon serves",
    severity: Severity::Low,
    why: "Every account that may speak to the daemon, those of services included, can build and fetch, fill the disk, and reach a \
          program that is root. A web server has no need to.",
    seen: "- evaluated: `nix.settings.allowed-users`; in older releases `nix.allowedUsers`.\n- running: `allowed-users` in \
           `/etc/nix/nix.conf` and the files it includes; Nix's own default is `*`, everybody.",
    fix: "nix.settings.allowed-users = [ \"@wheel\" ];",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    judged(&configuration.nix.allowed_users, |users, how| {
        if users.iter().any(|user| user == "*") {
            Judgement::Failed(format!("everybody may speak to the daemon ({how})"))
        } else {
            let users = if users.is_empty() { "root alone".to_owned() } else { listed(users) };
            Judgement::Passed(format!("served are {users} ({how})"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(users: &[&str]) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.nix.allowed_users = Fact::seen(users.iter().map(|&user| user.to_owned()).collect(), "x");
        configuration
    }

    #[test]
    fn a_group_passes() {
        passed(&CHECK, &with(&["@wheel"]));
        passed(&CHECK, &with(&[]));
    }

    #[test]
    fn everybody_fails() {
        failed(&CHECK, &with(&["@wheel", "*"]));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        let mut hidden = Configuration::default();
        hidden.nix.allowed_users = Fact::unseen("hidden");
        unknown(&CHECK, &hidden);
    }
}
