//! AUX-C018: tracing and BPF for users.

use aux_core::{Configuration, Severity};

use super::sysctl::at_least;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C018",
    title: "Tracing and BPF for users",
    severity: Severity::Medium,
    why: "A user who may trace other processes reads the secrets of every program they run; BPF for users has been the way to root time and again.",
    seen: "- evaluated: `kernel.yama.ptrace_scope`, `kernel.unprivileged_bpf_disabled`, `net.core.bpf_jit_harden` in `boot.kernel.sysctl`. What stands nowhere there is the kernel's own default, which a configuration does not show: unknown.
- running: the same below `/proc/sys`.",
    fix: r#"boot.kernel.sysctl = {
  "kernel.yama.ptrace_scope" = 1;
  "kernel.unprivileged_bpf_disabled" = 1;
  "net.core.bpf_jit_harden" = 2;
};"#,
    judge,
};

/// Each with its least value.
const WANTED: &[(&str, i64)] =
    &[("kernel.yama.ptrace_scope", 1), ("kernel.unprivileged_bpf_disabled", 1), ("net.core.bpf_jit_harden", 1)];

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    at_least(configuration, WANTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown, with_sysctls};

    #[test]
    fn restricted_tracing_passes() {
        passed(&CHECK, &with_sysctls(WANTED, "1"));
    }

    #[test]
    fn tracing_for_everybody_fails() {
        failed(&CHECK, &with_sysctls(WANTED, "0"));
    }

    #[test]
    fn what_is_not_seen_or_no_number_is_unknown() {
        unknown(&CHECK, &with_sysctls(WANTED, ""));
        unknown(&CHECK, &with_sysctls(WANTED, "much"));
    }
}
