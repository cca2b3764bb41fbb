//! `aux secret units`: units of systemd that hand each service its secrets, where no NixOS module does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aux_app::exit;
use aux_core::limits::{SECRET_RESTART_SECONDS_MAX, SECRET_UNIT_BYTES_MAX};
use aux_io::{file, input, process};
use aux_secrets::units::{DROP_IN, INSTALLER, MARK, SERVER, SOCKET, UnitsRequest, units};
use serde_json::json;

use super::common::{Keys, Signers};
use super::reach::{Opener, Reach, refuse_single};
use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::Ui;

/// Where services ask for credentials.
const LISTENS: &str = "/run/aux/cred.sock";

/// Write units of systemd so that every service that a secret names gets it as a credential, also after a restart.
///
/// A socket and its server (`aux secret serve`), what installs secrets that are files (`aux secret install`), and for each
/// service a drop-in that asks for its credentials. Drop-ins of services that no secret names any more are removed. On NixOS the module
/// does it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder with aux-secrets.json; what changes there counts at once.
    #[arg(long, value_name = "DIR", default_value = ".")]
    repo: PathBuf,
    /// The folder for units; the one that systemd is told to look in first otherwise, or /etc/systemd/system.
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Let systemd load them, listen, and restart the services that run and have an old value.
    #[arg(long, conflicts_with = "dry_run")]
    start: bool,
    /// Say what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    signers: Signers,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    reach: Reach,
}

/// What becomes of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Changed,
    Removed,
}

impl Change {
    fn word(self) -> (&'static str, &'static str) {
        match self {
            Self::Added => ("+", "added"),
            Self::Changed => ("~", "changed"),
            Self::Removed => ("-", "removed"),
        }
    }
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    aux_secrets::memory::protect();
    let options = options(args, args.reach.label()?.as_str())?;
    if let Opener::Slots(_) = args.reach.opener(&args.keys) {
        refuse_single(&args.reach.read()?, "the services of this machine would hang on it")?;
    }
    // What the server will do at its start is done once here, so that it is known now whether it can.
    let source = args.reach.source(&args.repo, &args.signers, &args.keys, ui)?;
    let view = source.open()?;
    let program = environment::own_program().ok_or_else(|| Failure::new("where this program lies cannot be told"))?;
    let request = UnitsRequest {
        manifest: &view.manifest,
        machine: &source.machine,
        program: text(&program)?,
        options: &options,
        socket: LISTENS,
        has_tpm: matches!(args.reach.opener(&args.keys), Opener::Slots(_) | Opener::TpmKey(_)),
    };
    let wanted = units(&request);
    let output = args.output.clone().unwrap_or_else(environment::unit_folder);
    let changes = changes(&output, &wanted)?;
    let commands = commands(&wanted, &changes);
    if !args.dry_run {
        write(&output, &wanted, &changes)?;
    }
    if args.reach.json {
        let changed: Vec<_> =
            changes.iter().map(|(path, change)| json!({ "path": path, "kind": change.word().1 })).collect();
        let answer = json!({
            "schema": "aux.secret-units/1", "folder": output.display().to_string(), "machine": source.machine,
            "serial": view.manifest.serial, "changes": changed, "commands": commands, "dry_run": args.dry_run,
            "start": args.start,
        });
        ui.answer(&format!("{answer:#}\n"))?;
    } else {
        let change =
            |(path, change): (&String, &Change)| format!("{} {}", change.word().0, output.join(path).display());
        let mut lines: Vec<String> = changes.iter().map(change).collect();
        if lines.is_empty() {
            lines.push(format!("the units in {} are as they should be", output.display()));
        }
        lines.extend(commands.iter().map(|words| format!("systemctl {}", words.join(" "))));
        ui.answer_lines(&lines)?;
    }
    if args.start {
        for words in &commands {
            systemctl(words)?;
        }
    }
    Ok(exit::DONE)
}

fn text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| Failure::new(format!("{}: a unit cannot name it", path.display())).hint("rename it"))
}

