//! What became of a system between two states: what an update fixed, what it brought in, and every package it changed.

use std::collections::{BTreeMap, BTreeSet};

use aux_core::version::{Scheme, compare as compare_versions};
use aux_core::{Ecosystem, Finding, FlakeInput, Inventory, Problem, State, TargetKind};

use crate::gate::Gate;
use crate::report::{Report, Verdict};

/// One state: what was read, and the report on it.
#[derive(Debug, Clone, Copy)]
pub struct Side<'s> {
    pub inventories: &'s [Inventory],
    pub report: &'s Report,
}

/// What fails a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'t> {
    pub gate: &'t Gate,
    /// The gate looks at everything that is there now, and not only at what came in.
    pub gates_all: bool,
    /// Unread parts do not make the verdict unknown.
    pub allow_incomplete: bool,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// What the earlier state was called.
    pub since: String,
    /// The report on the state now.
    pub now: Report,
    /// In the order of the targets now; those that are gone last.
    pub targets: Vec<TargetChanges>,
    pub verdict: Verdict,
    pub gates_all: bool,
}

/// One machine, package or other target.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetChanges {
    pub name: String,
    pub kind: TargetKind,
    pub presence: Presence,
    pub inputs: Vec<InputChange>,
    pub packages: Vec<PackageChange>,
    /// Of concern now and not before, worst first. Empty where the two states could not be compared.
    pub introduced: Vec<Finding>,
    /// Of concern before and no more.
    pub fixed: Vec<Fixed>,
    /// Of concern now, and before or nobody can say.
    pub remaining: Vec<Finding>,
    pub problems: Vec<Problem>,
}

/// Whether a target is in both states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    Kept,
    Added,
    Removed,
    /// One of the two states was not read, so nobody can say what changed.
    NotCompared,
}

impl Presence {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::NotCompared => "not-compared",
        }
    }
}

/// A finding that is gone, and what made it go: `updated 8.3.0 → 8.5.0`, `removed`, `gone with its machine`, `fixed by patch`,
/// `not affected`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixed {
    pub finding: Finding,
    pub how: String,
}

/// The versions of a package that are only in one of the states. One side is empty where it was added or removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackageChange {
    pub ecosystem: Ecosystem,
    pub name: String,
    pub before: Vec<String>,
    pub after: Vec<String>,
}

/// An input whose lock changed; a side is `None` where the input was added or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputChange {
    pub name: String,
    pub before: Option<FlakeInput>,
    pub after: Option<FlakeInput>,
}

/// Compares two states of the same targets, which are told by their names.
pub fn compare(since: &str, before: Side<'_>, now: Side<'_>, terms: Terms<'_>) -> Changes {
    let find = |side: Side<'_>, name: &str| side.inventories.iter().position(|inventory| inventory.name == name);
    // Two plain files are one thing in two states, whatever they are called.
    let is_plain = before.inventories.len() == 1 && now.inventories.len() == 1;
    let mut targets = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, inventory) in now.inventories.iter().enumerate() {
        let earlier = if is_plain { Some(0) } else { find(before, &inventory.name) };
        seen.extend(earlier);
        targets.push(target(Half::at(before, earlier), Half::at(now, Some(index)), (before, now), terms.gate));
    }
    for index in (0..before.inventories.len()).filter(|index| !seen.contains(index)) {
        targets.push(target(Half::at(before, Some(index)), None, (before, now), terms.gate));
    }
    let verdict = verdict(&targets, terms);
    Changes { since: since.to_owned(), now: now.report.clone(), targets, verdict, gates_all: terms.gates_all }
}

/// A target in one state.
#[derive(Clone, Copy)]
struct Half<'s> {
    inventory: &'s Inventory,
    findings: &'s [Finding],
    problems: &'s [Problem],
}

impl<'s> Half<'s> {
    fn at(side: Side<'s>, index: Option<usize>) -> Option<Self> {
        let report = side.report.targets.get(index?)?;
        let inventory = side.inventories.get(index?)?;
        Some(Self { inventory, findings: &report.findings, problems: &report.problems })
    }

    /// Nothing of it was read. A lock has no components, and is read by its inputs.
    fn is_unread(&self) -> bool {
        !self.problems.is_empty() && self.inventory.components.is_empty() && self.inventory.inputs.is_empty()
    }
}

/// Whether a target that is missing in a state may be missing only because that state was not read.
fn hides_targets(side: Side<'_>) -> bool {
    let is_whole = |inventory: &Inventory| inventory.kind == TargetKind::FlakeOutput || inventory.problems.is_empty();
    !side.inventories.iter().all(is_whole)
}

