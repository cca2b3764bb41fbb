//! AUX-C016: lockdown of the kernel.

use aux_core::{Configuration, Severity};

use super::judgement::judged;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C016",
    title: "Kernel lockdown",
    severity: Severity::Medium,
    why: "Without lockdown root can change the running kernel: through its memory, unsigned modules, or tables of the firmware. Secure \
          boot then proves what was started, and not what runs.",
    seen: "- evaluated: `lockdown=` in `boot.kernelParams`. A kernel that was built to lock itself down is not seen.\n- running: the mode \
           in brackets in `/sys/kernel/security/lockdown`. Where `securityfs` is mounted and has no such file, the kernel has no lockdown.",
    fix: "boot.kernelParams = [ \"lockdown=integrity\" ];",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    judged(&configuration.kernel.lockdown, |mode, how| match mode.as_str() {
        "integrity" | "confidentiality" => Judgement::Passed(format!("the kernel's lockdown is `{mode}` ({how})")),
        "none" => Judgement::Failed(format!("the kernel is not locked down ({how})")),
        other => Judgement::Unknown(format!("`{other}` is no known mode ({how})")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(mode: &str) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.kernel.lockdown = Fact::seen(mode.to_owned(), "x");
        configuration
    }

    #[test]
    fn either_mode_passes() {
        passed(&CHECK, &with("integrity"));
        passed(&CHECK, &with("confidentiality"));
    }

    #[test]
    fn none_fails() {
        failed(&CHECK, &with("none"));
    }

    #[test]
    fn what_is_not_seen_or_not_known_is_unknown() {
        unknown(&CHECK, &with("perhaps"));
        let mut hidden = Configuration::default();
        hidden.kernel.lockdown = Fact::unseen("hidden");
        unknown(&CHECK, &hidden);
    }
}
