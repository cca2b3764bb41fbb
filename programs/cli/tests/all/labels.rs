//! Human verdicts: what an audit says of real package lists, held against what people decided about them.
//!
//! The floors are those the project has promised to keep; `docs/benchmarks.md` has the figures of the day.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::corpora::corpus;
use crate::world::World;

/// Alarms by line of a name list, ids and aliases together.
type Alarms = BTreeMap<String, BTreeSet<String>>;

#[test]
fn verdicts_on_real_lists_hold_their_floors() {
    let (Some(nvd), Some(tables)) = (corpus("nvd"), corpus("labels")) else { return };
    let world = World::empty();
    let triage = concat!(env!("CARGO_MANIFEST_DIR"), "/../../triage");
    let build = format!("feed build --nvd {} --triage {triage} --output all.auxdb", nvd.display());
    assert_eq!(world.run(&build).code, Some(0));

    let (precision, recall) = roundups(&world, &tables.join("roundups-102-104.tsv"));
    assert!(precision >= 0.75 && recall >= 0.96, "roundups: precision {precision:.3}, recall {recall:.3}");
    let found = recall;
    let (recall, false_alarms) = fix_commits(&world, &tables.join("nixpkgs-fix-commits-a.tsv"));
    assert!(
        recall >= 0.72 && false_alarms <= 0.05,
        "fix commits: recall {recall:.3}, alarms on fixed {false_alarms:.3}"
    );
    let command = |table: &str| {
        let table = tables.join(table);
        let said = world.run(&format!("feed score --feed all.auxdb --labels {} --json", table.display())).json();
        said["tables"][0].clone()
    };
    let is_same = |shown: &Value, found: f64| (shown.as_f64().unwrap() - found).abs() < 1e-9;
    let score = command("roundups-102-104.tsv");
    assert!(is_same(&score["precision"], precision) && is_same(&score["recall"], found), "{score}");
    let score = command("nixpkgs-fix-commits-a.tsv");
    assert!(is_same(&score["recall"], recall) && is_same(&score["alarms_on_fixed"], false_alarms), "{score}");
    patches(&world, &tables.join("nixpkgs-17.03-patched.tsv"));
}

fn roundups(world: &World, table: &Path) -> (f64, f64) {
    let rows = rows(table);
    let alarms = alarms(world, rows.iter().map(|row| row["name"].clone()).collect());
    let alarmed = |label: &str| {
        let labelled = rows.iter().filter(|row| row["label"] == label);
        let (hits, misses): (Vec<_>, Vec<_>) = labelled.partition(|row| has(&alarms, &row["name"], &row["cve"]));
        (count(hits.len()), count(misses.len()))
    };
    let ((right, missed), (wrong, _)) = (alarmed("filed"), alarmed("dropped"));
    (right / (right + wrong), right / (right + missed))
}

fn fix_commits(world: &World, table: &Path) -> (f64, f64) {
    let rows = rows(table);
    // An attribute such as `mysql55` is tried as written and without its number.
    let spelled = |package: &str| {
        let base = package.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_'));
        [package.to_owned(), if base.is_empty() { package } else { base }.to_owned()]
    };
    let names = |column: &'static str| {
        rows.iter().flat_map(move |row| spelled(&row["pkg"]).map(|package| format!("{package}-{}", row[column])))
    };
    let alarms = alarms(world, names("affected_version").chain(names("fixed_version")).collect());
    let share = |column: &str| {
        let is_hit = |row: &&BTreeMap<String, String>| {
            spelled(&row["pkg"]).iter().any(|package| has(&alarms, &format!("{package}-{}", row[column]), &row["cve"]))
        };
        count(rows.iter().filter(is_hit).count()) / count(rows.len())
    };
    (share("affected_version"), share("fixed_version"))
}

/// A patch that a derivation shows fixes; a CVE that only a comment names is never called patched.
fn patches(world: &World, table: &Path) {
    let Some(graph) = corpus("nix/nixos-17.03-system.drvs.tar.zst") else { return };
    let report = world.run(&format!("audit {} --feed all.auxdb --json", graph.display())).json();
    let mut visible = 0;
    for row in rows_of(table, |_| true) {
        let package = row["file"].rsplit('/').nth(1).unwrap().to_owned();
        let about =
            |finding: &&Value| finding["id"] == row["cve"].as_str() && finding["package"]["name"] == package.as_str();
        let found = report["targets"][0]["findings"].as_array().unwrap().iter().find(about);
        let Some(state) = found.map(|finding| finding["state"].as_str().unwrap()) else { continue };
        match row["kind"].as_str() {
            "name" | "url" | "path" => {
                assert_eq!(state, "fixed_by_patch", "{row:?}");
                visible += 1;
            }
            _ => assert_ne!(state, "fixed_by_patch", "{row:?}"),
        }
    }
    assert!(visible >= 10, "{visible} patched rows seen");
}

fn alarms(world: &World, names: BTreeSet<String>) -> Alarms {
    world.file("names.txt", &names.into_iter().map(|name| name + "\n").collect::<Vec<_>>().concat());
    let report = world.run("audit names.txt --feed all.auxdb --ecosystem nix --allow-incomplete --json").json();
    let mut alarms = Alarms::new();
    for finding in report["targets"][0]["findings"].as_array().unwrap().iter().filter(|one| one["state"] == "affected")
    {
        let ids = finding["aliases"].as_array().unwrap().iter().chain([&finding["id"]]);
        let ids: Vec<String> = ids.map(|id| id.as_str().unwrap().to_owned()).collect();
        for line in finding["outputs"].as_array().unwrap() {
            alarms.entry(line.as_str().unwrap().to_owned()).or_default().extend(ids.clone());
        }
    }
    alarms
}

fn has(alarms: &Alarms, line: &str, cve: &str) -> bool {
    alarms.get(line).is_some_and(|ids| ids.contains(cve))
}

/// The rows whose CVE the sources can know.
fn rows(table: &Path) -> Vec<BTreeMap<String, String>> {
    rows_of(table, |row| row["knowable"] == "yes")
}

fn rows_of(table: &Path, keep: impl Fn(&BTreeMap<String, String>) -> bool) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(table).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').map(str::to_owned));
    let columns: Vec<String> = lines.next().unwrap().collect();
    lines.map(|fields| columns.iter().cloned().zip(fields).collect()).filter(keep).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a table has some thousand rows")]
fn count(rows: usize) -> f64 {
    rows as f64
}
