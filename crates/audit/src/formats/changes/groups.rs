//! The same change on many machines, said once.

use std::collections::BTreeMap;

use aux_core::{Finding, FlakeInput};

use crate::formats::{group, words};
use crate::{Changes, PackageChange};

/// Findings of one package that went the same way.
pub(super) struct Gone<'c> {
    pub(super) package: &'c str,
    pub(super) how: &'c str,
    /// One for each advisory, worst first.
    pub(super) findings: Vec<&'c Finding>,
    /// The targets, in their order.
    pub(super) targets: Vec<&'c str>,
}

/// What was fixed, the worst first.
pub(super) fn gone(changes: &Changes) -> Vec<Gone<'_>> {
    let mut groups: BTreeMap<(&str, &str), Gone<'_>> = BTreeMap::new();
    for target in &changes.targets {
        for fixed in &target.fixed {
            let (package, how) = (fixed.finding.package.name.as_str(), fixed.how.as_str());
            let blank = || Gone { package, how, findings: Vec::new(), targets: Vec::new() };
            let gone = groups.entry((package, how)).or_insert_with(blank);
            if gone.findings.iter().all(|finding| finding.id != fixed.finding.id) {
                gone.findings.push(&fixed.finding);
            }
            if gone.targets.last() != Some(&target.name.as_str()) {
                gone.targets.push(&target.name);
            }
        }
    }
    let mut groups: Vec<Gone<'_>> = groups.into_values().collect();
    for gone in &mut groups {
        gone.findings.sort_by_key(|finding| group::rank(finding));
    }
    groups.sort_by(|left, right| {
        let worst = |gone: &Gone<'_>| gone.findings.first().map(|finding| group::rank(finding).0);
        worst(left).cmp(&worst(right))
    });
    groups
}

/// Package changes, each with the targets it is in.
pub(super) fn packages(changes: &Changes) -> Vec<(&PackageChange, Vec<&str>)> {
    let mut all: BTreeMap<&PackageChange, Vec<&str>> = BTreeMap::new();
    for target in &changes.targets {
        for change in &target.packages {
            all.entry(change).or_default().push(&target.name);
        }
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|(change, _)| (&change.name, &change.before));
    all
}

/// `, in web, db`; nothing where there is only one target to be in.
pub(super) fn suffix(changes: &Changes, targets: &[&str]) -> String {
    if changes.targets.len() < 2 { String::new() } else { format!(", in {}", places(changes, targets)) }
}

/// `all 4`, one or two names, or the first and how many more.
pub(super) fn places(changes: &Changes, targets: &[&str]) -> String {
    let whole = changes.targets.iter().filter(|target| target.kind != aux_core::TargetKind::FlakeLock).count();
    match targets {
        [] => String::new(),
        [_, _, ..] if targets.len() == whole => format!("all {whole}"),
        [one] => short(changes, one).to_owned(),
        [one, two] => format!("{}, {}", short(changes, one), short(changes, two)),
        [first, ..] => format!("{} and {} more", short(changes, first), targets.len() - 1),
    }
}

/// A machine's name without that of the flake, where there is only one.
pub(super) fn short<'n>(changes: &Changes, name: &'n str) -> &'n str {
    let locks = changes.targets.iter().filter(|target| target.kind == aux_core::TargetKind::FlakeLock);
    let mut flakes = locks.map(|target| target.name.as_str());
    match (flakes.next(), flakes.next()) {
        (Some(flake), None) => name.strip_prefix(flake).and_then(|rest| rest.strip_prefix('#')).unwrap_or(name),
        _ => name,
    }
}

/// `1.0, 2.0`; a version that is no text is said to be none.
pub(super) fn versions(versions: &[String]) -> String {
    let shown = |version: &String| if version.is_empty() { "(no version)".to_owned() } else { version.clone() };
    versions.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// An input's state: `d4f247e89f6e of 2024-05-31`.
pub(super) fn input(input: Option<&FlakeInput>) -> String {
    let Some(input) = input else { return String::new() };
    if let Some(follows) = &input.follows {
        return format!("follows {follows}");
    }
    let mut facts = match &input.revision {
        Some(revision) => revision.chars().take(12).collect(),
        None => input.source.clone(),
    };
    if let Some(moment) = input.last_modified {
        facts = format!("{facts} of {}", words::day(moment));
    }
    facts
}
