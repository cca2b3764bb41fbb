//! AUX-C010: where store paths are fetched from.

use aux_core::{Configuration, Severity};

use super::judgement::{judged, listed};
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C010",
    title: "Substituters outside the allowed list",
    severity: Severity::Medium,
    why: "Every cache that is asked learns what this machine is made of, and may answer late, with something old, or not at all. Which \
          caches those are should be somebody's decision, not what was pasted once.",
    seen: "- evaluated: `nix.settings.substituters`, `extra-substituters` and `trusted-substituters`; in older releases \
           `nix.binaryCaches` and `nix.trustedBinaryCaches`.\n- running: the same words in `/etc/nix/nix.conf` and the files it \
           includes; Nix's own default is `https://cache.nixos.org/`.\n\nAllowed are the distribution's own cache and what \
           `allowed_substituters` in `aux.toml` names. `nixConfig` of a flake and a user's own `nix.conf` are not seen.",
    fix: "nix.settings.substituters = lib.mkForce [ \"https://cache.nixos.org/\" ];
# or, where the cache is meant, in aux.toml:
#   allowed_substituters = [\"https://cache.example.org\"]",
    judge,
};

/// The distribution's own cache; who runs the system trusts it already.
const OWN: &str = "https://cache.nixos.org";

fn judge(configuration: &Configuration, terms: &Terms) -> Option<Judgement> {
    judged(&configuration.nix.substituters, |substituters, how| {
        let is_allowed = |address: &String| {
            let address = plain(address);
            address == OWN || terms.substituters.iter().any(|allowed| plain(allowed) == address)
        };
        let others: Vec<String> = substituters.iter().filter(|address| !is_allowed(address)).cloned().collect();
        if others.is_empty() {
            Judgement::Passed(format!("every substituter is allowed ({how})"))
        } else {
            Judgement::Failed(format!("not allowed: {} ({how})", listed(&others)))
        }
    })
}

/// `https://cache.nixos.org/?priority=40` and `https://cache.nixos.org` are one cache.
fn plain(address: &str) -> &str {
    address.split_once('?').map_or(address, |(before, _)| before).trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, judged_with, passed, terms, unknown};
    use aux_core::Fact;

    fn with(addresses: &[&str]) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.nix.substituters = Fact::seen(addresses.iter().map(|&one| one.to_owned()).collect(), "x");
        configuration
    }

    #[test]
    fn the_distributions_cache_and_allowed_ones_pass() {
        passed(&CHECK, &with(&["https://cache.nixos.org/?priority=40"]));
        let allowing = Terms { substituters: vec!["https://a.example/".to_owned()], ..terms() };
        let both = with(&["https://cache.nixos.org", "https://a.example"]);
        assert!(matches!(judged_with(&CHECK, &both, &allowing), Some(Judgement::Passed(_))));
    }

    #[test]
    fn any_other_fails_also_one_that_only_begins_alike() {
        failed(&CHECK, &with(&["https://cache.nixos.org", "https://a.example"]));
        failed(&CHECK, &with(&["https://cache.nixos.org.evil.example"]));
        failed(&CHECK, &with(&["http://cache.nixos.org"]));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        let mut hidden = Configuration::default();
        hidden.nix.substituters = Fact::unseen("hidden");
        unknown(&CHECK, &hidden);
    }
}