/// What `serve` and `install` are told, from the root.
fn options(args: &Args, machine: &str) -> Result<Vec<String>, Failure> {
    let absolute = |path: &Path| text(&environment::absolute(path)).map(str::to_owned);
    let repo = args.repo.canonicalize().unwrap_or_else(|_| args.repo.clone());
    let mut options = vec!["--repo".to_owned(), absolute(&repo)?, "--machine".to_owned(), machine.to_owned()];
    options.extend(args.reach.options(&args.keys)?);
    if let Some(path) = args.signers.path() {
        options.extend(["--signers".to_owned(), absolute(path)?]);
    }
    Ok(options)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    Ok(if path.exists() { Some(input::read(path, SECRET_UNIT_BYTES_MAX)?) } else { None })
}

/// What differs in the folder from what is wanted.
fn changes(folder: &Path, wanted: &BTreeMap<String, String>) -> Result<BTreeMap<String, Change>, Failure> {
    let mut changes = BTreeMap::new();
    for (path, text) in wanted {
        match read(&folder.join(path))? {
            None => drop(changes.insert(path.clone(), Change::Added)),
            Some(before) if before == text.as_bytes() => {}
            Some(before) if before.starts_with(MARK.as_bytes()) => drop(changes.insert(path.clone(), Change::Changed)),
            Some(_) => {
                let path = folder.join(path);
                return Err(Failure::new(format!("{}: is there, and somebody else wrote it", path.display()))
                    .hint("move it away, or name another folder with --output"));
            }
        }
    }
    // What installs files stays where there are none any more: it takes the old ones away.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let old = names.filter(|name| name.ends_with(".service.d")).map(|name| format!("{name}/{DROP_IN}"));
    for path in old.filter(|path| !wanted.contains_key(path)) {
        if read(&folder.join(&path))?.is_some_and(|text| text.starts_with(MARK.as_bytes())) {
            changes.insert(path, Change::Removed);
        }
    }
    Ok(changes)
}

/// Drop-ins after what they need, so that whoever looks in between finds units that start.
fn write(folder: &Path, wanted: &BTreeMap<String, String>, changes: &BTreeMap<String, Change>) -> Result<(), Failure> {
    let mut paths: Vec<&String> = changes.keys().collect();
    paths.sort_by_key(|path| path.contains('/'));
    for path in paths {
        let target = folder.join(path);
        let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", target.display()));
        if let Some(text) = wanted.get(path) {
            if let Some(parent) = target.parent() {
                fs::DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(failed)?;
            }
            file::replace(&target, text.as_bytes())?;
        } else {
            fs::remove_file(&target).map_err(failed)?;
            // A folder with drop-ins of others stays.
            target.parent().map(fs::remove_dir);
        }
    }
    Ok(())
}

/// What systemctl is told, in order.
fn commands(wanted: &BTreeMap<String, String>, changes: &BTreeMap<String, Change>) -> Vec<Vec<String>> {
    if changes.is_empty() {
        return Vec::new();
    }
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut commands = vec![words(&["daemon-reload"])];
    let mut enabled = vec!["enable", "--now", SOCKET];
    enabled.extend(wanted.contains_key(INSTALLER).then_some(INSTALLER));
    commands.push(words(&enabled));
    if changes.get(INSTALLER) == Some(&Change::Changed) {
        commands.push(words(&["restart", INSTALLER]));
    }
    let mut restarted = BTreeSet::new();
    for path in changes.keys() {
        match path.split_once(".d/") {
            Some((unit, _)) if !unit.contains("@.") => drop(restarted.insert(unit)),
            None if path == SERVER => drop(restarted.insert(SERVER)),
            _ => {}
        }
    }
    // The server first, and only what runs: the rest gets its credentials when it starts.
    let mut restart = vec!["try-restart", "--"];
    restart.extend(restarted.take(SERVER));
    restart.extend(restarted);
    if restart.len() > 2 {
        commands.push(words(&restart));
    }
    commands
}

fn systemctl(words: &[String]) -> Result<(), Failure> {
    let limit = Duration::from_secs(SECRET_RESTART_SECONDS_MAX);
    let command = process::Command::new("systemctl", limit).variable("PATH", environment::search_path());
    let command = words.iter().fold(command, process::Command::argument);
    process::run(&command).map_err(|error| {
        Failure::new(error).hint(format!("the units are written; go on with: systemctl {}", words.join(" ")))
    })?;
    Ok(())
}
