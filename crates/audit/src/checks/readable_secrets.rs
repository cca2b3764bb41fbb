//! AUX-C015: secrets that everybody can read.

use aux_core::{Configuration, Severity};

use super::judgement::none_of;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C015",
    title: "Secrets that everybody can read",
    severity: Severity::High,
    why: "A key that every user can read is every user's key, and so is one that any service can read once somebody speaks through it.",
    seen: "- evaluated: `mode` of the secrets of agenix and sops-nix.
- running: permissions of host keys and of users' own SSH keys, of `/etc/shadow`, WireGuard and Nix keys, secure boot keys, ACME keys, and of everything below `/run/secrets`, `/run/agenix`, `/run/keys`, `/etc/secrets` and `/var/lib/secrets`. A file counts where its mode and that of every folder above it let others in. Access control lists are not looked at, and secrets elsewhere are not known.",
    fix: r#"age.secrets.wg0.mode = "0400";      # agenix
sops.secrets.wg0.mode = "0400";     # sops-nix"#,
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    none_of(
        &configuration.secrets.readable,
        "no secret that was looked at can be read by everybody",
        "everybody can read",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(fact: Fact<Vec<String>>) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.secrets.readable = fact;
        configuration
    }

    #[test]
    fn secrets_of_their_owner_pass() {
        passed(&CHECK, &with(Fact::seen(Vec::new(), "x")));
    }

    #[test]
    fn a_secret_for_everybody_fails() {
        failed(&CHECK, &with(Fact::seen(vec!["/etc/ssh/ssh_host_rsa_key".to_owned()], "x")));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        unknown(&CHECK, &with(Fact::unseen("hidden")));
    }
}
