//! What a new image would bring: package by package, which findings it fixes, and whether it is worth it.

mod json;

use std::collections::BTreeMap;

use aux_audit::Verdict;
use aux_core::version::{Scheme, compare};
use aux_core::{Component, Ecosystem, Inventory, TargetKind};
use jiff::Timestamp;

use crate::audit::{Finding, Report};
use crate::resolve::Resolution;
use crate::spec::Policy;

pub(crate) use json::ChangelogOutput;
pub use json::{SCHEMA, json};

/// The difference between an image and the one that would follow it.
#[derive(Debug, Clone, PartialEq)]
pub struct Changelog {
    pub packages: Vec<PackageChange>,
    /// Findings of the old image that the new one does not have.
    pub fixed: Vec<Finding>,
    /// Findings of the new image that the old one did not have.
    pub brought: Vec<Finding>,
    /// Findings that both have.
    pub left: Vec<Finding>,
}

/// One package that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageChange {
    pub name: String,
    /// `None` where it is new.
    pub from: Option<String>,
    /// `None` where it is gone.
    pub to: Option<String>,
}

impl PackageChange {
    /// Whether the version goes back, as pkgsrc orders versions.
    pub fn is_downgrade(&self) -> bool {
        let (Some(from), Some(to)) = (&self.from, &self.to) else { return false };
        compare(Scheme::Dewey, to, from).is_some_and(std::cmp::Ordering::is_lt)
    }
}

/// Whether a new image should be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worth {
    /// Now: it fixes what the policy names.
    Now(String),
    /// Because it is time.
    Cadence(String),
    /// Not yet.
    No(String),
    /// Nobody can say.
    Unknown(String),
}

impl Worth {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Now(_) => "now",
            Self::Cadence(_) => "cadence",
            Self::No(_) => "no",
            Self::Unknown(_) => "unknown",
        }
    }

    pub fn reason(&self) -> &str {
        match self {
            Self::Now(reason) | Self::Cadence(reason) | Self::No(reason) | Self::Unknown(reason) => reason,
        }
    }
}

/// What a resolution would be made of, as an audit looks at it.
pub fn inventory(name: &str, resolution: &Resolution<'_>) -> Inventory {
    let mut inventory = Inventory::new(name, TargetKind::PkgsrcList);
    for package in &resolution.packages {
        let origin = package.full_name();
        inventory.components.push(Component::named(Ecosystem::PKGSRC, &package.name, &package.version, origin));
    }
    inventory.components.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    inventory
}

/// Compares two images, each with its findings.
pub fn changelog(old: (&Inventory, &[Finding]), new: (&Inventory, &[Finding])) -> Changelog {
    let versions = |inventory: &Inventory| {
        let pairs = inventory.components.iter().map(|one| (one.name.clone(), one.version.clone()));
        pairs.collect::<BTreeMap<String, String>>()
    };
    let (before, after) = (versions(old.0), versions(new.0));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let packages = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| PackageChange { name: name.clone(), from: before.get(name).cloned(), to: after.get(name).cloned() })
        .collect();
    // One entry of the list on one package is one finding, whatever the version.
    let is_in = |finding: &Finding, among: &[Finding]| {
        among.iter().any(|other| other.package == finding.package && other.line == finding.line)
    };
    let split = |from: &[Finding], other: &[Finding], wanted: bool| {
        from.iter().filter(|finding| is_in(finding, other) == wanted).cloned().collect()
    };
    Changelog {
        packages,
        fixed: split(old.1, new.1, false),
        brought: split(new.1, old.1, false),
        left: split(new.1, old.1, true),
    }
}

/// Judges a changelog by the policy: a fix that it names, or the time that went by since `built`.
pub fn worth(
    changelog: &Changelog,
    audits: (&Report, &Report),
    policy: &Policy,
    built: Option<Timestamp>,
    now: Timestamp,
) -> Worth {
    let is_unknown = |report: &Report| report.verdict == Verdict::Unknown;
    if is_unknown(audits.0) || is_unknown(audits.1) {
        return Worth::Unknown("part of what decides could not be read".to_owned());
    }
    let urgent: Vec<&Finding> = changelog.fixed.iter().filter(|finding| policy.now.fails(finding)).collect();
    if let Some(first) = urgent.first() {
        let id = first.ids.first().unwrap_or(&first.url);
        let more = if urgent.len() > 1 { format!(" and {} more", urgent.len() - 1) } else { String::new() };
        return Worth::Now(format!("it fixes {id} in {} {}{more}", first.package, first.version));
    }
    if policy.now.needs_feed() && audits.0.feed.is_none() && !changelog.fixed.is_empty() {
        return Worth::Unknown(format!(
            "only a feed knows whether `{1}` holds for what it fixes ({0})",
            changelog.fixed.len(),
            policy.now.as_str()
        ));
    }
    if changelog.packages.is_empty() {
        return Worth::No("nothing would change".to_owned());
    }
    let Some(built) = built else {
        return Worth::Cadence("nobody says how old the image is, and there are updates".to_owned());
    };
    let days = now.duration_since(built).as_hours() / 24;
    let updates = match changelog.packages.len() {
        1 => "1 update".to_owned(),
        number => format!("{number} updates"),
    };
    if days >= i64::from(policy.cadence_days) {
        Worth::Cadence(format!("{updates} waiting, and the image is {days} days old"))
    } else {
        Worth::No(format!("{updates} waiting: the image is {days} of {} days old", policy.cadence_days))
    }
}
