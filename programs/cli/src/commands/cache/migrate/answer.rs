//! What was moved, for people and for programs.

use aux_cache::{Carried, Move, Moved, Way};
use serde_json::{Map, Value, json};

use super::super::server::size;
use super::Args;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

pub(super) fn say(args: &Args, wish: &Move, moved: &Moved, ui: &mut Ui) -> Result<(), Failure> {
    let (from, to) = ends(wish, moved);
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
            "carried": moved.carried.as_ref().map(carried),
        });
        return ui.answer(&format!("{answer:#}\n"));
    }
    let mut lines = Vec::new();
    if let Some(carried) = &moved.carried {
        lines.extend(told(args.dry_run, carried, wish));
    }
    if wish.records.is_some() {
        let rows = moved.tables.iter().map(|(_, rows)| rows).sum::<u64>();
        let paths = moved.tables.iter().find(|(name, _)| *name == "path").map_or(0, |(_, rows)| *rows);
        let verb = if args.dry_run { "would move" } else { "moved" };
        lines.push(format!("{verb} {} of {} to {to}", shown(rows, "row", "rows"), shown(paths, "path", "paths")));
        let place = if wish.bucket.is_some() { "" } else { " in the folder" };
        lines.push(format!("{}{place} are whole ({})", shown(moved.nars, "NAR", "NARs"), size(moved.stored_bytes)));
    }
    if !args.dry_run {
        lines.push(start(wish));
    }
    ui.answer_rows(&lines)
}

/// Where records were, or NARs where no records are moved, and where they are now.
fn ends(wish: &Move, moved: &Moved) -> (String, String) {
    let folder = wish.data.display().to_string();
    let (away, way) = match (&wish.place, wish.records) {
        (Some(place), Some(way)) => (place.to_string(), way),
        _ => (wish.bucket.as_ref().map(ToString::to_string).unwrap_or_default(), wish.nars.unwrap_or(Way::Out)),
    };
    let to = moved.carried.as_ref().map(|carried| carried.to.clone()).filter(|_| wish.records.is_none());
    match way {
        Way::Out => (folder, to.unwrap_or(away)),
        Way::Back => (away, to.unwrap_or(folder)),
    }
}

fn carried(carried: &Carried) -> Value {
    let aside = carried.aside.as_ref().map(|path| path.display().to_string());
    json!({ "to": carried.to, "nars": carried.nars, "nars_before": carried.nars_before, "bytes": carried.bytes, "aside": aside })
}

fn told(is_dry: bool, carried: &Carried, wish: &Move) -> Vec<String> {
    let verb = if is_dry { "would carry" } else { "carried" };
    let nars = shown(carried.nars, "NAR", "NARs");
    let mut lines = vec![match carried.nars_before {
        0 => format!("{verb} {nars} to {} ({})", carried.to, size(carried.bytes)),
        before => format!("{verb} {nars} to {}; {before} were there ({})", carried.to, size(carried.bytes)),
    }];
    if let Some(aside) = &carried.aside {
        lines.push(format!("what the folder had of them is in {} and can be removed", aside.display()));
    }
    if wish.nars == Some(Way::Back) && !is_dry {
        lines.push("what the bucket had of them is still there and can be removed".to_owned());
    }
    lines
}

/// What a server is started with from now on.
fn start(wish: &Move) -> String {
    let has_records = match wish.records {
        None => wish.place.is_some(),
        Some(way) => way == Way::Out,
    };
    let has_objects = match wish.nars {
        None => wish.bucket.is_some(),
        Some(way) => way == Way::Out,
    };
    match (has_records, has_objects) {
        (true, true) => "start every server with --records and this database, and --objects and this bucket".to_owned(),
        (true, false) => "start every server with --records and this database from now on".to_owned(),
        (false, true) => "start the server with --objects and this bucket from now on".to_owned(),
        (false, false) if wish.nars.is_some() => "start the server without --objects from now on".to_owned(),
        (false, false) => "start the server without --records from now on".to_owned(),
    }
}

fn shown(count: u64, one: &str, many: &str) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), one, many)
}
