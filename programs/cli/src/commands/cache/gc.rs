//! `aux cache gc`: what nothing needs any more.

use aux_app::exit;
use aux_cache::client::Bounds;
use jiff::Timestamp;
use serde::Deserialize;

use super::server::{Server, parse_size, size};
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Delete what no pin and no view needs. It never breaks a closure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only what was pushed longer ago than so many days.
    #[arg(long, value_name = "DAYS")]
    older_than_days: Option<u32>,
    /// Only what nobody pushed or asked for in so many days.
    #[arg(long, value_name = "DAYS")]
    unused_for_days: Option<u32>,
    /// Only as much as must go for the rest to fit, first what was unused for longest: a number of bytes, or such as 500GB or 2TiB.
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
    /// Older servers do not say it.
    uses_since: Option<Timestamp>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let seconds = args.older_than_days.map(|days| u64::from(days) * 86_400);
    let bounds = Bounds {
        older_than_seconds: seconds,
        unused_for_days: args.unused_for_days.map(u64::from),
        stored_bytes_max: args.max_size,
    };
    let document = args.server.client()?.collect(args.dry_run, bounds).map_err(|error| Failure::cache(&error))?;
    args.server.answer(&document, ui, || {
        let Answer { paths, nar_bytes, objects, stored_bytes, kept, sample, uses_since } = document.read()?;
        let verb = if args.dry_run { "would delete" } else { "deleted" };
        let counted = |number: u64, one, many| counted(usize::try_from(number).unwrap_or(usize::MAX), one, many);
        let what = format!("{} ({})", counted(paths, "path", "paths"), size(nar_bytes));
        let what = format!("{what}, {}", counted(objects, "object", "objects"));
        let mut lines = vec![format!("{verb} {what} ({})", size(stored_bytes))];
        let shown = u64::try_from(sample.len()).unwrap_or(u64::MAX);
        lines.extend(sample.into_iter().map(|path| format!("  {path}")));
        if shown > 0 && shown < paths {
            lines.push(format!("  and {} more", paths - shown));
        }
        let verb = if args.dry_run { "would keep" } else { "kept" };
        lines.push(format!("{verb} {}", counted(kept, "path", "paths")));
        if let Some(since) = uses_since.filter(|_| args.unused_for_days.is_some()) {
            let since = since.strftime("%Y-%m-%d");
            lines.push(format!("uses are known since {since}; what was there before counts as used on that day"));
        }
        Ok(lines)
    })?;
    Ok(exit::DONE)
}
