//! AUX-C017: kernel addresses and log.

use aux_core::{Configuration, Severity};

use super::sysctl::at_least;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C017",
    title: "Kernel addresses and log",
    severity: Severity::Low,
    why: "Addresses of the kernel are what an exploit needs to know first; the kernel's log and `/proc/kallsyms` give them to every user.",
    seen: "- evaluated: `kernel.dmesg_restrict`, `kernel.kptr_restrict` in `boot.kernel.sysctl`. What stands nowhere there is the kernel's own default, which a configuration does not show: unknown.
- running: the same below `/proc/sys`.",
    fix: r#"boot.kernel.sysctl = {
  "kernel.dmesg_restrict" = 1;
  "kernel.kptr_restrict" = 2;
};"#,
    judge,
};

/// Each with its least value.
const WANTED: &[(&str, i64)] = &[("kernel.dmesg_restrict", 1), ("kernel.kptr_restrict", 1)];

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    at_least(configuration, WANTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown, with_sysctls};

    #[test]
    fn hidden_addresses_pass() {
        passed(&CHECK, &with_sysctls(WANTED, "1"));
    }

    #[test]
    fn addresses_for_everybody_fail() {
        failed(&CHECK, &with_sysctls(WANTED, "0"));
    }

    #[test]
    fn what_is_not_seen_or_no_number_is_unknown() {
        unknown(&CHECK, &with_sysctls(WANTED, ""));
        unknown(&CHECK, &with_sysctls(WANTED, "much"));
    }
}
