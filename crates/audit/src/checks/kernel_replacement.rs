//! AUX-C020: replacing the running kernel.

use aux_core::{Configuration, Severity};

use super::sysctl::at_least;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C020",
    title: "Replacing the running kernel",
    severity: Severity::Medium,
    why: "With `kexec` root starts another kernel under the running one; whatever secure boot proved about the first is then void.",
    seen: "- evaluated: `kernel.kexec_load_disabled` in `boot.kernel.sysctl`. What stands nowhere there is the kernel's own default, which a configuration does not show: unknown.
- running: the same below `/proc/sys`.",
    fix: r#"security.protectKernelImage = true;
# or alone:
boot.kernel.sysctl."kernel.kexec_load_disabled" = 1;"#,
    judge,
};

/// Each with its least value.
const WANTED: &[(&str, i64)] = &[("kernel.kexec_load_disabled", 1)];

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    at_least(configuration, WANTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown, with_sysctls};

    #[test]
    fn a_kernel_that_stays_passes() {
        passed(&CHECK, &with_sysctls(WANTED, "1"));
    }

    #[test]
    fn a_kernel_that_can_be_replaced_fails() {
        failed(&CHECK, &with_sysctls(WANTED, "0"));
    }

    #[test]
    fn what_is_not_seen_or_no_number_is_unknown() {
        unknown(&CHECK, &with_sysctls(WANTED, ""));
        unknown(&CHECK, &with_sysctls(WANTED, "much"));
    }
}
