//! Never twice, never lost: over every history of reports.

use aux_core::{Fix, Package, Problem, Score, Severity, TargetKind};
use proptest::prelude::*;

use super::*;

const DAY_SECONDS: i64 = 86_400;

fn finding(id: u8, version: u8, state: State) -> Finding {
    let package = Package { name: format!("p{}", id % 3), version: version.to_string(), purl: "pkg:nix/p".into() };
    Finding {
        severity: Severity::High,
        score: Score::from_tenths(75),
        ..Finding::new(format!("CVE-2020-{id:04}"), package, state)
    }
}

fn report(findings: Vec<Finding>) -> TargetReport {
    TargetReport {
        checks: None,
        name: "web".into(),
        kind: TargetKind::Closure,
        components: 1,
        inputs: Vec::new(),
        problems: Vec::new(),
        findings,
    }
}

fn fixable(mut finding: Finding) -> Finding {
    finding.fixes.push(Fix { channel: "nixos-24.05".into(), version: "9".into(), revision: None });
    finding
}

fn critical(mut finding: Finding) -> Finding {
    finding.class = Class::Critical;
    finding
}

fn on_day(day: i64) -> Timestamp {
    Timestamp::from_second(1_600_000_000 + day * DAY_SECONDS).unwrap()
}

fn told(memory: &mut Memory, gate: &str, report: &TargetReport, day: i64) -> Vec<String> {
    let events = changes(memory, "web", report, &Gate::read(gate).unwrap(), on_day(day));
    events.iter().map(|event| format!("{} {}", event.kind, event.subject.advisory)).collect()
}

#[test]
fn a_bump_to_a_version_that_is_vulnerable_too_is_silent_and_a_fix_is_not() {
    let mut memory = Memory::default();
    let affected = |version| finding(1, version, State::Affected);
    assert_eq!(told(&mut memory, "any", &report(vec![affected(1)]), 0), ["new CVE-2020-0001"]);
    assert!(told(&mut memory, "any", &report(vec![affected(2)]), 1).is_empty());
    assert_eq!(told(&mut memory, "any", &report(vec![fixable(affected(2))]), 2), ["fix_available CVE-2020-0001"]);
    assert!(told(&mut memory, "any", &report(vec![fixable(affected(3))]), 3).is_empty());
    let both = report(vec![critical(fixable(affected(3)))]);
    assert_eq!(told(&mut memory, "any", &both, 4), ["now_critical CVE-2020-0001"]);
    assert!(told(&mut memory, "any", &both, 5).is_empty());
}

#[test]
fn what_is_known_at_once_is_told_at_once() {
    let mut memory = Memory::default();
    let first = report(vec![critical(fixable(finding(1, 1, State::Affected)))]);
    let events = changes(&mut memory, "web", &first, &Gate::read("any").unwrap(), on_day(0));
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].covers, EventKind::ALL);
}

#[test]
fn what_was_below_the_gate_is_named_by_what_lifts_it() {
    let gate = aux_audit::DEFAULT_GATE;
    let mut memory = Memory::default();
    let affected = || finding(1, 1, State::Affected);
    assert!(told(&mut memory, gate, &report(vec![affected()]), 0).is_empty());
    let fixed = report(vec![fixable(affected())]);
    assert_eq!(told(&mut memory, gate, &fixed, 1), ["fix_available CVE-2020-0001"]);
    let mut memory = Memory::default();
    assert!(told(&mut memory, gate, &report(vec![affected()]), 0).is_empty());
    assert_eq!(told(&mut memory, gate, &report(vec![critical(affected())]), 1), ["now_critical CVE-2020-0001"]);
}

#[test]
fn two_versions_of_one_package_are_one_event() {
    let mut memory = Memory::default();
    let both = report(vec![finding(1, 1, State::Affected), fixable(finding(1, 2, State::Affected))]);
    let events = changes(&mut memory, "web", &both, &Gate::read("any").unwrap(), on_day(0));
    assert_eq!(events.len(), 1);
    assert!(events[0].finding.is_fixable());
}

#[test]
fn an_advisory_that_gets_a_cve_id_is_no_news() {
    let mut memory = Memory::default();
    let mut first = finding(1, 1, State::Affected);
    first.id = "GHSA-aaaa-bbbb-cccc".into();
    assert_eq!(told(&mut memory, "any", &report(vec![first.clone()]), 0).len(), 1);
    first.aliases = vec![std::mem::replace(&mut first.id, "CVE-2020-0001".into())];
    assert!(told(&mut memory, "any", &report(vec![first]), 1).is_empty());
}

