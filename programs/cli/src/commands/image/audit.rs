//! `aux image audit`: what a rebuild of an image fixes, what a newer branch fixes, and what nobody can fix yet.

use std::path::{Path, PathBuf};

use aux_advisory::index::Index;
use aux_app::{config, exit};
use aux_audit::Verdict;
use aux_core::limits::{IMAGE_LIST_BYTES_MAX, PUBLIC_KEYS_BYTES_MAX};
use aux_core::{Ecosystem, Inventory};
use aux_image::audit::{Branch, Question, Report, audit, json, text};
use aux_image::{DEFAULT_GATE, Gate, Seen, Summary, VulnerabilityList};
use aux_io::input;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::Ui;

/// Split what is known to be wrong with images of pkgsrc packages by what can be done: fixable now by a rebuild from their
/// own branch, fixable by a rebase onto a newer one, or without a known fix.
///
/// LIST is what `pkg_info`, `pkgin list` or `pkg_info -X` print, a Triton manifest or `.pkgs.json`, or a JSON list of names;
/// `-` is standard input. Whatever cannot be believed (a list that is old, went back, is cut short or badly signed, an image
/// without packages) makes the answer unknown, exit 2.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What each image holds.
    #[arg(value_name = "LIST")]
    lists: Vec<String>,
    /// The vulnerability list of pkgsrc, plain or packed.
    #[arg(long, value_name = "FILE")]
    vulnerabilities: PathBuf,
    /// What a branch has, its `pkg_summary` plain or packed: the images' own branch first, then newer ones in their order.
    #[arg(long = "summary", value_name = "BRANCH=FILE", required = true, num_args = 1..)]
    summaries: Vec<String>,
    /// The index that knows severity, known exploitation and the team's class by CVE id.
    #[arg(long, value_name = "FILE.auxdb")]
    feed: Option<PathBuf>,
    /// Armored public keys, one of which must have signed the vulnerability list.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// What fails the audit, a comma list: fixable, now, rebase, eol, class:critical, severity:high, kev, any, none; words
    /// joined by + must hold together.
    #[arg(long, value_name = "LIST", default_value = DEFAULT_GATE)]
    fail_on: String,
    /// Judge the list's age as on this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Where it is remembered which revisions of the list were seen.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print the report as an aux.image-audit/1 document.
    #[arg(long)]
    json: bool,
    /// Say nothing but the report and errors.
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.quiet || args.json;
    let gate = Gate::read(&args.fail_on)
        .map_err(|error| Failure::new(error).hint("for example: --fail-on fixable,severity:critical"))?;
    let (summaries, lists) = split(args)?;
    let now = environment::now(args.as_of)?;
    let feed = feed(args)?;
    if feed.is_none() && gate.needs_feed() {
        return Err(Failure::new(format!("`{}` asks for what only a feed knows", args.fail_on))
            .hint("name one with --feed FILE.auxdb, or gate on fixable, now, rebase, eol or any"));
    }
    let mapped = feed.as_ref().map(aux_io::file::map).transpose().map_err(|error| Failure::feed_file(&error))?;
    let index = match (&mapped, &feed) {
        (Some(mapped), Some(path)) => Some(Index::open(mapped).map_err(|error| Failure::feed(path, &error))?),
        _ => None,
    };
    let images = inventories(&lists);
    let branches: Vec<Branch> = summaries.into_iter().map(branch).collect();
    let list = list(&args.vulnerabilities, args.key.as_deref())?;
    let refusals = match &list {
        Ok(list) => refusals(list, args.key.is_some(), (args.as_of, now), args.state.as_deref(), ui)?,
        Err(_) => Vec::new(),
    };
    let list_file = args.vulnerabilities.display().to_string();
    let question = Question {
        images: &images,
        list_file: &list_file,
        list: list.as_ref().map_err(String::as_str),
        refusals: &refusals,
        branches: &branches,
        index: index.as_ref(),
        gate: &gate,
        now,
    };
    let report = audit(&question).map_err(|error| Failure::new(format!("the feed: {error}")))?;
    answer(&report, args, ui)
}

fn answer(report: &Report, args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    if args.json {
        ui.answer(&json(report))?;
    } else {
        ui.answer_lines(&text(report))?;
    }
    Ok(match report.verdict {
        Verdict::Pass => exit::DONE,
        Verdict::Fail => exit::NO,
        Verdict::Unknown => exit::UNKNOWN,
    })
}

