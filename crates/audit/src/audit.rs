//! The audit itself: every component of every inventory against the index, under a policy, as on a day.

use std::cmp::Ordering;
use std::fmt::Write as _;

use aux_advisory::identity::{Stance, lookup_names};
use aux_advisory::index::{Advisory, AdvisoryKey, Damaged, Fixed, Index, Said};
use aux_advisory::triage::Status;
use aux_core::component::PatchEvidence;
use aux_core::finding::EvidenceKind;
use aux_core::naming::fold;
use aux_core::version::compare;
use aux_core::{Component, Evidence, Finding, Fix, Inventory, Package, Problem, Scope, Severity, State, TargetKind};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::checks::{self, Terms};
use crate::gate::Gate;
use crate::identify::{Candidate, candidates};
use crate::matching::{Match, Outcome, Present, matches, scheme_of};
use crate::parallel::in_two_threads;
use crate::report::{FeedFacts, Report, TargetReport, Verdict};
use crate::waiver::Waivers;

/// What is asked of an audit.
#[derive(Debug, Clone)]
pub struct Policy {
    pub gate: Gate,
    /// The configuration file that set the gate; `None` where it is the default or was typed.
    pub gate_file: Option<String>,
    pub waivers: Waivers,
    /// Leave build-only components out.
    pub runtime_only: bool,
    /// Unread parts of a target do not make the verdict unknown.
    pub allow_incomplete: bool,
    /// Why the feed cannot speak for the present, where it cannot: then no verdict is, whatever is allowed.
    pub stale_feed: Option<String>,
    /// Whether packages, configurations or both are judged.
    pub only: Only,
    /// What configuration checks allow.
    pub terms: Terms,
    /// Branches that targets follow, besides those that their locks name.
    pub branches: Vec<String>,
}

impl Policy {
    /// Everything is judged, and nothing is waived or allowed.
    pub fn new(gate: Gate, now: Timestamp) -> Self {
        Self {
            gate,
            gate_file: None,
            waivers: Waivers::default(),
            runtime_only: false,
            allow_incomplete: false,
            stale_feed: None,
            only: Only::default(),
            terms: Terms::new(now),
            branches: Vec::new(),
        }
    }
}

/// What an audit looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Only {
    #[default]
    Everything,
    Packages,
    Config,
}

impl Only {
    pub fn has_packages(self) -> bool {
        self != Self::Config
    }

    pub fn has_checks(self) -> bool {
        self != Self::Packages
    }
}

/// Judges every inventory. Expiry and age are judged as on `now`.
pub fn audit(index: &Index<'_>, inventories: &[Inventory], policy: &Policy, now: Timestamp) -> Report {
    judged(Some(index), inventories, policy, now)
}

/// Judges configurations alone, whatever the policy says of packages: that needs no feed.
pub fn audit_configurations(inventories: &[Inventory], policy: &Policy, now: Timestamp) -> Report {
    judged(None, inventories, &Policy { only: Only::Config, ..policy.clone() }, now)
}

/// Without an index no package is judged.
fn judged(index: Option<&Index<'_>>, inventories: &[Inventory], policy: &Policy, now: Timestamp) -> Report {
    let today = now.to_zoned(TimeZone::UTC).date();
    let targets: Vec<TargetReport> =
        inventories.iter().map(|inventory| target(index, inventory, policy, today)).collect();
    let mut report = Report {
        feed: index.map(|index| feed_facts(index, now)),
        verdict: Verdict::Pass,
        fail_on: policy.gate.as_str().to_owned(),
        gate_file: policy.gate_file.clone(),
        waiver_notes: Vec::new(),
        as_of: now,
        targets,
    };
    report.waiver_notes = policy.waivers.apply(&mut report.targets, policy.only, today);
    for target in &mut report.targets {
        target.findings.sort_by_cached_key(order);
    }
    report.verdict = verdict(&report, policy);
    report
}

