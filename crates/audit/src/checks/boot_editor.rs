//! AUX-C029: editor of the boot menu.

use aux_core::{Configuration, Severity};

use super::judgement::judged;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C029",
    title: "Editor of the boot menu",
    severity: Severity::Medium,
    why: "Who can press a key while the machine starts can add `init=/bin/sh` to the kernel's command line and is root, without any password.",
    seen: "- evaluated: `boot.loader.systemd-boot.editor`, where `systemd-boot` is the boot loader.
- running: `editor` in `/boot/loader/loader.conf` (also below `/efi` and `/boot/efi`); often only root can read it.

Other boot loaders are not looked at.",
    fix: "boot.loader.systemd-boot.editor = false;",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    judged(&configuration.boot.editor, |is_open, how| {
        if *is_open {
            Judgement::Failed(format!("the boot menu lets anybody edit the kernel's command line ({how})"))
        } else {
            Judgement::Passed(format!("the boot menu has no editor ({how})"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(fact: Fact<bool>) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.boot.editor = fact;
        configuration
    }

    #[test]
    fn a_menu_without_an_editor_passes() {
        passed(&CHECK, &with(Fact::seen(false, "x")));
    }

    #[test]
    fn a_menu_with_an_editor_fails() {
        failed(&CHECK, &with(Fact::seen(true, "x")));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        unknown(&CHECK, &with(Fact::unseen("hidden")));
    }
}
