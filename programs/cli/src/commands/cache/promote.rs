//! `aux cache promote`: into a view, by its policy.

use std::path::PathBuf;

use aux_app::exit;
use aux_cache::client::Promotion;
use serde::Deserialize;

use super::create::{sbom, text};
use super::push::lock_of;
use super::server::{Server, store_path};
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Promote what is in a view's cache into the view, as far as its policy lets it. Exits with 1 where it does not.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Store paths, their last parts, or links to them such as ./result.
    #[arg(value_name = "PATH", required_unless_present = "lock")]
    paths: Vec<String>,
    /// The view they shall be seen in.
    #[arg(long, value_name = "VIEW")]
    to: String,
    /// Promote the sources that a flake.lock locks; the file, or the folder it is in.
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Show an SBOM of what is promoted to rules about licences: CycloneDX or SPDX in JSON, which names store paths.
    #[arg(long, value_name = "FILE")]
    sbom: Option<PathBuf>,
    /// Promote the paths alone: all they need must be in the view already.
    #[arg(long)]
    no_closure: bool,
    /// Promote what may be, where something else may not.
    #[arg(long)]
    partial: bool,
    /// Say what would be decided, and decide nothing.
    #[arg(long)]
    dry_run: bool,
    /// Why, for whoever asks later.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Answer {
    outcome: String,
    edition: Option<u64>,
    decision: Option<u64>,
    admitted: Vec<String>,
    present: u64,
    refused: Vec<Refused>,
}

/// A path, and a rule that does not hold for it.
#[derive(Deserialize)]
pub(super) struct Refused {
    path: String,
    rule: String,
    reason: String,
    #[serde(default)]
    dependency_path: Vec<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let lock = args.lock.as_deref().map(|path| text(&lock_of(path))).transpose()?;
    let promotion = Promotion {
        paths: args.paths.iter().map(|path| store_path(path)).collect(),
        lock,
        sbom: args.sbom.as_deref().map(sbom).transpose()?,
        closure: !args.no_closure,
        partial: args.partial,
        dry_run: args.dry_run,
        reason: args.reason.clone(),
    };
    let client = args.server.client()?;
    let document = client.promote(&args.to, &promotion).map_err(|error| Failure::cache(&error))?;
    let answer: Answer = document.read().map_err(|error| Failure::cache(&error))?;
    args.server.answer(&document, ui, || Ok(lines(&answer, args)))?;
    Ok(if answer.refused.is_empty() { exit::DONE } else { exit::NO })
}

pub(super) fn refusals(refused: &[Refused]) -> Vec<String> {
    let mut lines = Vec::new();
    for refused in refused {
        lines.push(format!("  {}", refused.path));
        lines.push(format!("    rule `{}`: {}", refused.rule, refused.reason));
        if refused.dependency_path.len() > 1 {
            lines.push(format!("    needed by {}", refused.dependency_path.join(" -> ")));
        }
    }
    lines
}

fn lines(answer: &Answer, args: &Args) -> Vec<String> {
    let admitted = counted(answer.admitted.len(), "path", "paths");
    let verb = if args.dry_run { "would promote" } else { "promoted" };
    let mut lines = Vec::new();
    lines.push(match answer.outcome.as_str() {
        "nothing" => format!("all of it is in {} already", args.to),
        "refused" if args.dry_run => format!("would be refused: nothing goes to {}", args.to),
        "refused" => format!("refused: nothing went to {}", args.to),
        "partly" => format!("{verb} {admitted} to {}, and not all that was asked for", args.to),
        _ => format!("{verb} {admitted} to {}", args.to),
    });
    if answer.present > 0 && answer.outcome != "nothing" {
        lines.push(format!("{} of those needed were there before", answer.present));
    }
    lines.extend(refusals(&answer.refused));
    if let Some(edition) = answer.edition {
        lines.push(format!("edition {edition} of {}; `aux cache rollback` goes back", args.to));
    }
    if let Some(decision) = answer.decision.filter(|_| !answer.refused.is_empty()) {
        lines.push(format!("decision {decision}; `aux cache why PATH --in {}` tells it later", args.to));
    }
    lines
}