fn verdict(report: &Report, policy: &Policy) -> Verdict {
    let findings = || report.targets.iter().flat_map(|target| &target.findings);
    // What is allowed is to judge a part. Where nothing was read there is no part, and a mistyped name would pass.
    let is_judged =
        |target: &TargetReport| target.problems.is_empty() || (policy.allow_incomplete && report.has_part_of(target));
    let checks = || report.targets.iter().filter_map(|target| target.checks.as_ref()).flatten();
    if policy.stale_feed.is_some() || !report.targets.iter().all(is_judged) {
        Verdict::Unknown
    } else if findings().any(|finding| policy.gate.fails(finding))
        || checks().any(|check| policy.gate.fails_check(check))
    {
        Verdict::Fail
    } else {
        Verdict::Pass
    }
}

fn feed_facts(index: &Index<'_>, now: Timestamp) -> FeedFacts {
    let built = index.facts().built;
    let age = now.as_second().saturating_sub(built.as_second());
    FeedFacts {
        serial: index.facts().serial,
        built,
        age_seconds: u64::try_from(age).unwrap_or_default(),
        advisories: index.advisories_count(),
    }
}

fn target(index: Option<&Index<'_>>, inventory: &Inventory, policy: &Policy, today: Date) -> TargetReport {
    let present = present(inventory);
    let judged =
        inventory.components.iter().filter(|component| !policy.runtime_only || component.scope != Scope::Build);
    let mut problems = inventory.problems.clone();
    problems.extend(policy.stale_feed.iter().map(|reason| Problem::new("the feed", reason)));
    let configuration = inventory.configuration.as_deref().filter(|_| policy.only.has_checks());
    let checks = configuration.map(|configuration| checks::check(configuration, &policy.terms));
    match policy.only {
        Only::Config if checks.is_none() => {
            problems.push(Problem::new(&inventory.name, "tells nothing of a configuration, so nothing was judged"));
        }
        // What could not be read of its packages was not asked for; what checks could not see they say themselves.
        Only::Config => problems.clear(),
        // A lock says by itself that it names no packages.
        _ if inventory.kind == TargetKind::FlakeLock || !inventory.components.is_empty() || !problems.is_empty() => {}
        _ if checks.is_some() && inventory.kind == TargetKind::Configuration => {}
        _ => problems.push(Problem::new(&inventory.name, "no component was found in it, so nothing was judged")),
    }
    // Without an index the policy is about configurations alone.
    let index = index.filter(|_| policy.only.has_packages());
    let components: Vec<&Component> = judged.filter(|_| index.is_some()).collect();
    let judge = |component: &&Component| {
        let mut findings = Vec::new();
        let Some(index) = index else { return (findings, false) };
        let is_damaged = findings_of(index, inventory, component, (&present, today), &mut findings).is_err();
        (findings, is_damaged)
    };
    let judgements = in_two_threads(&components, judge);
    let mut findings = Vec::with_capacity(judgements.iter().map(|(findings, _)| findings.len()).sum());
    for (component, (found, is_damaged)) in components.iter().zip(judgements) {
        findings.extend(found);
        if is_damaged {
            problems.push(Problem::new(
                &component.name,
                "what the feed holds of it is damaged; fetch or build the feed again",
            ));
        }
    }
    let locked = inventory.inputs.iter().filter_map(|input| input.branch.as_ref());
    let branches: Vec<String> = policy.branches.iter().chain(locked).cloned().collect();
    if !branches.is_empty() {
        for finding in &mut findings {
            finding.fixability = Some(finding.fixability_in(&branches));
        }
    }
    TargetReport {
        name: inventory.name.clone(),
        kind: inventory.kind,
        components: components.len(),
        inputs: inventory.inputs.clone(),
        problems,
        findings,
        checks,
    }
}

/// The folded names of everything in the inventory.
pub(crate) fn present(inventory: &Inventory) -> Present {
    inventory.components.iter().flat_map(lookup_names).map(|name| name.folded).collect()
}

