//! `aux audit`: which components of a target are vulnerable, why, and what fixes them.

use std::path::{Path, PathBuf};

use aux_advisory::index::{Details, Index};
use aux_app::config::{self, Config};
use aux_app::exit;
use aux_audit::checks;
use aux_audit::formats::{Format, Options, changes, render};
use aux_audit::{
    DEFAULT_GATE, Gate, Only, Policy, Report, Side, Terms, Verdict, audit, audit_configurations, compare, describe,
};
use aux_core::{Ecosystem, Inventory};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::ecosystem::ecosystem;
use super::explain::{Answer, explained};
use super::{environment, since, synced, waivers};
use crate::failure::Failure;
use crate::ui::Ui;

/// Say which components of a target are vulnerable, why, and what fixes them.
///
/// TARGET is a derivation (.drv), a folder or tar of them, the JSON of `nix derivation show -r` or `nix path-info -r`, a
/// store path or profile, a flake.lock, a CycloneDX or SPDX document, a list of names or package URLs, a pkgsrc list or
/// a Triton manifest; gzip, zstd and xz are unpacked, `-` is standard input. A flake, in a folder or as git+https://…,
/// git+ssh://…, git+file://… or github:owner/name, is evaluated by nix, machine by machine, and nothing is built.
/// Without a target this machine is audited.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch a person types")]
pub(crate) struct Args {
    /// What to audit; this machine where none is named.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// The index to audit against.
    #[arg(long, value_name = "FILE.auxdb")]
    feed: Option<PathBuf>,
    /// Where the synced feed is kept, which is used where no index is named.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Never touch the network.
    #[arg(long)]
    offline: bool,
    /// What plain names in a list belong to: nix, pkgsrc, npm, pypi, …
    #[arg(long, value_name = "NAME", value_parser = ecosystem)]
    ecosystem: Option<Ecosystem>,
    /// Print the report as an aux.audit/1 document.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// How to write the report down: table, json, sarif, openvex, cyclonedx, markdown or junit.
    #[arg(long, value_name = "FORMAT", value_parser = format_of)]
    format: Option<Format>,
    /// Write the report to a file instead of standard output, which `-` stands for.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What fails the audit, a comma list: class:critical, severity:high, fixable, kev, unreviewed, unknown, config:high,
    /// any, none;
    /// words joined by + must hold together.
    #[arg(long, value_name = "LIST")]
    fail_on: Option<String>,
    /// Accepted findings, with reasons and ends; a vulnix whitelist is read too.
    #[arg(long, value_name = "FILE")]
    waivers: Vec<PathBuf>,
    /// Fail on waivers that expired, ended or match nothing.
    #[arg(long)]
    strict_waivers: bool,
    /// Look at packages alone, or at the configuration alone.
    #[arg(long, value_name = "PART", value_parser = only)]
    only: Option<Only>,
    /// With --only config and no target: the folder that stands for / where the system's files are read.
    #[arg(long, value_name = "DIR", conflicts_with = "targets")]
    root: Option<PathBuf>,
    /// Leave out what is needed to build only.
    #[arg(long)]
    runtime_only: bool,
    /// A branch that the target follows, such as nixos-24.05: then each finding says whether its fix is there (now), in another
    /// branch (rebase), or in none. Branches that a flake.lock names are followed anyway.
    #[arg(long, value_name = "NAME")]
    branch: Vec<String>,
    /// Judge what could be read; unread parts are shown, and the verdict is unknown only where nothing was read.
    #[arg(long)]
    allow_incomplete: bool,
    /// Read a flake's inputs only, and evaluate none of its machines and packages.
    #[arg(long)]
    no_eval: bool,
    /// Say what changed since OLD: a git revision, a flake.lock, or for other targets the same thing at an earlier time.
    /// Exits by what was brought in; formats are table, json and markdown.
    #[arg(long, value_name = "OLD", conflicts_with = "explain")]
    since: Option<String>,
    /// With --since, gate on everything that is there now, and not only on what was brought in.
    #[arg(long, requires = "since")]
    gate_all: bool,
    /// Say why this advisory matched or did not, instead of a report.
    #[arg(long, value_name = "ID", conflicts_with = "format")]
    explain: Option<String>,
    /// Judge expiry and age as on this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Say nothing but the report and errors.
    #[arg(long, short)]
    quiet: bool,
}

fn format_of(word: &str) -> Result<Format, String> {
    let known = || Format::ALL.map(Format::as_str).join(", ");
    Format::from_word(word).ok_or_else(|| format!("`{word}` is not one of {}", known()))
}

