//! `aux cache fsck`: whether everything a server keeps is what it says it is.

use aux_app::exit;
use serde::Deserialize;

use super::server::{Server, size};
use crate::failure::Failure;
use crate::ui::Ui;

/// Hash everything the server keeps again. Exits with 1 where something is missing or is not what it should be.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Answer {
    clean: bool,
    objects: u64,
    stored_bytes: u64,
    paths: u64,
    #[serde(default)]
    problems: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    kind: String,
    subject: String,
    detail: String,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let bar = ui.bytes("the server is hashing everything it keeps");
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    let document = args.server.client()?.check();
    bar.finish_and_clear();
    let document = document.map_err(|error| Failure::cache(&error))?;
    let answer: Answer = document.read().map_err(|error| Failure::cache(&error))?;
    let is_clean = answer.clean && answer.problems.is_empty();
    args.server.answer(&document, ui, || Ok(lines(&answer, is_clean)))?;
    Ok(if is_clean { exit::DONE } else { exit::NO })
}

fn lines(answer: &Answer, is_clean: bool) -> Vec<String> {
    let Answer { objects, stored_bytes, paths, problems, .. } = answer;
    let word = if is_clean { "clean" } else { "NOT CLEAN" };
    let mut lines = vec![format!("{word}: {paths} paths, {objects} objects, {}", size(*stored_bytes))];
    for Problem { kind, subject, detail } in problems {
        lines.push(format!("  {kind} {subject}: {detail}"));
    }
    if problems.iter().any(|problem| problem.kind == "object") {
        lines.push(
            "`aux cache push PATH --to CACHE --repair` sends a damaged NAR again, from a store that has the path"
                .to_owned(),
        );
    }
    lines
}
