//! `aux image plan`: what a new image would bring, and whether it is worth it.

use std::path::PathBuf;

use aux_app::exit;
use aux_core::Inventory;
use aux_image::Spec;
use aux_image::audit::{Branch, Report};
use aux_image::plan::{Changelog, PackageChange, Worth, changelog, inventory, json, worth};
use aux_image::resolve::{Resolution, resolve};
use jiff::Timestamp;

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
    let Judged { resolution, before, after, changelog, worth, .. } = judged(&args.inputs, &spec, &branches, ui)?;
    if args.json {
        ui.answer(&json(&spec, &resolution, &changelog, &worth, (&before, &after)))?;
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

/// What a new image would be, held against the one of today.
pub(super) struct Judged<'b> {
    pub(super) resolution: Resolution<'b>,
    /// What the image holds today, and when it was built.
    pub(super) current: Inventory,
    pub(super) built: Option<Timestamp>,
    pub(super) before: Report,
    pub(super) after: Report,
    pub(super) changelog: Changelog,
    pub(super) worth: Worth,
}

/// Resolves a specification against its branch, audits both images, and judges by the policy.
pub(super) fn judged<'b>(
    inputs: &Inputs,
    spec: &Spec,
    branches: &'b [Branch],
    ui: &mut Ui,
) -> Result<Judged<'b>, Failure> {
    let own = branches.first().and_then(|branch| branch.summary.as_ref().ok());
    let own = own.ok_or_else(|| Failure::new("the branch has no summary"))?;
    let resolution = resolve(own, &spec.packages)
        .map_err(|error| Failure::new(error).hint("the specification's names must be packages of its branch"))?;
    let new = inventory(&spec.name, &resolution);
    let (current, built) = inputs.current();
    // Where there is no image yet, its successor is judged alone.
    let old_or_new = if inputs.has_current() { &current } else { &new };
    let mut reports =
        inputs.audits(&[old_or_new, &new], branches, &spec.policy.now, ui)?.unwrap_or_default().into_iter();
    let (Some(before), Some(after)) = (reports.next(), reports.next()) else { return Err(Failure::new("no audit")) };
    let findings = |report: &Report| report.images.iter().flat_map(|image| image.findings.clone()).collect::<Vec<_>>();
    let old_findings = if inputs.has_current() { findings(&before) } else { Vec::new() };
    let changelog = changelog((&current, &old_findings), (&new, &findings(&after)));
    let now = environment::now(inputs.as_of)?;
    let worth = worth(&changelog, (&before, &after), &spec.policy, built, now);
    Ok(Judged { resolution, current, built, before, after, changelog, worth })
}

pub(super) fn sentence(worth: &Worth) -> String {
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