fn only(word: &str) -> Result<Only, String> {
    match word {
        "packages" => Ok(Only::Packages),
        "config" => Ok(Only::Config),
        _ => Err(format!("`{word}` is neither packages nor config")),
    }
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.quiet || args.json;
    if args.targets.iter().filter(|target| *target == "-").count() > 1 {
        return Err(Failure::new("`-` stands twice, and standard input can be read only once"));
    }
    if let Some(root) = &args.root {
        if args.only != Some(Only::Config) {
            return Err(Failure::new("--root is about the configuration alone").hint("add --only config"));
        }
        if !root.is_dir() {
            return Err(Failure::new(format!("{}: no such folder", root.display()))
                .hint("--root names a folder that stands for /"));
        }
    }
    let start = args.targets.first().map_or(Path::new("."), |target| Path::new(target.as_str()));
    let config = config::load(&environment::absolute(start), &environment::config_places()).map_err(Failure::new)?;
    let now = environment::now(args.as_of)?;
    let policy = policy(args, &config, now)?;
    // Configurations are judged without a feed; one that is named is opened all the same.
    if args.only == Some(Only::Config) && args.feed.is_none() && args.since.is_none() && args.explain.is_none() {
        let report = audit_configurations(&inventories(args, ui), &policy, now);
        let text = render(format(args), &report, options(args, ui));
        return answer(&report, &text, args, &config, ui);
    }
    let (feed, stale_feed) = feed_path(args, &config, now)?;
    let policy = Policy { stale_feed, ..policy };
    let mapped = aux_io::file::map(&feed).map_err(|error| Failure::feed_file(&error))?;
    let earlier = args.since.as_ref().map(|old| earlier(old, args, ui)).transpose()?;
    // The index's checksum and the targets are read at the same time: neither needs the other.
    let (index, inventories) = std::thread::scope(|scope| {
        let index = scope.spawn(|| Index::open(&mapped));
        let inventories = inventories(args, ui);
        (index.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), inventories)
    });
    let index = index.map_err(|error| Failure::feed(&feed, &error))?;
    if let Some(id) = &args.explain {
        let (is_json, allow_incomplete) = (args.json, args.allow_incomplete);
        let today = now.to_zoned(TimeZone::UTC).date();
        let asked = Answer { id, is_json, allow_incomplete, today, stale_feed: policy.stale_feed.as_deref() };
        let (text, code) = explained(&index, &inventories, asked, ui)?;
        write(args.output.as_deref(), &text, ui)?;
        return Ok(code);
    }
    let mut report = audit(&index, &inventories, &policy, now);
    add_details(&mut report, &feed)?;
    let text = match (&args.since, &earlier) {
        (Some(since), Some(earlier)) => {
            let mut before = audit(&index, earlier, &policy, now);
            add_details(&mut before, &feed)?;
            let (before, after) =
                (Side { inventories: earlier, report: &before }, Side { inventories: &inventories, report: &report });
            let terms =
                Terms { gate: &policy.gate, gates_all: args.gate_all, allow_incomplete: policy.allow_incomplete };
            let changes = compare(since, before, after, terms);
            report.verdict = changes.verdict;
            // Which formats there are was checked before anything was read.
            changes::render(format(args), &changes, options(args, ui)).unwrap_or_default()
        }
        _ => render(format(args), &report, options(args, ui)),
    };
    answer(&report, &text, args, &config, ui)
}

fn format(args: &Args) -> Format {
    if args.json { Format::Json } else { args.format.unwrap_or(Format::Table) }
}

fn options(args: &Args, ui: &Ui) -> Options<'static> {
    let has_colour = ui.has_color && args.output.as_ref().is_none_or(|path| path.as_os_str() == "-");
    Options { tool_version: env!("CARGO_PKG_VERSION"), width: ui.width, colour: has_colour }
}

fn answer(report: &Report, text: &str, args: &Args, config: &Config, ui: &mut Ui) -> Result<u8, Failure> {
    write(args.output.as_deref(), text, ui)?;
    let is_strict = args.strict_waivers || config.strict_waivers.as_ref().is_some_and(|set| set.value);
    Ok(exit_code(report, is_strict))
}

fn write(output: Option<&Path>, text: &str, ui: &mut Ui) -> Result<(), Failure> {
    match output {
        Some(path) if path.as_os_str() != "-" => Ok(aux_io::file::replace(path, text.as_bytes())?),
        _ => ui.answer(text),
    }
}

fn exit_code(report: &Report, is_strict: bool) -> u8 {
    match report.verdict {
        Verdict::Unknown => exit::UNKNOWN,
        Verdict::Fail => exit::NO,
        Verdict::Pass if is_strict && !report.waiver_notes.is_empty() => exit::NO,
        Verdict::Pass => exit::DONE,
    }
}

