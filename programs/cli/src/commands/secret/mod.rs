//! `aux secret`: secrets of machines, and how machines get at them, one file a command.

mod reach;
mod slot;
mod slot_add;
mod unlock;

use clap::Subcommand;

use crate::failure::Failure;
use crate::ui::Ui;

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum Secret {
    /// Make, list and try the slots that give a machine its key back.
    #[command(subcommand)]
    Slot(slot::Slot),
    Unlock(unlock::Args),
}

/// Runs one of them.
pub(super) fn run(command: &Secret, ui: &mut Ui) -> Result<u8, Failure> {
    match command {
        Secret::Slot(verb) => slot::run(verb, ui),
        Secret::Unlock(args) => unlock::run(args, ui),
    }
}
