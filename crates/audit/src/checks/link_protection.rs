//! AUX-C019: links and pipes in shared folders.

use aux_core::{Configuration, Severity};

use super::sysctl::at_least;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C019",
    title: "Links and pipes in shared folders",
    severity: Severity::Medium,
    why: "A service that opens a file in `/tmp` can be led elsewhere by a link or a pipe that another user put there first.",
    seen: "- evaluated: `fs.protected_symlinks`, `fs.protected_hardlinks`, `fs.protected_fifos`, `fs.protected_regular` in `boot.kernel.sysctl`. What stands nowhere there is the kernel's own default, which a configuration does not show: unknown.
- running: the same below `/proc/sys`.",
    fix: r#"boot.kernel.sysctl = {
  "fs.protected_symlinks" = 1;
  "fs.protected_hardlinks" = 1;
  "fs.protected_fifos" = 1;
  "fs.protected_regular" = 1;
};"#,
    judge,
};

/// Each with its least value.
const WANTED: &[(&str, i64)] = &[
    ("fs.protected_symlinks", 1),
    ("fs.protected_hardlinks", 1),
    ("fs.protected_fifos", 1),
    ("fs.protected_regular", 1),
];

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    at_least(configuration, WANTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown, with_sysctls};

    #[test]
    fn protected_links_pass() {
        passed(&CHECK, &with_sysctls(WANTED, "1"));
    }

    #[test]
    fn open_links_fail() {
        failed(&CHECK, &with_sysctls(WANTED, "0"));
    }

    #[test]
    fn what_is_not_seen_or_no_number_is_unknown() {
        unknown(&CHECK, &with_sysctls(WANTED, ""));
        unknown(&CHECK, &with_sysctls(WANTED, "much"));
    }
}
