//! `aux cache policy`: the rules by which a view admits what is promoted into it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aux_app::exit;
use aux_cache::client::{CacheClient, PolicyTrial};
use serde::Deserialize;

use super::create::{sbom, text};
use super::promote::{Refused, refusals};
use super::push::lock_of;
use super::server::{Server, store_path};
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Print a view's policy, give it another one, or try one out.
///
/// With --set, what the view serves already stays, and is judged by the new policy. With --test nothing changes: every rule is
/// tried on what the view serves now, or on the paths that are named and all they need, and it exits with 1 where one is refused.
//
// A flag and not a verb of its own, because a view may be called `test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The view.
    #[arg(value_name = "VIEW")]
    view: String,
    /// With --test: store paths of the view's cache, their last parts, or links to them such as ./result.
    #[arg(value_name = "PATH", requires = "test")]
    paths: Vec<String>,
    /// The new policy, TOML.
    #[arg(long, value_name = "FILE", conflicts_with = "test")]
    set: Option<PathBuf>,
    /// Say what this policy, TOML, would admit and refuse, and change nothing.
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// With --test: the sources that a flake.lock locks; the file, or the folder it is in.
    #[arg(long, value_name = "FILE", requires = "test")]
    lock: Option<PathBuf>,
    /// With --test: show an SBOM to rules about licences: CycloneDX or SPDX in JSON, which names store paths.
    #[arg(long, value_name = "FILE", requires = "test")]
    sbom: Option<PathBuf>,
    /// With --test: the paths alone; all they need must be in the view already.
    #[arg(long, requires = "test")]
    no_closure: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct View {
    #[serde(default)]
    policy: String,
}

#[derive(Deserialize)]
struct Answer {
    paths: Vec<Tried>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Tried {
    admitted: bool,
    rules: Vec<Ruling>,
}

#[derive(Deserialize)]
struct Ruling {
    rule: String,
    outcome: String,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let client = args.server.client()?;
    if let Some(file) = &args.test {
        return test(args, file, &client, ui);
    }
    let Some(file) = &args.set else {
        let document = client.view(&args.view).map_err(|error| Failure::cache(&error))?;
        args.server.answer(&document, ui, || {
            let View { policy } = document.read()?;
            if policy.trim().is_empty() {
                // A policy as well, so that what is printed can be edited and given back.
                return Ok(vec![format!("# {} has no rules: whatever is promoted into it is admitted", args.view)]);
            }
            Ok(policy.lines().map(str::to_owned).collect())
        })?;
        return Ok(exit::DONE);
    };
    let document = client.set_policy(&args.view, &text(file)?).map_err(|error| Failure::cache(&error))?;
    args.server.answer(&document, ui, || Ok(vec![format!("{} has the policy of {}", args.view, file.display())]))?;
    Ok(exit::DONE)
}

fn test(args: &Args, file: &Path, client: &CacheClient, ui: &mut Ui) -> Result<u8, Failure> {
    let trial = PolicyTrial {
        policy: text(file)?,
        paths: args.paths.iter().map(|path| store_path(path)).collect(),
        lock: args.lock.as_deref().map(|path| text(&lock_of(path))).transpose()?,
        sbom: args.sbom.as_deref().map(sbom).transpose()?,
        closure: !args.no_closure,
    };
    let document = client.test_policy(&args.view, &trial).map_err(|error| Failure::cache(&error))?;
    let answer: Answer = document.read().map_err(|error| Failure::cache(&error))?;
    args.server.answer(&document, ui, || Ok(lines(&answer, args, file)))?;
    Ok(if answer.refused.is_empty() { exit::DONE } else { exit::NO })
}

fn lines(answer: &Answer, args: &Args, file: &Path) -> Vec<String> {
    let (file, view) = (file.display(), &args.view);
    let is_served = args.paths.is_empty() && args.lock.is_none();
    let what = counted(answer.paths.len(), "path", "paths");
    let what = if is_served { format!("{what} that {view} serves") } else { what };
    let admitted = answer.paths.iter().filter(|path| path.admitted).count();
    let mut lines = Vec::new();
    lines.push(match (answer.paths.len(), admitted) {
        (0, _) if is_served => format!("{view} serves nothing that {file} could be tried on"),
        (0, _) => format!("nothing is there that {file} could be tried on"),
        (all, admitted) if all == admitted => format!("{file} admits {what}"),
        (_, admitted) => format!("{file} admits {admitted} of {what}"),
    });
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for ruling in answer.paths.iter().flat_map(|path| &path.rules) {
        let [holds, fails, unknown] = counts.entry(&ruling.rule).or_default();
        match ruling.outcome.as_str() {
            "holds" => *holds += 1,
            "fails" => *fails += 1,
            _ => *unknown += 1,
        }
    }
    // In the order of the policy, which every path has.
    for ruling in answer.paths.first().map(|path| &path.rules).into_iter().flatten() {
        let [holds, fails, unknown] = counts.get(ruling.rule.as_str()).copied().unwrap_or_default();
        let parts = [("holds for", holds), ("fails for", fails), ("cannot be told for", unknown)];
        let parts = parts.into_iter().filter(|(_, count)| *count > 0).map(|(verb, count)| format!("{verb} {count}"));
        lines.push(format!("  rule `{}`: {}", ruling.rule, parts.collect::<Vec<_>>().join(", ")));
    }
    lines.extend(refusals(&answer.refused));
    lines
}
