//! `aux cache rollback`: a view as it was.

use aux_app::exit;
use aux_cache::client::Rollback;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::server::Server;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Bring a view back to an edition, or to what it was at a moment. What was withdrawn stays withdrawn.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The view.
    #[arg(value_name = "VIEW")]
    view: String,
    /// An edition's number, or a moment such as 2026-11-20T12:00:00Z.
    #[arg(long, value_name = "EDITION|TIME")]
    to: String,
    /// Why, for whoever asks later.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Say what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Answer {
    edition: Option<u64>,
    added: serde_json::Value,
    removed: serde_json::Value,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let to = match (args.to.parse::<u64>(), args.to.parse::<Timestamp>()) {
        (Ok(edition), _) => json!(edition),
        (_, Ok(_)) => json!(args.to),
        _ => {
            return Err(Failure::new(format!("--to {}: is neither the number of an edition nor a moment", args.to))
                .hint("`aux cache views VIEW` lists the editions; a moment is written 2026-11-20T12:00:00Z"));
        }
    };
    let rollback = Rollback { to, reason: args.reason.clone(), dry_run: args.dry_run };
    let client = args.server.client()?;
    let document = client.roll_back(&args.view, &rollback).map_err(|error| Failure::cache(&error))?;
    args.server.answer(&document, ui, || {
        let answer: Answer = document.read()?;
        let (came, went) = if args.dry_run { ("would come", "would go") } else { ("came", "went") };
        let edition = answer.edition.map(|number| format!(", edition {number}")).unwrap_or_default();
        let (added, removed) = (count(&answer.added), count(&answer.removed));
        Ok(vec![format!("{}{edition}: {added} {came} back, {removed} {went}", args.view)])
    })?;
    Ok(exit::DONE)
}

/// A number of paths, or the paths themselves.
fn count(value: &serde_json::Value) -> String {
    let listed = value.as_array().map(Vec::len);
    let number = listed.or_else(|| value.as_u64().and_then(|number| usize::try_from(number).ok()));
    number.map_or_else(|| "an unknown number of paths".to_owned(), |number| counted(number, "path", "paths"))
}
