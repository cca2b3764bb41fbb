//! `aux feed verify`: whether an index, or a whole repository as it would be served, can be believed.

use std::path::PathBuf;

use aux_advisory::index::Index;
use aux_app::exit;
use aux_feed::repository::Repository;
use serde_json::json;

use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Check an index whole, or what a repository serves: signatures, hashes, and that every delta leads to the index.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An index.
    #[arg(value_name = "FILE.auxdb", required_unless_present = "repo", conflicts_with = "repo")]
    index: Option<PathBuf>,
    /// A repository that `aux feed init` made.
    #[arg(long, value_name = "DIR")]
    repo: Option<PathBuf>,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let (text, answer) = match (&args.index, &args.repo) {
        (Some(path), _) => {
            let mapped = aux_io::file::map(path).map_err(|error| Failure::feed_file(&error))?;
            let index = Index::open(&mapped).map_err(|error| Failure::feed(path, &error))?;
            index.check().map_err(|error| {
                Failure::new(format!("{}: {error}", path.display())).hint("build or fetch it again")
            })?;
            let (advisories, built) = (index.advisories_count(), index.facts().built);
            (
                format!("{}: whole, {advisories} advisories, built {}", path.display(), built.strftime("%Y-%m-%d")),
                json!({ "schema": "aux.feed-verify/1", "advisories": advisories, "built": built.to_string() }),
            )
        }
        (None, Some(folder)) => {
            let checked = Repository::open(folder)?.verify()?;
            let (serial, deltas) = (checked.serial, checked.deltas);
            (
                format!(
                    "{}: serial {serial} is signed and whole, with {}",
                    folder.display(),
                    counted(deltas, "delta", "deltas")
                ),
                json!({ "schema": "aux.feed-verify/1", "serial": serial, "deltas": deltas }),
            )
        }
        (None, None) => return Err(Failure::new("nothing to verify").hint("aux feed verify FILE.auxdb, or --repo DIR")),
    };
    if args.json {
        ui.answer(&format!("{answer:#}\n"))?;
    } else {
        ui.answer_lines(&[text])?;
    }
    Ok(exit::DONE)
}
