//! `aux secret show`: one value, to a terminal or into a closed file.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use aux_app::exit;
use aux_secrets::acts::View;
use aux_secrets::{Holder, Label, SecretBytes, secret_file};
use serde_json::json;

use super::common::{Keys, Place, Signers};
use crate::failure::Failure;
use crate::ui::Ui;

/// Show a secret: on a terminal, or in a file that only you can read. A pipe gets it only with --output -.
///
/// Signature, delivered keys and the value's check are verified first. The identity is the machine's or one of recovery.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The secret's name.
    #[arg(value_name = "NAME")]
    name: Label,
    /// The machine whose secret it is, or that reads it; not needed for those of a group or of the admins.
    #[arg(long, short = 'm', value_name = "MACHINE")]
    machine: Option<Label>,
    /// The other machine, for what two of a group share.
    #[arg(long, value_name = "MACHINE", requires = "machine")]
    peer: Option<Label>,
    /// The value of the version before.
    #[arg(long, conflicts_with = "peer")]
    previous: bool,
    /// The public half only, which needs no identity.
    #[arg(long, conflicts_with_all = ["peer", "previous"])]
    public: bool,
    /// Write it to this file, mode 0600; `-` is standard output, whatever that is.
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    signers: Signers,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    keys: Keys,
    /// Print what is known of it as one document, without the value.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    aux_secrets::memory::protect();
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if args.output.is_none() && !args.public && !args.json && !io::stdout().is_terminal() {
        let hint = "name a file with --output FILE, or say --output - if the pipe is meant";
        return Err(
            Failure::new("standard output is no terminal, and secrets do not go into pipes by accident").hint(hint)
        );
    }
    if to_stdout && args.json {
        return Err(Failure::new("--json and --output - both want standard output").hint("leave one of them out"));
    }
    let mut view = View::open(args.place.open()?, args.signers.read()?)?;
    let holder = view.holder(&args.name, args.machine.as_ref())?;
    if args.public {
        return public(args, &view, &holder, ui);
    }
    let wants_value = args.output.is_some() || !args.json;
    if wants_value {
        let value = value(args, &mut view, &holder, ui)?;
        match &args.output {
            Some(path) if !to_stdout => secret_file::write(path, &value).map_err(Failure::new)?,
            _ => ui.answer_secret(&value)?,
        }
    }
    if args.json {
        return describe(args, &view, &holder, ui);
    }
    if let Some(path) = args.output.as_ref().filter(|_| !to_stdout) {
        ui.remark(&format!("wrote {} of {holder} to {}, mode 0600", args.name, path.display()));
    }
    Ok(exit::DONE)
}

fn value(args: &Args, view: &mut View, holder: &Holder, ui: &mut Ui) -> Result<SecretBytes, Failure> {
    let identities = args.keys.needed(ui)?;
    match &args.machine {
        Some(machine) => view.unlock_machine(machine, &identities)?,
        None => view.unlock_seed(&identities)?,
    }
    Ok(match (&args.machine, &args.peer) {
        (Some(machine), Some(peer)) => view.pair_value(holder, &args.name, machine, peer)?,
        _ if args.previous => view.previous_value(holder, &args.name)?,
        _ => view.value(holder, &args.name)?,
    })
}

fn public(args: &Args, view: &View, holder: &Holder, ui: &mut Ui) -> Result<u8, Failure> {
    if args.json {
        return describe(args, view, holder, ui);
    }
    let Some(public) = view.public(holder, &args.name) else {
        return Err(Failure::new(format!("{} of {holder} has no public half", args.name)));
    };
    ui.answer(&format!("{}\n", public.trim_end_matches('\n')))?;
    Ok(exit::DONE)
}

fn describe(args: &Args, view: &View, holder: &Holder, ui: &mut Ui) -> Result<u8, Failure> {
    let secret = view.manifest.secrets.get(&args.name);
    let instance = view.manifest.values(holder).and_then(|values| values.get(&args.name));
    let answer = json!({
        "schema": "aux.secret/1", "name": args.name.as_str(), "scope": holder.to_string(),
        "type": secret.map(|secret| &secret.type_id), "version": secret.map(|secret| secret.version),
        "check": instance.and_then(|instance| instance.check).map(|check| check.to_string()),
        "public": instance.and_then(|instance| instance.public.as_ref()),
        "output": args.output.as_ref().map(|path| path.display().to_string()),
        "serial": view.manifest.serial,
    });
    ui.answer(&format!("{answer:#}\n"))?;
    Ok(exit::DONE)
}
