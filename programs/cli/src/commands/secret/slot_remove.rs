//! `aux secret slot remove`: a slot goes away, and something else still opens.

use aux_app::exit;
use aux_io::file;
use aux_unlock::slot::print;
use aux_unlock::{explain, lint, opens, remove};
use serde::Serialize;

use super::reach::{Reach, document, failure, rows};
use crate::failure::Failure;
use crate::ui::Ui;

/// Remove a slot. It is refused where nothing else opens just now, or where a single failure of what is left would leave
/// nothing that opens.
///
/// Whoever has a copy of the file still has the slot in it: where that matters, begin with a new file of slots, and enrol
/// the machine with its recipient.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What it is called.
    #[arg(value_name = "SLOT")]
    name: String,
    /// Go on although a single failure would then leave nothing that opens.
    #[arg(long)]
    accept_single: bool,
    /// Say whether it could be removed, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    machine: String,
    removed: String,
    left: Vec<String>,
    before_reboot: Vec<String>,
    dry_run: bool,
}

/// Runs it.
pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let mut slots = args.reach.read()?;
    remove(&mut slots, &args.name)
        .map_err(|error| Failure::new(error).hint("`aux secret slot list` says what there is"))?;
    let before_reboot = lint::may_reboot(&slots).err().unwrap_or_default();
    if !before_reboot.is_empty() && !args.accept_single {
        return Err(Failure::new(format!(
            "without slot {} the machine should not be restarted; nothing was changed",
            args.name
        ))
        .details(before_reboot)
        .hint("add another slot first, or say --accept-single"));
    }
    // What is left must open now, and not only by what the file says of it.
    let reports = explain(&slots, &args.reach.surroundings()?).map_err(|error| failure(&error))?;
    if !opens(&reports) {
        let details = rows(&reports).into_iter().map(|row| row.trim_end().to_owned()).collect();
        return Err(Failure::new(format!("none of the other slots opens now, so {} stays", args.name))
            .details(details)
            .hint("--passphrase-file FILE or --recovery-file FILE shows that one of them does"));
    }
    let path = args.reach.path();
    if !args.dry_run {
        file::replace(&path, print(&slots).as_bytes())?;
    }
    if args.reach.json {
        let left = slots.slots.iter().map(|slot| slot.name.clone()).collect();
        let (machine, removed) = (slots.machine, args.name.clone());
        let schema = "aux.secret-slot-remove/1";
        document(&Document { schema, machine, removed, left, before_reboot, dry_run: args.dry_run }, ui)?;
        return Ok(exit::DONE);
    }
    let done = if args.dry_run { "could be removed from" } else { "is no longer in" };
    let mut lines = vec![format!("slot {} {done} {}; what is left opens", args.name, path.display())];
    lines.push("copies of the file still have it".to_owned());
    lines.extend(before_reboot.iter().map(|concern| format!("do not restart the machine yet: {concern}")));
    ui.answer_lines(&lines)?;
    Ok(exit::DONE)
}
