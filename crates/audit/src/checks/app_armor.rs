//! AUX-C003: whether `AppArmor` is on.

use aux_core::{Configuration, Severity};

use super::judgement::switched_on;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C003",
    title: "AppArmor",
    severity: Severity::Medium,
    why: "A program that is taken over does what its user may do. AppArmor's profiles narrow that to what the program needs, for root's programs too.",
    seen: "- evaluated: `security.apparmor.enable`.
- running: `/sys/module/apparmor/parameters/enabled` and `/sys/kernel/security/lsm`.

Which profiles are loaded and enforced is not looked at: a pass says that AppArmor is on, not that it confines a given program.",
    fix: "security.apparmor.enable = true;",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    switched_on(&configuration.kernel.app_armor, "AppArmor is on", "AppArmor is off")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(fact: Fact<bool>) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.kernel.app_armor = fact;
        configuration
    }

    #[test]
    fn app_armor_that_is_on_passes() {
        passed(&CHECK, &with(Fact::seen(true, "x")));
    }

    #[test]
    fn app_armor_that_is_off_fails() {
        failed(&CHECK, &with(Fact::seen(false, "x")));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        unknown(&CHECK, &with(Fact::unseen("hidden")));
    }
}
