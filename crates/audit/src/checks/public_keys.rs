//! AUX-C011: whose signatures on store paths are taken.

use aux_core::{Configuration, Severity};

use super::judgement::{judged, listed};
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C011",
    title: "Cache keys outside the allowed list",
    severity: Severity::High,
    why: "Whoever holds one of these keys can put any program under any name into this machine's store. A key that nobody remembers \
          adding is a door that nobody watches.",
    seen: "- evaluated: `nix.settings.trusted-public-keys` and `extra-trusted-public-keys`; in older releases \
           `nix.binaryCachePublicKeys`.\n- running: the same words in `/etc/nix/nix.conf` and the files it includes; Nix's own default \
           is the key of `cache.nixos.org`.\n\nAllowed are the distribution's own key, compared whole, and what `allowed_cache_keys` in \
           `aux.toml` names. A key under the name `cache.nixos.org-1` that is another key fails.",
    fix: "nix.settings.trusted-public-keys = lib.mkForce [
  \"cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=\"
];
# or, where the key is meant, in aux.toml:
#   allowed_cache_keys = [\"cache.example.org-1:…\"]",
    judge,
};

/// The key of the distribution's own cache.
const OWN: &str = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

fn judge(configuration: &Configuration, terms: &Terms) -> Option<Judgement> {
    judged(&configuration.nix.public_keys, |keys, how| {
        let is_allowed = |key: &String| key == OWN || terms.public_keys.contains(key);
        let others: Vec<String> = keys.iter().filter(|key| !is_allowed(key)).cloned().collect();
        if others.is_empty() {
            Judgement::Passed(format!("every key is allowed ({how})"))
        } else {
            Judgement::Failed(format!("not allowed: {} ({how})", listed(&others)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, judged_with, passed, terms, unknown};
    use aux_core::Fact;

    fn with(keys: &[&str]) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.nix.public_keys = Fact::seen(keys.iter().map(|&one| one.to_owned()).collect(), "x");
        configuration
    }

    #[test]
    fn the_distributions_key_and_allowed_ones_pass() {
        passed(&CHECK, &with(&[OWN]));
        let allowing = Terms { public_keys: vec!["a-1:AAAA".to_owned()], ..terms() };
        assert!(matches!(judged_with(&CHECK, &with(&[OWN, "a-1:AAAA"]), &allowing), Some(Judgement::Passed(_))));
    }

    #[test]
    fn another_key_fails_also_under_the_distributions_name() {
        failed(&CHECK, &with(&[OWN, "a-1:AAAA"]));
        failed(&CHECK, &with(&["cache.nixos.org-1:AAAA"]));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        let mut hidden = Configuration::default();
        hidden.nix.public_keys = Fact::unseen("hidden");
        unknown(&CHECK, &hidden);
    }
}
