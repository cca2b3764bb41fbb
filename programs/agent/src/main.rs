//! `auxd`: audits this machine again when it or the feed changes, keeps what was found, and tells what is new.

mod alarm;
mod answers;
mod bus;
mod caller;
mod daemon;
mod feed;
mod memory;
mod once;
mod policykit;
mod say;
mod settings;
mod socket;
mod telling;
mod watching;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use aux_app::exit;
use clap::Parser;

use crate::settings::Settings;

/// Audit this machine again whenever it or the feed changes, and tell what is new.
///
/// Without --once it stays, answers over the system bus and a socket, and wakes up for changes and its timer alone.
#[derive(Debug, Clone, Parser)]
#[command(name = "auxd", version, after_help = EXIT_CODES, max_term_width = 100)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch a person types")]
struct Args {
    /// Run one round and end; what it found is told by alerts, not by the exit code.
    #[arg(long)]
    once: bool,
    /// Say what a round would tell, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Take the feed as it is here, and ask no server.
    #[arg(long)]
    offline: bool,
    /// Audit also what seems not to have changed.
    #[arg(long)]
    force: bool,
    /// Print what the round did as an aux.round/1 document.
    #[arg(long)]
    json: bool,
    /// The configuration; /etc/aux/aux.toml otherwise.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The index to audit against.
    #[arg(long, value_name = "FILE.auxdb")]
    feed: Option<PathBuf>,
    /// Where state is kept; /var/lib/aux otherwise.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Where the socket and the line for terminals are; /run/aux otherwise.
    #[arg(long, value_name = "DIR")]
    runtime: Option<PathBuf>,
    /// Write Prometheus metrics here after each round.
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
    /// Do not serve the system bus.
    #[arg(long)]
    no_bus: bool,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 2 no answer (usage, unreadable configuration, feed or state).";

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return say::usage(&error),
    };
    let result = Settings::load(&args).and_then(|settings| {
        if args.once || args.dry_run { once::run(&args, &settings) } else { daemon::run(&args, &settings) }
    });
    match result {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(error) => {
            say::error(&error);
            ExitCode::from(exit::UNKNOWN)
        }
    }
}
