//! `aux cache withdraw` and `restore`: a path that shall not be served any more, with a reason that clients see.

use aux_app::exit;
use aux_cache::client::{ClientError, Document};
use serde::Deserialize;

use super::server::{Server, store_path};
use crate::failure::Failure;
use crate::ui::Ui;

/// Stop serving a path, and what needs it, at once.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store path, its last part, or a link to it such as ./result.
    #[arg(value_name = "PATH")]
    path: String,
    /// The cache or view it is withdrawn from.
    #[arg(long = "from", value_name = "CACHE")]
    cache: String,
    /// Why: `aux cache why`, the status page and the header `aux-withdrawn` tell it. Nix itself says only that the path is not there.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Say what would be withdrawn, and withdraw nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: Server,
}

/// End a withdrawal, and those that came with it.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The store path, its last part, or a link to it such as ./result.
    #[arg(value_name = "PATH")]
    path: String,
    /// The cache or view it was withdrawn from.
    #[arg(long = "to", value_name = "CACHE")]
    cache: String,
    /// Why, for whoever asks later.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Answer {
    path: String,
    reason: Option<String>,
    #[serde(default)]
    also: Vec<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let client = args.server.client()?;
    let document = client.withdraw(&args.cache, &store_path(&args.path), &args.reason, args.dry_run);
    let document = document.map_err(|error| Failure::cache(&error))?;
    let verb = if args.dry_run { "would be withdrawn from" } else { "is withdrawn from" };
    args.server.answer(&document, ui, || lines(&document, verb, &args.cache))?;
    Ok(exit::DONE)
}

pub(crate) fn restore(args: &Restore, ui: &mut Ui) -> Result<u8, Failure> {
    let document = args.server.client()?.restore(&args.cache, &store_path(&args.path), &args.reason);
    let document = document.map_err(|error| Failure::cache(&error))?;
    args.server.answer(&document, ui, || lines(&document, "is served again by", &args.cache))?;
    Ok(exit::DONE)
}

fn lines(document: &Document, verb: &str, cache: &str) -> Result<Vec<String>, ClientError> {
    let answer: Answer = document.read()?;
    let reason = answer.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let mut lines = vec![format!("{} {verb} {cache}{reason}", answer.path)];
    lines.extend(answer.also.iter().map(|path| format!("  and with it {path}")));
    Ok(lines)
}