pub(crate) fn findings_of(
    index: &Index<'_>,
    inventory: &Inventory,
    component: &Component,
    (present, today): (&Present, Date),
    into: &mut Vec<Finding>,
) -> Result<(), Damaged> {
    let candidates = candidates(index, component)?;
    if candidates.is_empty() && component.known_vulnerabilities.is_empty() {
        return Ok(());
    }
    let blank = blank(inventory, component);
    let (mut fixed, mut said) = (Vec::new(), Vec::new());
    for name in lookup_names(component) {
        fixed.extend(index.fixes(&component.ecosystem, &name.folded)?);
        said.extend(index.statements(&component.ecosystem, &name.folded)?);
    }
    let mut found = Vec::new();
    for (key, matched) in matches(&candidates, component, present)? {
        let advisory = index.advisory(key)?.ok_or(Damaged)?;
        found.push((Some(key), finding(&blank, component, &matched, &advisory)));
    }
    for text in &component.known_vulnerabilities {
        known_vulnerability(index, &blank, text, &mut found)?;
    }
    for (key, mut finding) in found {
        fixes(fixed.iter().filter(|fixed| Some(fixed.advisory) == key), component, &mut finding);
        patched(component, &mut finding);
        stated(said.iter().filter(|said| Some(said.advisory) == key), component, &mut finding, today);
        into.push(finding);
    }
    Ok(())
}

/// What is found of one advisory on one component, if anything: what `--explain` ends with.
pub(crate) fn conclusion(
    index: &Index<'_>,
    inventory: &Inventory,
    component: &Component,
    (present, today): (&Present, Date),
    advisory: &Advisory<'_>,
) -> Result<Option<Finding>, Damaged> {
    let mut all = Vec::new();
    findings_of(index, inventory, component, (present, today), &mut all)?;
    Ok(all.into_iter().find(|finding| finding.id == advisory.id))
}

fn finding(blank: &Finding, component: &Component, found: &Match<'_, '_>, advisory: &Advisory<'_>) -> Finding {
    let mut finding = Finding { id: advisory.id.clone(), ..blank.clone() };
    describe(&mut finding, advisory);
    let Candidate { block, reason, .. } = found.candidate;
    finding.evidence.push(Evidence::new(EvidenceKind::Identity, format!("{}: {reason}", block.product)));
    finding.evidence.push(Evidence::new(EvidenceKind::Range, found.reason(component)));
    finding.state = match (&found.outcome, found.stance) {
        (_, Stance::Unreviewed) => State::Unreviewed,
        (Outcome::Affected(_), _) => State::Affected,
        _ => State::Unknown,
    };
    finding.fixed_versions = found.fixed_versions(&component.version);
    finding
}

fn describe(finding: &mut Finding, advisory: &Advisory<'_>) {
    finding.aliases = advisory.aliases.iter().map(|alias| (*alias).to_owned()).collect();
    finding.class = advisory.class;
    finding.severity = Severity::of(advisory.score);
    finding.score = advisory.score;
    finding.kev = advisory.kev;
}

/// What all findings of a component share.
fn blank(inventory: &Inventory, component: &Component) -> Finding {
    let package = Package { name: component.name.clone(), version: component.version.clone(), purl: purl(component) };
    Finding {
        scope: component.scope,
        path: inventory.path_to(component).into_iter().map(str::to_owned).collect(),
        outputs: component.outputs.as_slice().into(),
        ..Finding::new("", package, State::Affected)
    }
}

/// The component's own purl, or one made from its ecosystem, name and version.
fn purl(component: &Component) -> String {
    if let Some(purl) = &component.purl {
        return purl.clone();
    }
    let mut purl = format!("pkg:{}/", component.ecosystem);
    quote_into(&component.name, &mut purl);
    if !component.version.is_empty() {
        purl.push('@');
        quote_into(&component.version, &mut purl);
    }
    purl
}

fn quote_into(text: &str, purl: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~') {
            purl.push(char::from(byte));
        } else {
            let _ = write!(purl, "%{byte:02X}");
        }
    }
}