/// The index named, configured or synced, and why the last cannot speak for the present, where it cannot.
fn feed_path(args: &Args, config: &Config, now: Timestamp) -> Result<(PathBuf, Option<String>), Failure> {
    let configured = || config.feed.as_ref().map(|set| set.value.clone());
    if let Some(path) = args.feed.clone().or_else(configured) {
        return Ok((path, None));
    }
    let state = synced::state(args.state.clone(), config);
    let current = state.current().map_err(Failure::state)?.ok_or_else(|| {
        Failure::new("no feed to audit against").hint(
            "sync one: aux feed sync URL --root ROOT.json; or name one: --feed FILE.auxdb, \
             which `aux feed build` makes",
        )
    })?;
    let stale = synced::stale(&current, now, synced::max_age(None, config));
    // A day in the past is judged with the feed there is: age is about the present.
    let stale = stale.filter(|_| args.as_of.is_none() || now > current.signed);
    Ok((state.index_path(&current), stale))
}

fn policy(args: &Args, config: &Config, now: Timestamp) -> Result<Policy, Failure> {
    let configured = if args.fail_on.is_none() { config.fail_on.as_ref() } else { None };
    let words = args.fail_on.as_deref().or(configured.map(|set| set.value.as_str())).unwrap_or(DEFAULT_GATE);
    let gate_file = configured.map(|set| set.file.display().to_string());
    let gate = Gate::read(words)
        .map_err(|error| Failure::new(error).hint("for example: --fail-on class:critical,severity:high+fixable"))?;
    let configured = config.waivers.iter().flat_map(|set| &set.value);
    let waivers = if args.waivers.is_empty() { waivers::read(configured)? } else { waivers::read(&args.waivers)? };
    Ok(Policy {
        gate,
        gate_file,
        waivers,
        runtime_only: args.runtime_only || config.runtime_only.as_ref().is_some_and(|set| set.value),
        allow_incomplete: args.allow_incomplete,
        stale_feed: None,
        only: args.only.unwrap_or_default(),
        terms: terms(config, now),
        branches: args.branch.clone(),
    })
}

fn terms(config: &Config, now: Timestamp) -> checks::Terms {
    let mut terms = checks::Terms::new(now);
    if let Some(set) = &config.allowed_substituters {
        terms.substituters.clone_from(&set.value);
    }
    if let Some(set) = &config.allowed_cache_keys {
        terms.public_keys.clone_from(&set.value);
    }
    if let Some(set) = &config.input_age_days {
        terms.input_age_days = set.value;
    }
    terms
}

fn inventories(args: &Args, ui: &Ui) -> Vec<Inventory> {
    let mut options = environment::read_options();
    options.ecosystem.clone_from(&args.ecosystem);
    if let Some(root) = &args.root {
        options.root.clone_from(root);
    }
    options.evaluates_configurations = args.only != Some(Only::Packages);
    let here = [".".to_owned()];
    // What is compared is a repository, and this machine is none.
    let targets = if args.targets.is_empty() && args.since.is_some() { &here[..] } else { &args.targets };
    if targets.is_empty() {
        let only_config = args.only == Some(Only::Config);
        let read = if only_config { aux_inventory::read_machine_configuration } else { aux_inventory::read_machine };
        return vec![read(&options)];
    }
    let bar = ui.progress("reading targets");
    bar.set_length(targets.len() as u64);
    let flakes = environment::flakes(&options, !args.no_eval, args.offline);
    let read = |target: &String| {
        let inventories = flakes.read(target, ui).unwrap_or_else(|| vec![aux_inventory::read(target, &options)]);
        bar.inc(1);
        inventories
    };
    let inventories = targets.iter().flat_map(read).collect();
    bar.finish_and_clear();
    inventories
}

/// The state to compare with, by what `--since` names.
fn earlier(old: &str, args: &Args, ui: &Ui) -> Result<Vec<Inventory>, Failure> {
    if let Some(format) = args.format.filter(|format| !since::FORMATS.contains(format)) {
        return Err(Failure::new(format!("--since has no form as {}", format.as_str()))
            .hint("it is written as --format table, --format markdown or --json"));
    }
    let target = match args.targets.as_slice() {
        [] => ".",
        [one] => one.as_str(),
        _ => {
            return Err(
                Failure::new("--since compares one target, and there are several").hint("audit them one by one")
            );
        }
    };
    let mut options = environment::read_options();
    options.ecosystem.clone_from(&args.ecosystem);
    let flakes = environment::flakes(&options, !args.no_eval, args.offline);
    since::inventories(target, old, &flakes, ui)
}

/// A details pack that lies beside the index, under the same name, is read too; a broken one is an error.
fn add_details(report: &mut Report, feed: &Path) -> Result<(), Failure> {
    let path = feed.with_extension("auxdetails");
    if !path.is_file() {
        return Ok(());
    }
    let mapped = aux_io::file::map(&path)?;
    let details = Details::open(&mapped).map_err(|error| Failure::details_pack(&path, &error))?;
    describe(report, &details).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}
