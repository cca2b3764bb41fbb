//! AUX-C001: secure boot.

use aux_core::configuration::SecureBoot;
use aux_core::{Configuration, Severity};

use super::judgement::judged;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C001",
    title: "Secure boot",
    severity: Severity::High,
    why: "Without it whoever can write to the boot partition, or boots from a stick, decides which kernel runs, and everything that \
          kernel is asked to protect, an encrypted disk included, is theirs at the next start.",
    seen: "- evaluated: whether something signs what is booted (`boot.lanzaboote.enable`, `boot.loader.limine.secureBoot.enable`). \
           Signing alone proves nothing: whether the firmware asks for signatures is not in a configuration, so this is *unknown* \
           where something signs and *failed* where nothing does.\n- running: the firmware's variables `SecureBoot` and `SetupMode` \
           under `/sys/firmware/efi/efivars`. They say what the firmware reports; a firmware that lies is believed.\n\nContainers \
           have no firmware of their own and are passed over.",
    fix: "# With github:nix-community/lanzaboote as an input, and keys made by
# `sbctl create-keys`:
boot.loader.systemd-boot.enable = lib.mkForce false;
boot.lanzaboote = {
  enable = true;
  pkiBundle = \"/var/lib/sbctl\";
};
# Then enrol the keys (`sbctl enroll-keys`), and turn secure boot on in
# the firmware.",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    judged(&configuration.boot.secure_boot, |state, how| match state {
        SecureBoot::Enforced => Judgement::Passed(format!("the firmware enforces secure boot ({how})")),
        SecureBoot::Off => Judgement::Failed(format!("secure boot is off ({how})")),
        SecureBoot::SignedOnly => Judgement::Unknown(format!(
            "what is booted gets signed ({how}), but whether the firmware asks for it is not in a configuration"
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(fact: Fact<SecureBoot>) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.boot.secure_boot = fact;
        configuration
    }

    #[test]
    fn secure_boot_that_is_enforced_passes() {
        passed(&CHECK, &with(Fact::seen(SecureBoot::Enforced, "x")));
    }

    #[test]
    fn secure_boot_that_is_off_fails() {
        failed(&CHECK, &with(Fact::seen(SecureBoot::Off, "x")));
    }

    #[test]
    fn signing_alone_and_hidden_firmware_are_unknown() {
        unknown(&CHECK, &with(Fact::seen(SecureBoot::SignedOnly, "x")));
        unknown(&CHECK, &with(Fact::unseen("hidden")));
    }
}
