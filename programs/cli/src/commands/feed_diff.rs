//! `aux feed diff`: what changed from one index to another.

use std::path::{Path, PathBuf};

use aux_advisory::index::delta::Touched;
use aux_advisory::index::{AdvisoryKey, Index};
use aux_app::exit;
use serde_json::json;

use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Say which advisories and decisions differ between two indexes. Exits 0 where nothing does, and 1 where something does.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The older index.
    #[arg(value_name = "OLD.auxdb")]
    old: PathBuf,
    /// The newer one.
    #[arg(value_name = "NEW.auxdb")]
    new: PathBuf,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

/// What became of an advisory.
#[derive(Default)]
struct Changes {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let (old, new) = (map(&args.old)?, map(&args.new)?);
    let old = Index::open(&old).map_err(|error| Failure::feed(&args.old, &error))?;
    let new = Index::open(&new).map_err(|error| Failure::feed(&args.new, &error))?;
    let damaged = |error| Failure::new(format!("{} or {}: {error}", args.old.display(), args.new.display()));
    let touched = Touched::between(&old, &new).map_err(damaged)?;
    let mut changes = Changes::default();
    for key in touched.advisories() {
        let id =
            |index: &Index<'_>, key: AdvisoryKey| index.advisory(key).map(|found| found.map(|advisory| advisory.id));
        match (id(&old, key).map_err(damaged)?, id(&new, key).map_err(damaged)?) {
            (None, Some(id)) => changes.added.push(id),
            (Some(id), None) => changes.removed.push(id),
            (Some(_), Some(id)) => changes.changed.push(id),
            (None, None) => {}
        }
    }
    let decisions: Vec<String> = touched.decisions().into_iter().collect();
    let Changes { added, removed, changed } = changes;
    let is_same = touched.is_empty();
    if args.json {
        let answer = json!({
            "schema": "aux.feed-diff/1", "same": is_same,
            "added": added, "removed": removed, "changed": changed, "decisions": decisions,
        });
        ui.answer(&format!("{answer:#}\n"))?;
    } else {
        let parts = [("added", added), ("removed", removed), ("changed", changed), ("decided", decisions)];
        let mut lines = Vec::new();
        for (word, names) in parts.iter().filter(|(_, names)| !names.is_empty()) {
            let what = if *word == "decided" {
                counted(names.len(), "package", "packages")
            } else {
                counted(names.len(), "advisory", "advisories")
            };
            lines.push(format!("{word}: {what}"));
            lines.push(format!("  {}", names.join(" ")));
        }
        if is_same {
            lines.push("nothing differs".to_owned());
        }
        ui.answer_lines(&lines)?;
    }
    Ok(if is_same { exit::DONE } else { exit::NO })
}

fn map(path: &Path) -> Result<aux_io::file::Mapped, Failure> {
    aux_io::file::map(path).map_err(|error| Failure::feed_file(&error))
}
