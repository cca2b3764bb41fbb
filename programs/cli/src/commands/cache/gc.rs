//! `aux cache gc`: what nothing needs any more.

use aux_app::exit;
use serde::Deserialize;

use super::server::{Server, parse_size, size};
use crate::failure::Failure;
use crate::ui::Ui;

/// Delete what no pin and no view needs. It never breaks a closure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only what was pushed or asked for longer ago than so many days.
    #[arg(long, value_name = "DAYS")]
    older_than_days: Option<u32>,
    /// Only as much as must go for the rest to fit, oldest first: a number of bytes, or such as 500GB or 2TiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_size: Option<u64>,
    /// Say what would go, and delete nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Answer {
    paths: u64,
    nar_bytes: u64,
    objects: u64,
    stored_bytes: u64,
    kept: u64,
    #[serde(default)]
    sample: Vec<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let seconds = args.older_than_days.map(|days| u64::from(days) * 86_400);
    let document =
        args.server.client()?.collect(args.dry_run, seconds, args.max_size).map_err(|error| Failure::cache(&error))?;
    args.server.answer(&document, ui, || {
        let Answer { paths, nar_bytes, objects, stored_bytes, kept, sample } = document.read()?;
        let verb = if args.dry_run { "would delete" } else { "deleted" };
        let mut lines = vec![
            format!("{verb} {paths} paths ({}), {objects} objects ({})", size(nar_bytes), size(stored_bytes)),
            format!("kept {kept} paths"),
        ];
        let shown = u64::try_from(sample.len()).unwrap_or(u64::MAX);
        lines.extend(sample.into_iter().map(|path| format!("  {path}")));
        if shown > 0 && shown < paths {
            lines.push(format!("  and {} more", paths - shown));
        }
        Ok(lines)
    })?;
    Ok(exit::DONE)
}
