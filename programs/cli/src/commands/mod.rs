//! Every command: one file each, holding what may be typed and what it does.

mod alert_hook;
mod alert_list;
mod alert_test;
mod audit;
mod cache;
mod config_show;
mod doctor;
mod ecosystem;
mod environment;
mod explain;
mod feed_build;
mod feed_diff;
mod feed_fetch;
mod feed_init;
mod feed_key;
mod feed_lint;
mod feed_publish;
mod feed_score;
mod feed_show;
mod feed_status;
mod feed_sync;
mod feed_triage;
mod feed_verify;
mod flakes;
mod image;
mod network;
mod secret;
mod since;
mod synced;
mod triage_prompt;
mod waivers;
mod watch;

use clap::Subcommand;

use crate::failure::Failure;
use crate::ui::Ui;

/// The nouns and verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Audit(audit::Args),
    /// Fetch, build, look into, check, triage and score advisory feeds.
    #[command(subcommand)]
    Feed(Feed),
    /// Try the ways to a person, and see what reached one.
    #[command(subcommand)]
    Alert(Alert),
    /// Audit targets again and again, and say what is new.
    #[command(subcommand)]
    Watch(watch::Watch),
    /// Push to, promote in and look after a private binary cache.
    #[command(subcommand)]
    Cache(cache::Cache),
    /// Audit origin images, and bump them in the repositories that pin them.
    #[command(subcommand)]
    Image(image::Image),
    /// Derive, declare, rotate and check the secrets of a fleet, and unlock a machine's.
    #[command(subcommand)]
    Secret(secret::Secret),
    Doctor(doctor::Args),
    /// Look into the configuration.
    #[command(subcommand)]
    Config(Config),
}

/// What can be done with a feed.
#[derive(Debug, Subcommand)]
pub(crate) enum Feed {
    Fetch(feed_fetch::Args),
    Build(feed_build::Args),
    Init(feed_init::Args),
    Publish(feed_publish::Args),
    #[command(subcommand)]
    Key(feed_key::Key),
    Sync(feed_sync::Args),
    Status(feed_status::Args),
    Diff(feed_diff::Args),
    Verify(feed_verify::Args),
    Show(feed_show::Args),
    Lint(feed_lint::Args),
    Triage(feed_triage::Args),
    Score(feed_score::Args),
}

/// What can be done with alerts.
#[derive(Debug, Subcommand)]
pub(crate) enum Alert {
    Test(alert_test::Args),
    List(alert_list::Args),
    Hook(alert_hook::Args),
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
        Command::Feed(Feed::Fetch(args)) => feed_fetch::run(args, ui),
        Command::Feed(Feed::Build(args)) => feed_build::run(args, ui),
        Command::Feed(Feed::Init(args)) => feed_init::run(&args, ui),
        Command::Feed(Feed::Publish(args)) => feed_publish::run(&args, ui),
        Command::Feed(Feed::Key(verb)) => feed_key::run(&verb, ui),
        Command::Feed(Feed::Sync(args)) => feed_sync::run(&args, ui),
        Command::Feed(Feed::Status(args)) => feed_status::run(&args, ui),
        Command::Feed(Feed::Diff(args)) => feed_diff::run(&args, ui),
        Command::Feed(Feed::Verify(args)) => feed_verify::run(&args, ui),
        Command::Feed(Feed::Show(args)) => feed_show::run(&args, ui),
        Command::Feed(Feed::Lint(args)) => feed_lint::run(args, ui),
        Command::Feed(Feed::Triage(args)) => feed_triage::run(&args, ui),
        Command::Feed(Feed::Score(args)) => feed_score::run(&args, ui),
        Command::Alert(Alert::Test(args)) => alert_test::run(&args, ui),
        Command::Alert(Alert::List(args)) => alert_list::run(&args, ui),
        Command::Alert(Alert::Hook(args)) => alert_hook::run(&args, ui),
        Command::Watch(watch) => watch::run(watch, ui),
        Command::Cache(command) => cache::run(&command, ui),
        Command::Image(command) => image::run(&command, ui),
        Command::Secret(command) => secret::run(&command, ui),
        Command::Doctor(args) => doctor::run(&args, ui),
        Command::Config(Config::Show(args)) => config_show::run(&args, ui),
    }
}