/// What the package's own metadata says needs no index, but is one row with what the index says of the same advisory.
fn known_vulnerability(
    index: &Index<'_>,
    blank: &Finding,
    text: &str,
    found: &mut Vec<(Option<AdvisoryKey>, Finding)>,
) -> Result<(), Damaged> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let mut ids: Vec<String> = words.filter(|word| AdvisoryKey::of(word).cve().is_some()).map(str::to_owned).collect();
    if ids.is_empty() {
        ids.push(format!("known-vulnerability:{}", blank.package.name));
    }
    let evidence = Evidence::new(EvidenceKind::Metadata, format!("the package's own metadata says: {text}"));
    for id in ids {
        let is_same = |finding: &Finding| finding.id == id || finding.aliases.contains(&id);
        if let Some((_, finding)) = found.iter_mut().find(|(_, finding)| is_same(finding)) {
            finding.state = State::Affected;
            finding.evidence.push(evidence.clone());
            continue;
        }
        let key = index.key_of(&id)?;
        let mut finding = Finding { id, ..blank.clone() };
        if let Some(advisory) = key.map(|key| index.advisory(key)).transpose()?.flatten() {
            finding.id.clone_from(&advisory.id);
            describe(&mut finding, &advisory);
        }
        finding.evidence.push(evidence.clone());
        found.push((key, finding));
    }
    Ok(())
}

/// Fixed versions the team has named, above the component's own.
fn fixes<'f>(fixed: impl Iterator<Item = &'f Fixed<'f>>, component: &Component, finding: &mut Finding) {
    let scheme = scheme_of(component);
    let is_above = |version: &str| compare(scheme, version, &component.version).is_none_or(Ordering::is_gt);
    for fix in fixed.filter(|fix| is_above(fix.version)) {
        let version = fix.version.to_owned();
        match fix.channel {
            Some(channel) => finding.fixes.push(Fix {
                channel: channel.to_owned(),
                version,
                revision: fix.revision.map(str::to_owned),
            }),
            None if finding.fixed_versions.contains(&version) => {}
            None => finding.fixed_versions.push(version),
        }
    }
    finding.fixes.sort();
    finding.fixes.dedup();
}

/// A patch that names the advisory, on every derivation of the version, fixes it.
fn patched(component: &Component, finding: &mut Finding) {
    for patch in &component.patches {
        let named = patch.cves.iter().find(|(cve, _)| *cve == finding.id || finding.aliases.contains(cve));
        let Some((cve, seen)) = named else { continue };
        let place = match seen {
            PatchEvidence::Name => "file name",
            PatchEvidence::Url => "URL",
            PatchEvidence::Text => "text",
        };
        let from = patch.urls.first().map(|url| format!(" ({url})")).unwrap_or_default();
        finding.state = State::FixedByPatch;
        finding
            .evidence
            .push(Evidence::new(EvidenceKind::Patch, format!("{}{from} names {cve} in its {place}", patch.path)));
    }
}

/// The team's statements: the last word.
fn stated<'s>(said: impl Iterator<Item = &'s Said<'s>>, component: &Component, finding: &mut Finding, today: Date) {
    let scheme = scheme_of(component);
    for said in said.filter(|said| said.versions.holds(scheme, &component.version) == Some(true)) {
        if said.expires.is_some_and(|expires| expires < today) {
            finding.evidence.push(Evidence::new(
                EvidenceKind::Statement,
                format!("a statement by {} expired and no longer counts: {}", said.author, said.reason),
            ));
            continue;
        }
        let word = match said.status {
            Status::NotAffected | Status::Fixed => {
                finding.state = State::NotAffected;
                if said.status == Status::Fixed { "fixed" } else { "not affected" }
            }
            Status::Affected => {
                finding.state =
                    if finding.state == State::FixedByPatch { State::FixedByPatch } else { State::Affected };
                "affected"
            }
            Status::UnderInvestigation => "under investigation",
        };
        finding.evidence.push(Evidence::new(
            EvidenceKind::Statement,
            format!("{} says {word} ({}): {}", said.author, said.date, said.reason),
        ));
    }
}

/// Alarms first, then the team's class, exploited ones, severity, name and id.
fn order(finding: &Finding) -> impl Ord + use<> {
    let state = match finding.state {
        State::Affected => 0,
        State::Unknown => 1,
        State::Unreviewed => 2,
        State::FixedByPatch => 3,
        State::NotAffected => 4,
    };
    let worst_first =
        (std::cmp::Reverse(finding.class), std::cmp::Reverse(finding.kev), std::cmp::Reverse(finding.score));
    (
        finding.waived.is_some(),
        state,
        worst_first,
        fold(&finding.package.name),
        finding.package.version.clone(),
        AdvisoryKey::of(&finding.id),
        finding.id.clone(),
    )
}
