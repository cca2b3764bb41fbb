//! The three-way split: which findings a rebuild fixes now, which a newer branch fixes, and which nobody can fix yet.

mod json;
mod text;

use aux_advisory::index::{Damaged, Index};
use aux_audit::{FeedFacts, Verdict};
use aux_core::{Class, Component, Ecosystem, Inventory, Problem, Score, Severity, TargetKind};
use jiff::Timestamp;

use crate::gate::Gate;
use crate::list::{ListEntry, ListFacts, VulnerabilityList};
use crate::summary::{Package, Summary};

pub(crate) use json::FindingOutput;
pub use json::{SCHEMA, json};
pub use text::text;

/// A branch and what it has.
#[derive(Debug)]
pub struct Branch {
    /// `2018Q4`.
    pub name: String,
    /// Where its summary was read.
    pub file: String,
    /// Or why it could not be.
    pub summary: Result<Summary, String>,
}

/// Everything an audit looks at.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What each image holds.
    pub images: &'a [Inventory],
    /// Where the list was read.
    pub list_file: &'a str,
    /// The list, or why there is none to believe.
    pub list: Result<&'a VulnerabilityList, &'a str>,
    /// Why the list cannot speak for `now`.
    pub refusals: &'a [String],
    /// The images' own branch first, then newer ones in their order.
    pub branches: &'a [Branch],
    pub index: Option<&'a Index<'a>>,
    pub gate: &'a Gate,
    pub now: Timestamp,
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub images: Vec<ImageReport>,
    pub list_file: String,
    pub list: Option<ListFacts>,
    pub branches: Vec<BranchFacts>,
    pub feed: Option<FeedFacts>,
    /// What stands in the way of any answer.
    pub problems: Vec<Problem>,
    pub verdict: Verdict,
    pub fail_on: String,
    pub as_of: Timestamp,
}

impl Report {
    /// Whatever stands in the way of an answer, that of the images too.
    pub fn every_problem(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().chain(self.images.iter().flat_map(|image| &image.problems))
    }
}

/// One image and everything found in it.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageReport {
    pub name: String,
    pub kind: TargetKind,
    pub packages: usize,
    /// What can be fixed now first, and within that the worst.
    pub findings: Vec<Finding>,
    pub problems: Vec<Problem>,
}

/// A branch as the report names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchFacts {
    pub name: String,
    pub file: String,
    /// `None` where its summary could not be read.
    pub packages: Option<usize>,
}

/// One entry of the list that holds for one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub package: String,
    pub version: String,
    /// As the list writes it.
    pub pattern: String,
    /// What the list calls the type of exploit; `eol` is one of them.
    pub kind: String,
    pub url: String,
    /// The CVE ids the URL names.
    pub ids: Vec<String>,
    /// The entry's line in the list.
    pub line: usize,
    pub fix: Fix,
    /// What the feed knows of its ids; `None` without a feed, or where it knows none of them.
    pub known: Option<Known>,
}

impl Finding {
    pub fn fixability(&self) -> Fixability {
        match self.fix {
            Fix::Now(_) => Fixability::Now,
            Fix::Rebase(_) => Fixability::Rebase,
            Fix::None => Fixability::None,
        }
    }

    pub fn severity(&self) -> Severity {
        Severity::of(self.known.and_then(|known| known.score))
    }
}

/// What the feed says of the worst of a finding's ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub class: Class,
    pub score: Option<Score>,
    pub kev: bool,
}

/// Whether somebody can do something, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fixability {
    Now,
    Rebase,
    None,
}

impl Fixability {
    pub const ALL: [Self; 3] = [Self::Now, Self::Rebase, Self::None];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Rebase => "rebase",
            Self::None => "none",
        }
    }
}

/// What fixes a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// The image's own branch has a package that is not affected.
    Now(FixedBy),
    /// A newer branch has.
    Rebase(FixedBy),
    /// No branch that was looked at has.
    None,
}

/// A package that is not affected, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedBy {
    /// Another name than the finding's where it supersedes that package.
    pub package: String,
    pub version: String,
    pub branch: String,
}

