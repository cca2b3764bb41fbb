//! `feed score`: how an index's alarms on real package lists agree with what people decided about them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aux_advisory::index::Index;
use aux_audit::{Gate, Policy, audit};
use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_core::{Ecosystem, State};
use aux_inventory::{Gathered, list};
use aux_io::input::{self, InputError};
use jiff::Timestamp;

/// How one table of verdicts is met. Rows whose CVE the sources cannot know are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Score {
    /// Findings that people filed or dropped.
    Verdicts {
        /// Alarms on what was filed.
        right: usize,
        /// Alarms on what was dropped.
        wrong: usize,
        /// No alarm on what was filed.
        missed: usize,
        /// The first two without Firefox, which is more than half of what people dropped.
        right_without_firefox: usize,
        wrong_without_firefox: usize,
        false_alarms: Vec<String>,
        misses: Vec<String>,
    },
    /// Versions before and after a fix.
    Fixes {
        rows: usize,
        /// Alarms on the version before.
        right: usize,
        /// Alarms on the version after.
        wrong: usize,
        false_alarms: Vec<String>,
        misses: Vec<String>,
    },
}

/// Why a table gives no score.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("{file}: not a table of verdicts: {cause}")]
    Table { file: String, cause: String },
    #[error("the gate is wrong: {0}")]
    Gate(#[from] aux_audit::GateError),
}

type Row = BTreeMap<String, String>;

/// Alarms by name as it stands in the list, ids and aliases together.
type Alarms = BTreeMap<String, BTreeSet<String>>;

/// Scores an index against one table; `states` are those that count as an alarm.
pub fn score(index: &Index<'_>, table: &Path, states: &[State], now: Timestamp) -> Result<Score, ScoreError> {
    let file = table.display().to_string();
    let bytes = input::read(table, DOCUMENT_BYTES_MAX)?;
    let wrong = |cause: String| ScoreError::Table { file: file.clone(), cause };
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
    let (columns, rows) = rows(text).map_err(wrong)?;
    let has = |wanted: &[&str]| wanted.iter().all(|name| columns.iter().any(|column| column == name));
    if rows.is_empty() {
        return Err(wrong("no row has `knowable` = yes".to_owned()));
    }
    if has(&["name", "cve", "label"]) {
        verdicts(index, &rows, states, now)
    } else if has(&["pkg", "affected_version", "fixed_version", "cve"]) {
        fixes(index, &rows, states, now)
    } else {
        Err(wrong(
            "it has neither the columns name, cve, label nor pkg, affected_version, fixed_version, cve".to_owned(),
        ))
    }
}

/// The columns, and the rows that can be known.
fn rows(text: &str) -> Result<(Vec<String>, Vec<Row>), String> {
    let mut lines = text.lines().enumerate();
    let (_, header) = lines.next().ok_or("it is empty")?;
    let columns: Vec<String> = header.split('\t').map(str::to_owned).collect();
    if !columns.iter().any(|column| column == "knowable") {
        return Err("it has no column `knowable`; columns are parted by tabs".to_owned());
    }
    let mut rows = Vec::new();
    for (index, line) in lines.filter(|(_, line)| !line.is_empty()) {
        let fields: Vec<&str> = line.split('\t').collect();
        if fields.len() != columns.len() {
            return Err(format!("line {} has {} fields, the header {}", index + 1, fields.len(), columns.len()));
        }
        let row: Row = columns.iter().cloned().zip(fields.into_iter().map(str::to_owned)).collect();
        if field(&row, "knowable") == "yes" {
            rows.push(row);
        }
    }
    Ok((columns, rows))
}

fn field<'r>(row: &'r Row, name: &str) -> &'r str {
    row.get(name).map_or("", String::as_str)
}

fn verdicts(index: &Index<'_>, rows: &[Row], states: &[State], now: Timestamp) -> Result<Score, ScoreError> {
    let names = rows.iter().map(|row| field(row, "name").to_owned()).collect();
    let alarms = alarms(index, &names, states, now)?;
    let is_hit = |row: &&Row| has(&alarms, field(row, "name"), field(row, "cve"));
    let labelled = |label: &'static str| rows.iter().filter(move |row| field(row, "label") == label);
    let (right, missed): (Vec<&Row>, Vec<&Row>) = labelled("filed").partition(is_hit);
    let wrong: Vec<&Row> = labelled("dropped").filter(is_hit).collect();
    let plain = |rows: &[&Row]| rows.iter().filter(|row| !field(row, "name").starts_with("firefox")).count();
    let shown =
        |rows: &[&Row]| rows.iter().map(|row| format!("{} {}", field(row, "name"), field(row, "cve"))).collect();
    Ok(Score::Verdicts {
        right: right.len(),
        wrong: wrong.len(),
        missed: missed.len(),
        right_without_firefox: plain(&right),
        wrong_without_firefox: plain(&wrong),
        false_alarms: shown(&wrong),
        misses: shown(&missed),
    })
}

