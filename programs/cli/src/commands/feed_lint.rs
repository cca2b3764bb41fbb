//! `aux feed lint`: check a triage folder, alone or against the advisories it speaks of.

use std::path::PathBuf;

use aux_app::exit;
use aux_feed::{LintRequest, lint};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::feed_build::Sources;
use crate::failure::Failure;
use crate::ui::Ui;

/// Check a triage folder; with sources, also that every entry changes a verdict.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The triage folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    sources: Sources,
    #[arg(long)]
    json: bool,
    /// Say nothing but errors.
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.quiet || args.json;
    if !args.folder.is_dir() {
        return Err(Failure::new(format!("{}: no such folder", args.folder.display())));
    }
    let mut sources = args.sources;
    sources.triage = Some(args.folder);
    let bar = ui.progress("reading sources");
    let request =
        LintRequest { sources: sources.request(false)?, today: Timestamp::now().to_zoned(TimeZone::UTC).date() };
    let linted = lint(&request, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let linted = linted?;
    if args.json {
        let notes: Vec<_> = linted
            .notes
            .iter()
            .map(|note| json!({ "file": note.place.file, "line": note.place.line, "message": note.message }))
            .collect();
        let document =
            json!({ "schema": "aux.feed.lint/1", "entries": linted.entries, "names": linted.names, "notes": notes });
        ui.answer(&format!("{document:#}\n"))?;
    } else {
        ui.answer_lines(&linted.notes.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        ui.remark(&format!("{} entries, {} package names, {} notes", linted.entries, linted.names, linted.notes.len()));
    }
    Ok(if linted.notes.is_empty() { exit::DONE } else { exit::NO })
}
