//! The split, case by case, on lists and branches of a few lines.

use super::*;
use crate::gate::DEFAULT_GATE;

const HEAD: &str = "# $NetBSD: pkg-vulnerabilities,v 1.7 2018/12/20 20:57:53 x Exp $\n#FORMAT 1.1.0\n";

fn branch(name: &str, packages: &str) -> Branch {
    let blocks: String = packages
        .split_whitespace()
        .map(|package| match package.split_once('@') {
            Some((package, supersedes)) => format!("PKGNAME={package}\nSUPERSEDES={supersedes}\n\n"),
            None => format!("PKGNAME={package}\n\n"),
        })
        .collect();
    let summary = Summary::read(blocks.as_bytes()).map_err(|error| error.to_string());
    Branch { name: name.to_owned(), file: format!("{name}.txt"), summary }
}

fn inventory(packages: &str) -> Inventory {
    let mut inventory = Inventory::new("image", TargetKind::PkgsrcList);
    for package in packages.split_whitespace() {
        let (name, version) =
            package.rsplit_once('-').filter(|(_, version)| !version.is_empty()).unwrap_or((package, ""));
        inventory.components.push(Component::named(Ecosystem::PKGSRC, name, version.trim(), package));
    }
    inventory
}

fn report(packages: &str, entries: &str, branches: &[Branch]) -> Report {
    let list = VulnerabilityList::read(format!("{HEAD}{entries}").as_bytes(), None).unwrap();
    let gate = Gate::read(DEFAULT_GATE).unwrap();
    let now = "2018-12-24T00:00:00Z".parse().unwrap();
    let question = Question {
        images: &[inventory(packages)],
        list_file: "list",
        list: Ok(&list),
        refusals: &list.refusals(now, None, false),
        branches,
        index: None,
        gate: &gate,
        now,
    };
    audit(&question).unwrap()
}

fn fixes(report: &Report) -> Vec<String> {
    let shown = |finding: &Finding| {
        let by = finding.fix.by().map(|by| format!(" {}-{} {}", by.package, by.version, by.branch));
        format!("{} {}{}", finding.package, finding.fixability().as_str(), by.unwrap_or_default())
    };
    report.images[0].findings.iter().map(shown).collect()
}

#[test]
fn each_finding_is_fixable_now_by_a_rebase_or_not_at_all() {
    let own = branch("2018Q4", "now-1.1 later-1.0 never-1.0 gone-2.0");
    let newer = [branch("2019Q1", "now-1.2 later-1.0nb1 never-1.0"), branch("2019Q2", "later-1.1 never-2.0")];
    let branches: Vec<Branch> = std::iter::once(own).chain(newer).collect();
    let entries = "now<1.1 x http://x/1\nlater<1.1 x http://x/2\nnever-[0-9]* eol http://x/3\n";
    let report = report("now-1.0 later-1.0 never-1.0 other-1.0", entries, &branches);
    assert_eq!(fixes(&report), ["now now now-1.1 2018Q4", "later rebase later-1.1 2019Q2", "never none"]);
    assert_eq!((report.verdict, report.images[0].packages), (Verdict::Fail, 4));
}

#[test]
fn what_supersedes_a_package_fixes_it_unless_it_has_the_same_hole() {
    let branches = [branch("2018Q4", "new-2.0@old<9 fork-1.0@old-[0-9]*")];
    let one = "old-[0-9]* x http://x/CVE-2018-0001\n";
    assert_eq!(fixes(&report("old-1.0", one, &branches)), ["old now new-2.0 2018Q4"]);
    let both = "old-[0-9]* x http://x/CVE-2018-0001\nnew<2.1 x http://y/CVE-2018-0001\n";
    assert_eq!(fixes(&report("old-1.0", both, &branches)), ["old now fork-1.0 2018Q4"]);
}

#[test]
fn another_range_of_the_same_vulnerability_is_no_fix() {
    let branches = [branch("2018Q4", "php-7.0.1"), branch("2019Q1", "php-7.0.9")];
    let entries = "php<5.6.9 x http://x/CVE-2018-0001\nphp>=7.0<7.0.9 x http://x/CVE-2018-0001\n";
    assert_eq!(fixes(&report("php-5.6.1", entries, &branches)), ["php rebase php-7.0.9 2019Q1"]);
}

#[test]
fn several_versions_of_a_name_on_one_branch_are_all_looked_at() {
    let branches = [branch("2018Q4", "nodejs-10.1 nodejs-8.9")];
    let entries = "nodejs>=10<10.2 x http://x/1\nnodejs<8.9 x http://x/1\n";
    assert_eq!(fixes(&report("nodejs-8.1", entries, &branches)), ["nodejs now nodejs-8.9 2018Q4"]);
}

#[test]
fn a_package_without_a_version_is_unknown_only_where_the_list_speaks_of_it() {
    let branches = [branch("2018Q4", "a-1")];
    assert_eq!(report("plain other-1", "a<1 x u\n", &branches).verdict, Verdict::Pass);
    let spoken = report("plain other-1", "plain<1 x u\n", &branches);
    assert_eq!((spoken.verdict, spoken.images[0].problems.len()), (Verdict::Unknown, 1));
}

#[test]
fn nothing_seen_is_not_nothing_found() {
    let branches = [branch("2018Q4", "a-1")];
    assert_eq!(report("", "a<1 x u\n", &branches).verdict, Verdict::Unknown);
    assert_eq!(report("a-1", "", &branches).verdict, Verdict::Unknown);
    assert_eq!(report("a-1", "a<1 x u\nbroken\n", &branches).verdict, Verdict::Unknown);
    assert_eq!(report("a-1", "b<1 x u\n", &[branch("2018Q4", "")]).verdict, Verdict::Unknown);
    assert_eq!(report("a-1", "b<1 x u\n", &branches).verdict, Verdict::Pass);
}
