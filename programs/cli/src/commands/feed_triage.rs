//! `aux feed triage`: what a person must decide, most systems hit first, and the decisions written down.

use std::path::{Path, PathBuf};

use aux_advisory::index::Index;
use aux_app::{config, exit};
use aux_audit::{Gate, Policy};
use aux_core::{Class, Ecosystem, Inventory, Severity};
use aux_feed::{Matter, Pending, PendingRequest, pending, read_triage};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use super::ecosystem::ecosystem;
use super::triage_prompt::{Session, headline, question};
use super::{environment, waivers};
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Say what a person must decide, and write the decisions down.
///
/// Unreviewed identities, new findings, statements about to expire and waivers without effect, those that touch most systems
/// first. On a terminal each is asked in turn, and a decision is written at once: y, n, s to skip, q to quit, ? for help.
/// INVENTORY is what `aux audit` takes; of a folder without derivations every file is an inventory.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The systems that matter.
    #[arg(value_name = "INVENTORY", required = true)]
    inventories: Vec<PathBuf>,
    /// The triage folder, which decisions are written into.
    #[arg(long, value_name = "DIR")]
    triage: PathBuf,
    /// The new index. `feed` of aux.toml otherwise.
    #[arg(long, value_name = "FILE.auxdb")]
    feed: Option<PathBuf>,
    /// Waivers, to find those that match nothing.
    #[arg(long, value_name = "FILE")]
    waivers: Vec<PathBuf>,
    /// What plain names in a list belong to.
    #[arg(long, value_name = "NAME", value_parser = ecosystem)]
    ecosystem: Option<Ecosystem>,
    /// Leave out findings below this: none, low, medium, high, critical.
    #[arg(long, value_name = "SEVERITY", default_value = "high")]
    severity: Severity,
    /// Ask about statements that expire within this many days.
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(i64).range(0..=3_650))]
    expiring: i64,
    /// How many days a new statement holds.
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(i64).range(1..=3_650))]
    holds: i64,
    /// Who decides; `GIT_AUTHOR_NAME` or `USER` otherwise.
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Ask although this is no terminal; answers are read line by line.
    #[arg(long, conflicts_with_all = ["json", "list"])]
    ask: bool,
    /// Only list what waits.
    #[arg(long)]
    list: bool,
    /// Print what waits as one document.
    #[arg(long)]
    json: bool,
    /// Judge expiry as on this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.json;
    let config =
        config::load(&environment::absolute(Path::new(".")), &environment::config_places()).map_err(Failure::new)?;
    let feed = args.feed.clone().or_else(|| config.feed.map(|set| set.value)).ok_or_else(|| {
        Failure::new("no feed to triage").hint("name one: --feed FILE.auxdb; `aux feed build` makes one")
    })?;
    if !args.triage.is_dir() {
        return Err(Failure::new(format!("{}: no such folder", args.triage.display())));
    }
    let folder = read_triage(&args.triage);
    if !folder.errors.is_empty() {
        return Err(aux_feed::BuildError::Triage { errors: folder.errors }.into());
    }
    let now = now(args)?;
    let mapped = aux_io::file::map(&feed).map_err(|error| Failure::feed_file(&error))?;
    let index = Index::open(&mapped).map_err(|error| Failure::feed(&feed, &error))?;
    let inventories = inventories(args);
    let gate = Gate::read("none").map_err(Failure::new)?;
    let policy = Policy { waivers: waivers::read(&args.waivers)?, allow_incomplete: true, ..Policy::new(gate, now) };
    let request = PendingRequest {
        inventories: &inventories,
        triage: &folder.triage,
        policy: &policy,
        now,
        expiring_days: args.expiring,
        severity_min: args.severity,
    };
    let pending = pending(&index, &request).map_err(Failure::new)?;
    let undecided = if args.json {
        ui.answer(&format!("{:#}\n", document(&inventories, &pending)))?;
        pending.len()
    } else if args.list || !(args.ask || ui.is_interactive()) {
        ui.answer_lines(&list(&pending))?;
        pending.len()
    } else {
        let today = now.to_zoned(TimeZone::UTC).date();
        let author = author(args)?;
        Session { folder: &args.triage, author: &author, today, holds_days: args.holds }.run(&pending, ui)?
    };
    finish(&inventories, undecided, ui)
}

