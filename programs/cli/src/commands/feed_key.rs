//! `aux feed key`: who may sign what, and replacing them.

use std::path::PathBuf;

use aux_app::exit;
use aux_feed::repository::{KeyInfo, Lifetimes, Repository, RoleType, RotateRequest};
use jiff::civil::Date;
use serde_json::json;

use super::environment;
use crate::failure::Failure;
use crate::ui::Ui;

/// Look at the keys of a feed repository, and replace them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Key {
    List(ListArgs),
    Rotate(RotateArgs),
}

/// Say which keys may sign what, and where their private halves lie.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// The repository `aux feed init` made.
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

/// Replace the keys of a role with new ones and sign everything again; the old ones are revoked.
///
/// Clients follow, because the old root signs the new one: a threshold of root keys must be here, or be named.
#[derive(Debug, clap::Args)]
pub(crate) struct RotateArgs {
    /// Whose keys: root, targets, snapshot or timestamp.
    #[arg(value_name = "ROLE", value_parser = role)]
    role: RoleType,
    /// The repository `aux feed init` made.
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// A root key that lies elsewhere, to sign with.
    #[arg(long, value_name = "FILE")]
    root_key: Vec<PathBuf>,
    /// Sign as on this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

pub(super) fn role(word: &str) -> Result<RoleType, String> {
    match word {
        "root" => Ok(RoleType::Root),
        "targets" => Ok(RoleType::Targets),
        "snapshot" => Ok(RoleType::Snapshot),
        "timestamp" => Ok(RoleType::Timestamp),
        _ => Err(format!("`{word}` is not one of root, targets, snapshot, timestamp")),
    }
}

pub(crate) fn run(verb: &Key, ui: &mut Ui) -> Result<u8, Failure> {
    match verb {
        Key::List(args) => list(args, ui),
        Key::Rotate(args) => rotate(args, ui),
    }
}

fn list(args: &ListArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let keys = Repository::open(&args.repo)?.key_list()?;
    let place = |key: &KeyInfo| key.path.as_ref().map(|path| path.display().to_string());
    if args.json {
        let one = |key: &KeyInfo| json!({ "role": key.role.to_string(), "id": key.id, "threshold": key.threshold, "file": place(key) });
        let keys: Vec<_> = keys.iter().map(one).collect();
        ui.answer(&format!("{:#}\n", json!({ "schema": "aux.feed-keys/1", "keys": keys })))?;
        return Ok(exit::DONE);
    }
    let line = |key: &KeyInfo| {
        let id = key.id.get(..16).unwrap_or(&key.id);
        let place = place(key).unwrap_or_else(|| "elsewhere".to_owned());
        format!("{:<10} {id}…  {} must sign  {place}", key.role.to_string(), key.threshold)
    };
    let lines: Vec<String> = keys.iter().map(line).collect();
    ui.answer_rows(&lines)?;
    Ok(exit::DONE)
}

fn rotate(args: &RotateArgs, ui: &mut Ui) -> Result<u8, Failure> {
    let repository = Repository::open(&args.repo)?;
    let now = environment::now(args.as_of)?;
    let root_keys = args.root_key.clone();
    let request = RotateRequest { role: args.role, root_keys, now, lifetimes: Lifetimes::default() };
    let (made, _outcome) = repository.rotate(&request)?;
    let made: Vec<String> = made.iter().map(|path| path.display().to_string()).collect();
    if args.json {
        let answer = json!({ "schema": "aux.feed-rotate/1", "role": args.role.to_string(), "keys": made });
        ui.answer(&format!("{answer:#}\n"))?;
    } else {
        let mut lines: Vec<String> = made.iter().map(|path| format!("made {path}")).collect();
        lines.push(format!("the old keys of {} are revoked; clients follow at their next sync", args.role));
        ui.answer_rows(&lines)?;
    }
    Ok(exit::DONE)
}
