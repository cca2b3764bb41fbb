//! `aux secret`: secrets of a fleet, one file a command.

mod add;
mod blast_radius;
mod check;
mod common;
mod diff;
mod edit;
mod enroll;
mod export;
mod here;
mod import;
mod init;
mod install;
mod lint;
mod list;
mod reach;
mod rekey;
mod rotate;
mod serve;
mod set;
mod show;
mod slot;
mod slot_add;
mod slot_nested;
mod slot_recipient;
mod slot_remove;
mod slot_sign;
mod units;
mod unlock;

use clap::Subcommand;

use crate::failure::Failure;
use crate::ui::Ui;

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum Secret {
    Init(init::Args),
    Enroll(enroll::Args),
    Add(add::Args),
    Set(set::Args),
    Edit(edit::Args),
    Show(show::Args),
    List(list::Args),
    Rotate(rotate::Args),
    Rekey(rekey::Args),
    Plan(diff::PlanArgs),
    Diff(diff::Args),
    Check(check::Args),
    Lint(lint::Args),
    Import(import::Args),
    Export(export::Args),
    BlastRadius(blast_radius::Args),
    /// Make, list and try the slots that give a machine its key back.
    #[command(subcommand)]
    Slot(slot::Slot),
    Unlock(unlock::Args),
    Install(install::Args),
    Serve(serve::Args),
    Units(units::Args),
}

/// Runs one of them.
pub(super) fn run(command: &Secret, ui: &mut Ui) -> Result<u8, Failure> {
    match command {
        Secret::Init(args) => init::run(args, ui),
        Secret::Enroll(args) => enroll::run(args, ui),
        Secret::Add(args) => add::run(args, ui),
        Secret::Set(args) => set::run(args, ui),
        Secret::Edit(args) => edit::run(args, ui),
        Secret::Show(args) => show::run(args, ui),
        Secret::List(args) => list::run(args, ui),
        Secret::Rotate(args) => rotate::run(args, ui),
        Secret::Rekey(args) => rekey::run(args, ui),
        Secret::Plan(args) => diff::plan(args, ui),
        Secret::Diff(args) => diff::run(args, ui),
        Secret::Check(args) => check::run(args, ui),
        Secret::Lint(args) => lint::run(args, ui),
        Secret::Import(args) => import::run(args, ui),
        Secret::Export(args) => export::run(args, ui),
        Secret::BlastRadius(args) => blast_radius::run(args, ui),
        Secret::Slot(verb) => slot::run(verb, ui),
        Secret::Unlock(args) => unlock::run(args, ui),
        Secret::Install(args) => install::run(args, ui),
        Secret::Serve(args) => serve::run(args, ui),
        Secret::Units(args) => units::run(args, ui),
    }
}