#[test]
fn a_return_is_news_only_after_the_memory_ends_and_unknown_is_not_clean() {
    let long = ALERT_MEMORY_SECONDS / DAY_SECONDS + 1;
    let there = report(vec![finding(1, 1, State::Affected)]);
    let gone = report(Vec::new());
    let mut unread = report(Vec::new());
    unread.problems.push(Problem::new("web", "cannot be read"));

    let mut memory = Memory::default();
    told(&mut memory, "any", &there, 0);
    assert!(told(&mut memory, "any", &gone, 1).is_empty());
    assert!(told(&mut memory, "any", &there, 2).is_empty());
    told(&mut memory, "any", &gone, 3);
    told(&mut memory, "any", &gone, 3 + long);
    assert_eq!(told(&mut memory, "any", &there, 4 + long).len(), 1);

    let mut memory = Memory::default();
    told(&mut memory, "any", &there, 0);
    told(&mut memory, "any", &unread, long - 1);
    told(&mut memory, "any", &gone, long);
    assert!(told(&mut memory, "any", &there, long + 1).is_empty());
    let unsure = report(vec![finding(1, 1, State::Unknown)]);
    told(&mut memory, "any", &unsure, 2 * long);
    assert!(told(&mut memory, "any", &there, 2 * long + 1).is_empty());
}

/// One row of a report that proptest made up.
#[derive(Debug, Clone)]
struct Row {
    id: u8,
    version: u8,
    state: u8,
    is_fixable: bool,
    is_critical: bool,
    is_waived: bool,
}

impl Row {
    fn finding(&self) -> Finding {
        let states =
            [State::Affected, State::Affected, State::Affected, State::Unknown, State::Unreviewed, State::NotAffected];
        let mut finding = finding(self.id, self.version, states[usize::from(self.state)]);
        if self.is_fixable {
            finding = fixable(finding);
        }
        if self.is_critical {
            finding = critical(finding);
        }
        finding.waived = self.is_waived.then(|| "accepted".to_owned());
        finding
    }
}

prop_compose! {
    fn row()(
        id in 0_u8..5, version in 0_u8..3, state in 0_u8..6,
        is_fixable in any::<bool>(), is_critical in any::<bool>(), waived in 0_u8..8,
    ) -> Row {
        Row { id, version, state, is_fixable, is_critical, is_waived: waived == 0 }
    }
}

/// Days since the last report, its rows, and whether part of it could not be read.
fn step() -> impl Strategy<Value = (i64, Vec<Row>, bool)> {
    (
        prop_oneof![4 => 0_i64..3, 1 => Just(60_i64), 1 => Just(91_i64)],
        prop::collection::vec(row(), 0..6),
        prop::bool::weighted(0.2),
    )
}

proptest! {
    #[test]
    fn never_twice_and_never_lost(
        gate in prop_oneof![Just("any"), Just("class:critical,severity:high+fixable"), Just("kev")],
        steps in prop::collection::vec(step(), 1..14),
    ) {
        let gate_read = Gate::read(gate).unwrap();
        let mut memory = Memory::default();
        let mut told: BTreeSet<(String, String, EventKind)> = BTreeSet::new();
        // When each remembered finding was last not known to be gone.
        let mut open: BTreeMap<(String, String), Timestamp> = BTreeMap::new();
        let mut day = 0;
        for (days, rows, is_unread) in steps {
            day += days;
            let now = on_day(day);
            let mut report = report(rows.iter().map(Row::finding).collect());
            if is_unread {
                report.problems.push(Problem::new("web", "cannot be read"));
            }
            for event in changes(&mut memory, "web", &report, &gate_read, now) {
                prop_assert!(event.covers.contains(&event.kind));
                for kind in event.covers {
                    let key = (event.subject.advisory.clone(), event.subject.package.clone(), kind);
                    prop_assert!(told.insert(key), "{:?} {kind} twice", event.subject);
                }
            }
            for finding in report.findings.iter().filter(|finding| gate_read.fails(finding)) {
                let was_told = |kind| told.contains(&(finding.id.clone(), finding.package.name.clone(), kind));
                prop_assert!(was_told(EventKind::New), "{} is lost", finding.id);
                prop_assert!(!finding.is_fixable() || was_told(EventKind::FixAvailable));
                prop_assert!(finding.class != Class::Critical || was_told(EventKind::NowCritical));
            }
            for finding in report.findings.iter().filter(|finding| finding.state != State::NotAffected) {
                let subject = (finding.id.clone(), finding.package.name.clone());
                if finding.is_alarm() || open.contains_key(&subject) {
                    open.insert(subject, now);
                }
            }
            if is_unread {
                for seen in open.values_mut() {
                    *seen = now;
                }
            }
            // Only what was gone for longer than the memory is forgotten, and may be told again.
            let forgotten: Vec<_> = open.keys().filter(|key| !memory.subjects.contains_key(*key)).cloned().collect();
            for subject in forgotten {
                let gone = now.as_second() - open.remove(&subject).unwrap().as_second();
                prop_assert!(gone > ALERT_MEMORY_SECONDS, "{subject:?} is forgotten after {gone} s");
                told.retain(|(advisory, package, _)| (advisory, package) != (&subject.0, &subject.1));
            }
            // The same report a moment later says nothing.
            prop_assert!(changes(&mut memory, "web", &report, &gate_read, now).is_empty());
        }
    }
}