fn presence(before: Option<&Half<'_>>, now: Option<&Half<'_>>, (earlier, later): (Side<'_>, Side<'_>)) -> Presence {
    match (before, now) {
        (Some(before), Some(now)) if before.is_unread() || now.is_unread() => Presence::NotCompared,
        (Some(_), Some(_)) => Presence::Kept,
        (None, Some(now)) if now.is_unread() || hides_targets(earlier) => Presence::NotCompared,
        (None, _) => Presence::Added,
        (Some(before), None) if before.is_unread() || hides_targets(later) => Presence::NotCompared,
        (Some(_), None) => Presence::Removed,
    }
}

fn target(before: Option<Half<'_>>, now: Option<Half<'_>>, sides: (Side<'_>, Side<'_>), gate: &Gate) -> TargetChanges {
    let presence = presence(before.as_ref(), now.as_ref(), sides);
    let named = now.or(before).map(|half| (half.inventory.name.clone(), half.inventory.kind));
    let (name, kind) = named.unwrap_or_else(|| (String::new(), TargetKind::Unrecognised));
    let mut changes = TargetChanges {
        name,
        kind,
        presence,
        inputs: Vec::new(),
        packages: Vec::new(),
        introduced: Vec::new(),
        fixed: Vec::new(),
        remaining: Vec::new(),
        problems: problems(before.as_ref(), now.as_ref()),
    };
    let concern = |half: &Half<'_>| -> Vec<Finding> {
        half.findings.iter().filter(|finding| is_of_concern(finding, gate)).cloned().collect()
    };
    if presence == Presence::NotCompared {
        changes.remaining = now.as_ref().map(concern).unwrap_or_default();
        return changes;
    }
    changes.inputs = inputs(before.as_ref(), now.as_ref());
    // Of a machine that came or went, every package did, and that says nothing about an update.
    if presence == Presence::Kept {
        changes.packages = packages(before.as_ref(), now.as_ref());
    }
    let earlier = before.as_ref().map(concern).unwrap_or_default();
    let known: BTreeSet<_> = earlier.iter().map(key).collect();
    for finding in now.as_ref().map(concern).unwrap_or_default() {
        if known.contains(&key(&finding)) {
            changes.remaining.push(finding);
        } else {
            changes.introduced.push(finding);
        }
    }
    let here = now.map_or(&[][..], |now| now.findings);
    let still: BTreeSet<_> =
        changes.remaining.iter().map(key).map(|(id, name)| (id.to_owned(), name.to_owned())).collect();
    for finding in earlier {
        let (id, name) = key(&finding);
        if !still.contains(&(id.to_owned(), name.to_owned())) {
            settle(finding, here, &mut changes);
        }
    }
    changes
}

/// What an audit would say out loud: an alarm, or what the gate asks about beside alarms.
fn is_of_concern(finding: &Finding, gate: &Gate) -> bool {
    finding.is_alarm() || gate.fails(finding)
}

/// An advisory on a package, whatever its version: a bump to another affected version brings nothing in.
fn key(finding: &Finding) -> (&str, &str) {
    (&finding.id, &finding.package.name)
}

/// Says how a finding went; where what is said of it now is no answer, it has not gone.
fn settle(finding: Finding, here: &[Finding], changes: &mut TargetChanges) {
    let same = || here.iter().filter(|other| key(other) == key(&finding));
    if let Some(doubtful) = same().find(|other| !matches!(other.state, State::FixedByPatch | State::NotAffected)) {
        changes.remaining.push(doubtful.clone());
        return;
    }
    let said = same().next().map(|other| match other.state {
        State::FixedByPatch => "fixed by patch".to_owned(),
        _ => "not affected".to_owned(),
    });
    let of_package = |change: &&PackageChange| change.name == finding.package.name;
    let changed = changes.packages.iter().find(of_package).map(|change| match change.after.as_slice() {
        [] => "removed".to_owned(),
        after => format!("updated {} → {}", finding.package.version, after.join(", ")),
    });
    let otherwise = if changes.presence == Presence::Removed { "gone with its machine" } else { "removed" };
    let how = said.or(changed).unwrap_or_else(|| otherwise.to_owned());
    changes.fixed.push(Fixed { finding, how });
}

fn problems(before: Option<&Half<'_>>, now: Option<&Half<'_>>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = now.into_iter().flat_map(|now| now.problems).cloned().collect();
    for problem in before.into_iter().flat_map(|before| before.problems) {
        // A machine that never evaluated is one thing to look at, not two.
        if !problems.contains(problem) {
            problems.push(Problem::new(&problem.subject, format!("before: {}", problem.message)));
        }
    }
    problems
}

