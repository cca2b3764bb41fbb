//! `aux feed score`: precision and recall of a feed against tables of human verdicts.

use std::path::{Path, PathBuf};

use aux_advisory::index::Index;
use aux_app::{config, exit};
use aux_core::State;
use aux_feed::{Score, score};
use jiff::Timestamp;
use serde_json::json;

use super::environment;
use crate::failure::Failure;
use crate::ui::Ui;

/// Say how a feed's alarms agree with tables of human verdicts.
///
/// A table is tab-separated. With the columns name, cve, label and knowable, an alarm on `filed` is right and on `dropped`
/// wrong; with `pkg`, `affected_version`, `fixed_version`, cve and knowable, an alarm on the version before is right and on the
/// version after wrong. Only rows with `knowable` = yes count.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The tables.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    labels: Vec<PathBuf>,
    /// The index to score. `feed` of aux.toml otherwise.
    #[arg(long, value_name = "FILE.auxdb")]
    feed: Option<PathBuf>,
    /// Count findings of state `unreviewed` as alarms too.
    #[arg(long)]
    unreviewed: bool,
    /// Show this many wrong rows of each kind.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    misses: usize,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let config =
        config::load(&environment::absolute(Path::new(".")), &environment::config_places()).map_err(Failure::new)?;
    let feed = args.feed.clone().or_else(|| config.feed.map(|set| set.value)).ok_or_else(|| {
        Failure::new("no feed to score").hint("name one: --feed FILE.auxdb; `aux feed build` makes one")
    })?;
    let mapped = aux_io::file::map(&feed).map_err(|error| Failure::feed_file(&error))?;
    let index = Index::open(&mapped).map_err(|error| Failure::feed(&feed, &error))?;
    let states: &[State] = if args.unreviewed { &[State::Affected, State::Unreviewed] } else { &[State::Affected] };
    let mut tables = Vec::new();
    for table in &args.labels {
        let score = score(&index, table, states, Timestamp::now()).map_err(|error| {
            Failure::new(error)
                .hint("a table is tab-separated, its first line names the columns; see `aux feed score --help`")
        })?;
        let name = table.file_name().map_or_else(|| table.display().to_string(), |name| name.display().to_string());
        tables.push((name, score));
    }
    if args.json {
        let tables: Vec<_> = tables.iter().map(|(name, score)| document(name, score, args.misses)).collect();
        ui.answer(&format!("{:#}\n", json!({ "schema": "aux.feed.score/1", "tables": tables })))?;
    } else {
        let lines = tables.iter().flat_map(|(name, score)| lines(name, score, args.misses));
        ui.answer_lines(&lines.collect::<Vec<_>>())?;
    }
    Ok(exit::DONE)
}

#[expect(clippy::cast_precision_loss, reason = "a table has some thousand rows")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn lines(name: &str, score: &Score, shown: usize) -> Vec<String> {
    let (line, false_alarms, misses) = match score {
        Score::Verdicts {
            right,
            wrong,
            missed,
            right_without_firefox: plain,
            wrong_without_firefox,
            false_alarms,
            misses,
        } => (
            format!(
                "{name}: precision {:.3} recall {:.3} (without firefox: precision {:.3}) tp {right} fp {wrong} fn {missed}",
                share(*right, right + wrong),
                share(*right, right + missed),
                share(*plain, plain + wrong_without_firefox),
            ),
            false_alarms,
            misses,
        ),
        Score::Fixes { rows, right, wrong, false_alarms, misses } => (
            format!(
                "{name}: recall {:.3} alarms-on-fixed {:.3} of {rows} rows",
                share(*right, *rows),
                share(*wrong, *rows)
            ),
            false_alarms,
            misses,
        ),
    };
    let kinds = [("false alarm", false_alarms), ("missed", misses)];
    let wrong =
        kinds.into_iter().flat_map(|(kind, rows)| rows.iter().take(shown).map(move |row| format!("  {kind} {row}")));
    std::iter::once(line).chain(wrong).collect()
}

fn document(name: &str, score: &Score, shown: usize) -> serde_json::Value {
    let first = |rows: &[String]| rows.iter().take(shown).cloned().collect::<Vec<_>>();
    match score {
        Score::Verdicts {
            right,
            wrong,
            missed,
            right_without_firefox,
            wrong_without_firefox,
            false_alarms,
            misses,
        } => json!({
            "table": name,
            "kind": "verdicts",
            "precision": known_share(*right, right + wrong),
            "recall": known_share(*right, right + missed),
            "precision_without_firefox": known_share(*right_without_firefox, right_without_firefox + wrong_without_firefox),
            "right": right,
            "wrong": wrong,
            "missed": missed,
            "false_alarms": first(false_alarms),
            "misses": first(misses),
        }),
        Score::Fixes { rows, right, wrong, false_alarms, misses } => json!({
            "table": name,
            "kind": "fixes",
            "recall": known_share(*right, *rows),
            "alarms_on_fixed": known_share(*wrong, *rows),
            "rows": rows,
            "right": right,
            "wrong": wrong,
            "false_alarms": first(false_alarms),
            "misses": first(misses),
        }),
    }
}

/// Of nothing there is no share.
fn known_share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| share(part, whole))
}
