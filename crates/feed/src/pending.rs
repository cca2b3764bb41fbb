//! What a person must decide: an index held against real inventories and the triage folder, most systems hit first.

use std::collections::{BTreeMap, BTreeSet};

use aux_advisory::identity::{Stance, lookup_names};
use aux_advisory::index::{Damaged, Index};
use aux_advisory::record::Product;
use aux_advisory::triage::{Place, Triage};
use aux_audit::{Policy, audit};
use aux_core::naming::fold;
use aux_core::{Class, Component, Ecosystem, Finding, Inventory, Severity, State};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// What to hold the index against.
#[derive(Debug, Clone)]
pub struct PendingRequest<'a> {
    pub inventories: &'a [Inventory],
    pub triage: &'a Triage,
    /// Waivers, and no gate that matters.
    pub policy: &'a Policy,
    pub now: Timestamp,
    /// Statements that expire within so many days.
    pub expiring_days: i64,
    /// Findings below are left out; those without a severity are not.
    pub severity_min: Severity,
}

/// One thing to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub matter: Matter,
    /// The inventories it concerns.
    pub systems: Vec<String>,
    pub severity: Severity,
    pub class: Class,
    pub kev: bool,
}

/// What has to be decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    /// Whether a package is the product that advisories name.
    Identity { ecosystem: Ecosystem, package: String, product: String, ids: Vec<String> },
    /// Whether an advisory holds for a package.
    Finding { ecosystem: Ecosystem, package: String, id: String, versions: Vec<String>, fixed: Vec<String> },
    /// Whether a statement still holds.
    Expiring { place: Place, package: String, ids: Vec<String>, expires: Date },
    /// What becomes of a waiver that has no effect.
    Waiver { subject: String, message: String },
}

impl Matter {
    /// One word for the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Identity { .. } => "identity",
            Self::Finding { .. } => "finding",
            Self::Expiring { .. } => "expiring",
            Self::Waiver { .. } => "waiver",
        }
    }
}

/// What waits, by how many systems it touches, then by how bad it is.
pub fn pending(index: &Index<'_>, request: &PendingRequest<'_>) -> Result<Vec<Pending>, Damaged> {
    let report = audit(index, request.inventories, request.policy, request.now);
    let today = request.now.to_zoned(TimeZone::UTC).date();
    let mut found = Found::default();
    for target in &report.targets {
        for finding in target.findings.iter().filter(|finding| finding.waived.is_none()) {
            let ecosystem = ecosystem_of(finding);
            match finding.state {
                State::Unreviewed => {
                    for matter in identities(index, request.triage, &ecosystem, finding)? {
                        found.add(matter, &target.name, finding);
                    }
                }
                State::Affected if is_new(request, &ecosystem, finding, today) => {
                    let matter = Matter::Finding {
                        ecosystem,
                        package: finding.package.name.clone(),
                        id: finding.id.clone(),
                        versions: Vec::new(),
                        fixed: finding.fixed_versions.clone(),
                    };
                    found.add(matter, &target.name, finding);
                }
                _ => {}
            }
        }
    }
    let mut pending = found.finish();
    pending.extend(expiring(request, today));
    pending.extend(report.waiver_notes.into_iter().map(|note| Pending {
        matter: Matter::Waiver { subject: note.subject, message: note.message },
        systems: Vec::new(),
        severity: Severity::Unknown,
        class: Class::Unclassified,
        kev: false,
    }));
    pending.sort_by(|left, right| {
        let worth = |one: &Pending| (one.systems.len(), one.class, one.kev, one.severity);
        worth(right).cmp(&worth(left)).then_with(|| left.matter.cmp(&right.matter))
    });
    Ok(pending)
}

/// Identities and findings so far. Of one, its ids or versions are gathered while systems are.
#[derive(Default)]
struct Found(BTreeMap<Matter, Gathering>);

#[derive(Default)]
struct Gathering {
    systems: BTreeSet<String>,
    details: BTreeSet<String>,
    severity: Option<Severity>,
    class: Class,
    kev: bool,
}

impl Found {
    fn add(&mut self, matter: Matter, system: &str, finding: &Finding) {
        let detail = match &matter {
            Matter::Identity { .. } => finding.id.clone(),
            _ => finding.package.version.clone(),
        };
        let gathering = self.0.entry(matter).or_default();
        gathering.systems.insert(system.to_owned());
        gathering.details.insert(detail);
        gathering.severity = gathering.severity.max(Some(finding.severity));
        gathering.class = gathering.class.max(finding.class);
        gathering.kev |= finding.kev;
    }