impl Fix {
    #[cfg(test)]
    pub(crate) fn now((package, version, branch): (String, String, String)) -> Self {
        Self::Now(FixedBy { package, version, branch })
    }

    #[cfg(test)]
    pub(crate) fn rebase((package, version, branch): (String, String, String)) -> Self {
        Self::Rebase(FixedBy { package, version, branch })
    }

    pub fn by(&self) -> Option<&FixedBy> {
        match self {
            Self::Now(by) | Self::Rebase(by) => Some(by),
            Self::None => None,
        }
    }
}

/// Judges every image. The same question has the same answer.
pub fn audit(question: &Question<'_>) -> Result<Report, Damaged> {
    let mut problems = Vec::new();
    let mut report = |subject: &str, message: String| problems.push(Problem { subject: subject.to_owned(), message });
    match question.list {
        Err(message) => report(question.list_file, message.to_owned()),
        Ok(list) => {
            for (line, message) in list.problems() {
                report(&format!("{}:{line}", question.list_file), message.clone());
            }
            for refusal in question.refusals {
                report(question.list_file, refusal.clone());
            }
        }
    }
    for branch in question.branches {
        match &branch.summary {
            Err(message) => report(&branch.file, message.clone()),
            Ok(summary) => {
                for (line, message) in summary.problems() {
                    report(&format!("{}:{line}", branch.file), message.clone());
                }
            }
        }
    }
    let images = question.images.iter().map(|inventory| image(inventory, question)).collect::<Result<Vec<_>, _>>()?;
    let is_unread = !problems.is_empty() || images.is_empty() || images.iter().any(|image| !image.problems.is_empty());
    let fails = images.iter().flat_map(|image| &image.findings).any(|finding| question.gate.fails(finding));
    Ok(Report {
        images,
        list_file: question.list_file.to_owned(),
        list: question.list.ok().map(|list| list.facts().clone()),
        branches: question.branches.iter().map(facts).collect(),
        feed: question.index.map(|index| feed_facts(index, question.now)),
        problems,
        verdict: match (is_unread, fails) {
            (true, _) => Verdict::Unknown,
            (false, true) => Verdict::Fail,
            (false, false) => Verdict::Pass,
        },
        fail_on: question.gate.as_str().to_owned(),
        as_of: question.now,
    })
}

fn facts(branch: &Branch) -> BranchFacts {
    let packages = branch.summary.as_ref().ok().map(|summary| summary.packages().len());
    BranchFacts { name: branch.name.clone(), file: branch.file.clone(), packages }
}

fn feed_facts(index: &Index<'_>, now: Timestamp) -> FeedFacts {
    let built = index.facts().built;
    FeedFacts {
        serial: index.facts().serial,
        built,
        age_seconds: u64::try_from(now.duration_since(built).as_secs()).unwrap_or_default(),
        advisories: index.advisories_count(),
    }
}

fn image(inventory: &Inventory, question: &Question<'_>) -> Result<ImageReport, Damaged> {
    let mut report = ImageReport {
        name: inventory.name.clone(),
        kind: inventory.kind,
        packages: 0,
        findings: Vec::new(),
        problems: inventory.problems.clone(),
    };
    let mut foreign = 0;
    for component in &inventory.components {
        if component.ecosystem == Ecosystem::PKGSRC {
            report.packages += 1;
            judge(component, question, &mut report)?;
        } else {
            foreign += 1;
        }
    }
    let problem = |message: String| Problem { subject: inventory.name.clone(), message };
    if foreign > 0 {
        report
            .problems
            .push(problem(format!("{foreign} of its components are no packages of pkgsrc, and were not judged")));
    }
    if report.packages == 0 && report.problems.is_empty() {
        report.problems.push(problem("no package was seen, and nothing can be said of an empty image".to_owned()));
    }
    report.findings.sort_by(|one, other| order(one).cmp(&order(other)));
    Ok(report)
}

