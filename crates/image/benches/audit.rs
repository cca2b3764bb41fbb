//! An audit of 114 packages against a list of 10 000 entries, beside the plain loop of the crate `pkgsrc` over both.

use std::hint::black_box;

use aux_core::{Component, Ecosystem, Inventory, TargetKind};
use aux_image::audit::{Branch, Question, audit};
use aux_image::{DEFAULT_GATE, Gate, Summary, VulnerabilityList};
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use pkgsrc::Pattern;

const PACKAGES: usize = 114;
const ENTRIES: usize = 10_000;

/// Patterns in the proportions of the real list: most name an end, some a range, a glob or braces.
fn pattern(number: usize) -> String {
    let name = number % 2_500;
    match number % 20 {
        0 => format!("package{name}-[0-9]*"),
        1 => format!("package{name}{{,-lib}}<1.{number}"),
        2 | 3 => format!("package{name}>=1.{}<1.{number}", number / 2),
        4 => format!("{{package{name},other{name}}}-1.[0-4]*"),
        _ => format!("package{name}<1.{number}nb2"),
    }
}

fn list() -> String {
    let mut text = "# $NetBSD: pkg-vulnerabilities,v 1.9000 2019/01/10 12:00:00 x Exp $\n#FORMAT 1.1.0\n".to_owned();
    for number in 0..ENTRIES {
        let url = format!("https://nvd.nist.gov/vuln/detail/CVE-2018-{:04}", number % 10_000);
        text.extend([&pattern(number), "\tdenial-of-service\t", &url, "\n"].map(String::from));
    }
    text
}

fn names() -> Vec<(String, String)> {
    (0..PACKAGES).map(|number| (format!("package{}", number * 20), format!("1.{}nb1", number * 30))).collect()
}

fn benchmark(criterion: &mut Criterion) {
    let text = list();
    let list = VulnerabilityList::read(text.as_bytes(), None).expect("a list");
    let mut inventory = Inventory::new("image", TargetKind::PkgsrcList);
    for (name, version) in names() {
        inventory.components.push(Component::named(Ecosystem::PKGSRC, &name, &version, &name));
    }
    let summary: Vec<String> = (0..20_000).map(|number| format!("PKGNAME=package{number}-2.0\n\n")).collect();
    let summary = Summary::read(summary.concat().as_bytes()).expect("a summary");
    let branches = [Branch { name: "2018Q4".to_owned(), file: "pkg_summary".to_owned(), summary: Ok(summary) }];
    let gate = Gate::read(DEFAULT_GATE).expect("a gate");
    let now: Timestamp = "2019-01-12T00:00:00Z".parse().expect("a moment");
    let images = [inventory];
    let question = Question {
        images: &images,
        list_file: "list",
        list: Ok(&list),
        refusals: &[],
        branches: &branches,
        index: None,
        gate: &gate,
        now,
    };
    let found = audit(&question).expect("a report").images.first().map(|image| image.findings.len());
    criterion.bench_function(&format!("audit of {PACKAGES} x {ENTRIES}, {found:?} findings"), |bencher| {
        bencher.iter(|| black_box(audit(black_box(&question))));
    });
    criterion.bench_function("reading the list", |bencher| {
        bencher.iter(|| black_box(VulnerabilityList::read(black_box(text.as_bytes()), None)));
    });
    let patterns: Vec<Pattern> = (0..ENTRIES).filter_map(|number| Pattern::new(&pattern(number)).ok()).collect();
    let whole: Vec<String> = names().iter().map(|(name, version)| format!("{name}-{version}")).collect();
    criterion.bench_function("the plain loop, its patterns compiled before", |bencher| {
        bencher.iter(|| {
            let matching = |name: &String| patterns.iter().filter(|pattern| pattern.matches(name)).count();
            black_box(whole.iter().map(matching).sum::<usize>())
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = benchmark
}
criterion_main!(benches);