    fn finish(self) -> Vec<Pending> {
        let one = |(mut matter, gathering): (Matter, Gathering)| {
            let details = gathering.details.into_iter().collect();
            match &mut matter {
                Matter::Identity { ids, .. } => *ids = details,
                Matter::Finding { versions, .. } => *versions = details,
                Matter::Expiring { .. } | Matter::Waiver { .. } => {}
            }
            Pending {
                matter,
                systems: gathering.systems.into_iter().collect(),
                severity: gathering.severity.unwrap_or(Severity::Unknown),
                class: gathering.class,
                kev: gathering.kev,
            }
        };
        self.0.into_iter().map(one).collect()
    }
}

/// Each product that the finding's advisory names, that may be the package, and that nobody has decided about.
fn identities(
    index: &Index<'_>,
    triage: &Triage,
    ecosystem: &Ecosystem,
    finding: &Finding,
) -> Result<Vec<Matter>, Damaged> {
    let Some(key) = index.key_of(&finding.id)? else { return Ok(Vec::new()) };
    let component =
        Component::named(ecosystem.clone(), finding.package.name.clone(), finding.package.version.clone(), "");
    let mut matters = Vec::new();
    let names: BTreeSet<String> = lookup_names(&component).into_iter().map(|name| name.folded).collect();
    for (product, _) in index.products_of(key)? {
        let Some(read) = Product::read(&product) else { continue };
        let is_open = index.product(&product)?.is_some_and(|block| block.stance == Stance::Unreviewed);
        if !is_open || !names.contains(&fold(read.name())) || is_decided(triage, &names, &read) {
            continue;
        }
        let (ecosystem, package) = (ecosystem.clone(), finding.package.name.clone());
        matters.push(Matter::Identity { ecosystem, package, product, ids: Vec::new() });
    }
    Ok(matters)
}

/// The folder may know more than the index, which was compiled before.
fn is_decided(triage: &Triage, names: &BTreeSet<String>, product: &Product) -> bool {
    triage.identities.iter().filter(|identity| identity.names.iter().any(|name| names.contains(&fold(name)))).any(
        |identity| {
            let denies = |denial: &aux_advisory::triage::Denial| match &denial.product {
                Some(denied) => denied == product,
                None => fold(&denial.name) == fold(product.name()),
            };
            identity.affirm.contains(product) || identity.deny.iter().any(denies)
        },
    )
}

/// Bad enough, and nobody has given it a class or said anything that still holds.
fn is_new(request: &PendingRequest<'_>, ecosystem: &Ecosystem, finding: &Finding, today: Date) -> bool {
    let is_bad = finding.kev || finding.severity == Severity::Unknown || finding.severity >= request.severity_min;
    let names = |ids: &[String]| ids.iter().any(|id| *id == finding.id || finding.aliases.contains(id));
    let is_classified = finding.class != Class::Unclassified
        || request.triage.classes.iter().any(|classification| names(&classification.ids));
    let is_stated = request.triage.statements.iter().any(|statement| {
        statement.expires.is_none_or(|expires| expires >= today)
            && names(&statement.ids)
            && is_package(&statement.package, ecosystem, &finding.package.name)
    });
    is_bad && !is_classified && !is_stated
}

fn is_package(product: &Product, ecosystem: &Ecosystem, package: &str) -> bool {
    matches!(product, Product::Package { ecosystem: own, name } if own == ecosystem && fold(name) == fold(package))
}

fn expiring(request: &PendingRequest<'_>, today: Date) -> Vec<Pending> {
    let last = today.checked_add(request.expiring_days.days()).unwrap_or(today);
    let ending = request.triage.statements.iter().filter_map(|statement| Some((statement, statement.expires?)));
    let pending = ending.filter(|(_, expires)| *expires <= last).map(|(statement, expires)| {
        let has_it = |inventory: &&Inventory| {
            let mut components = inventory.components.iter();
            components.any(|component| is_package(&statement.package, &component.ecosystem, &component.name))
        };
        let systems = request.inventories.iter().filter(has_it).map(|inventory| inventory.name.clone()).collect();
        Pending {
            matter: Matter::Expiring {
                place: statement.place.clone(),
                package: statement.package.to_string(),
                ids: statement.ids.clone(),
                expires,
            },
            systems,
            severity: Severity::Unknown,
            class: Class::Unclassified,
            kev: false,
        }
    });
    pending.collect()
}

/// The finding's package URL begins with it: `pkg:nix/…`.
fn ecosystem_of(finding: &Finding) -> Ecosystem {
    let kind = finding.package.purl.strip_prefix("pkg:").and_then(|rest| rest.split_once('/'));
    kind.map_or(Ecosystem::NIX, |(kind, _)| Ecosystem::new(kind))
}
