//! AUX-C021: services that are root and not shut in.

use aux_core::{Configuration, Severity};

use super::judgement::{judged, listed};
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C021",
    title: "Root services without hardening",
    severity: Severity::Low,
    why: "A flaw in a service that is root and not shut in is a flaw in the whole machine. A few lines of systemd take most of what an \
          attacker would want out of reach.",
    seen: "- evaluated: `systemd.services.*`: those with something to start, not `oneshot`, with neither `User` nor `DynamicUser`.\n- \
           running: unit files and their drop-ins below `/etc/systemd/system`; where systemd's own list of active units can be seen, \
           only those that are active. `User` of units that come with a package and lie elsewhere is not seen.\n\n*Failed* is a service \
           that is root and has none of `AmbientCapabilities`, `CapabilityBoundingSet`, `NoNewPrivileges`, `PrivateDevices`, \
           `PrivateTmp`, `ProtectHome`, `ProtectKernelModules`, `ProtectKernelTunables`, `ProtectSystem`, `RestrictAddressFamilies`, \
           `RootDirectory`, `RootImage`, `SystemCallFilter`. That is much less than `systemd-analyze security` looks at, and no score. \
           Programs whose work is to log people in, to build or to run other programs as root (`sshd`, `getty`, `nix-daemon`, display \
           managers, systemd itself) are passed over.",
    fix: "systemd.services.NAME.serviceConfig = {
  DynamicUser = true;
  NoNewPrivileges = true;
  ProtectSystem = \"strict\";
  ProtectHome = true;
  PrivateTmp = true;
  CapabilityBoundingSet = \"\";
};",
    judge,
};

/// Their work is what hardening forbids.
const EXPECTED: &[&str] = &[
    "sshd",
    "getty",
    "autovt",
    "serial-getty",
    "container-getty",
    "console-getty",
    "nix-daemon",
    "nix-gc",
    "nix-optimise",
    "display-manager",
    "greetd",
    "gdm",
    "sddm",
    "lightdm",
    "kmscon",
    "docker",
    "podman",
    "containerd",
    "libvirtd",
    "crond",
    "cron",
    "emergency",
    "rescue",
    "debug-shell",
];

fn is_expected(name: &str) -> bool {
    let name = name.trim_end_matches(".service");
    let stem = name.split_once('@').map_or(name, |(stem, _)| stem);
    EXPECTED.contains(&stem) || stem.starts_with("systemd-") || stem == "user" || stem == "container"
}

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    judged(&configuration.services, |services, how| {
        let judged: Vec<_> = services.iter().filter(|service| !is_expected(&service.name)).collect();
        let open = |service: &&&aux_core::configuration::Service| service.is_root && service.hardening.is_empty();
        let open: Vec<String> = judged.iter().filter(open).map(|service| service.name.clone()).collect();
        if open.is_empty() {
            Judgement::Passed(format!("none of {} services is root and not shut in ({how})", judged.len()))
        } else {
            Judgement::Failed(format!("{} of {} services: {} ({how})", open.len(), judged.len(), listed(&open)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;
    use aux_core::configuration::Service;

    fn with(name: &str, is_root: bool, hardening: &[&str]) -> Configuration {
        let hardening = hardening.iter().map(|&one| one.to_owned()).collect();
        let services = Fact::seen(vec![Service { name: name.to_owned(), is_root, hardening }], "x");
        Configuration { services, ..Configuration::default() }
    }

    #[test]
    fn users_hardened_services_and_what_logs_people_in_pass() {
        passed(&CHECK, &with("web", false, &[]));
        passed(&CHECK, &with("web", true, &["ProtectSystem"]));
        passed(&CHECK, &with("getty@tty1", true, &[]));
        passed(&CHECK, &with("sshd.service", true, &[]));
    }

    #[test]
    fn a_root_service_without_anything_fails() {
        failed(&CHECK, &with("web", true, &[]));
        failed(&CHECK, &with("sshd-like", true, &[]));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        unknown(&CHECK, &Configuration { services: Fact::unseen("hidden"), ..Configuration::default() });
    }
}
