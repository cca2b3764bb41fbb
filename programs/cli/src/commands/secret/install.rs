//! `aux secret install`: this machine's secrets as files, all at once, and the units that must hear of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aux_app::exit;
use aux_core::limits::{ACCOUNTS_BYTES_MAX, SECRET_RESTART_SECONDS_MAX};
use aux_io::input;
use aux_io::process;
use aux_secrets::credential::Source;
use aux_secrets::install::{Accounts, ChangeKind, InstallRequest, Installed, has_restarted, install};
use serde_json::{Value, json};

use super::common::{Keys, Signers};
use super::reach::Reach;
use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Write this machine's secrets that are declared as files, all at once: the new ones are all there, or the old ones are.
///
/// They lie in FOLDER/current/NAME, with owner and mode as declared, and their version before as NAME.prev where it is
/// to be kept. Every value is compared with what was signed before any file is written. Units are named whose secrets
/// changed; they are restarted only with --restart.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder with aux-secrets.json.
    #[arg(long, value_name = "DIR", default_value = ".")]
    repo: PathBuf,
    /// The folder the files go to; it must lie in memory.
    #[arg(long, value_name = "FOLDER", default_value = "/run/aux/secrets")]
    to: PathBuf,
    /// A folder on a disk is meant, although values in the clear stay there.
    #[arg(long)]
    accept_disk: bool,
    /// Let systemd restart the units whose secrets changed, if they run.
    #[arg(long)]
    restart: bool,
    /// A unit that is reloaded instead; may be given several times.
    #[arg(long = "reload", value_name = "UNIT", requires = "restart")]
    reloads: Vec<String>,
    #[command(flatten)]
    signers: Signers,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    reach: Reach,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    aux_secrets::memory::protect();
    let source = args.reach.source(&args.repo, &args.signers, &args.keys, ui)?;
    let view = source.open()?;
    let accounts = Accounts::read(&accounts("/etc/passwd")?, &accounts("/etc/group")?);
    let request = InstallRequest {
        view: &view,
        machine: &source.machine,
        folder: &args.to,
        accounts: &accounts,
        accept_disk: args.accept_disk,
        will_restart: args.restart,
    };
    let installed = install(&request, &mut |_| {})?;
    for remark in remarks(&installed) {
        ui.remark(&format!("aux: {remark}"));
    }
    if args.reach.json {
        ui.answer(&format!("{:#}\n", document(args, &source, &installed)))?;
    } else {
        ui.answer_lines(&lines(args, &installed))?;
    }
    if args.restart && !installed.units.is_empty() {
        restart(&installed.units, &args.reloads)?;
        has_restarted(&args.to).map_err(Failure::new)?;
    }
    Ok(exit::DONE)
}

/// A system without the file has no such accounts.
fn accounts(path: &str) -> Result<String, Failure> {
    if !Path::new(path).exists() {
        return Ok(String::new());
    }
    let bytes = input::read(Path::new(path), ACCOUNTS_BYTES_MAX)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn remarks(installed: &Installed) -> Vec<String> {
    let mut remarks = Vec::new();
    let empty = installed.empty.iter().map(|name| format!("left out {name}, an envelope without a value"));
    remarks.extend(empty);
    let previous = installed.without_previous.iter();
    remarks.extend(previous.map(|name| format!("there is no {name}.prev: the value before cannot be derived")));
    if let Some(serial) = installed.older_than {
        remarks.push(format!("manifest {} is older than {serial}, which was installed before", installed.serial));
    }
    if installed.is_before_unknown {
        remarks.push("what was installed before cannot be told, so every secret counts as new".to_owned());
    }
    remarks
}

fn word(kind: ChangeKind) -> (&'static str, &'static str) {
    match kind {
        ChangeKind::Added => ("+", "added"),
        ChangeKind::Changed => ("~", "changed"),
        ChangeKind::Removed => ("-", "removed"),
    }
}

/// What is done to a unit, in systemctl's words: one that does not run stays as it is.
fn verb(unit: &str, reloads: &[String]) -> &'static str {
    if reloads.iter().any(|one| one == unit) { "try-reload-or-restart" } else { "try-restart" }
}

fn lines(args: &Args, installed: &Installed) -> Vec<String> {
    let change = installed.changes.iter().map(|(name, kind)| format!("{} {name}", word(*kind).0));
    let mut lines: Vec<String> = change.collect();
    if lines.is_empty() {
        lines.push("no secret changed".to_owned());
    }
    let unit = |unit: &String| format!("systemctl {} {unit}", verb(unit, &args.reloads));
    lines.extend(installed.units.iter().map(unit));
    let files = counted(installed.files.len(), "secret", "secrets");
    lines.push(format!("{files} of manifest {} in {}", installed.serial, args.to.join("current").display()));
    lines
}

fn document(args: &Args, source: &Source, installed: &Installed) -> Value {
    let changes: Vec<Value> =
        installed.changes.iter().map(|(name, kind)| json!({ "name": name, "kind": word(*kind).1 })).collect();
    let units: Vec<Value> =
        installed.units.iter().map(|unit| json!({ "unit": unit, "verb": verb(unit, &args.reloads) })).collect();
    json!({
        "schema": "aux.secret-install/1", "machine": source.machine, "serial": installed.serial,
        "folder": args.to.join("current").display().to_string(), "generation": installed.path.display().to_string(),
        "secrets": installed.files, "changes": changes, "units": units, "restart": args.restart,
        "empty": installed.empty, "without_previous": installed.without_previous,
        "older_than": installed.older_than, "is_before_unknown": installed.is_before_unknown,
    })
}

fn restart(units: &BTreeSet<String>, reloads: &[String]) -> Result<(), Failure> {
    for verb_now in ["try-restart", "try-reload-or-restart"] {
        let units: Vec<&String> = units.iter().filter(|unit| verb(unit, reloads) == verb_now).collect();
        if units.is_empty() {
            continue;
        }
        let limit = Duration::from_secs(SECRET_RESTART_SECONDS_MAX);
        let mut command = process::Command::new("systemctl", limit);
        command = command.variable("PATH", environment::search_path()).argument(verb_now).argument("--");
        command = units.into_iter().fold(command, process::Command::argument);
        process::run(&command).map_err(|error| {
            let hint = "the secrets are in place; the same command once more restarts what was not restarted";
            Failure::new(error).hint(hint)
        })?;
    }
    Ok(())
}
