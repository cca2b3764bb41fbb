//! AUX-C002: whose the keys of secure boot are.

use aux_core::configuration::PlatformKey;
use aux_core::{Configuration, Severity};

use super::judgement::judged;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C002",
    title: "Owner of the secure boot keys",
    severity: Severity::High,
    why: "The platform key decides which other keys the firmware trusts. Where there is none, anybody who boots the machine may enrol \
          one; where it is a maker's example key, its private half has been public for years; where it is the vendor's, the vendor \
          decides what may boot.",
    seen: "- evaluated: nothing; keys lie in the firmware.\n- running: `SetupMode` and the certificates in `PK` under \
           `/sys/firmware/efi/efivars`. *Failed*: setup mode, no key, or an example key by its name (`DO NOT TRUST`, `DO NOT SHIP`). \
           *Passed*: the very certificate lies among this machine's own keys, in `/var/lib/sbctl/keys/PK` or `/etc/secureboot/keys/PK`. \
           *Unknown*: any other certificate. Its name is shown, but a name does not tell who holds the private half.\n\nWhat else \
           the firmware trusts (`KEK`, `db`) is not judged.",
    fix: "# Keys of your own, made and enrolled once, on the machine:
#   sbctl create-keys && sbctl enroll-keys --microsoft
boot.lanzaboote.pkiBundle = \"/var/lib/sbctl\";",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    judged(&configuration.boot.platform_key, |key, how| match key {
        PlatformKey::Absent => {
            Judgement::Failed(format!("the firmware is in setup mode: anybody may enrol a key ({how})"))
        }
        PlatformKey::Test(name) => Judgement::Failed(format!(
            "the platform key is the example key `{name}`, whose private half is public ({how})"
        )),
        PlatformKey::Own(path) => Judgement::Passed(format!("the platform key is this machine's own, {path} ({how})")),
        PlatformKey::Named(name) => Judgement::Unknown(format!(
            "the platform key is `{name}`, and who holds its private half cannot be seen ({how})"
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(key: PlatformKey) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.boot.platform_key = Fact::seen(key, "x");
        configuration
    }

    #[test]
    fn a_key_of_ones_own_passes() {
        passed(&CHECK, &with(PlatformKey::Own("/var/lib/sbctl/keys/PK/PK.pem".to_owned())));
    }

    #[test]
    fn setup_mode_and_example_keys_fail() {
        failed(&CHECK, &with(PlatformKey::Absent));
        failed(&CHECK, &with(PlatformKey::Test("DO NOT TRUST - AMI Test PK".to_owned())));
    }

    #[test]
    fn a_name_proves_no_ownership_and_hidden_firmware_nothing_at_all() {
        unknown(&CHECK, &with(PlatformKey::Named("Acme Platform Key".to_owned())));
        let mut hidden = Configuration::default();
        hidden.boot.platform_key = Fact::unseen("hidden");
        unknown(&CHECK, &hidden);
    }
}
