//! Every command: one file each, holding what may be typed and what it does.

mod audit;
mod feed_build;

use clap::Subcommand;

use crate::failure::Failure;
use crate::ui::Ui;

/// The nouns and verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say which components of a target are vulnerable, why, and what fixes them.
    Audit(audit::Args),
    /// Build, look into and check advisory feeds.
    #[command(subcommand)]
    Feed(Feed),
}

/// What can be done with a feed.
#[derive(Debug, Subcommand)]
pub(crate) enum Feed {
    /// Compile advisory sources and a triage folder into one index.
    Build(feed_build::Args),
}

/// Runs a command; the number is the exit code.
pub(crate) fn run(command: Command, ui: &mut Ui) -> Result<u8, Failure> {
    match command {
        Command::Audit(args) => audit::run(args, ui),
        Command::Feed(Feed::Build(args)) => feed_build::run(args, ui),
    }
}
