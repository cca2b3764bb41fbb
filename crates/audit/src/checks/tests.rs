//! What the checks' own tests share, and what holds for all checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use aux_core::configuration::{Setting, Ssh};
use aux_core::{CheckState, Configuration, Fact};

use super::{CHECKS, Check, ID_PREFIX, Judgement, Terms, check, index, page};

pub(super) fn terms() -> Terms {
    Terms::new("2024-07-01T00:00:00Z".parse().unwrap())
}

pub(super) fn judged_with(check: &Check, configuration: &Configuration, terms: &Terms) -> Option<Judgement> {
    // Through the table, so that a check that is missing there fails its own tests.
    assert!(CHECKS.iter().any(|listed| listed.id == check.id), "{} is not in the table", check.id);
    (check.judge)(configuration, terms)
}

fn judged(check: &Check, configuration: &Configuration) -> Judgement {
    judged_with(check, configuration, &terms()).expect("the check has something to do with this")
}

pub(super) fn passed(check: &Check, configuration: &Configuration) {
    let judgement = judged(check, configuration);
    assert!(matches!(judgement, Judgement::Passed(_)), "{judgement:?}");
}

pub(super) fn failed(check: &Check, configuration: &Configuration) {
    let judgement = judged(check, configuration);
    assert!(matches!(judgement, Judgement::Failed(_)), "{judgement:?}");
}

pub(super) fn unknown(check: &Check, configuration: &Configuration) {
    let judgement = judged(check, configuration);
    assert!(matches!(judgement, Judgement::Unknown(_)), "{judgement:?}");
}

/// All of them with one value; empty: the last is not seen and the others are well.
pub(super) fn with_sysctls(wanted: &[(&str, i64)], value: &str) -> Configuration {
    let mut configuration = Configuration::default();
    for (place, (name, least)) in wanted.iter().enumerate() {
        let fact = match (value, place + 1 == wanted.len()) {
            ("", true) => Fact::unseen("hidden"),
            ("", false) => Fact::seen(least.to_string(), "x"),
            _ => Fact::seen(value.to_owned(), "x"),
        };
        configuration.kernel.sysctls.insert((*name).to_owned(), fact);
    }
    configuration
}

/// A server with these three settings; empty: nothing sets it.
pub(super) fn with_ssh(root_login: &str, password: &str, keyboard: &str) -> Configuration {
    let setting = |value: &str| match value {
        "" => Vec::new(),
        _ => vec![Setting { value: value.to_owned(), how: "x".to_owned() }],
    };
    let ssh = Ssh { root_login: setting(root_login), password: setting(password), keyboard: setting(keyboard) };
    let mut configuration = Configuration::default();
    configuration.network.ssh = Fact::seen(Some(ssh), "x");
    configuration
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/checks")
}

/// Set to write the pages anew: `AUX_WRITE_PAGES=1 cargo test -p aux-audit pages`.
#[expect(clippy::disallowed_methods, reason = "a test asks whether to compare or to write")]
fn is_writing() -> bool {
    std::env::var("AUX_WRITE_PAGES").is_ok()
}

#[expect(clippy::disallowed_methods, reason = "a page of the documentation needs no atomic write")]
fn compare_or_write(path: &Path, text: &str) {
    if is_writing() {
        fs::write(path, text).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(written, text, "{} differs; AUX_WRITE_PAGES=1 writes it anew", path.display());
}

#[test]
fn ids_are_in_order_without_gaps_and_every_word_is_there() {
    for (place, check) in CHECKS.iter().enumerate() {
        assert_eq!(check.id, format!("{ID_PREFIX}{:03}", place + 1));
        for text in [check.title, check.why, check.seen, check.fix] {
            assert!(!text.trim().is_empty() && text == text.trim(), "{}", check.id);
        }
        // A terminal of 80 columns shows each line whole, to be copied.
        assert!(check.fix.lines().all(|line| line.chars().count() <= 74), "{}", check.id);
        assert!(check.why.ends_with('.') && !check.title.ends_with('.'), "{}", check.id);
    }
    let titles: BTreeSet<&str> = CHECKS.iter().map(|check| check.title).collect();
    assert_eq!(titles.len(), CHECKS.len());
}

#[test]
fn pages_are_what_the_checks_say_and_there_are_no_others() {
    for check in CHECKS {
        compare_or_write(&folder().join(format!("{}.md", check.id)), &page(check));
    }
    let readme = folder().join("README.md");
    let text = fs::read_to_string(&readme).unwrap_or_default();
    let (begin, end) = ("<!-- checks -->\n", "<!-- end of checks -->");
    let before = text.split_once(begin).map_or("", |(before, _)| before);
    let after = text.split_once(end).map_or("", |(_, after)| after);
    compare_or_write(&readme, &format!("{before}{begin}{}{end}{after}", index()));
    let pages = fs::read_dir(folder()).unwrap().filter_map(Result::ok);
    let pages = pages.filter(|entry| entry.file_name().to_string_lossy().starts_with(ID_PREFIX));
    assert_eq!(pages.count(), CHECKS.len());
}

#[test]
fn a_configuration_that_says_nothing_is_judged_by_nothing() {
    assert!(check(&Configuration::default(), &terms()).is_empty());
}

#[test]
fn results_come_failed_first_then_unknown_and_each_says_what_was_seen() {
    let mut configuration = with_ssh("yes", "no", "no");
    configuration.kernel.app_armor = Fact::unseen("hidden");
    configuration.nix.require_sigs = Fact::seen(false, "x");
    configuration.nix.sandbox = Fact::seen("relaxed".to_owned(), "x");
    let results = check(&configuration, &terms());
    let states: Vec<(&str, CheckState)> = results.iter().map(|result| (result.id, result.state)).collect();
    assert_eq!(
        states,
        [
            ("AUX-C005", CheckState::Failed),
            ("AUX-C009", CheckState::Failed),
            ("AUX-C012", CheckState::Failed),
            ("AUX-C003", CheckState::Unknown),
            ("AUX-C006", CheckState::Passed),
        ]
    );
    assert!(results.iter().all(|result| !result.evidence.is_empty() && !result.fix.is_empty()));
}
