//! AUX-C007: who may do what root may, through the Nix daemon.

use aux_core::{Configuration, Severity};

use super::judgement::{judged, listed};
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C007",
    title: "Users the Nix daemon trusts",
    severity: Severity::High,
    why: "A trusted user may tell the daemon, which is root, where to fetch from and whose signatures to take, and so put any file into \
          the store: it is root by another name, and asks for no password.",
    seen: "- evaluated: `nix.settings.trusted-users`; in older releases `nix.trustedUsers`.\n- running: `trusted-users` in \
           `/etc/nix/nix.conf` and the files it includes; Nix's own default is `root`.",
    fix: "nix.settings.trusted-users = [ \"root\" ];",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    judged(&configuration.nix.trusted_users, |users, how| {
        let others: Vec<String> = users.iter().filter(|user| *user != "root").cloned().collect();
        if others.is_empty() {
            Judgement::Passed(format!("nobody but root is trusted ({how})"))
        } else {
            Judgement::Failed(format!("trusted beside root: {} ({how})", listed(&others)))
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
        configuration.nix.trusted_users = Fact::seen(users.iter().map(|&user| user.to_owned()).collect(), "x");
        configuration
    }

    #[test]
    fn root_alone_passes() {
        passed(&CHECK, &with(&["root"]));
        passed(&CHECK, &with(&[]));
    }

    #[test]
    fn a_group_or_anybody_else_fails() {
        failed(&CHECK, &with(&["root", "@wheel"]));
        failed(&CHECK, &with(&["*"]));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        let mut hidden = Configuration::default();
        hidden.nix.trusted_users = Fact::unseen("hidden");
        unknown(&CHECK, &hidden);
    }
}
