//! `aux secret export`: a machine's secrets as plain files of age, for other tools.

use std::path::PathBuf;

use aux_app::exit;
use aux_secrets::acts::View;
use aux_secrets::{Label, Recipient, age_file};
use serde_json::json;

use super::common::{Keys, Place, Signers};
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Write every secret that a machine reads as NAME.age, encrypted to recipients you name: the way to agenix, sops or rage.
///
/// Nothing is written in the clear.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The machine whose secrets they are.
    #[arg(long, short = 'm', value_name = "MACHINE")]
    machine: Label,
    /// Whom they are encrypted to; may be given several times.
    #[arg(long = "recipient", short = 'r', value_name = "AGE", required = true)]
    recipients: Vec<String>,
    /// The folder to write them to.
    #[arg(long, short = 'o', value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    signers: Signers,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    keys: Keys,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    aux_secrets::memory::protect();
    let recipients = args.recipients.iter().map(|text| text.parse()).collect::<Result<Vec<Recipient>, _>>();
    let recipients = recipients.map_err(Failure::new)?;
    let mut view = View::open(args.place.open()?, args.signers.read()?)?;
    view.unlock_machine(&args.machine, &args.keys.needed(ui)?)?;
    aux_io::file::create_private_folder(&args.output)?;
    let mut written = Vec::new();
    let mut empty = Vec::new();
    for name in view.manifest.secrets.keys() {
        let Some(holder) = view.manifest.holder_of(&args.machine, name) else { continue };
        if view.manifest.values(&holder).and_then(|values| values.get(name)?.check).is_none() {
            empty.push(name.clone());
            continue;
        }
        let value = view.value(&holder, name)?;
        let file = age_file::encrypt(&value, &recipients).map_err(Failure::new)?;
        aux_io::file::replace(args.output.join(format!("{name}.age")), &file)?;
        written.push(name.clone());
    }
    if args.json {
        let answer =
            json!({ "schema": "aux.secret-export/1", "machine": args.machine, "written": written, "empty": empty });
        ui.answer(&format!("{answer:#}\n"))?;
        return Ok(exit::DONE);
    }
    let mut lines = vec![format!("wrote {} to {}", counted(written.len(), "file", "files"), args.output.display())];
    lines.extend(empty.iter().map(|name| format!("left out {name}, an envelope without a value")));
    ui.answer_lines(&lines)?;
    Ok(exit::DONE)
}
