//! AUX-C005: root's login over SSH.

use aux_core::configuration::Setting;
use aux_core::{Configuration, Severity};

use super::judgement::judged;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C005",
    title: "Login of root over SSH",
    severity: Severity::High,
    why: "Every machine that answers on port 22 is tried for root's password around the clock, and the one account whose name is known \
          everywhere is the one that may do everything.",
    seen: "- evaluated: `services.openssh.settings.PermitRootLogin`; in older releases `services.openssh.permitRootLogin`.\n- running: \
           `PermitRootLogin` in `/etc/ssh/sshd_config` and what it includes, also below a `Match`. Where nothing sets it the server's \
           own default, `prohibit-password`, holds.\n\n*Failed* is `yes`. `prohibit-password` and `forced-commands-only` let root in \
           by key and pass; `no` is stricter. Options on the server's command line are not seen.",
    fix: "services.openssh.settings.PermitRootLogin = \"no\";",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    judged(&configuration.network.ssh, |ssh, how| {
        let Some(ssh) = ssh else { return Judgement::Passed(format!("there is no SSH server ({how})")) };
        decide(&ssh.root_login, how)
    })
}

fn decide(settings: &[Setting], how: &str) -> Judgement {
    const CAUTIOUS: &[&str] = &["no", "prohibit-password", "without-password", "forced-commands-only"];
    let said = |setting: &Setting| format!("PermitRootLogin is `{}` ({})", setting.value, setting.how);
    if let Some(open) = settings.iter().find(|setting| setting.value == "yes") {
        return Judgement::Failed(said(open));
    }
    if let Some(odd) = settings.iter().find(|setting| !CAUTIOUS.contains(&setting.value.as_str())) {
        return Judgement::Unknown(format!("{}, which is no known value", said(odd)));
    }
    Judgement::Passed(match settings.first() {
        Some(first) => said(first),
        None => format!("nothing sets PermitRootLogin, and the server's default is `prohibit-password` ({how})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown, with_ssh};
    use aux_core::Fact;

    #[test]
    fn no_server_and_cautious_values_pass() {
        let mut none = Configuration::default();
        none.network.ssh = Fact::seen(None, "x");
        passed(&CHECK, &none);
        passed(&CHECK, &with_ssh("no", "yes", "yes"));
        passed(&CHECK, &with_ssh("prohibit-password", "yes", "yes"));
        passed(&CHECK, &with_ssh("", "", ""));
    }

    #[test]
    fn a_root_that_may_come_by_password_fails() {
        failed(&CHECK, &with_ssh("yes", "no", "no"));
    }

    #[test]
    fn what_is_not_seen_or_not_known_is_unknown() {
        unknown(&CHECK, &with_ssh("perhaps", "no", "no"));
        let mut hidden = Configuration::default();
        hidden.network.ssh = Fact::unseen("hidden");
        unknown(&CHECK, &hidden);
    }
}
