//! AUX-C009: signatures of store paths.

use aux_core::{Configuration, Severity};

use super::judgement::switched_on;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C009",
    title: "Signatures of store paths",
    severity: Severity::High,
    why: "Without `require-sigs` whoever answers in place of a cache, on the way or at the cache, decides what runs here.",
    seen: "- evaluated: `nix.settings.require-sigs`; in older releases `nix.requireSignedBinaryCaches`.
- running: `require-sigs` in `/etc/nix/nix.conf` and the files it includes; Nix's own default is `true`.

A user's own `nix.conf` and options of a single command are not seen; only a trusted user's have an effect here.",
    fix: "nix.settings.require-sigs = true;",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    switched_on(
        &configuration.nix.require_sigs,
        "store paths need a signature",
        "store paths are taken without a signature",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(fact: Fact<bool>) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.nix.require_sigs = fact;
        configuration
    }

    #[test]
    fn required_signatures_pass() {
        passed(&CHECK, &with(Fact::seen(true, "x")));
    }

    #[test]
    fn unsigned_paths_fail() {
        failed(&CHECK, &with(Fact::seen(false, "x")));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        unknown(&CHECK, &with(Fact::unseen("hidden")));
    }
}
