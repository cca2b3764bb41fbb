//! Every command: one file each, holding what may be typed and what it does.

mod audit;
mod config_show;
mod doctor;
mod ecosystem;
mod environment;
mod explain;
mod feed_build;
mod feed_lint;
mod feed_show;
mod watch;

use clap::Subcommand;

use crate::failure::Failure;
use crate::ui::Ui;

/// The nouns and verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Audit(audit::Args),
    /// Build, look into and check advisory feeds.
    #[command(subcommand)]
    Feed(Feed),
    /// Audit targets again and again, and say what is new.
    #[command(subcommand)]
    Watch(watch::Watch),
    Doctor(doctor::Args),
    /// Look into the configuration.
    #[command(subcommand)]
    Config(Config),
}

/// What can be done with a feed.
#[derive(Debug, Subcommand)]
pub(crate) enum Feed {
    Build(feed_build::Args),
    Show(feed_show::Args),
    Lint(feed_lint::Args),
}

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    Show(config_show::Args),
}

/// Runs a command; the number is the exit code.
pub(crate) fn run(command: Command, ui: &mut Ui) -> Result<u8, Failure> {
    match command {
        Command::Audit(args) => audit::run(&args, ui),
        Command::Feed(Feed::Build(args)) => feed_build::run(args, ui),
        Command::Feed(Feed::Show(args)) => feed_show::run(&args, ui),
        Command::Feed(Feed::Lint(args)) => feed_lint::run(args, ui),
        Command::Watch(watch) => watch::run(watch, ui),
        Command::Doctor(args) => doctor::run(&args, ui),
        Command::Config(Config::Show(args)) => config_show::run(&args, ui),
    }
}
