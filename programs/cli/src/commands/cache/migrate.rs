//! `aux cache migrate`: the records of a cache go to a database that several servers can share, its NARs to a bucket, and
//! both back.
//!
//! The other commands ask a server; this one is about data that no server may be using, and so takes its place.

mod answer;

use std::path::PathBuf;

use aux_app::exit;
use aux_cache::{BucketSettings, Keep, Move, MoveError, MoveStep, Place, PlaceError, REGION, Way, migrate};
use clap::ValueEnum;

use crate::commands::network;
use crate::failure::Failure;
use crate::ui::Ui;

/// Move the records of a cache to PostgreSQL, its NARs to a bucket, or both back into its data folder, while no server runs.
///
/// Every NAR is hashed, on its way or where it stays. Records are compared row for row before the old ones are given up, and
/// NARs of the folder are put aside only when the last is in the bucket. A move that was broken off is gone on with by the
/// same command.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("way").required(true).multiple(true))]
pub(crate) struct Args {
    /// The data folder of the server, which must be stopped.
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// Move the records from the folder to this database: `postgres://USER@HOST/NAME`, or for a socket
    /// `postgres:///NAME?host=/run/postgresql&user=USER`.
    #[arg(long, value_name = "URL", group = "way", conflicts_with_all = ["from_records", "records"])]
    to_records: Option<String>,
    /// Move them from this database back to the folder.
    #[arg(long, value_name = "URL", group = "way", conflicts_with = "records")]
    from_records: Option<String>,
    /// They are in this database, and stay there.
    #[arg(long, value_name = "URL")]
    records: Option<String>,
    /// Holds the password for the database, on its first line; readable by this user alone.
    #[arg(long, value_name = "FILE")]
    records_password_file: Option<PathBuf>,
    /// Move the NARs from the folder to this bucket.
    #[arg(long, value_name = "s3://NAME/PREFIX", group = "way", conflicts_with_all = ["from_objects", "objects"])]
    #[arg(requires = "objects_credentials_file")]
    to_objects: Option<String>,
    /// Move them from this bucket back to the folder; what is in the bucket stays there too.
    #[arg(long, value_name = "s3://NAME/PREFIX", group = "way", conflicts_with = "objects")]
    #[arg(requires = "objects_credentials_file")]
    from_objects: Option<String>,
    /// They are in this bucket, and stay there.
    #[arg(long, value_name = "s3://NAME/PREFIX", requires = "objects_credentials_file")]
    objects: Option<String>,
    /// Holds who may use the bucket, as Amazon's own programs have it; readable by this user alone.
    #[arg(long, value_name = "FILE")]
    objects_credentials_file: Option<PathBuf>,
    /// Where the store of the bucket answers, where it is not Amazon's; without TLS on this machine only.
    #[arg(long, value_name = "URL")]
    objects_endpoint: Option<String>,
    /// The region of the bucket.
    #[arg(long, value_name = "NAME", default_value = REGION)]
    objects_region: String,
    /// How NARs are kept where they go: as they are sent, or in chunks, where chunks give the same bytes.
    #[arg(long, value_name = "HOW", default_value = "whole")]
    keep: Keeping,
    /// The store directory of those who substitute from the cache.
    #[arg(long, value_name = "DIR", default_value = "/nix/store")]
    store_dir: String,
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

/// How NARs are kept.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Keeping {
    Chunks,
    Whole,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.quiet || args.json;
    let wish = wish(args)?;
    let bar = ui.progress("looking at the records");
    let mut step = |step: MoveStep| match step {
        MoveStep::Nars(count) => {
            bar.set_message("hashing NARs");
            bar.set_length(count);
            bar.set_position(0);
        }
        MoveStep::Carry(count) => {
            bar.set_message("carrying NARs");
            bar.set_length(count);
        }
        MoveStep::Checked | MoveStep::Carried => bar.inc(1),
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
    answer::say(args, &wish, &moved, ui)?;
    Ok(exit::DONE)
}

/// What was said of one thing: where it goes, where it comes from, or where it is.
fn said<'a>(noun: &'static str, [to, from, at]: [&'a Option<String>; 3]) -> Option<(String, &'a String, Option<Way>)> {
    let one = |prefix: &str, address: &'a Option<String>, way| {
        address.as_ref().map(|address| (format!("--{prefix}{noun}"), address, way))
    };
    one("to-", to, Some(Way::Out)).or_else(|| one("from-", from, Some(Way::Back))).or_else(|| one("", at, None))
}

fn wish(args: &Args) -> Result<Move, Failure> {
    let records = said("records", [&args.to_records, &args.from_records, &args.records]);
    let objects = said("objects", [&args.to_objects, &args.from_objects, &args.objects]);
    let place = records.as_ref().map(|(option, address, _)| place(args, option, address)).transpose()?;
    let credentials = args.objects_credentials_file.as_deref();
    let bucket = objects.as_ref().zip(credentials).map(|((option, address, _), credentials)| {
        BucketSettings::new(address, args.objects_endpoint.as_deref(), &args.objects_region, credentials)
            .map_err(|error| Failure::new(format!("{option}: {error}")).hint("docs/cache-servers.md shows buckets"))
    });
    Ok(Move {
        data: args.data.clone(),
        place,
        records: records.and_then(|(_, _, way)| way),
        bucket: bucket.transpose()?,
        nars: objects.and_then(|(_, _, way)| way),
        keep: match args.keep {
            Keeping::Chunks => Keep::Chunks,
            Keeping::Whole => Keep::Whole,
        },
        store_directory: args.store_dir.clone(),
        http: network::options(false)?,
        random: Box::new(|| {
            let mut bytes = [0; 32];
            // So few come at once (getrandom(2)).
            let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).ok()?;
            (filled == bytes.len()).then_some(bytes)
        }),
        is_dry: args.dry_run,
    })
}

fn place(args: &Args, option: &str, address: &str) -> Result<Place, Failure> {
    let password = args.records_password_file.as_deref().map(aux_cache::password).transpose();
    let password =
        password.map_err(|error| Failure::new(format!("--records-password-file: {error}")).hint("chmod 600 it"))?;
    let place = Place::parse(address, password.as_ref().map(|password| password.as_bytes()));
    place.map_err(|error| {
        let hint = match &error {
            PlaceError::Password => "--records-password-file FILE, with mode 600",
            PlaceError::Plain { .. } => "`ssh -L` or stunnel bring its port to this machine",
            PlaceError::Malformed(_) | PlaceError::NoHost => "docs/cache-servers.md shows addresses",
        };
        Failure::new(format!("{option}: {error}")).hint(hint)
    })
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
        MoveError::RecordsElsewhere { .. } => "--records URL, if they are to stay there",
        MoveError::InBucket { .. } => "--objects s3://…, if they are to stay there",
        MoveError::NotThere { .. } => "name the bucket that the servers are started with",
        MoveError::BucketOfOthers { .. } => "nothing was moved",
        MoveError::Nars { .. } => "nothing was given up where it is",
        MoveError::Different { .. } => "run it again; if it stays so, this is a defect",
        MoveError::File(_) | MoveError::Object(_) => {
            "nothing is lost; run it again once the cause is gone, as the user that the server runs as"
        }
        MoveError::Random | MoveError::Records(_) => "nothing is lost; run it again once the cause is gone",
    };
    Failure::new(error).hint(hint)
}
