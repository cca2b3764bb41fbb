//! `aux cache why`: why a path is served, or is not.

use aux_app::exit;
use serde::Deserialize;

use super::server::{Server, digest_of, moment};
use crate::failure::Failure;
use crate::ui::Ui;

/// Say why a cache or view serves a path or does not, with every decision about it. Exits with 1 where it is not served.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store path, its last part, a link to it such as ./result, or the 32 characters it begins with.
    #[arg(value_name = "PATH")]
    path: String,
    /// The cache or view.
    #[arg(long = "in", value_name = "CACHE")]
    cache: String,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Answer {
    path: Option<String>,
    state: String,
    reason: Option<String>,
    because: Option<String>,
    at: Option<String>,
    by: Option<String>,
    /// Older servers do not say it.
    used: Option<String>,
    #[serde(default)]
    decisions: Vec<Decision>,
}

#[derive(Deserialize)]
struct Decision {
    number: u64,
    at: String,
    by: String,
    admitted: bool,
    #[serde(default)]
    evidence: Vec<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let digest = digest_of(&args.path)?;
    let document = args.server.client()?.why(&args.cache, &digest).map_err(|error| Failure::cache(&error))?;
    let answer: Answer = document.read().map_err(|error| Failure::cache(&error))?;
    args.server.answer(&document, ui, || Ok(lines(&answer, args)))?;
    Ok(if answer.state == "served" { exit::DONE } else { exit::NO })
}

fn lines(answer: &Answer, args: &Args) -> Vec<String> {
    let path = answer.path.as_deref().unwrap_or(&args.path);
    let state = match answer.state.as_str() {
        "waiting" => "waiting: it is in the source, and nobody promoted it",
        "absent" => "absent: it is not here",
        "removed" => "removed: a rollback took it out",
        other => other,
    };
    let mut lines = vec![format!("{path}"), format!("  {state}")];
    if let Some(reason) = &answer.reason {
        lines.push(format!("  reason: {reason}"));
    }
    if let Some(because) = &answer.because {
        lines.push(format!("  because it needs {because}"));
    }
    if let Some(at) = &answer.at {
        let by = answer.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        lines.push(format!("  since {}{by}", moment(at)));
    }
    if let Some(used) = &answer.used {
        lines.push(format!("  asked for last on {used}"));
    }
    for Decision { number, at, by, admitted, evidence } in &answer.decisions {
        let word = if *admitted { "admitted" } else { "refused" };
        lines.push(format!("  decision {number}, {} by {by}: {word}", moment(at)));
        lines.extend(evidence.iter().map(|sentence| format!("    {sentence}")));
    }
    lines
}
