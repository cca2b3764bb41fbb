//! AUX-C006: passwords over SSH.

use aux_core::configuration::Setting;
use aux_core::{Configuration, Severity};

use super::judgement::judged;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C006",
    title: "Passwords over SSH",
    severity: Severity::Medium,
    why: "A password can be guessed, reused and typed into the wrong machine; a key cannot. One weak account is enough.",
    seen: "- evaluated: `services.openssh.settings.PasswordAuthentication` and `KbdInteractiveAuthentication`; in older releases \
           `services.openssh.passwordAuthentication` and `kbdInteractiveAuthentication` or `challengeResponseAuthentication`.\n- running: \
           the same words in `/etc/ssh/sshd_config` and what it includes, also below a `Match`. Where nothing sets them the server's \
           own default, `yes`, holds.\n\nKeyboard-interactive login may ask for something better than a password; what PAM asks for \
           is not looked at.",
    fix: "services.openssh.settings = {
  PasswordAuthentication = false;
  KbdInteractiveAuthentication = false;
};",
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    judged(&configuration.network.ssh, |ssh, how| {
        let Some(ssh) = ssh else { return Judgement::Passed(format!("there is no SSH server ({how})")) };
        let both = [("PasswordAuthentication", &ssh.password), ("KbdInteractiveAuthentication", &ssh.keyboard)];
        let mut open = Vec::new();
        for (word, settings) in both {
            match answer(word, settings, how) {
                Ok(false) => {}
                Ok(true) => {
                    let place =
                        settings.iter().find(|setting| setting.value == "yes").map_or(how, |one| one.how.as_str());
                    let default = if settings.is_empty() { ", the server's default" } else { "" };
                    open.push(format!("{word} is `yes`{default} ({place})"));
                }
                Err(said) => return Judgement::Unknown(said),
            }
        }
        if open.is_empty() {
            Judgement::Passed(format!("neither passwords nor keyboard-interactive logins are taken ({how})"))
        } else {
            Judgement::Failed(open.join("; "))
        }
    })
}

/// Whether one of them lets passwords in; nothing set means yes.
fn answer(word: &str, settings: &[Setting], how: &str) -> Result<bool, String> {
    let odd = settings.iter().find(|setting| !["yes", "no"].contains(&setting.value.as_str()));
    match odd {
        Some(odd) => Err(format!("{word} is `{}`, which is no known value ({how})", odd.value)),
        None => Ok(settings.is_empty() || settings.iter().any(|setting| setting.value == "yes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown, with_ssh};
    use aux_core::Fact;

    #[test]
    fn keys_alone_and_no_server_pass() {
        passed(&CHECK, &with_ssh("yes", "no", "no"));
        let mut none = Configuration::default();
        none.network.ssh = Fact::seen(None, "x");
        passed(&CHECK, &none);
    }

    #[test]
    fn either_way_in_fails_and_so_does_silence() {
        failed(&CHECK, &with_ssh("no", "yes", "no"));
        failed(&CHECK, &with_ssh("no", "no", "yes"));
        failed(&CHECK, &with_ssh("no", "", "no"));
    }

    #[test]
    fn what_is_not_seen_or_not_known_is_unknown() {
        unknown(&CHECK, &with_ssh("no", "perhaps", "no"));
        let mut hidden = Configuration::default();
        hidden.network.ssh = Fact::unseen("hidden");
        unknown(&CHECK, &hidden);
    }
}
