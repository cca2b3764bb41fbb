//! Configuration checks: one file each, and the table of them all. Pure: facts and terms in, results out.

mod allowed_users;
mod app_armor;
mod boot_editor;
mod build_sandbox;
mod builder_keys;
mod empty_passwords;
mod firewall;
mod input_age;
mod input_locks;
mod judgement;
mod kernel_addresses;
mod kernel_debugging;
mod kernel_replacement;
mod link_protection;
mod lockdown;
mod page;
mod password_free_root;
mod platform_key;
mod public_keys;
mod readable_secrets;
mod release_support;
mod releases;
mod repository_keys;
mod require_signatures;
mod secure_boot;
mod service_hardening;
mod ssh_passwords;
mod ssh_root_login;
mod store_secrets;
mod substituters;
mod sysctl;
mod trusted_users;
mod updates;

#[cfg(test)]
mod tests;

pub use judgement::{Judgement, Terms};
pub use page::{index, page};

use aux_core::finding::EvidenceKind;
use aux_core::{CheckResult, CheckState, Class, Configuration, Evidence, Severity};

/// One check: what it is for, and how it decides.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// `AUX-C001`; it never changes and is never used again for another check.
    pub id: &'static str,
    /// What it looks at, a noun phrase.
    pub title: &'static str,
    pub severity: Severity,
    /// Why it matters, in sentences.
    pub why: &'static str,
    /// What it looks at in each source, and what it cannot see there; Markdown.
    pub seen: &'static str,
    /// Lines of a NixOS configuration that make it hold.
    pub fix: &'static str,
    /// `None` where the source has nothing to do with it.
    pub judge: fn(&Configuration, &Terms) -> Option<Judgement>,
}

/// Every check, by id.
pub const CHECKS: [&Check; 29] = [
    &secure_boot::CHECK,
    &platform_key::CHECK,
    &app_armor::CHECK,
    &firewall::CHECK,
    &ssh_root_login::CHECK,
    &ssh_passwords::CHECK,
    &trusted_users::CHECK,
    &allowed_users::CHECK,
    &require_signatures::CHECK,
    &substituters::CHECK,
    &public_keys::CHECK,
    &build_sandbox::CHECK,
    &store_secrets::CHECK,
    &repository_keys::CHECK,
    &readable_secrets::CHECK,
    &lockdown::CHECK,
    &kernel_addresses::CHECK,
    &kernel_debugging::CHECK,
    &link_protection::CHECK,
    &kernel_replacement::CHECK,
    &service_hardening::CHECK,
    &input_locks::CHECK,
    &input_age::CHECK,
    &release_support::CHECK,
    &builder_keys::CHECK,
    &updates::CHECK,
    &password_free_root::CHECK,
    &empty_passwords::CHECK,
    &boot_editor::CHECK,
];

/// What begins the id of every check, and of no advisory.
pub const ID_PREFIX: &str = "AUX-C";

/// Judges a configuration by every check that has something to do with it: failed first, then unknown, worst first.
pub fn check(configuration: &Configuration, terms: &Terms) -> Vec<CheckResult> {
    let mut results: Vec<CheckResult> = CHECKS
        .iter()
        .filter_map(|check| (check.judge)(configuration, terms).map(|judgement| result(check, judgement)))
        .collect();
    results.sort_by_key(|result| (result.state, std::cmp::Reverse(result.severity), result.id));
    results
}

fn result(check: &Check, judgement: Judgement) -> CheckResult {
    let (state, text) = match judgement {
        Judgement::Failed(text) => (CheckState::Failed, text),
        Judgement::Unknown(text) => (CheckState::Unknown, text),
        Judgement::Passed(text) => (CheckState::Passed, text),
    };
    CheckResult {
        id: check.id,
        title: check.title,
        state,
        severity: check.severity,
        class: Class::Unclassified,
        why: check.why,
        evidence: vec![Evidence::new(EvidenceKind::Observation, text)],
        fix: check.fix,
        waived: None,
    }
}
