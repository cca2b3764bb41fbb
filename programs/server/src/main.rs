//! `aux-server`: serves a data folder as private binary caches to unmodified Nix, until it is told to stop.

mod run;
mod say;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use aux_app::exit;
use aux_cache::REGION;
use clap::{Parser, ValueEnum};

/// A private binary cache of what was vetted, for unmodified Nix.
///
/// The first start makes the data folder with a signing key, an administrator's token, the cache `staging` and its view
/// `vetted`. The server ends by SIGTERM or SIGINT, after what was begun is answered.
#[derive(Debug, Clone, Parser)]
#[command(name = "aux-server", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Args {
    /// Where everything is kept; one server uses it at a time, or several with --records.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Keep the records in PostgreSQL instead of in DIR/cache.sqlite, so that several servers can share them and DIR:
    /// `postgres://USER@HOST/NAME`, or for a socket `postgres:///NAME?host=/run/postgresql&user=USER`.
    #[arg(long, value_name = "URL")]
    records: Option<String>,
    /// Holds the password for --records, on its first line; readable by this user alone.
    #[arg(long, value_name = "FILE", requires = "records")]
    records_password_file: Option<PathBuf>,
    /// Sign with the keys of this file, readable by this user alone, instead of with those of DIR/signing-key: a key a line, as
    /// `nix-store --generate-binary-cache-key` writes it.
    #[arg(long, value_name = "FILE")]
    signing_key_file: Option<PathBuf>,
    /// Where to listen; port 0 takes any that is free. Put a proxy that speaks TLS in front of other addresses than loopback.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8180")]
    listen: SocketAddr,
    /// The index that policies ask, kept new by `aux feed sync` or somebody else; looked at every five seconds.
    #[arg(long, value_name = "FILE.auxdb")]
    feed: Option<PathBuf>,
    /// How NARs that come from now on are kept: in chunks, which take less room where builds have content in common (what
    /// comes as zstd; the rest as it was sent), or whole, as they were sent. Where nobody says, in chunks, but whole with
    /// --records or --objects: there the index of chunks is asked for every NAR.
    #[arg(long, value_name = "HOW")]
    keep: Option<Keeping>,
    /// Put NARs into a bucket of an S3-compatible store instead of DIR.
    #[arg(long, value_name = "s3://NAME/PREFIX", requires = "objects_credentials_file")]
    objects: Option<String>,
    /// Holds who may use --objects, as Amazon's own programs have it; readable by this user alone.
    #[arg(long, value_name = "FILE", requires = "objects")]
    objects_credentials_file: Option<PathBuf>,
    /// Where the store of --objects answers, where it is not Amazon's; without TLS on this machine only.
    #[arg(long, value_name = "URL", requires = "objects")]
    objects_endpoint: Option<String>,
    /// The region of --objects.
    #[arg(long, value_name = "NAME", requires = "objects", default_value = REGION)]
    objects_region: String,
    /// The passwords of upstreams, as Nix has them: `machine HOST login NAME password WORD`, or `default`; readable by this
    /// user alone. They are sent over https:// and to this machine, and never on to another server.
    #[arg(long, value_name = "FILE")]
    netrc_file: Option<PathBuf>,
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
pub(crate) enum Keeping {
    Chunks,
    Whole,
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
