//! `aux-server`: serves a data folder as private binary caches to unmodified Nix, until it is told to stop.

mod run;
mod say;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use aux_app::exit;
use aux_cache::Keep;
use clap::{Parser, ValueEnum};

/// A private binary cache of what was vetted, for unmodified Nix.
///
/// The first start makes the data folder with a signing key, an administrator's token, the cache `staging` and its view
/// `vetted`. The server ends by SIGTERM or SIGINT, after what was begun is answered.
#[derive(Debug, Clone, Parser)]
#[command(name = "aux-server", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Args {
    /// Where everything is kept; one server uses it at a time.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen; port 0 takes any that is free. Put a proxy that speaks TLS in front of other addresses than loopback.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8180")]
    listen: SocketAddr,
    /// The index that policies ask, kept new by `aux feed sync` or somebody else; looked at every five seconds.
    #[arg(long, value_name = "FILE.auxdb")]
    feed: Option<PathBuf>,
    /// How NARs that come from now on are kept: in chunks, which take less room where builds have content in common (what
    /// comes as zstd; the rest as it was sent), or whole, as they were sent.
    #[arg(long, value_name = "HOW", default_value = "chunks")]
    keep: Keeping,
    /// The store directory of those who substitute from here.
    #[arg(long, value_name = "DIR", default_value = "/nix/store")]
    store_dir: String,
    /// Print an aux.serving/1 document when ready, on one line.
    #[arg(long)]
    json: bool,
    /// What goes to the log: error, warn, info or debug.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: String,
}

/// How NARs are kept.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Keeping {
    Chunks,
    Whole,
}

impl From<Keeping> for Keep {
    fn from(keeping: Keeping) -> Self {
        match keeping {
            Keeping::Chunks => Self::Chunks,
            Keeping::Whole => Self::Whole,
        }
    }
}

const EXIT_CODES: &str =
    "Exit codes: 0 it was told to stop; 2 it could not serve (usage, the data folder, the address).";

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return say::usage(&error),
    };
    if aux_app::log::start(&args.log).is_none() {
        say::error(&format!("--log {}: is no level; known are error, warn, info and debug", args.log));
        return ExitCode::from(exit::UNKNOWN);
    }
    match run::run(&args) {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(error) => {
            say::error(&error);
            ExitCode::from(exit::UNKNOWN)
        }
    }
}
