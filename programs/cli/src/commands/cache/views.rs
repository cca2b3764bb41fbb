//! `aux cache views`: what is served to whom, and how it stands today.

use aux_app::exit;
use aux_cache::client::ClientError;
use serde::Deserialize;

use super::server::{Server, moment, size};
use crate::failure::Failure;
use crate::ui::Ui;

/// Say which views there are and how each stands; with a name, what in it is affected now and how it came to be.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One view.
    #[arg(value_name = "VIEW")]
    view: Option<String>,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Views {
    views: Vec<View>,
}

#[derive(Deserialize)]
struct View {
    name: String,
    source: String,
    anonymous: bool,
    edition: Option<u64>,
    paths: Option<u64>,
    nar_bytes: Option<u64>,
    verdict: String,
    judged: Option<String>,
    feed: Option<Feed>,
    #[serde(default)]
    problems: Vec<String>,
    #[serde(default)]
    affected: Vec<Affected>,
    #[serde(default)]
    editions: Vec<Edition>,
}

#[derive(Deserialize)]
struct Feed {
    serial: Option<u64>,
    built: Option<String>,
}

#[derive(Deserialize)]
struct Affected {
    path: String,
    id: String,
    severity: Option<String>,
    #[serde(default)]
    dependency_path: Vec<String>,
    #[serde(default)]
    fixed_versions: Vec<String>,
}

#[derive(Deserialize)]
struct Edition {
    number: u64,
    at: String,
    act: String,
    by: String,
    reason: Option<String>,
    added: u64,
    removed: u64,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let client = args.server.client()?;
    let failed = |error: ClientError| Failure::cache(&error);
    match &args.view {
        None => {
            let document = client.views().map_err(failed)?;
            args.server.answer(&document, ui, || {
                let Views { views } = document.read()?;
                let mut rows =
                    vec![format!("{:<20} {:<20} {:>7} {:>8} {:<9}", "VIEW", "OF", "EDITION", "PATHS", "VERDICT")];
                rows.extend(views.iter().map(row));
                Ok(rows)
            })?;
        }
        Some(name) => {
            let document = client.view(name).map_err(failed)?;
            args.server.answer(&document, ui, || Ok(lines(&document.read()?)))?;
        }
    }
    Ok(exit::DONE)
}

fn number(value: Option<u64>) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| value.to_string())
}

fn row(view: &View) -> String {
    let edition = view.edition.map_or_else(|| "-".to_owned(), |edition| edition.to_string());
    format!("{:<20} {:<20} {edition:>7} {:>8} {:<9}", view.name, view.source, number(view.paths), view.verdict)
}

fn lines(view: &View) -> Vec<String> {
    let bytes = view.nar_bytes.map_or_else(|| "unknown size".to_owned(), size);
    let readers = if view.anonymous { "everybody" } else { "those with a token" };
    let mut lines = vec![
        format!("view      {} of {}", view.name, view.source),
        format!(
            "serves    {} {}, {bytes}, to {readers}",
            number(view.paths),
            if view.paths == Some(1) { "path" } else { "paths" }
        ),
        format!("verdict   {}", verdict(view)),
    ];
    lines.extend(view.problems.iter().map(|problem| format!("problem   {problem}")));
    for affected in &view.affected {
        let severity = affected.severity.as_deref().unwrap_or("not scored");
        let fix = match affected.fixed_versions.first() {
            Some(version) => format!("; fixed in {version}"),
            None => String::new(),
        };
        lines.push(format!("affected  {} ({severity}) {}{fix}", affected.id, affected.path));
        if affected.dependency_path.len() > 1 {
            lines.push(format!("          needed by {}", affected.dependency_path.join(" -> ")));
        }
    }
    for edition in &view.editions {
        let reason = edition.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let Edition { number, at, act, by, added, removed, .. } = edition;
        lines.push(format!("edition   {number} {} {act} by {by}, +{added} -{removed}{reason}", moment(at)));
    }
    lines
}

fn verdict(view: &View) -> String {
    let word = match view.verdict.as_str() {
        "unjudged" => "unjudged: no rule of its policy asks for an audit",
        other => other,
    };
    let judged = view.judged.as_deref().map(|time| format!(", judged {}", moment(time))).unwrap_or_default();
    let feed = match &view.feed {
        Some(Feed { serial, built }) => {
            let built = built.as_deref().map(|time| format!(" of {}", moment(time))).unwrap_or_default();
            format!(", by feed {}{built}", number(*serial))
        }
        None => String::new(),
    };
    format!("{word}{judged}{feed}")
}
