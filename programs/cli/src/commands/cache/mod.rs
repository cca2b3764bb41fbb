//! `aux cache`: the commands that talk to a cache server, one file each, and one that takes its place.

mod create;
mod fsck;
mod gc;
mod migrate;
mod pin;
mod policy;
mod promote;
mod push;
mod rollback;
mod server;
mod token;
mod upstream;
mod views;
mod why;
mod withdraw;

use clap::Subcommand;

use crate::failure::Failure;
use crate::ui::Ui;

/// What can be done with a cache.
#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    Create(create::Args),
    /// Make, list and revoke tokens.
    #[command(subcommand)]
    Token(token::Token),
    Push(push::Args),
    Promote(promote::Args),
    Rollback(rollback::Args),
    Views(views::Args),
    Policy(policy::Args),
    Withdraw(withdraw::Args),
    Restore(withdraw::Restore),
    Why(why::Args),
    /// Keep paths that no view needs.
    #[command(subcommand)]
    Pin(pin::Pin),
    /// Let a cache ask others for what it lacks.
    #[command(subcommand)]
    Upstream(upstream::Upstream),
    Gc(gc::Args),
    Fsck(fsck::Args),
    Migrate(migrate::Args),
}

/// Runs one of them.
pub(super) fn run(command: &Cache, ui: &mut Ui) -> Result<u8, Failure> {
    match command {
        Cache::Create(args) => create::run(args, ui),
        Cache::Token(verb) => token::run(verb, ui),
        Cache::Push(args) => push::run(args, ui),
        Cache::Promote(args) => promote::run(args, ui),
        Cache::Rollback(args) => rollback::run(args, ui),
        Cache::Views(args) => views::run(args, ui),
        Cache::Policy(args) => policy::run(args, ui),
        Cache::Withdraw(args) => withdraw::run(args, ui),
        Cache::Restore(args) => withdraw::restore(args, ui),
        Cache::Why(args) => why::run(args, ui),
        Cache::Pin(verb) => pin::run(verb, ui),
        Cache::Upstream(verb) => upstream::run(verb, ui),
        Cache::Gc(args) => gc::run(args, ui),
        Cache::Fsck(args) => fsck::run(args, ui),
        Cache::Migrate(args) => migrate::run(args, ui),
    }
}
