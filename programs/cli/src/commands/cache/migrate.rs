//! `aux cache migrate`: the records of a cache go to a database that several servers can share, and back.
//!
//! The other commands ask a server; this one is about data that no server may be using, and so takes its place.

use std::path::PathBuf;

use aux_app::exit;
use aux_cache::{Move, MoveError, MoveStep, Moved, Place, PlaceError, Way, migrate};
use serde_json::{Map, json};

use super::server::size;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Move the records of a cache to PostgreSQL, or back into its data folder, while no server runs.
///
/// The NARs stay in the folder, and all are hashed before. What is moved is compared row for row before the old records
/// are given up. A move that was broken off is gone on with by the same command.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("way").required(true))]
pub(crate) struct Args {
    /// The data folder of the server, which must be stopped.
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// Move them from the folder to this database: `postgres://USER@HOST/NAME`, or for a socket
    /// `postgres:///NAME?host=/run/postgresql&user=USER`.
    #[arg(long, value_name = "URL", group = "way")]
    to_records: Option<String>,
    /// Move them from this database back to the folder.
    #[arg(long, value_name = "URL", group = "way")]
    from_records: Option<String>,
    /// Holds the password for the database, on its first line; readable by this user alone.
    #[arg(long, value_name = "FILE")]
    records_password_file: Option<PathBuf>,
    /// Check all and say what would be moved, and move nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print an aux.moved/1 document.
    #[arg(long)]
    json: bool,
    /// Say nothing but the answer and errors.
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.quiet || args.json;
    let wish = wish(args)?;
    let bar = ui.progress("looking at the records");
    let mut step = |step: MoveStep| match step {
        MoveStep::Nars(count) => {
            bar.set_message("hashing NARs");
            bar.set_length(count);
        }
        MoveStep::Checked => bar.inc(1),
        MoveStep::Table(name, rows) => {
            bar.set_message(format!("copying {name}"));
            bar.set_length(rows);
            bar.set_position(0);
        }
        MoveStep::Copied(rows) => bar.inc(rows),
    };
    let moved = migrate(&wish, &mut step);
    bar.finish_and_clear();
    let moved = moved.map_err(|error| failure(&error))?;
    say(args, &wish, &moved, ui)?;
    Ok(exit::DONE)
}

fn wish(args: &Args) -> Result<Move, Failure> {
    let password = args.records_password_file.as_deref().map(aux_cache::password).transpose();
    let password =
        password.map_err(|error| Failure::new(format!("--records-password-file: {error}")).hint("chmod 600 it"))?;
    let (option, address, way) = match (&args.to_records, &args.from_records) {
        (Some(address), _) => ("--to-records", address.as_str(), Way::ToShared),
        // clap wants one of the two.
        (None, address) => ("--from-records", address.as_deref().unwrap_or_default(), Way::ToEmbedded),
    };
    let place = Place::parse(address, password.as_ref().map(|password| password.as_bytes()));
    let place = place.map_err(|error| {
        let hint = match &error {
            PlaceError::Password => "--records-password-file FILE, with mode 600",
            PlaceError::Plain { .. } => "`ssh -L` or stunnel bring its port to this machine",
            PlaceError::Malformed(_) | PlaceError::NoHost => "docs/cache-servers.md shows addresses",
        };
        Failure::new(format!("{option}: {error}")).hint(hint)
    })?;
    Ok(Move { data: args.data.clone(), place, way, is_dry: args.dry_run })
}

fn say(args: &Args, wish: &Move, moved: &Moved, ui: &mut Ui) -> Result<(), Failure> {
    let (folder, database) = (wish.data.display().to_string(), wish.place.to_string());
    let (from, to) = match wish.way {
        Way::ToShared => (folder, database),
        Way::ToEmbedded => (database, folder),
    };
    if args.json {
        let tables: Map<_, _> = moved.tables.iter().map(|(name, rows)| ((*name).to_owned(), json!(rows))).collect();
        let answer = json!({
            "schema": "aux.moved/1",
            "dry_run": args.dry_run,
            "from": from,
            "to": to,
            "tables": tables,
            "nars": moved.nars,
            "stored_bytes": moved.stored_bytes,
        });
        return ui.answer(&format!("{answer:#}\n"));
    }
    let rows = moved.tables.iter().map(|(_, rows)| rows).sum::<u64>();
    let paths = moved.tables.iter().find(|(name, _)| *name == "path").map_or(0, |(_, rows)| *rows);
    let shown = |count: u64, one: &str, many: &str| counted(usize::try_from(count).unwrap_or(usize::MAX), one, many);
    let verb = if args.dry_run { "would move" } else { "moved" };
    let mut lines = vec![
        format!("{verb} {} of {} to {to}", shown(rows, "row", "rows"), shown(paths, "path", "paths")),
        format!("{} in the folder are whole ({})", shown(moved.nars, "NAR", "NARs"), size(moved.stored_bytes)),
    ];
    if !args.dry_run {
        lines.push(match wish.way {
            Way::ToShared => "start every server with --records and this database from now on".to_owned(),
            Way::ToEmbedded => "start the server without --records from now on".to_owned(),
        });
    }
    ui.answer_rows(&lines)
}

fn failure(error: &MoveError) -> Failure {
    let hint = match error {
        MoveError::FolderInUse { .. } | MoveError::DatabaseInUse { .. } => {
            "stop every aux-server that uses them, then try again"
        }
        MoveError::Nothing { .. } | MoveError::NoNars { .. } => "name the folder that `aux-server --data` was given",
        MoveError::Gone { .. } => "start the server with the place they were moved to",
        MoveError::Unfinished { .. } => "run the command again that was broken off",
        MoveError::Occupied { .. } => "make an empty one with `createdb`",
        MoveError::Nars { .. } => "nothing was moved",
        MoveError::Different { .. } => "run it again; if it stays so, this is a defect",
        MoveError::File(_) | MoveError::Object(_) => "run it as the user that the server runs as",
        MoveError::Records(_) => "nothing is lost; run it again once the cause is gone",
    };
    Failure::new(error).hint(hint)
}
