//! AUX-C025: remote builds with root's own SSH key.

use aux_core::configuration::Builder;
use aux_core::{Configuration, Severity};

use super::judgement::{judged, listed};
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C025",
    title: "Remote builds with root's SSH key",
    severity: Severity::Medium,
    why: "The daemon, which is root, logs in at the builders. With root's own key, or as root over there, whoever has this machine has the \
          builders, and through what they build everything that takes it.",
    seen: "- evaluated: `nix.buildMachines`, where `nix.distributedBuilds` is on.\n- running: `/etc/nix/machines`, and `builders` in \
           `/etc/nix/nix.conf`.\n\n*Failed* is a builder without a key of its own (then SSH takes whatever root has), one whose key lies \
           below `/root` or is a host key, and one that is entered as root. What the key may do over there is not seen.",
    fix: "nix.buildMachines = [{
  hostName = \"builder.example.org\";
  sshUser = \"nix-ssh\";               # may do nothing but build
  sshKey = \"/run/secrets/builder-key\";  # a key for this alone
  systems = [ \"x86_64-linux\" ];
}];",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    judged(&configuration.nix.builders, |builders, how| {
        let wrong: Vec<String> = builders.iter().filter_map(objection).collect();
        match (builders.len(), wrong.is_empty()) {
            (0, _) => Judgement::Passed(format!("there are no remote builders ({how})")),
            (number, true) => {
                Judgement::Passed(format!("each of {number} remote builders has a key of its own ({how})"))
            }
            (_, false) => Judgement::Failed(format!("{} ({how})", listed(&wrong))),
        }
    })
}

fn objection(builder: &Builder) -> Option<String> {
    let host = &builder.host;
    if builder.user.as_deref() == Some("root") {
        return Some(format!("{host} is entered as root"));
    }
    match builder.key.as_deref() {
        None => Some(format!("{host} has no key of its own, so root's is taken")),
        Some(key) if key.starts_with("/root/") || key.starts_with("/etc/ssh/ssh_host_") => {
            Some(format!("{host} is entered with {key}"))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(user: Option<&str>, key: Option<&str>) -> Configuration {
        let (user, key) = (user.map(str::to_owned), key.map(str::to_owned));
        let mut configuration = Configuration::default();
        configuration.nix.builders = Fact::seen(vec![Builder { host: "b".to_owned(), user, key }], "x");
        configuration
    }

    #[test]
    fn no_builder_and_keys_of_their_own_pass() {
        passed(&CHECK, &with(Some("nix-ssh"), Some("/run/secrets/key")));
        let mut none = Configuration::default();
        none.nix.builders = Fact::seen(Vec::new(), "x");
        passed(&CHECK, &none);
    }

    #[test]
    fn roots_key_and_root_over_there_fail() {
        failed(&CHECK, &with(Some("nix-ssh"), None));
        failed(&CHECK, &with(Some("nix-ssh"), Some("/root/.ssh/id_ed25519")));
        failed(&CHECK, &with(Some("root"), Some("/run/secrets/key")));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        let mut hidden = Configuration::default();
        hidden.nix.builders = Fact::unseen("hidden");
        unknown(&CHECK, &hidden);
    }
}
