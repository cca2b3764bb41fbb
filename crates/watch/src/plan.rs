//! The smallest set of updates that answers the alarms: one step a package, and what remains after it.

use std::collections::{BTreeMap, BTreeSet};

use aux_core::version::{Scheme, sort};
use serde::Serialize;

use crate::{Known, KnownFix};

/// What to do about one package at one version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    pub system: String,
    pub package: String,
    pub version: String,
    /// `update`: a channel has what fixes all or some of it. `upstream`: only upstream has. `none`: nobody has.
    pub action: &'static str,
    /// The severity of the worst of it, in PackageKit's words.
    pub packagekit: String,
    /// One a channel: the lowest version of it that fixes everything the channel fixes.
    pub updates: Vec<Update>,
    /// Versions of upstream that fix some of it.
    pub upstream: Vec<String>,
    /// What no channel fixes yet.
    pub remaining: Vec<String>,
}

/// A version to move to in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Update {
    pub channel: String,
    pub version: String,
    pub revision: Option<String>,
    pub fixes: Vec<String>,
}

/// The steps for the alarms of one system, packages in the order of its report.
pub fn plan(system: &str, findings: &[Known]) -> Vec<Step> {
    let mut order: Vec<(&str, &str)> = Vec::new();
    let mut packages: BTreeMap<(&str, &str), Vec<&Known>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.is_alarm()) {
        let key = (finding.package.name.as_str(), finding.package.version.as_str());
        packages.entry(key).or_insert_with(|| {
            order.push(key);
            Vec::new()
        });
        packages.entry(key).and_modify(|alarms| alarms.push(finding));
    }
    order.iter().filter_map(|key| packages.get(key).map(|alarms| step(system, *key, alarms))).collect()
}

fn step(system: &str, (package, version): (&str, &str), alarms: &[&Known]) -> Step {
    let updates = updates(alarms);
    let fixed: BTreeSet<&str> = updates.iter().flat_map(|update| &update.fixes).map(String::as_str).collect();
    let remaining: Vec<String> =
        alarms.iter().map(|alarm| &alarm.id).filter(|id| !fixed.contains(id.as_str())).cloned().collect();
    let mut upstream: Vec<String> = alarms.iter().flat_map(|alarm| alarm.fixed_versions.clone()).collect();
    upstream.sort_by(|left, right| sort(Scheme::Generic, left, right));
    upstream.dedup();
    let action = match (updates.is_empty(), upstream.is_empty()) {
        (false, _) => "update",
        (true, false) => "upstream",
        (true, true) => "none",
    };
    Step {
        system: system.to_owned(),
        package: package.to_owned(),
        version: version.to_owned(),
        action,
        packagekit: worst(alarms),
        updates,
        upstream,
        remaining,
    }
}

/// In each channel the highest of the fixed versions, which has what the lower ones have.
fn updates(alarms: &[&Known]) -> Vec<Update> {
    let mut channels: BTreeMap<&str, (&KnownFix, Vec<String>)> = BTreeMap::new();
    for alarm in alarms {
        for fix in &alarm.fixes {
            let entry = channels.entry(&fix.channel).or_insert((fix, Vec::new()));
            if sort(Scheme::Nix, &fix.version, &entry.0.version).is_gt() {
                entry.0 = fix;
            }
            if !entry.1.contains(&alarm.id) {
                entry.1.push(alarm.id.clone());
            }
        }
    }
    let update = |(channel, (fix, fixes)): (&str, (&KnownFix, Vec<String>))| Update {
        channel: channel.to_owned(),
        version: fix.version.clone(),
        revision: fix.revision.clone(),
        fixes,
    };
    channels.into_iter().map(update).collect()
}

fn worst(alarms: &[&Known]) -> String {
    const WORDS: [&str; 5] = ["critical", "important", "normal", "low", "unknown"];
    let rank = |word: &str| WORDS.iter().position(|known| *known == word).unwrap_or(WORDS.len());
    alarms.iter().map(|alarm| alarm.packagekit.as_str()).min_by_key(|word| rank(word)).unwrap_or("unknown").to_owned()
}
