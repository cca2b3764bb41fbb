//! AUX-C013: secrets in the store.

use aux_core::{Configuration, Severity};

use super::judgement::none_of;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C013",
    title: "Secrets in the store",
    severity: Severity::High,
    why: "Everything in the store can be read by every user, every build and every service of the machine, is copied to caches, and stays until it is collected.",
    seen: "- evaluated: passwords of users (`password`, `initialPassword`, and the hashes `hashedPassword`, `initialHashedPassword`, which can be guessed at leisure), keys of `networking.wireless`, `wireguard` and `wg-quick`, secret files that lie in the store (`hashedPasswordFile`, `privateKeyFile`, keys of the SSH server), and variables of services whose names end in `PASSWORD`, `SECRET`, `TOKEN` or `API_KEY`.
- running: files below `/etc` that lead into the store and hold a private key.

Only places are reported, never what stands there. A secret that a module of your own writes into the store is seen in the running system only, and only where it is a private key in PEM or OpenSSH form.",
    fix: r#"# A file that only root can read takes the place of the secret.
users.users.alice.hashedPasswordFile = "/run/secrets/alice-password";
networking.wireguard.interfaces.wg0.privateKeyFile =
  "/run/secrets/wg0";"#,
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    none_of(&configuration.secrets.in_store, "no secret was found in the store", "secrets stand in the store")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(fact: Fact<Vec<String>>) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.secrets.in_store = fact;
        configuration
    }

    #[test]
    fn a_store_without_secrets_passes() {
        passed(&CHECK, &with(Fact::seen(Vec::new(), "x")));
    }

    #[test]
    fn a_secret_in_the_store_fails() {
        failed(&CHECK, &with(Fact::seen(vec!["users.users.a.password".to_owned()], "x")));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        unknown(&CHECK, &with(Fact::unseen("hidden")));
    }
}
