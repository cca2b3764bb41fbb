//! `aux secret rekey`: bring what is committed to what is declared.

use super::common::{Answer, Writing, change_line};
use crate::failure::Failure;
use crate::ui::Ui;

/// Write manifest and encrypted files as the declaration says: after it was edited, or where recipients changed.
///
/// New recipients, signers and machines get keys by this command alone, after you have said yes: the declaration is not
/// signed, and whoever can write it could name themselves.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Encrypt every file again, also those whose recipients did not change.
    #[arg(long)]
    all: bool,
    /// Do it without asking.
    #[arg(long, short = 'y')]
    yes: bool,
    #[command(flatten)]
    writing: Writing,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let session = args.writing.session_with_new_people(ui)?;
    let has_new_people = session.refuse_new_people().is_err();
    let prepared = session.prepare(args.all)?;
    if has_new_people && !args.yes && !args.writing.dry_run {
        let lines: Vec<String> = prepared.changes.iter().map(change_line).collect();
        if !ui.is_interactive() {
            return Err(Failure::new("others than before would be given keys")
                .details(lines)
                .hint("look at it, then say --yes"));
        }
        ui.tell(&lines);
        if ui
            .ask("Give these people and machines keys? [y/N]")
            .is_none_or(|answer| !matches!(answer.as_str(), "y" | "yes"))
        {
            return Err(Failure::new("nothing was written"));
        }
    }
    args.writing.finish(prepared, &Answer::default(), ui)
}
