//! `aux image pins`: which images, packages and revisions repositories pin.

use std::path::{Path, PathBuf};

use aux_app::exit;
use aux_core::limits::IMAGE_CATALOG_BYTES_MAX;
use aux_image::Catalog;
use aux_image::pins::{Answer, Pin, Repository, json, work_tree};
use aux_io::input;

use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Find every pin of an image in repositories: makefiles, Dockerfiles, flake.lock, Jenkinsfiles, the submodule of the build
/// tools and their maps. Nothing of a repository is run; what only make could know is said to be unknown.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folders with the files of a repository.
    #[arg(value_name = "REPO", required = true)]
    repositories: Vec<PathBuf>,
    /// Say which images the pins name and how far behind they are.
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// What `uname -s` says where make would run; this machine's where it is not said.
    #[arg(long, value_name = "NAME")]
    system: Option<String>,
    /// Print an aux.image-pins/1 document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let catalog = args.catalog.as_deref().map(catalog).transpose()?;
    let git = environment::git();
    let system = args.system.clone().unwrap_or_else(environment::uname);
    let mut repositories = Vec::new();
    for path in &args.repositories {
        if !path.is_dir() {
            return Err(Failure::new(format!("{}: no such folder", path.display()))
                .hint("name folders that hold the files of a repository"));
        }
        let shown = path.display().to_string();
        repositories.push(work_tree::read(&shown, &git, &system));
    }
    if args.json {
        ui.answer(&json(&repositories, catalog.as_ref()))?;
    } else {
        ui.answer_rows(&rows(&repositories, catalog.as_ref()))?;
    }
    let is_unread = repositories.iter().any(|repository| !repository.pins.problems.is_empty());
    Ok(if is_unread { exit::UNKNOWN } else { exit::DONE })
}

/// A catalog of images.
pub(super) fn catalog(path: &Path) -> Result<Catalog, Failure> {
    let bytes = input::read(path, IMAGE_CATALOG_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::new(format!("{}: is not UTF-8", path.display())))?;
    Catalog::read(&text).map_err(|error| {
        Failure::new(format!("{}: {error}", path.display())).hint("docs/formats/image-catalog.md shows one")
    })
}

fn rows(repositories: &[Repository], catalog: Option<&Catalog>) -> Vec<String> {
    let mut rows = Vec::new();
    for repository in repositories {
        let pins = &repository.pins;
        rows.push(format!("{}: {}", repository.path, counted(pins.pins.len(), "pin", "pins")));
        for problem in &pins.problems {
            rows.push(format!("  ! {}: {}", problem.subject, problem.message));
        }
        for pin in &pins.pins {
            rows.push(format!("  {}", row(pin)));
            rows.extend(catalog.and_then(|catalog| standing(pin, catalog)).map(|line| format!("    {line}")));
        }
        for (variable, answer) in &pins.answers {
            if let Answer::Known(value) = answer {
                rows.push(format!("  make says {variable}={value}"));
            }
        }
    }
    rows
}

fn row(pin: &Pin) -> String {
    let place = if pin.line == 0 { "submodule".to_owned() } else { format!("{}:{}", pin.file, pin.line) };
    let mark = match pin.is_active {
        Some(true) => "",
        Some(false) => " (not taken here)",
        None => " (perhaps)",
    };
    format!("{place} {}={}{mark}", pin.name, pin.value)
}

fn standing(pin: &Pin, catalog: &Catalog) -> Option<String> {
    let standing = pin.standing(catalog)?;
    let image = standing.image.unwrap_or_else(|| "an image the catalog does not know".to_owned());
    let branch = standing.branch.map(|branch| format!(", {branch}")).unwrap_or_default();
    Some(match standing.behind {
        None => format!("{image}{branch}"),
        Some(0) => format!("{image}{branch}: the newest"),
        Some(number) => format!("{image}{branch}: {} behind", counted(number, "image", "images")),
    })
}
