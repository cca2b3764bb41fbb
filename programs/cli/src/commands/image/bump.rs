//! `aux image bump`: one image for every repository that pins one, as a branch or a patch each.

use std::path::PathBuf;

use aux_app::exit;
use aux_core::limits::IMAGE_LIST_BYTES_MAX;
use aux_image::Summary;
use aux_image::bump::{Bumped, Goal, Mode, State, bump, json};
use aux_io::input;

use super::pins::catalog;
use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Bump the image that repositories pin, with everything that is coupled to it and in its order: the maps of the build tools,
/// the submodule that points at them, both images of the makefile, exact packages, the labels of the Jenkinsfile, digests of
/// Dockerfiles and inputs of a flake.lock.
///
/// Each repository gets a branch beside what is checked out, or with --patch-dir a patch for `git am`; its files are never
/// touched. One whose precondition is missing, or that has changes which are not committed, is left alone and says why. Run
/// again, what was done stays as it is. Exits with 1 where a repository was stopped.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folders of git repositories, that of the build tools among them.
    #[arg(value_name = "REPO", required = true)]
    repositories: Vec<PathBuf>,
    /// The image: its name, NAME@VERSION, version or UUID.
    #[arg(long, value_name = "NAME")]
    to: String,
    /// The images there are, and what the build tools' maps say of them.
    #[arg(long, value_name = "FILE")]
    catalog: PathBuf,
    /// Write patches into this folder, and leave the repositories as they are.
    #[arg(long, value_name = "DIR")]
    patch_dir: Option<PathBuf>,
    /// The branch to make; image/NAME where nothing is said.
    #[arg(long, value_name = "NAME", conflicts_with = "patch_dir")]
    branch: Option<String>,
    /// What the image's branch has, its `pkg_summary`: for the exact packages of makefiles.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// The channel that the image and every image it is made from must be in.
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print an aux.image-bump/1 document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let catalog_path = args.catalog.display().to_string();
    let catalog = catalog(&args.catalog)?;
    let image = catalog.named(&args.to).map_err(|error| {
        Failure::new(format!("{catalog_path}: {error}")).hint("--to takes a name, NAME@VERSION, a version or a UUID")
    })?;
    if let Some(missing) = args.repositories.iter().find(|path| !path.is_dir()) {
        return Err(
            Failure::new(format!("{}: no such folder", missing.display())).hint("name folders of git repositories")
        );
    }
    let beside = |path: &PathBuf| args.catalog.parent().map_or_else(|| path.clone(), |folder| folder.join(path));
    let by_catalog = image.branch.as_ref().and_then(|branch| catalog.summaries.get(branch)).map(beside);
    let summary = match args.summary.clone().or(by_catalog) {
        None => None,
        Some(path) => {
            let bytes = input::read(&path, IMAGE_LIST_BYTES_MAX)?;
            let read = Summary::read(&bytes).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
            if let Some((line, message)) = read.problems().first() {
                return Err(Failure::new(format!("{}:{line}: {message}", path.display())).hint("fetch it again"));
            }
            Some(read)
        }
    };
    let goal = Goal { image, catalog: &catalog, summary: summary.as_ref(), channel: args.channel.as_deref() };
    let mode = mode(args, &image.name)?;
    let bumped = bump(&args.repositories, &goal, &mode, &environment::git(), &environment::scratch_folder());
    if args.json {
        ui.answer(&json(&goal, &bumped))?;
    } else {
        ui.answer_lines(&lines(&bumped))?;
    }
    let has = |wanted: fn(&State) -> bool| bumped.iter().any(|one| wanted(&one.state));
    Ok(if has(|state| matches!(state, State::Unread { .. })) {
        exit::UNKNOWN
    } else if has(|state| matches!(state, State::Stopped { .. })) {
        exit::NO
    } else {
        exit::DONE
    })
}

fn mode(args: &Args, name: &str) -> Result<Mode, Failure> {
    if args.dry_run {
        return Ok(Mode::Plan);
    }
    if let Some(folder) = &args.patch_dir {
        std::fs::create_dir_all(folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
        return Ok(Mode::Patch(folder.clone()));
    }
    let name = args.branch.clone().unwrap_or_else(|| format!("image/{name}"));
    let is_sound = |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '-' | '_' | '/' | '@' | '+');
    let is_part =
        |part: &str| !part.is_empty() && !part.starts_with(['.', '-']) && part.strip_suffix(".lock").is_none();
    if !name.chars().all(is_sound) || !name.split('/').all(is_part) || name.contains("..") || name.ends_with('.') {
        return Err(Failure::new(format!("`{name}` is no name for a branch")).hint("name one with --branch"));
    }
    Ok(Mode::Branch(name))
}

fn lines(bumped: &[Bumped]) -> Vec<String> {
    let mut lines = Vec::new();
    for one in bumped {
        let state = match &one.state {
            State::Branch { name, is_new: true, .. } => format!("bumped on branch {name}"),
            State::Branch { name, is_new: false, .. } => format!("bumped before, on branch {name}"),
            State::Patch { file, is_new: true } => format!("bumped by {file}"),
            State::Patch { file, is_new: false } => format!("bumped before, by {file}"),
            State::Planned => "would be bumped".to_owned(),
            State::Current => "nothing to do".to_owned(),
            State::Stopped { reason } => format!("left alone: {reason}"),
            State::Unread { reason } => format!("not read, and left alone: {reason}"),
        };
        lines.push(format!("{}: {state}", one.path));
        for edit in &one.edits {
            let line = edit.line.map(|line| format!(":{line}")).unwrap_or_default();
            let from = edit.from.as_ref().map(|from| format!("{from} → ")).unwrap_or_default();
            lines.push(format!("  {}{line} {} {from}{}", edit.file, edit.name, edit.to));
        }
        lines.extend(one.notes.iter().map(|note| format!("  note: {note}")));
    }
    let count = |wanted: fn(&State) -> bool| bumped.iter().filter(|one| wanted(&one.state)).count();
    let done = count(|state| matches!(state, State::Branch { .. } | State::Patch { .. } | State::Planned));
    let current = count(|state| *state == State::Current);
    let left = bumped.len() - done - current;
    lines.push(format!(
        "{}: {done} bumped, {current} with nothing to do, {left} left alone",
        counted(bumped.len(), "repository", "repositories")
    ));
    lines
}
