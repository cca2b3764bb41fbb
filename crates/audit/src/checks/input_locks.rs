//! AUX-C022: inputs that are not locked.

use aux_core::{Configuration, Severity};

use super::judgement::none_of;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C022",
    title: "Inputs that are not locked",
    severity: Severity::Medium,
    why: "An input without a lock is whatever its address gives on the day of the build: nobody reviewed it, nobody can build the same again, and who controls the address controls the machine.",
    seen: "- repository: nodes of `flake.lock` without a revision and without a hash, and a `flake.nix` with inputs and no `flake.lock`.

Fetches inside Nix files (`fetchTarball` without a hash, `<nixpkgs>`) are not looked for; a pure evaluation refuses them.",
    fix: "# nix flake lock, then commit flake.lock",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    none_of(&configuration.inputs.unlocked, "every input is locked", "not locked")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(fact: Fact<Vec<String>>) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.inputs.unlocked = fact;
        configuration
    }

    #[test]
    fn locked_inputs_pass() {
        passed(&CHECK, &with(Fact::seen(Vec::new(), "x")));
    }

    #[test]
    fn an_unlocked_input_fails() {
        failed(&CHECK, &with(Fact::seen(vec!["nixpkgs".to_owned()], "x")));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        unknown(&CHECK, &with(Fact::unseen("hidden")));
    }
}