fn inputs(before: Option<&Half<'_>>, now: Option<&Half<'_>>) -> Vec<InputChange> {
    let by_name = |half: Option<&Half<'_>>| -> BTreeMap<String, FlakeInput> {
        let inputs = half.into_iter().flat_map(|half| &half.inventory.inputs);
        inputs.map(|input| (input.name.clone(), input.clone())).collect()
    };
    let (mut before, now) = (by_name(before), by_name(now));
    let mut changes: Vec<InputChange> = now
        .into_iter()
        .map(|(name, after)| InputChange { before: before.remove(&name), name, after: Some(after) })
        .filter(|change| change.before != change.after)
        .collect();
    changes.extend(before.into_iter().map(|(name, input)| InputChange { name, before: Some(input), after: None }));
    changes.sort_by(|left, right| left.name.cmp(&right.name));
    changes
}

type Versions = BTreeMap<(Ecosystem, String), BTreeSet<String>>;

fn packages(before: Option<&Half<'_>>, now: Option<&Half<'_>>) -> Vec<PackageChange> {
    let versions = |half: Option<&Half<'_>>| -> Versions {
        let mut versions = Versions::new();
        for component in half.into_iter().flat_map(|half| &half.inventory.components) {
            let of_package = versions.entry((component.ecosystem.clone(), component.name.clone())).or_default();
            of_package.insert(component.version.clone());
        }
        versions
    };
    let (before, now) = (versions(before), versions(now));
    let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let none = BTreeSet::new();
    let mut changes = Vec::new();
    for name in names {
        let (old, new) = (before.get(name).unwrap_or(&none), now.get(name).unwrap_or(&none));
        if old != new {
            let (ecosystem, package) = name.clone();
            let only = |side: &BTreeSet<String>, other: &BTreeSet<String>| ordered(side.difference(other));
            changes.push(PackageChange { ecosystem, name: package, before: only(old, new), after: only(new, old) });
        }
    }
    changes
}

fn ordered<'v>(versions: impl Iterator<Item = &'v String>) -> Vec<String> {
    let mut versions: Vec<String> = versions.cloned().collect();
    versions.sort_by(|left, right| {
        compare_versions(Scheme::Nix, left, right).unwrap_or_else(|| left.cmp(right)).then_with(|| left.cmp(right))
    });
    versions
}

fn verdict(targets: &[TargetChanges], terms: Terms<'_>) -> Verdict {
    let is_judged = |target: &TargetChanges| {
        // A machine is itself a part, of its flake.
        let is_machine = target.kind == TargetKind::FlakeOutput;
        let is_compared = |target: &TargetChanges| target.presence != Presence::NotCompared;
        let has_part = is_compared(target)
            || (is_machine && targets.iter().any(|other| other.kind == target.kind && is_compared(other)));
        target.problems.is_empty() || (terms.allow_incomplete && has_part)
    };
    let fails = |target: &TargetChanges| {
        // Where nobody can say what is new, everything could be.
        let looks_at_all = terms.gates_all || target.presence == Presence::NotCompared;
        let remaining = target.remaining.iter().filter(|_| looks_at_all);
        target.introduced.iter().chain(remaining).any(|finding| terms.gate.fails(finding))
    };
    if !targets.iter().all(is_judged) {
        Verdict::Unknown
    } else if targets.iter().any(fails) {
        Verdict::Fail
    } else {
        Verdict::Pass
    }
}

impl Changes {
    /// The report on the state now, with only what came in.
    pub(crate) fn introduced(&self) -> Report {
        let mut report = self.now.clone();
        for target in &mut report.targets {
            let changes = self.targets.iter().find(|changes| changes.name == target.name);
            target.findings = changes.map(|changes| changes.introduced.clone()).unwrap_or_default();
        }
        report
    }