/// What could not be read may hide what waits; that is no answer.
fn finish(inventories: &[Inventory], undecided: usize, ui: &mut Ui) -> Result<u8, Failure> {
    let problems: Vec<String> = inventories
        .iter()
        .flat_map(|inventory| {
            inventory.problems.iter().map(|problem| format!("{}: {}", problem.subject, problem.message))
        })
        .collect();
    if !problems.is_empty() {
        return Err(Failure::new("not every inventory could be read, so more may wait").details(problems));
    }
    ui.remark(&match undecided {
        0 => "nothing waits for a decision".to_owned(),
        more => format!("{} for a decision", counted(more, "thing waits", "things wait")),
    });
    Ok(if undecided == 0 { exit::DONE } else { exit::NO })
}

fn now(args: &Args) -> Result<Timestamp, Failure> {
    match args.as_of {
        None => Ok(Timestamp::now()),
        Some(day) => Ok(day.to_zoned(TimeZone::UTC).map_err(Failure::new)?.timestamp()),
    }
}

/// A folder of inventories is each of its files; one of derivations is one system.
fn inventories(args: &Args) -> Vec<Inventory> {
    let mut options = environment::read_options();
    options.ecosystem.clone_from(&args.ecosystem);
    let mut targets = Vec::new();
    for path in &args.inventories {
        let inside: Vec<PathBuf> =
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        let is_system = inside.is_empty()
            || inside.iter().any(|path| path.extension().is_some_and(|extension| extension == "drv"))
            || inside.iter().any(|path| path.ends_with("flake.lock"));
        if is_system || path.starts_with(&options.store_dir) {
            targets.push(path.clone());
        } else {
            let is_shown =
                |path: &PathBuf| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."));
            let mut shown: Vec<PathBuf> = inside.into_iter().filter(is_shown).collect();
            shown.sort();
            targets.extend(shown);
        }
    }
    targets.iter().map(|path| aux_inventory::read(&path.display().to_string(), &options)).collect()
}

fn author(args: &Args) -> Result<String, Failure> {
    args.author
        .clone()
        .or_else(environment::author)
        .filter(|name| !name.trim().is_empty())
        .ok_or_else(|| Failure::new("nobody is named who decides").hint("say who you are: --author NAME"))
}

fn list(pending: &[Pending]) -> Vec<String> {
    pending.iter().flat_map(|one| [headline(one), format!("  {}", question(one))]).collect()
}

fn document(inventories: &[Inventory], pending: &[Pending]) -> serde_json::Value {
    let items: Vec<_> = pending.iter().map(item).collect();
    let problems: Vec<_> = inventories
        .iter()
        .flat_map(|inventory| &inventory.problems)
        .map(|problem| json!({ "subject": problem.subject, "message": problem.message }))
        .collect();
    json!({ "schema": "aux.feed.triage/1", "systems": inventories.len(), "items": items, "problems": problems })
}

fn item(pending: &Pending) -> serde_json::Value {
    let mut item = match &pending.matter {
        Matter::Identity { ecosystem, package, product, ids } => {
            json!({ "ecosystem": ecosystem.as_str(), "package": package, "product": product, "ids": ids })
        }
        Matter::Finding { ecosystem, package, id, versions, fixed } => json!({
            "ecosystem": ecosystem.as_str(), "package": package, "ids": [id], "versions": versions, "fixed": fixed,
        }),
        Matter::Expiring { place, package, ids, expires } => json!({
            "package": package, "ids": ids, "expires": expires.to_string(), "file": place.file, "line": place.line,
        }),
        Matter::Waiver { subject, message } => json!({ "subject": subject, "message": message }),
    };
    if let Some(fields) = item.as_object_mut() {
        fields.insert("kind".to_owned(), json!(pending.matter.kind()));
        fields.insert("systems".to_owned(), json!(pending.systems));
        if matches!(pending.matter, Matter::Identity { .. } | Matter::Finding { .. }) {
            fields.insert("severity".to_owned(), json!(pending.severity.as_str()));
            let class = (pending.class != Class::Unclassified).then_some(pending.class.as_str());
            fields.insert("class".to_owned(), json!(class));
            fields.insert("kev".to_owned(), json!(pending.kev));
        }
    }
    item
}
