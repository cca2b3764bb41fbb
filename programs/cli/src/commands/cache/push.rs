//! `aux cache push`: what a closure needs and the cache does not have.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use aux_app::exit;
use aux_cache::client::{Plan, PushError, PushOptions, PushStep, Pushed, push};
use aux_inventory::{store_objects, store_path_of};
use aux_nix::StorePath;
use serde_json::json;

use super::server::{self, Server, size};
use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Send store paths and everything they need, where the cache does not have it yet.
///
/// What was sent stays there: a push that broke off is taken up by the next.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Args {
    /// Store paths, or links to them such as ./result.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// The cache that takes them.
    #[arg(long, value_name = "CACHE")]
    to: String,
    /// Push from the store of the system below this folder, such as /mnt, or of Nix's `local?root=DIR`.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Send the paths alone, without what they need.
    #[arg(long)]
    no_closure: bool,
    /// Say what would be sent, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Send what is there as well: what is damaged of it is mended.
    #[arg(long)]
    repair: bool,
    /// Paths that are packed and sent at once.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=16))]
    workers: Option<u8>,
    /// Say nothing but the answer and errors.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    server: Server,
}

/// More add little: the server hashes too.
const WORKERS_MAX: usize = 4;

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.quiet || args.server.json;
    let client = args.server.client()?;
    let plan = plan(args)?;
    let bar = ui.progress_of_bytes();
    bar.set_message("asking what is missing");
    let step = |step: PushStep<'_>| match step {
        PushStep::Missing { nar_bytes, .. } => bar.set_length(nar_bytes),
        PushStep::Sent { path, nar_bytes } => {
            bar.set_message(path.name().to_owned());
            bar.inc(nar_bytes);
        }
    };
    let available = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let options = PushOptions {
        cache: args.to.clone(),
        workers: args.workers.map_or(available.clamp(2, WORKERS_MAX), usize::from),
        is_dry_run: args.dry_run,
        is_repair: args.repair,
    };
    let pushed = push(&client, &plan, &options, &step);
    bar.finish_and_clear();
    let pushed = pushed.map_err(|error| Failure::cache(&error))?;
    say(args, &pushed, ui)?;
    if pushed.failed.is_empty() { Ok(exit::DONE) } else { Err(incomplete(&pushed, &args.to)) }
}

fn plan(args: &Args) -> Result<Plan, Failure> {
    let options = environment::read_options();
    let root = args.root.clone().unwrap_or_else(|| PathBuf::from("/"));
    let below = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
    // Nix's own variables speak of this machine's store.
    let (store, state) = match args.root {
        None => (options.store_dir.clone(), options.nix_state_dir.clone()),
        Some(_) => (below(&options.store_dir), below(Path::new("/nix/var/nix"))),
    };
    let store_path = |typed: &PathBuf| {
        // A link or a last part means a path of the store that it is of, wherever that is mounted.
        let named = typed.to_str().map(|typed| match StorePath::parse_base(typed) {
            Ok(_) => options.store_dir.join(typed),
            Err(_) => PathBuf::from(server::store_path(typed)),
        });
        let typed = named.as_ref().filter(|path| path.starts_with(&options.store_dir)).unwrap_or(typed);
        let place = if typed.starts_with(&options.store_dir) { below(typed) } else { typed.clone() };
        let found = store_path_of(&place, &store);
        // Where it is on disk is not what it is called.
        let base = found.as_deref().and_then(|path| path.rsplit('/').next());
        base.map(|base| format!("{}/{base}", options.store_dir.display())).ok_or_else(|| {
            Failure::new(format!("{}: is nothing of {}", typed.display(), store.display()))
                .hint("name a store path, or a link to one such as ./result")
        })
    };
    let paths = args.paths.iter().map(store_path).collect::<Result<Vec<_>, _>>()?;
    let objects = store_objects(&state, &paths, !args.no_closure).map_err(|error| {
        Failure::new(error)
            .hint("`nix path-info PATH` says whether Nix itself knows it; NIX_STATE_DIR names its record")
    })?;
    Plan::new(&objects, &root)
        .map_err(|error| Failure::new(error).hint("`nix-store --verify` checks the store's record"))
}

fn say(args: &Args, pushed: &Pushed, ui: &mut Ui) -> Result<(), Failure> {
    if args.server.json {
        let names = |paths: &[aux_nix::BaseName]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        let failed: Vec<_> = pushed
            .failed
            .iter()
            .map(|failure| json!({ "path": failure.path.as_str(), "error": failure.error.to_string() }))
            .collect();
        let answer = json!({
            "schema": "aux.push/1",
            "cache": args.to,
            "dry_run": args.dry_run,
            "present": pushed.present.len(),
            "sent": names(&pushed.sent),
            "failed": failed,
            "nar_bytes": pushed.nar_bytes,
            "file_bytes": if args.dry_run { None } else { Some(pushed.file_bytes) },
        });
        return ui.answer(&format!("{answer:#}\n"));
    }
    let total = pushed.present.len() + pushed.sent.len() + pushed.failed.len();
    let there = format!("{} of {} there already", pushed.present.len(), counted(total, "path", "paths"));
    let sent = counted(pushed.sent.len(), "path", "paths");
    let done = if args.dry_run {
        format!("would send {sent}, {}", size(pushed.nar_bytes))
    } else {
        format!("sent {sent}, {} ({} packed)", size(pushed.nar_bytes), size(pushed.file_bytes))
    };
    let mut lines = vec![there, done];
    if args.dry_run {
        lines.extend(pushed.sent.iter().map(|path| format!("  {path}")));
    }
    ui.answer_rows(&lines)
}

fn incomplete(pushed: &Pushed, cache: &str) -> Failure {
    let failed = counted(pushed.failed.len(), "path", "paths");
    let details = pushed.failed.iter().map(|failure| format!("{}: {}", failure.path, failure.error)).collect();
    let advice = pushed.failed.iter().find_map(|failure| match &failure.error {
        PushError::Client(error) => Some(error.advice()),
        PushError::Damaged { .. } => Some("`nix-store --repair-path PATH` fetches or builds what is damaged again"),
        PushError::Pack(_) | PushError::Needs(_) | PushError::NotTried => None,
    });
    let advice = advice.unwrap_or("mend this");
    Failure::new(format!("{failed} did not get to {cache}"))
        .details(details)
        .hint(format!("{advice}; then push again, and what was sent is not sent twice"))
}

/// The text of a lock beside the flake that is named, or of the file itself.
pub(super) fn lock_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("flake.lock") } else { path.to_path_buf() }
}
