//! AUX-C028: accounts without a password.

use aux_core::{Configuration, Severity};

use super::judgement::none_of;
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C028",
    title: "Accounts without a password",
    severity: Severity::High,
    why: "An account with an empty password lets in everybody who reaches a prompt: at the console, and wherever a service asks PAM.",
    seen: "- evaluated: users whose `hashedPassword`, `initialHashedPassword`, `password` or `initialPassword` is empty text.
- running: the second field of `/etc/shadow`, which root alone can read.

With `users.mutableUsers` a password may have been set since; a configuration does not show that.",
    fix: r#"users.users.alice.hashedPasswordFile = "/run/secrets/alice-password";
# or none at all, for an account that is only entered by key:
users.users.bob.hashedPassword = "!";"#,
    judge,
};

fn judge(configuration: &Configuration, _: &Terms) -> Option<Judgement> {
    none_of(&configuration.accounts.empty_passwords, "no account has an empty password", "the password is empty")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(fact: Fact<Vec<String>>) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.accounts.empty_passwords = fact;
        configuration
    }

    #[test]
    fn passwords_that_are_set_pass() {
        passed(&CHECK, &with(Fact::seen(Vec::new(), "x")));
    }

    #[test]
    fn an_empty_password_fails() {
        failed(&CHECK, &with(Fact::seen(vec!["alice".to_owned()], "x")));
    }

    #[test]
    fn what_is_not_seen_is_unknown() {
        unknown(&CHECK, &with(Fact::unseen("hidden")));
    }
}
