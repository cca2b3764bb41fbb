//! `aux image plan`: what a new image would bring, and whether it is worth it.

use std::path::PathBuf;

use aux_app::exit;
use aux_image::plan::{Changelog, PackageChange, Worth, changelog, inventory, json, worth};
use aux_image::resolve::resolve;

use super::inputs::{Inputs, spec};
use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Resolve the names of a specification against its branch, and say what a new image would bring: packages old and new,
/// findings that it fixes, brings and leaves, and whether it is worth it by the specification's policy.
///
/// Exits with 0 where it is worth it, with 1 where it is not yet, with 2 where nobody can say.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The specification of the image.
    #[arg(value_name = "SPEC")]
    spec: PathBuf,
    #[command(flatten)]
    inputs: Inputs,
    /// Print an aux.image-plan/1 document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.json;
    let spec = spec(&args.spec)?;
    if !args.inputs.has_list() {
        return Err(Failure::new("without a vulnerability list nobody can say what a new image fixes")
            .hint("name it with --vulnerabilities FILE"));
    }
    let branches = args.inputs.branches(&spec)?;
    let own = branches.first().and_then(|branch| branch.summary.as_ref().ok());
    let own = own.ok_or_else(|| Failure::new("the branch has no summary"))?;
    let resolution = resolve(own, &spec.packages)
        .map_err(|error| Failure::new(error).hint("the specification's names must be packages of its branch"))?;
    let new = inventory(&spec.name, &resolution);
    let (old, built) = args.inputs.current();
    // Where there is no image yet, its successor is judged alone.
    let old_or_new = if args.inputs.has_current() { &old } else { &new };
    let reports = args.inputs.audits(&[old_or_new, &new], &branches, &spec.policy.now, ui)?.unwrap_or_default();
    let [before, after] = reports.as_slice() else { return Err(Failure::new("no audit")) };
    let findings = |report: &aux_image::audit::Report| {
        report.images.iter().flat_map(|image| image.findings.clone()).collect::<Vec<_>>()
    };
    let old_findings = if args.inputs.has_current() { findings(before) } else { Vec::new() };
    let changelog = changelog((&old, &old_findings), (&new, &findings(after)));
    let now = environment::now(args.inputs.as_of)?;
    let worth = worth(&changelog, (before, after), &spec.policy, built, now);
    if args.json {
        ui.answer(&json(&spec, &resolution, &changelog, &worth, (before, after)))?;
    } else {
        let mut lines: Vec<String> = before
            .every_problem()
            .chain(after.every_problem())
            .map(|problem| format!("! {}: {}", problem.subject, problem.message))
            .collect();
        lines.dedup();
        lines.push(format!(
            "{} on {}: {}",
            spec.name,
            spec.branch,
            counted(resolution.packages.len(), "package", "packages")
        ));
        lines.extend(resolution.superseded.iter().map(|(name, by)| format!("  {name} is superseded by {by}")));
        lines.extend(changes(&changelog));
        lines.push(sentence(&worth));
        ui.answer_lines(&lines)?;
    }
    Ok(match worth {
        Worth::Now(_) | Worth::Cadence(_) => exit::DONE,
        Worth::No(_) => exit::NO,
        Worth::Unknown(_) => exit::UNKNOWN,
    })
}

fn sentence(worth: &Worth) -> String {
    match worth {
        Worth::Now(reason) => format!("Worth it now: {reason}"),
        Worth::Cadence(reason) => format!("Worth it, because it is time: {reason}"),
        Worth::No(reason) => format!("Not worth it yet: {reason}"),
        Worth::Unknown(reason) => format!("Nobody can say whether it is worth it: {reason}"),
    }
}

/// A changelog as lines.
pub(super) fn changes(changelog: &Changelog) -> Vec<String> {
    let mut lines: Vec<String> = changelog.packages.iter().map(|change| format!("  {}", package(change))).collect();
    for (word, findings) in [("fixes", &changelog.fixed), ("brings", &changelog.brought), ("leaves", &changelog.left)] {
        if !findings.is_empty() {
            lines.push(format!("{word} {}", counted(findings.len(), "finding", "findings")));
        }
        for finding in findings {
            let name = finding.ids.first().unwrap_or(&finding.url);
            let fix = if word == "leaves" { format!(" ({})", finding.fixability().as_str()) } else { String::new() };
            lines.push(format!("  {} {}: {name}, {}{fix}", finding.package, finding.version, finding.kind));
        }
    }
    lines
}

fn package(change: &PackageChange) -> String {
    let back = if change.is_downgrade() { " (older)" } else { "" };
    match (&change.from, &change.to) {
        (Some(from), Some(to)) => format!("{} {from} → {to}{back}", change.name),
        (None, Some(to)) => format!("{} {to} (new)", change.name),
        (Some(from), None) => format!("{} {from} (gone)", change.name),
        (None, None) => change.name.clone(),
    }
}