    /// How many findings there are of a sort, over all targets.
    pub(crate) fn sum(&self, sort: impl Fn(&TargetChanges) -> usize) -> usize {
        self.targets.iter().map(sort).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sample;
    use aux_core::Component;

    type Machine<'m> = (&'m str, &'m [(&'m str, &'m str)], Vec<Finding>);

    /// A machine with these packages and these findings on them.
    fn state(machines: &[Machine<'_>]) -> (Vec<Inventory>, Report) {
        let mut report = sample::clean_report();
        report.targets.clear();
        let mut inventories = Vec::new();
        for (name, packages, findings) in machines {
            let mut inventory = Inventory::new(*name, TargetKind::FlakeOutput);
            let named = |(name, version): &(&str, &str)| Component::named(Ecosystem::NIX, *name, *version, "out");
            inventory.components = packages.iter().map(named).collect();
            if packages.is_empty() {
                inventory.problems.push(Problem::new(*name, "did not evaluate"));
            }
            report.targets.push(crate::TargetReport {
                name: inventory.name.clone(),
                kind: inventory.kind,
                components: inventory.components.len(),
                inputs: Vec::new(),
                problems: inventory.problems.clone(),
                findings: findings.clone(),
            });
            inventories.push(inventory);
        }
        (inventories, report)
    }

    fn changes(before: &(Vec<Inventory>, Report), now: &(Vec<Inventory>, Report), gates_all: bool) -> Changes {
        let side = |(inventories, report)| Side { inventories, report };
        let gate = Gate::read("any").unwrap();
        let terms = Terms { gate: &gate, gates_all, allow_incomplete: false };
        let (before, now) = ((&*before.0, &before.1), (&*now.0, &now.1));
        compare("old", side(before), side(now), terms)
    }

    fn finding(id: &str, name: &str, version: &str) -> Finding {
        sample::finding(id, name, version, Some(75))
    }

    #[test]
    fn what_went_what_came_and_what_stayed_are_told_apart() {
        let old = state(&[(
            "a",
            &[("curl", "1"), ("zlib", "1"), ("bash", "5"), ("gone", "1")],
            vec![finding("C-1", "curl", "1"), finding("C-2", "zlib", "1"), finding("C-3", "gone", "1")],
        )]);
        let new = state(&[(
            "a",
            &[("curl", "2"), ("zlib", "2"), ("bash", "5"), ("new", "1")],
            vec![finding("C-2", "zlib", "2"), finding("C-4", "new", "1")],
        )]);
        let compared = changes(&old, &new, false);
        let target = &compared.targets[0];
        let fixed: Vec<_> = target.fixed.iter().map(|fixed| (&*fixed.finding.id, &*fixed.how)).collect();
        assert_eq!(fixed, [("C-1", "updated 1 → 2"), ("C-3", "removed")]);
        assert_eq!(target.introduced[0].id, "C-4");
        assert_eq!(target.remaining[0].id, "C-2", "a bump to another affected version brings nothing in");
        let packages: Vec<_> = target.packages.iter().map(|change| &*change.name).collect();
        assert_eq!(packages, ["curl", "gone", "new", "zlib"]);
        assert_eq!(compared.verdict, Verdict::Fail);
    }

    #[test]
    fn what_was_there_before_fails_only_where_everything_is_gated() {
        let old = state(&[("a", &[("curl", "1")], vec![finding("C-1", "curl", "1")])]);
        assert_eq!(changes(&old, &old, false).verdict, Verdict::Pass);
        assert_eq!(changes(&old, &old, true).verdict, Verdict::Fail);
    }

    #[test]
    fn what_can_no_longer_be_told_is_not_called_fixed() {
        let old = state(&[("a", &[("curl", "1")], vec![finding("C-1", "curl", "1")])]);
        let mut doubtful = finding("C-1", "curl", "unstable");
        doubtful.state = State::Unknown;
        let new = state(&[("a", &[("curl", "unstable")], vec![doubtful])]);
        let target = &changes(&old, &new, false).targets[0];
        assert!(target.fixed.is_empty());
        assert_eq!(target.remaining[0].state, State::Unknown);
    }

    #[test]
    fn a_machine_that_was_not_read_is_not_compared_and_the_verdict_is_unknown() {
        let good = state(&[("a", &[("curl", "1")], vec![finding("C-1", "curl", "1")])]);
        let bad = state(&[("a", &[], vec![])]);
        for (before, now) in [(&good, &bad), (&bad, &good)] {
            let compared = changes(before, now, false);
            let target = &compared.targets[0];
            assert_eq!(target.presence, Presence::NotCompared);
            assert!(target.fixed.is_empty() && target.introduced.is_empty() && target.packages.is_empty());
            assert_eq!(compared.verdict, Verdict::Unknown);
        }
    }

    #[test]
    fn machines_come_and_go_unless_their_flake_was_not_read() {
        let one = state(&[("a", &[("curl", "1")], vec![]), ("b", &[("curl", "1")], vec![])]);
        let two = state(&[("a", &[("curl", "1")], vec![]), ("c", &[("curl", "1")], vec![finding("C-1", "curl", "1")])]);
        let mut compared = changes(&one, &two, false);
        let presences: Vec<_> = compared.targets.iter().map(|target| (&*target.name, target.presence)).collect();
        assert_eq!(presences, [("a", Presence::Kept), ("c", Presence::Added), ("b", Presence::Removed)]);
        assert_eq!(compared.targets[1].introduced.len(), 1, "everything on a new machine is new");
        let mut broken = one.clone();
        broken.0[0].kind = TargetKind::FlakeLock;
        broken.0[0].problems.push(Problem::new("a", "did not evaluate"));
        compared = changes(&broken, &two, false);
        assert_eq!(compared.targets[1].presence, Presence::NotCompared);
    }
}