/// Branches, each with its file.
type Summaries<'a> = Vec<(&'a str, &'a str)>;

/// Branches with their files, and lists. `--summary` takes several words; one without a branch is a list behind them.
fn split(args: &Args) -> Result<(Summaries<'_>, Vec<&str>), Failure> {
    let mut summaries: Summaries<'_> = Vec::new();
    let mut lists: Vec<&str> = args.lists.iter().map(String::as_str).collect();
    for word in &args.summaries {
        match word.split_once('=').filter(|(branch, file)| !branch.is_empty() && !file.is_empty()) {
            Some((branch, _)) if summaries.iter().any(|(known, _)| *known == branch) => {
                return Err(Failure::new(format!("branch `{branch}` stands twice")));
            }
            Some(summary) => summaries.push(summary),
            None if summaries.is_empty() => {
                return Err(Failure::new(format!("--summary `{word}` names no branch"))
                    .hint("--summary BRANCH=FILE, for example --summary 2018Q4=pkg_summary.gz"));
            }
            None => lists.push(word),
        }
    }
    if lists.is_empty() {
        return Err(Failure::new("no image to audit").hint("name what it holds: the output of `pkg_info` in a file"));
    }
    if lists.iter().filter(|list| **list == "-").count() > 1 {
        return Err(Failure::new("`-` stands twice, and standard input can be read only once"));
    }
    Ok((summaries, lists))
}

fn feed(args: &Args) -> Result<Option<PathBuf>, Failure> {
    if args.feed.is_some() {
        return Ok(args.feed.clone());
    }
    let config =
        config::load(&environment::absolute(Path::new(".")), &environment::config_places()).map_err(Failure::new)?;
    Ok(config.feed.map(|set| set.value))
}

fn inventories(lists: &[&str]) -> Vec<Inventory> {
    let mut options = environment::read_options();
    options.ecosystem = Some(Ecosystem::PKGSRC);
    lists.iter().map(|list| aux_inventory::read(list, &options)).collect()
}

pub(super) fn branch((name, file): (&str, &str)) -> Branch {
    let read = input::read(file, IMAGE_LIST_BYTES_MAX).map_err(|error| error.message());
    let summary = read.and_then(|bytes| Summary::read(&bytes).map_err(|error| error.to_string()));
    Branch { name: name.to_owned(), file: file.to_owned(), summary }
}

/// The list, or why there is none to believe; a key that cannot be read ends it here.
pub(super) fn list(path: &Path, key: Option<&Path>) -> Result<Result<VulnerabilityList, String>, Failure> {
    let keys = key.map(|path| input::read(path, PUBLIC_KEYS_BYTES_MAX as u64)).transpose()?;
    let read = input::read(path, IMAGE_LIST_BYTES_MAX).map_err(|error| match error {
        input::InputError::Missing { .. } => "no such file: the list was never fetched".to_owned(),
        other => other.message(),
    });
    Ok(read.and_then(|bytes| {
        VulnerabilityList::read(&bytes, keys.as_deref()).map_err(|error| aux_core::with_causes(&error))
    }))
}

/// Why the list cannot speak for `now`. What was seen of it is remembered where it can.
pub(super) fn refusals(
    list: &VulnerabilityList,
    requires_signature: bool,
    (as_of, now): (Option<Date>, Timestamp),
    state: Option<&Path>,
    ui: &mut Ui,
) -> Result<Vec<String>, Failure> {
    let folder = state.map_or_else(environment::image_state_folder, Path::to_owned);
    let path = folder.join("seen.json");
    let mut seen = Seen::read(&path).map_err(|error| {
        Failure::new(error).hint("without it nobody can tell whether the list went back; remove it to begin anew")
    })?;
    let mut refusals = list.refusals(now, seen.newest(now), requires_signature);
    let from_the_future = list.facts().committed.filter(|committed| as_of.is_none() && *committed > now);
    if let Some(committed) = from_the_future {
        refusals.push(format!("the list is of {committed}, later than this machine's clock says: set the clock"));
    }
    // A list that is refused says nothing of what comes after it.
    if refusals.is_empty()
        && seen.note(list.facts())
        && let Err(error) = seen.write(&path)
    {
        ui.remark(&format!("aux: the list's revision could not be remembered: {error}"));
    }
    Ok(refusals)
}
