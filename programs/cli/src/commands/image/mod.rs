//! `aux image`: origin images and the repositories that pin them, one file a command.

mod audit;
mod build;
mod bump;
mod history;
mod import;
mod inputs;
mod pins;
mod plan;
mod publish;
mod watch;

use clap::Subcommand;

use crate::failure::Failure;
use crate::ui::Ui;

/// What can be done with images.
#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    Audit(audit::Args),
    Plan(plan::Args),
    Build(build::Args),
    Publish(publish::Args),
    Pins(pins::Args),
    Import(import::Args),
    Bump(bump::Args),
    Watch(watch::Args),
    History(history::Args),
}

/// Runs one of them.
pub(super) fn run(command: &Image, ui: &mut Ui) -> Result<u8, Failure> {
    match command {
        Image::Audit(args) => audit::run(args, ui),
        Image::Plan(args) => plan::run(args, ui),
        Image::Build(args) => build::run(args, ui),
        Image::Publish(args) => publish::run(args, ui),
        Image::Pins(args) => pins::run(args, ui),
        Image::Import(args) => import::run(args, ui),
        Image::Bump(args) => bump::run(args, ui),
        Image::Watch(args) => watch::run(args, ui),
        Image::History(args) => history::run(args, ui),
    }
}
