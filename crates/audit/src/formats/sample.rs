//! The report the golden files are made of: two targets, every state, and names a stranger chose.

use aux_core::finding::EvidenceKind;
use aux_core::{
    CheckResult, CheckState, Class, Evidence, Finding, Fix, FlakeInput, Package, Problem, Scope, Score, Severity,
    State, TargetKind,
};
use jiff::Timestamp;

use crate::{FeedFacts, Report, TargetReport, Verdict, WaiverNote};

/// A name that tries a terminal, a table, markup and an entity at once.
pub(super) const HOSTILE: &str = "ev\u{1b}[31mil|<b>&\"'\u{202e}{0}[x](y)\n`@team`\u{0}";

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn package(name: &str, version: &str) -> Package {
    Package { name: name.to_owned(), version: version.to_owned(), purl: format!("pkg:nix/{name}@{version}") }
}

/// An alarm with nothing but an id and a score.
pub(crate) fn finding(id: &str, name: &str, version: &str, tenths: Option<u8>) -> Finding {
    let score = tenths.and_then(Score::from_tenths);
    Finding {
        severity: Severity::of(score),
        score,
        outputs: [format!("{name}-{version}")].into(),
        ..Finding::new(id, package(name, version), State::Affected)
    }
}

fn fix(channel: &str, version: &str, revision: Option<&str>) -> Fix {
    Fix { channel: channel.to_owned(), version: version.to_owned(), revision: revision.map(str::to_owned) }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn openssl() -> Vec<Finding> {
    let mut worst = finding("CVE-2024-5535", "openssl", "3.0.13", Some(91));
    worst.aliases = strings(&["GHSA-4fc7-mvrr-wv2c"]);
    worst.class = Class::Critical;
    worst.kev = true;
    worst.fixed_versions = strings(&["3.0.15"]);
    worst.fixes = vec![
        fix("nixos-24.05", "3.0.15", Some("d4f247e89f6e10120f911e2e2d2254a050d0f732")),
        fix("nixos-unstable", "3.0.15", None),
    ];
    worst.evidence = vec![
        Evidence::new(EvidenceKind::Identity, "`openssl` is openssl:openssl (affirmed by triage)"),
        Evidence::new(EvidenceKind::Range, "3.0.13 lies in 3.0.0 ≤ version < 3.0.15"),
    ];
    worst.title = Some("Buffer overread when a client offers no protocols".to_owned());
    worst.references =
        strings(&["https://www.openssl.org/news/secadv/20240627.txt", "javascript:alert(1)", "https://a b"]);
    let mut upstream = finding("CVE-2024-4741", "openssl", "3.0.13", Some(75));
    upstream.fixed_versions = strings(&["3.0.14"]);
    let mut all = vec![worst, upstream];
    for number in 1..=12 {
        all.push(finding(&format!("CVE-2023-{number:04}"), "openssl", "3.0.13", Some(40 + number)));
    }
    all.push(finding("GHSA-aaaa-bbbb-cccc", "openssl", "3.0.13", None));
    for finding in &mut all {
        finding.scope = Scope::Runtime;
        finding.fixability = Some(finding.fixability_in(&strings(&["nixos-24.05"])));
        finding.path = strings(&["nixos-system-web-24.05", "system-path", "nginx-1.26.1", "openssl-3.0.13"]).into();
        finding.outputs = strings(&["/nix/store/00000000000000000000000000000000-openssl-3.0.13.drv"]).into();
    }
    all
}

fn others() -> Vec<Finding> {
    let mut unreviewed = finding("CVE-2020-1111", "bolt", "0.9", Some(98));
    unreviewed.state = State::Unreviewed;
    unreviewed.evidence = vec![Evidence::new(EvidenceKind::Identity, "`bolt` is claimed by 3 vendors")];
    let mut patched = finding("CVE-2016-9843", "zlib", "1.2.10", Some(98));
    patched.state = State::FixedByPatch;
    patched.evidence = vec![Evidence::new(EvidenceKind::Patch, "CVE-2016-9843.patch names it")];
    let mut not_affected = finding("CVE-2019-1010", "curl", "8.7.1", Some(53));
    not_affected.state = State::NotAffected;
    not_affected.evidence =
        vec![Evidence::new(EvidenceKind::Statement, "built without the affected protocol, says the security team")];
    let mut unknown = finding("CVE-2021-2222", "libfoo", "unstable-2021-01-01", Some(65));
    unknown.state = State::Unknown;
    unknown.evidence = vec![Evidence::new(EvidenceKind::Range, "`unstable-2021-01-01` cannot be ordered")];
    let mut waived = finding("CVE-2022-3333", "sudo", "1.9.15", Some(78));
    waived.waived = Some("no users but root on these machines; see ticket 812".to_owned());
    let mut hostile = finding("CVE-2025-0001", HOSTILE, "1.0", Some(72));
    hostile.fixes = vec![fix("\u{1b}]0;title\u{7}", "1.1|<i>", None)];
    hostile.path = ["root".to_owned(), HOSTILE.to_owned()].into();
    hostile.scope = Scope::Build;
    hostile.title = Some("<script>alert(1)</script> ]]> @everyone #1 https://evil.example".to_owned());
    hostile.evidence = vec![Evidence::new(EvidenceKind::Metadata, HOSTILE)];
    vec![hostile, unreviewed, unknown, patched, not_affected, waived]
}

/// Everything at once; part of it could not be read.
pub(super) fn report() -> Report {
    let mut system = openssl();
    system.extend(others());
    let mut list = openssl();
    list.truncate(2);
    for finding in &mut list {
        finding.scope = Scope::Unknown;
        finding.path = [].into();
    }
    Report {
        targets: vec![
            TargetReport {
                name: "./result/system.drv".to_owned(),
                kind: TargetKind::DerivationGraph,
                components: 1584,
                inputs: Vec::new(),
                problems: vec![
                    Problem::new("/nix/store/1-x.drv", "ends before its third field"),
                    Problem::new(HOSTILE, "is no UTF-8\u{1b}[2J"),
                ],
                findings: system,
                checks: None,
            },
            TargetReport {
                name: "fleet/flake.lock".to_owned(),
                kind: TargetKind::FlakeLock,
                components: 1,
                inputs: inputs(),
                problems: Vec::new(),
                findings: list,
                checks: Some(checks()),
            },
        ],
        feed: Some(FeedFacts {
            serial: 41,
            built: moment("2024-07-01T08:00:00Z"),
            age_seconds: 3 * 86_400 + 1800,
            advisories: 182_004,
        }),
        verdict: Verdict::Unknown,
        fail_on: "class:critical,severity:high+fixable".to_owned(),
        gate_file: None,
        waiver_notes: vec![WaiverNote {
            subject: "waivers.toml:12".to_owned(),
            message: "expired on 2024-06-30".to_owned(),
        }],
        as_of: moment("2024-07-04T08:30:00Z"),
    }
}

/// One of each state, and one that is waived.
fn checks() -> Vec<CheckResult> {
    let check = |id, title, state, severity, text: &str| CheckResult {
        id,
        title,
        state,
        severity,
        class: Class::Unclassified,
        why: "One weak account is enough.",
        evidence: vec![Evidence::new(EvidenceKind::Observation, text)],
        fix: "services.openssh.settings = {\n  PermitRootLogin = \"no\";\n};",
        waived: None,
    };
    let mut waived =
        check("AUX-C026", "Updates without a person", CheckState::Failed, Severity::Low, "nothing installs updates");
    waived.waived = Some("deployed by a job".to_owned());
    vec![
        check("AUX-C005", "Login of root over SSH", CheckState::Failed, Severity::High, "PermitRootLogin is `yes`"),
        check("AUX-C014", "Private keys in the repository", CheckState::Failed, Severity::Critical, HOSTILE),
        waived,
        check("AUX-C001", "Secure boot", CheckState::Unknown, Severity::High, "not in a configuration"),
        check("AUX-C003", "AppArmor", CheckState::Passed, Severity::Medium, "AppArmor is on"),
    ]
}

fn inputs() -> Vec<FlakeInput> {
    let input = |name: &str| FlakeInput {
        name: name.to_owned(),
        follows: None,
        source: "github:NixOS/nixpkgs".to_owned(),
        branch: Some("nixos-24.05".to_owned()),
        revision: Some("d4f247e89f6e10120f911e2e2d2254a050d0f732".to_owned()),
        last_modified: Some(moment("2024-05-31T00:00:00Z")),
    };
    let mut follower = input("home-manager/nixpkgs");
    follower.follows = Some("nixpkgs".to_owned());
    (follower.branch, follower.revision, follower.last_modified) = (None, None, None);
    vec![input("nixpkgs"), follower]
}

/// The same system read completely, with nothing at or above the gate.
pub(super) fn quiet_report() -> Report {
    let mut report = report();
    for target in &mut report.targets {
        target.problems.clear();
        target.findings.retain(|finding| !finding.is_alarm());
        if let Some(checks) = &mut target.checks {
            checks.retain(|check| !check.is_alarm());
        }
    }
    report.verdict = Verdict::Pass;
    report.waiver_notes.clear();
    report
}

/// A report of nothing at all.
pub(crate) fn clean_report() -> Report {
    let mut report = quiet_report();
    for target in &mut report.targets {
        target.findings.clear();
        target.inputs.clear();
        target.checks = None;
    }
    report
}
