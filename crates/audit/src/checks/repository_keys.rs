//! AUX-C014: private keys in the repository.

use aux_core::{Configuration, Severity};

use super::judgement::none_of;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C014",
    title: "Private keys in the repository",
    severity: Severity::Critical,
    why: "A private key in a repository is in every clone, every fork and every backup of it, also after it was removed; and a flake is copied into the store as a whole.",
    seen: "- repository: files of the folder that hold a private key in PEM or OpenSSH form without a passphrase, or an age identity. Links are not followed, and `.git` is not looked into, so a key that only stands in the history is not seen. A PEM key that says it is encrypted, and a file that begins as one of age, sops or git-crypt, is not reported. Whether an OpenSSH key has a passphrase is read from its header.",
    fix: "# Make a new key, trust the old one no longer, and keep the new one out
# of the repository, or in it encrypted:
age.secrets.host-key.file = ./host-key.age;",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    none_of(&configuration.secrets.in_repository, "no private key was found", "private keys lie open in the repository")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(fact: Fact<Vec<String>>) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.secrets.in_repository = fact;
        configuration
    }

    #[test]
    fn a_folder_without_keys_passes() {
        passed(&CHECK, &with(Fact::seen(Vec::new(), "x")));
    }

    #[test]
    fn a_private_key_fails() {
        failed(&CHECK, &with(Fact::seen(vec!["keys/id".to_owned()], "x")));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        unknown(&CHECK, &with(Fact::unseen("hidden")));
    }
}
