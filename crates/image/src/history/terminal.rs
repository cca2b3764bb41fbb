//! A history as rows of a terminal: a bar a day, in marks that differ without colour.

use super::{Counts, Images, Observation, SEVERITIES, day};
use crate::audit::Fixability;

/// Rows of one image; more days than that are thinned out.
const ROWS_MAX: usize = 24;
/// What a row holds beside its bar.
const BESIDE: usize = 2 + 10 + 2 + 2 + 28;
const BAR_MIN: usize = 10;

/// The mark of a fixability: full where something can be done, the emptier the less.
fn mark(fix: Fixability) -> char {
    match fix {
        Fixability::Now => '█',
        Fixability::Rebase => '▒',
        Fixability::None => '░',
    }
}

/// Draws every image, within `width` columns.
pub fn terminal(images: &Images, width: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for (name, observations) in images {
        if !rows.is_empty() {
            rows.push(String::new());
        }
        rows.extend(image(name, observations, width));
    }
    rows
}

fn image(name: &str, observations: &[Observation], width: usize) -> Vec<String> {
    let (Some(first), Some(last)) = (observations.first(), observations.last()) else { return Vec::new() };
    let days = match observations.len() {
        1 => format!("observed on {}", day(first.at)),
        number => format!("observed on {number} days, {} to {}", day(first.at), day(last.at)),
    };
    let mut rows = vec![format!("{name}: {days}")];
    let bar = width.saturating_sub(BESIDE).max(BAR_MIN);
    let most = observations.iter().filter_map(|one| one.counts.as_ref().ok()).map(Counts::total).max().unwrap_or(0);
    for (shown, hidden) in thinned(observations) {
        rows.push(row(shown, bar, most, width));
        if hidden > 0 {
            rows.push(format!(
                "              and {hidden} more {} of which nobody can say",
                if hidden == 1 { "day" } else { "days" }
            ));
        }
    }
    rows.push(format!(
        "  {} fixable now  {} by a rebase  {} no fix known",
        mark(Fixability::Now),
        mark(Fixability::Rebase),
        mark(Fixability::None)
    ));
    rows.extend(table(observations));
    rows
}

/// At most so many days, the last always: each with how many unknown ones stand for between it and the one before.
fn thinned(observations: &[Observation]) -> Vec<(&Observation, usize)> {
    let step = observations.len().div_ceil(ROWS_MAX).max(1);
    // Whole groups from the end, so that the last day is the last of its group.
    let first = observations.len() % step;
    let (head, tail) = observations.split_at_checked(first).unwrap_or((&[], observations));
    std::iter::once(head)
        .chain(tail.chunks(step))
        .filter_map(|group| {
            let (last, rest) = group.split_last()?;
            Some((last, rest.iter().filter(|one| one.counts.is_err()).count()))
        })
        .collect()
}

fn row(observation: &Observation, bar: usize, most: u64, width: usize) -> String {
    let start = format!("  {}  ", day(observation.at));
    match &observation.counts {
        Err(reason) => {
            let room = width.saturating_sub(start.chars().count() + 11).max(BAR_MIN);
            let reason = aux_core::visible::visible(reason).into_owned();
            let is_long = reason.chars().count() > room;
            let shown: String = reason.chars().take(if is_long { room - 1 } else { room }).collect();
            format!("{start}? unknown: {shown}{}", if is_long { "…" } else { "" })
        }
        Ok(counts) => {
            let drawn: String = Fixability::ALL
                .iter()
                .map(|fix| String::from(mark(*fix)).repeat(length(counts.of_fix(*fix), most, bar)))
                .collect();
            // A mark for each that is there at all may need a little more than there is.
            let drawn: String = drawn.chars().take(bar).collect();
            let of = |fix| counts.of_fix(fix);
            let numbers = format!(
                "{:>4} now{:>4} rebase{:>4} none",
                of(Fixability::Now),
                of(Fixability::Rebase),
                of(Fixability::None)
            );
            format!("{start}{drawn:<bar$}  {numbers}")
        }
    }
}

/// The length of a part of a bar: in proportion, and at least a mark for whatever is there.
fn length(count: u64, most: u64, bar: usize) -> usize {
    if count == 0 || most == 0 {
        return 0;
    }
    let length = u128::from(count) * bar as u128 / u128::from(most);
    usize::try_from(length).unwrap_or(bar).max(1)
}

/// The last day of which somebody can say, by severity.
fn table(observations: &[Observation]) -> Vec<String> {
    let Some((position, known)) = observations.iter().enumerate().rev().find(|(_, one)| one.counts.is_ok()) else {
        return vec!["  on none of these days could anybody say".to_owned()];
    };
    let Ok(counts) = &known.counts else { return Vec::new() };
    let is_old = position + 1 < observations.len();
    let revision = known.list_revision.as_deref().map(|one| format!(", list {}", aux_core::visible::visible(one)));
    let feed = known.feed_serial.map_or(", no feed".to_owned(), |serial| format!(", feed {serial}"));
    let mut rows = vec![format!(
        "  {}{}{}{feed}",
        if is_old { "last known " } else { "on " },
        day(known.at),
        revision.unwrap_or_default()
    )];
    rows.push(format!("  {:<18}{:>6}{:>8}{:>8}", "severity", "now", "rebase", "none"));
    for severity in SEVERITIES {
        let of = |fix| counts.of(fix, severity);
        let numbers = Fixability::ALL.map(of);
        if numbers.iter().any(|number| *number > 0) {
            let [now, rebase, none] = numbers;
            let word = if severity == aux_core::Severity::Unknown { "not scored" } else { severity.as_str() };
            rows.push(format!("  {word:<18}{now:>6}{rebase:>8}{none:>8}"));
        }
    }
    if counts.total() == 0 {
        rows.push("  no finding".to_owned());
    }
    rows
}
