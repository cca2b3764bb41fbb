//! `aux secret plan` and `aux secret diff`: what differs between the declaration and what is committed, or between two manifests.

use std::path::{Path, PathBuf};

use aux_app::exit;
use aux_core::limits::{SECRET_DECLARATION_BYTES_MAX, SECRET_MANIFEST_BYTES_MAX};
use aux_secrets::acts::View;
use aux_secrets::manifest::Change;
use aux_secrets::{Declaration, Manifest};
use serde_json::json;

use super::common::{Place, Signers, change_line, changes_json};
use crate::failure::Failure;
use crate::ui::Ui;

/// Say what `aux secret rekey` would change: what is declared otherwise than committed. Needs no identity.
#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    signers: Signers,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

/// Say what differs between two manifests, also values that were replaced. Exits 1 where something does.
///
/// Signatures are not looked at; `aux secret check` does that.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A manifest, or the folder it lies in.
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// Another.
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn plan(args: &PlanArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let repository = args.place.open()?;
    let path = repository.declaration_path().display().to_string();
    let bytes = repository.declaration(SECRET_DECLARATION_BYTES_MAX)?;
    let bytes = bytes.ok_or_else(|| Failure::new(format!("{path}: is missing")))?;
    let declaration = Declaration::read(&bytes).map_err(|error| Failure::new(format!("{path}: {error}")))?;
    let view = View::open(repository, args.signers.read()?)?;
    let changes = view.manifest.declared_changes(&Manifest::shape(&declaration));
    answer("aux.secret-plan/1", &changes, "nothing: what is committed is what is declared", args.json, ui)?;
    Ok(exit::DONE)
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let (old, new) = (manifest(&args.old)?, manifest(&args.new)?);
    let mut changes = old.declared_changes(&new);
    changes.extend(old.drift(&new));
    answer("aux.secret-diff/1", &changes, "nothing differs", args.json, ui)?;
    Ok(if changes.is_empty() { exit::DONE } else { exit::NO })
}

fn manifest(path: &Path) -> Result<Manifest, Failure> {
    let path = if path.is_dir() { path.join(aux_secrets::repository::MANIFEST) } else { path.to_path_buf() };
    let bytes = aux_io::input::read(&path, SECRET_MANIFEST_BYTES_MAX as u64)?;
    Manifest::unverified(&bytes).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

fn answer(schema: &str, changes: &[Change], nothing: &str, is_json: bool, ui: &mut Ui) -> Result<(), Failure> {
    if is_json {
        let document = json!({ "schema": schema, "changes": changes_json(changes) });
        return ui.answer(&format!("{document:#}\n"));
    }
    if changes.is_empty() {
        return ui.answer_lines(&[nothing.to_owned()]);
    }
    ui.answer_lines(&changes.iter().map(change_line).collect::<Vec<_>>())
}
