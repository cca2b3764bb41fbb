//! `aux secret unlock`: the machine's key by whichever slot opens, or which slots would open and why others would not.

use std::path::PathBuf;

use aux_app::exit;
use aux_io::file;
use aux_unlock::{explain, opens, tpm};
use serde::Serialize;

use super::reach::{Reach, SlotAnswer, answers, document, failure, open_or_ask, rows};
use crate::failure::Failure;
use crate::ui::Ui;

/// What a register is extended by after an unlock; any value does that nobody can take back.
const CLOSED: &[u8; 32] = b"aux secret unlock: closed until ";

/// Open the slots of this machine, all at the same time, and write its age identity to a file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Open nothing for good: say which slots would open and which not, and why. Exit 1 where none does.
    #[arg(long, required_unless_present = "output")]
    dry_run: bool,
    /// A new file, readable by its owner only, for the identity; it belongs on a file system that is no disk.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    output: Option<PathBuf>,
    /// Extend this PCR afterwards, so that TPM slots bound to it stay closed until the next start.
    #[arg(long, value_name = "PCR", conflicts_with = "dry_run", value_parser = clap::value_parser!(u8).range(0..24))]
    close: Option<u8>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    machine: String,
    recipient: String,
    opens: bool,
    slots: Vec<SlotAnswer>,
}

#[derive(Serialize)]
struct OpenedDocument {
    schema: &'static str,
    machine: String,
    recipient: String,
    /// The slot that opened first.
    slot: String,
    identity: String,
}

/// Runs it.
pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    match &args.output {
        Some(output) => unlock(args, output, ui),
        None => dry_run(args, ui),
    }
}

fn dry_run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let slots = args.reach.read()?;
    let reports = explain(&slots, &args.reach.surroundings()?).map_err(|error| failure(&error))?;
    let opens = opens(&reports);
    if args.reach.json {
        let (machine, recipient) = (slots.machine, slots.recipient);
        let schema = "aux.secret-unlock/1";
        document(&Document { schema, machine, recipient, opens, slots: answers(&reports) }, ui)?;
    } else {
        ui.answer_rows(&rows(&reports))?;
    }
    Ok(if opens { exit::DONE } else { exit::NO })
}

fn unlock(args: &Args, output: &PathBuf, ui: &mut Ui) -> Result<u8, Failure> {
    let slots = args.reach.read()?;
    let mut surroundings = args.reach.surroundings()?;
    let opened = open_or_ask(&slots, &mut surroundings, ui)?;
    let mut text = opened.key.identity_text().map_err(Failure::new)?;
    text.push('\n');
    if output.exists() {
        return Err(Failure::new(format!("{}: it exists already, and is left as it is", output.display())));
    }
    // First closed, then handed out: a key that is out while the TPM would give it once more was worth less.
    if let Some(register) = args.close {
        let missing = || Failure::new("there is no TPM whose PCR could be closed");
        let address = surroundings.tpm.as_ref().ok_or_else(missing)?;
        tpm::extend(address, register, CLOSED, &surroundings.random).map_err(Failure::new)?;
    }
    file::create_private(output, text.as_bytes())?;
    if args.reach.json {
        let answer = OpenedDocument {
            schema: "aux.secret-unlocked/1",
            machine: slots.machine,
            recipient: slots.recipient,
            slot: opened.path,
            identity: output.display().to_string(),
        };
        document(&answer, ui)?;
    } else {
        ui.answer_lines(&[format!(
            "slot {} opened; {} is the identity of {}",
            opened.path,
            output.display(),
            slots.recipient
        )])?;
    }
    Ok(exit::DONE)
}