fn fixes(index: &Index<'_>, rows: &[Row], states: &[State], now: Timestamp) -> Result<Score, ScoreError> {
    let spelled = |row: &Row, column: &str| {
        let package = field(row, "pkg");
        [package, stripped(package)].map(|name| format!("{name}-{}", field(row, column)))
    };
    let columns = ["affected_version", "fixed_version"];
    let names = rows.iter().flat_map(|row| columns.into_iter().flat_map(|column| spelled(row, column))).collect();
    let alarms = alarms(index, &names, states, now)?;
    let is_hit =
        |row: &Row, column: &str| spelled(row, column).iter().any(|name| has(&alarms, name, field(row, "cve")));
    let (right, missed): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| is_hit(row, "affected_version"));
    let wrong: Vec<&Row> = rows.iter().filter(|row| is_hit(row, "fixed_version")).collect();
    let shown = |rows: &[&Row]| {
        let text = |row: &&Row| {
            let [package, before, after, cve] =
                ["pkg", "affected_version", "fixed_version", "cve"].map(|name| field(row, name));
            format!("{package} {before} -> {after} {cve}")
        };
        rows.iter().map(text).collect()
    };
    Ok(Score::Fixes {
        rows: rows.len(),
        right: right.len(),
        wrong: wrong.len(),
        false_alarms: shown(&wrong),
        misses: shown(&missed),
    })
}

/// An attribute's name without the version in it: `mysql55` is `mysql`, `python3_6` is `python`.
fn stripped(package: &str) -> &str {
    let digits = |text: &str| text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let mut end = digits(package);
    if end == package.len() {
        return package;
    }
    while let Some(before) = package.get(..end).and_then(|text| text.strip_suffix('_'))
        && digits(before) < before.len()
    {
        end = digits(before);
    }
    let base = package.get(..end).unwrap_or(package);
    let base = base.strip_suffix(['_', '-']).unwrap_or(base);
    if base.is_empty() { package } else { base }
}

fn alarms(index: &Index<'_>, names: &BTreeSet<String>, states: &[State], now: Timestamp) -> Result<Alarms, ScoreError> {
    let mut gathered = Gathered::default();
    for name in names {
        // What is no name of a package raises no alarm, as in an audit that allows what is incomplete.
        if let Ok(component) = list::component(name, &Ecosystem::NIX) {
            gathered.add(component);
        }
    }
    let policy = Policy { allow_incomplete: true, ..Policy::new(Gate::read("none")?, now) };
    let report = audit(index, &[gathered.finish("labels")], &policy, now);
    let mut alarms = Alarms::new();
    let findings = report.targets.into_iter().flat_map(|target| target.findings);
    for finding in findings.filter(|finding| states.contains(&finding.state)) {
        for line in &*finding.outputs {
            alarms.entry(line.clone()).or_default().extend(finding.aliases.iter().chain([&finding.id]).cloned());
        }
    }
    Ok(alarms)
}

fn has(alarms: &Alarms, name: &str, cve: &str) -> bool {
    alarms.get(name).is_some_and(|ids| ids.contains(cve))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_in_an_attribute_is_no_part_of_the_package() {
        for (attribute, base) in [
            ("mysql55", "mysql"),
            ("python3_6", "python"),
            ("go_1_10", "go"),
            ("ffmpeg-3", "ffmpeg"),
            ("curl", "curl"),
            ("x__2", "x_"),
            ("7", "7"),
            ("_7", "_7"),
            ("a1b", "a1b"),
        ] {
            assert_eq!(stripped(attribute), base, "{attribute}");
        }
    }

    #[test]
    fn a_table_that_is_none_says_why() {
        assert!(rows("name\tcve\n").unwrap_err().contains("knowable"));
        assert_eq!(rows("name\tknowable\nx\n").unwrap_err(), "line 2 has 1 fields, the header 2");
        assert_eq!(rows("name\tknowable\nx\tno\ny\tyes\n").unwrap().1.len(), 1);
    }
}
