//! `aux-notifier`: shows what the agent of this machine raises as toasts in the session of one person, each once.

mod agent;
#[path = "../alarm.rs"]
mod alarm;
mod answer;
mod desktop;
#[path = "../memory.rs"]
mod memory;
mod news;
mod once;
mod open;
mod places;
#[path = "../say.rs"]
mod say;
mod stay;

use std::path::PathBuf;
use std::process::ExitCode;

use aux_app::exit;
use clap::{ArgGroup, Parser};

/// Show what auxd raises as toasts in this desktop session, each once.
///
/// Without --once it stays, and waits for signals of the two buses alone. What was shown is kept for each user, in
/// aux/notifier.sqlite of the folder for state, ~/.local/state where XDG names no other.
#[derive(Debug, Clone, Parser)]
#[command(name = "aux-notifier", version, after_help = EXIT_CODES, max_term_width = 100)]
#[command(group(ArgGroup::new("single").args(["once", "dry_run"]).multiple(true)))]
struct Args {
    /// Show what waits, and end.
    #[arg(long)]
    once: bool,
    /// Say what would be shown, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print what --once or --dry-run did as an aux.notifier/1 document.
    #[arg(long, requires = "single")]
    json: bool,
    /// Where to keep what was shown; the user's state folder otherwise.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

const EXIT_CODES: &str =
    "Exit codes: 0 done; 2 no answer (usage, no bus, no agent, nobody to show it, unreadable state).";

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return say::usage(&error),
    };
    match run(&args) {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(error) => {
            say::error(&error);
            ExitCode::from(exit::UNKNOWN)
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    if !places::wants_toasts()? {
        say::note("toasts are switched off: [alert] notification = false");
        return Ok(());
    }
    let folder = places::state_folder(args.state.as_deref())?;
    if args.once || args.dry_run { once::run(args, &folder) } else { stay::run(&folder) }
}
