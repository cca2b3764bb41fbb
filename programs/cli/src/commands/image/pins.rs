//! `aux image pins`: which images, packages and revisions repositories pin.

use std::path::{Path, PathBuf};

use aux_advisory::index::Index;
use aux_app::exit;
use aux_core::limits::IMAGE_CATALOG_BYTES_MAX;
use aux_core::{Ecosystem, Severity};
use aux_image::audit::Question;
use aux_image::pins::{Answer, Exposure, Exposures, Pin, Repository, exposures, json, work_tree};
use aux_image::{Catalog, Gate};
use aux_io::input;
use jiff::civil::Date;

use super::audit::{list, refusals};

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
    /// Say what being behind exposes, by this vulnerability list and the lists of packages that the catalog names.
    #[arg(long, value_name = "FILE", requires = "catalog")]
    vulnerabilities: Option<PathBuf>,
    /// The index that knows severity and known exploitation.
    #[arg(long, value_name = "FILE.auxdb", requires = "vulnerabilities")]
    feed: Option<PathBuf>,
    /// Armored public keys, one of which must have signed the vulnerability list.
    #[arg(long, value_name = "FILE", requires = "vulnerabilities")]
    key: Option<PathBuf>,
    /// Judge the list's age as on this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Where it is remembered which revisions of the list were seen.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
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
    let exposures = match (&args.vulnerabilities, &catalog) {
        (Some(list), Some(catalog)) => exposed(args, list, catalog, &repositories, ui)?,
        _ => Exposures::new(),
    };
    if args.json {
        ui.answer(&json(&repositories, catalog.as_ref(), &exposures))?;
    } else {
        ui.answer_rows(&rows(&repositories, catalog.as_ref(), &exposures))?;
    }
    let is_unread = repositories.iter().any(|repository| !repository.pins.problems.is_empty())
        || exposures.values().any(Result::is_err);
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

/// What the pinned images have that the newest of their families have not.
fn exposed(
    args: &Args,
    list_file: &Path,
    catalog: &Catalog,
    repositories: &[Repository],
    ui: &mut Ui,
) -> Result<Exposures, Failure> {
    let now = environment::now(args.as_of)?;
    let mapped = args.feed.as_ref().map(aux_io::file::map).transpose().map_err(|error| Failure::feed_file(&error))?;
    let index = match (&mapped, &args.feed) {
        (Some(mapped), Some(path)) => Some(Index::open(mapped).map_err(|error| Failure::feed(path, &error))?),
        _ => None,
    };
    let read = list(list_file, args.key.as_deref())?;
    let refusals = match &read {
        Ok(list) => refusals(list, args.key.is_some(), (args.as_of, now), args.state.as_deref(), ui)?,
        Err(_) => Vec::new(),
    };
    let gate = Gate::read("none").map_err(Failure::new)?;
    let question = Question {
        images: &[],
        list_file: &list_file.display().to_string(),
        list: read.as_ref().map_err(String::as_str),
        refusals: &refusals,
        branches: &[],
        index: index.as_ref(),
        gate: &gate,
        now,
    };
    let folder = args.catalog.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let mut options = environment::read_options();
    options.ecosystem = Some(Ecosystem::PKGSRC);
    let mut packages = |uuid: &str| {
        let image = catalog.by_uuid(uuid).ok_or_else(|| format!("the catalog does not know {uuid}"))?;
        let path = image.packages.as_ref();
        let path = path.ok_or_else(|| format!("the catalog names no packages of {}", image.whole_name()))?;
        Ok(aux_inventory::read(&folder.join(path).display().to_string(), &options))
    };
    let pins = repositories.iter().flat_map(|repository| &repository.pins.pins);
    let uuids = pins.filter(|pin| pin.standing(catalog).is_some()).map(|pin| pin.value.as_str());
    Ok(exposures(uuids, catalog, &question, &mut packages))
}

fn rows(repositories: &[Repository], catalog: Option<&Catalog>, exposures: &Exposures) -> Vec<String> {
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
            rows.extend(pin.exposure(exposures).map(|exposure| format!("    {}", sentence(exposure))));
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

fn sentence(exposure: &Result<Exposure, String>) -> String {
    match exposure {
        Err(reason) => format!("nobody can say what it exposes: {reason}"),
        Ok(Exposure { findings: 0, .. }) => "has no finding that the newest has not".to_owned(),
        Ok(exposure) => {
            let worst = match exposure.worst {
                Severity::Unknown => "not scored".to_owned(),
                worst => format!("worst {}", worst.as_str()),
            };
            let exploited = exposure.exploited.filter(|number| *number > 0);
            let exploited = exploited.map(|number| format!(", {number} exploited")).unwrap_or_default();
            let findings = counted(exposure.findings, "finding", "findings");
            format!("exposes {findings} that {} has not ({worst}{exploited})", exposure.newest)
        }
    }
}
