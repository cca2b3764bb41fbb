//! The `aux` command: what was typed becomes a request to a room, and its answer becomes text and an exit code.

mod commands;
mod failure;
mod ui;

use std::process::ExitCode;

use clap::Parser;

use crate::ui::Ui;

/// Know which of your declarative systems are vulnerable, why, and what fixes them.
#[derive(Debug, Parser)]
#[command(name = "aux", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: commands::Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, nothing at or above the gate; 1 the answer is no (findings, a mismatch); \
                          2 no answer (usage, unreadable or incomplete input); 141 closed pipe.";

/// An audit allocates on several threads at once; see the dependency's reason.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ui::usage(&error),
    };
    let mut ui = Ui::of_terminal();
    let code = match commands::run(cli.command, &mut ui) {
        Ok(code) => code,
        Err(failure) => ui.fail(&failure),
    };
    ExitCode::from(code)
}
