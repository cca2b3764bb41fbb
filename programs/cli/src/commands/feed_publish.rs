//! `aux feed publish`: a new serial for everybody who follows, or the same one signed again.

use std::path::PathBuf;

use aux_app::exit;
use aux_feed::repository::{Lifetimes, Outcome, PublishRequest, Repository};
use jiff::civil::Date;
use serde_json::json;

use super::environment;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Publish an index under a new serial: the whole of it, deltas from earlier serials, and signed metadata.
///
/// Without FILE, or where FILE is published already, only the signatures are renewed: do that daily, for clients take a
/// feed whose signatures expired for hidden from them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What `aux feed build` wrote.
    #[arg(value_name = "FILE.auxdb")]
    index: Option<PathBuf>,
    /// The repository `aux feed init` made.
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// How many days clients believe this publication to be the newest.
    #[arg(long, value_name = "DAYS", default_value_t = Lifetimes::default().timestamp_days)]
    valid_days: i32,
    /// Sign as on this day, for publications that can be made again.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let repository = Repository::open(&args.repo)?;
    let lifetimes = Lifetimes { timestamp_days: args.valid_days, ..Lifetimes::default() };
    let now = environment::now(args.as_of)?;
    let outcome = repository.publish(&PublishRequest { index: args.index.clone(), now, lifetimes })?;
    say(&outcome, args.json, ui)?;
    Ok(exit::DONE)
}

/// What a publication is, for people or for a program.
pub(super) fn say(outcome: &Outcome, is_json: bool, ui: &mut Ui) -> Result<(), Failure> {
    if is_json {
        let deltas: Vec<_> =
            outcome.deltas.iter().map(|(since, bytes)| json!({ "since": since, "bytes": bytes })).collect();
        let answer = json!({
            "schema": "aux.feed-publish/1",
            "serial": outcome.serial,
            "new": outcome.is_new,
            "built": outcome.built.to_string(),
            "index_bytes": outcome.index_bytes,
            "metadata_bytes": outcome.metadata_bytes,
            "deltas": deltas,
            "expires": outcome.expires.to_string(),
        });
        return ui.answer(&format!("{answer:#}\n"));
    }
    let what = if outcome.is_new { "published" } else { "signed again" };
    let expires = outcome.expires.strftime("%Y-%m-%d");
    let mut lines = vec![
        format!("serial {} {what}, valid until {expires}", outcome.serial),
        format!("index {} bytes, metadata {} bytes", outcome.index_bytes, outcome.metadata_bytes),
    ];
    if !outcome.deltas.is_empty() {
        let count = counted(outcome.deltas.len(), "delta", "deltas");
        let listed: Vec<String> =
            outcome.deltas.iter().map(|(since, bytes)| format!("from {since}: {bytes} bytes")).collect();
        lines.push(format!("{count}: {}", listed.join(", ")));
    }
    ui.answer_rows(&lines)
}