/// What can be fixed now first; the team's word before the score.
fn order(finding: &Finding) -> impl Ord + '_ {
    let known = finding.known.map(|known| (known.class, known.kev, known.score));
    (finding.fixability(), std::cmp::Reverse(known), &finding.package, &finding.version, finding.line)
}

fn judge(component: &Component, question: &Question<'_>, report: &mut ImageReport) -> Result<(), Damaged> {
    let Ok(list) = question.list else { return Ok(()) };
    let Component { name, version, .. } = component;
    if version.is_empty() {
        let entries = list.count_named(name);
        if entries > 0 {
            let message = format!("{name} has no version, and the list has {entries} entries about it");
            report.problems.push(Problem { subject: report.name.clone(), message });
        }
        return Ok(());
    }
    let matching = list.matching(name, version);
    // Looked for once, since a package with one finding often has more.
    let candidates = if matching.is_empty() { Vec::new() } else { candidates(component, question, list) };
    for entry in matching {
        report.findings.push(Finding {
            package: name.clone(),
            version: version.clone(),
            pattern: entry.pattern.clone(),
            kind: entry.kind.clone(),
            url: entry.url.clone(),
            ids: entry.ids.clone(),
            line: entry.line,
            fix: fix(entry, &candidates, question),
            known: known(entry, question.index)?,
        });
    }
    Ok(())
}

/// A package that could take a component's place.
struct Candidate<'q> {
    /// Which branch it is on.
    position: usize,
    package: &'q Package,
    /// What holds for it in turn.
    matching: Vec<&'q ListEntry>,
}

/// On each branch the packages of the same name, the newest first, and then those that take its place.
fn candidates<'q>(component: &Component, question: &Question<'q>, list: &'q VulnerabilityList) -> Vec<Candidate<'q>> {
    let mut found = Vec::new();
    for (position, branch) in question.branches.iter().enumerate() {
        let Ok(summary) = &branch.summary else { continue };
        let own = summary.named(&component.name).iter().rev();
        let successors = summary.superseding(&component.name, &component.version).into_iter().rev();
        for package in own.chain(successors) {
            let matching = list.matching(&package.name, &package.version);
            found.push(Candidate { position, package, matching });
        }
    }
    found
}

/// The first branch with a package that is not affected.
fn fix(entry: &ListEntry, candidates: &[Candidate<'_>], question: &Question<'_>) -> Fix {
    // One vulnerability may have several entries: a range of each branch upstream keeps, a name of each successor.
    let unaffected = candidates.iter().find(|one| !one.matching.iter().any(|other| is_same(entry, other)));
    let Some((one, branch)) = unaffected.and_then(|one| Some((one, question.branches.get(one.position)?))) else {
        return Fix::None;
    };
    let (package, version) = (one.package.name.clone(), one.package.version.clone());
    let by = FixedBy { package, version, branch: branch.name.clone() };
    if one.position == 0 { Fix::Now(by) } else { Fix::Rebase(by) }
}

/// Whether two entries speak of one vulnerability.
fn is_same(one: &ListEntry, other: &ListEntry) -> bool {
    one.line == other.line
        || one.ids.iter().any(|id| other.ids.contains(id))
        || (one.ids.is_empty() && one.url == other.url && one.kind == other.kind)
}

/// The worst that the feed says of the entry's ids.
fn known(entry: &ListEntry, index: Option<&Index<'_>>) -> Result<Option<Known>, Damaged> {
    let Some(index) = index else { return Ok(None) };
    let mut worst: Option<Known> = None;
    for id in &entry.ids {
        let Some(key) = index.key_of(id)? else { continue };
        let Some(advisory) = index.advisory(key)?.filter(|advisory| !advisory.withdrawn) else { continue };
        let before = worst.unwrap_or(Known { class: Class::Unclassified, score: None, kev: false });
        worst = Some(Known {
            class: before.class.max(advisory.class),
            score: before.score.max(advisory.score),
            kev: before.kev || advisory.kev,
        });
    }
    Ok(worst)
}

#[cfg(test)]
mod tests;
