//! `aux image build`: an image with every update of its branch.

use std::path::{Path, PathBuf};

use aux_app::exit;
use aux_image::build::{Image, Parts, fetch, layer, unpack, write};
use aux_image::plan::{changelog, inventory};
use aux_image::resolve::{Resolution, resolve};
use aux_repo::WorkTree;
use jiff::Timestamp;

use super::inputs::{Inputs, repository, spec};
use super::plan::changes;
use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Build an image with every update of its branch: the packages are fetched, checked by the branch's summary and unpacked into
/// one layer. Nothing of a package is run. Written are the layer, a Triton manifest, the list of packages, a CycloneDX SBOM,
/// the audit, the changelog and an OCI image layout; the same inputs give the same bytes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The specification of the image.
    #[arg(value_name = "SPEC")]
    spec: PathBuf,
    /// The folder that images are written to, each into a folder of its own.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    inputs: Inputs,
    /// The moment that the version and every file bear; now where nothing is said.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// The branch and commit of a `stamp` version, as BRANCH@COMMIT; those of the specification's repository where nothing
    /// is said.
    #[arg(long, value_name = "BRANCH@COMMIT")]
    revision: Option<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let spec = spec(&args.spec)?;
    let at = match args.at {
        Some(at) => at,
        None => environment::now(args.inputs.as_of)?,
    };
    let revision = revision(args)?;
    let parts = revision.as_ref().map(|(branch, commit)| (branch.as_str(), commit.as_str()));
    let version = spec.version.version(at, parts).ok_or_else(|| {
        Failure::new("a stamp names a git branch and a commit, and the specification lies in no repository")
            .hint("name them with --revision BRANCH@COMMIT, or give the specification a version x.y")
    })?;
    let branches = args.inputs.branches(&spec)?;
    let own = branches.first().and_then(|branch| branch.summary.as_ref().ok());
    let own = own.ok_or_else(|| Failure::new("the branch has no summary"))?;
    let resolution = resolve(own, &spec.packages)
        .map_err(|error| Failure::new(error).hint("the specification's names must be packages of its branch"))?;
    let new = inventory(&spec.name, &resolution);
    let (old, _) = args.inputs.current();
    let reports = args.inputs.audits(&[&old, &new], &branches, &spec.policy.now, ui)?;
    let findings = |index: usize| {
        let report = reports.as_ref().and_then(|reports| reports.get(index));
        report
            .into_iter()
            .flat_map(|report| &report.images)
            .flat_map(|image| image.findings.clone())
            .collect::<Vec<_>>()
    };
    let changelog = changelog((&old, &findings(0)), (&new, &findings(1)));
    let (layer, not_run) = layer_of(&spec, &resolution, args, at, ui)?;
    let image = Image { spec: &spec, version, at, layer, resolution: &resolution };
    let written = Parts {
        audit: reports.as_ref().and_then(|reports| reports.get(1)),
        changelog: args.inputs.has_current().then_some(&changelog),
    };
    std::fs::create_dir_all(&args.output)
        .map_err(|error| Failure::new(format!("{}: {error}", args.output.display())))?;
    let place = write(&args.output, &image, &written).map_err(Failure::new)?;
    let mut lines = vec![
        format!("{}: {}, {}", place.display(), image.uuid(), counted(resolution.packages.len(), "package", "packages")),
        format!("  {} files, {} bytes packed", image.layer.files, image.layer.packed.len()),
    ];
    if !not_run.is_empty() {
        lines.push(format!("  not run when they were installed: the scripts of {}", not_run.join(", ")));
    }
    if args.inputs.has_current() {
        lines.extend(changes(&changelog));
    }
    ui.answer_lines(&lines)?;
    Ok(exit::DONE)
}

fn layer_of(
    spec: &aux_image::Spec,
    resolution: &Resolution<'_>,
    args: &Args,
    at: Timestamp,
    ui: &Ui,
) -> Result<(aux_image::build::Layer, Vec<String>), Failure> {
    let repository = repository(spec)?;
    let source = args.inputs.source()?;
    let bar = ui.progress("fetching packages");
    bar.set_length(resolution.packages.len() as u64);
    let mut unpacked = Vec::new();
    for package in &resolution.packages {
        let bytes = fetch(&source, &repository, package).map_err(|error| {
            Failure::new(error).hint("nothing was written; fetch the summary again, or ask who publishes the packages")
        })?;
        let one = unpack(&package.full_name(), &bytes, &spec.prefix, &spec.setuid).map_err(Failure::new)?;
        unpacked.push(one);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let not_run = unpacked.iter().filter(|one| !one.not_run.is_empty()).map(|one| one.full_name.clone()).collect();
    let layer = layer(unpacked, &spec.database, &resolution.needed_by(), at).map_err(Failure::new)?;
    Ok((layer, not_run))
}

/// The branch and commit a stamp names.
fn revision(args: &Args) -> Result<Option<(String, String)>, Failure> {
    if let Some(text) = &args.revision {
        let parts = text.rsplit_once('@').filter(|(branch, commit)| !branch.is_empty() && commit.len() >= 7);
        let (branch, commit) = parts.ok_or_else(|| {
            Failure::new(format!("--revision `{text}` is not BRANCH@COMMIT")).hint("for example master@b17eb8e")
        })?;
        return Ok(Some((branch.to_owned(), commit.to_owned())));
    }
    let folder = args.spec.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let tree = WorkTree::containing(&environment::git(), folder);
    if !tree.is_git() {
        return Ok(None);
    }
    let head = tree.head().map_err(Failure::new)?;
    let branch = tree.branch_name().map_err(Failure::new)?;
    Ok(head.map(|head| (branch.unwrap_or_else(|| "detached".to_owned()), head.revision.to_string())))
}
