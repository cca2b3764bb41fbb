//! `aux audit --explain ID`: one advisory and everything in the targets, in sentences.

use aux_advisory::index::Index;
use aux_app::exit;
use aux_audit::explain;
use aux_audit::formats::explanation;
use aux_core::{Inventory, Problem};
use jiff::civil::Date;

use crate::failure::Failure;
use crate::ui::Ui;

/// How to answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) id: &'a str,
    pub(crate) is_json: bool,
    pub(crate) allow_incomplete: bool,
    pub(crate) today: Date,
    /// Why the feed cannot speak for the present, where it cannot.
    pub(crate) stale_feed: Option<&'a str>,
}

/// The text and the exit code: an advisory the feed lacks, or a target left unread, is no answer.
pub(crate) fn explained(
    index: &Index<'_>,
    inventories: &[Inventory],
    answer: Answer<'_>,
    ui: &Ui,
) -> Result<(String, u8), Failure> {
    let explanation = explain(index, inventories, answer.id, answer.today).map_err(Failure::new)?;
    let stale = answer.stale_feed.map(|reason| Problem::new("the feed", reason));
    let problems: Vec<&Problem> =
        stale.iter().chain(inventories.iter().flat_map(|inventory| &inventory.problems)).collect();
    let text = if answer.is_json {
        explanation::json(answer.id, &explanation, &problems)
    } else {
        // What was not read stands first, because the rest may be silent about it.
        let unread = problems.iter().map(|problem| format!("not read: {}: {}", problem.subject, problem.message));
        ui.text_of(&unread.chain(explanation.lines.iter().cloned()).collect::<Vec<_>>())
    };
    let is_whole = explanation.is_known && stale.is_none() && (problems.is_empty() || answer.allow_incomplete);
    Ok((text, if is_whole { exit::DONE } else { exit::UNKNOWN }))
}
