//! AUX-C027: root without a password.

use aux_core::{Configuration, Severity};

use super::judgement::none_of;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C027",
    title: "Root without a password",
    severity: Severity::Medium,
    why: "Whoever takes over an account that becomes root without a password has taken over the machine, and no prompt will tell its owner.",
    seen: "- evaluated: `security.sudo`, `security.sudo-rs` and `security.doas`: `wheelNeedsPassword`, and rules with `NOPASSWD` or `noPass` for root as target.
- running: `/etc/sudoers`, `/etc/sudoers.d` and `/etc/doas.conf`, where they can be read; mostly root alone can.

Policies of polkit, which `run0` and `pkexec` ask, are not looked at.",
    fix: "security.sudo.wheelNeedsPassword = true;
security.doas.wheelNeedsPassword = true;",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    none_of(&configuration.accounts.password_free_root, "root needs a password", "root without a password")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(fact: Fact<Vec<String>>) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.accounts.password_free_root = fact;
        configuration
    }

    #[test]
    fn asking_for_a_password_passes() {
        passed(&CHECK, &with(Fact::seen(Vec::new(), "x")));
    }

    #[test]
    fn no_password_fails() {
        failed(&CHECK, &with(Fact::seen(vec!["wheel".to_owned()], "x")));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        unknown(&CHECK, &with(Fact::unseen("hidden")));
    }
}
