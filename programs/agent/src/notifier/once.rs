//! `--once` and `--dry-run`: one look at the agent and one at the queue, and what came of it.

use std::path::Path;
use std::time::Duration;

use aux_alert::{Channel, DeliveryState, Event, Listed, Queue, wording};
use aux_core::limits::{ALERT_SEND_SECONDS_MAX, EVENTS_KEPT_MAX};
use serde::Serialize;

use crate::agent::Agent;
use crate::places::{QUEUE, open_queue};
use crate::stay::{deliver, toasts};
use crate::{Args, desktop, news, say};

/// Somebody waits for the answer.
const PATIENCE: Duration = Duration::from_secs(ALERT_SEND_SECONDS_MAX);

/// What was done, `aux.notifier/1`; docs/formats/notifier.md.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    dry_run: bool,
    shown: Vec<Told>,
    waiting: Vec<Told>,
    /// Why something waits or could not be asked.
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Told {
    event: &'static str,
    system: String,
    advisory: String,
    package: String,
    version: String,
    is_critical: bool,
}

impl Told {
    fn of(event: &Event) -> Self {
        Self {
            event: event.kind.as_str(),
            system: event.system.clone(),
            advisory: event.advisory.clone(),
            package: event.package.clone(),
            version: event.version.clone(),
            is_critical: event.is_critical,
        }
    }
}

/// Runs once. What was read is shown also where the agent cannot be asked for more.
pub(crate) fn run(args: &Args, folder: &Path) -> Result<(), String> {
    let mut problems = Vec::new();
    let (shown, waiting) = if args.dry_run { look(folder, &mut problems)? } else { show(folder, &mut problems)? };
    if args.json {
        let told = |events: &[Event]| events.iter().map(Told::of).collect();
        let document = Document {
            schema: "aux.notifier/1",
            dry_run: args.dry_run,
            shown: told(&shown),
            waiting: told(&waiting),
            problems: problems.clone(),
        };
        let text = serde_json::to_string(&document).map_err(|error| error.to_string())?;
        say::answer(&format!("{text}\n"))?;
    } else {
        let verb = if args.dry_run { "would show" } else { "shown" };
        let line = |verb: &str, event: &Event| format!("{verb}: {}\n", wording::headline(event));
        let mut text: String = shown.iter().map(|event| line(verb, event)).collect();
        text.extend(waiting.iter().map(|event| line("waiting", event)));
        if shown.is_empty() && waiting.is_empty() && problems.is_empty() {
            text.push_str("nothing new\n");
        }
        say::answer(&text)?;
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// Events that were shown, and those that wait.
type Both = (Vec<Event>, Vec<Event>);

fn look(folder: &Path, problems: &mut Vec<String>) -> Result<Both, String> {
    let path = folder.join(QUEUE);
    let mut queue = if path.exists() { Some(Queue::open(path).map_err(|error| error.to_string())?) } else { None };
    let mut events = match &mut queue {
        Some(queue) => waiting(queue)?,
        None => Vec::new(),
    };
    match Agent::connect(Some(PATIENCE)) {
        Ok(agent) => match news::look(&agent, queue.as_mut(), |reason| say::warn(&reason)) {
            Ok(news) => events.extend(news),
            Err(error) => problems.push(error.to_string()),
        },
        Err(error) => problems.push(error),
    }
    Ok((events, Vec::new()))
}

fn show(folder: &Path, problems: &mut Vec<String>) -> Result<Both, String> {
    let session = desktop::connect(Some(PATIENCE))?;
    let mut queue = open_queue(folder)?;
    match Agent::connect(Some(PATIENCE)) {
        Ok(agent) => {
            let fetched = news::fetch(&agent, &mut queue, |reason| say::warn(&reason));
            problems.extend(fetched.err().map(|error| error.to_string()));
        }
        Err(error) => problems.push(error),
    }
    // Somebody asks now, whatever the back-off of an earlier attempt.
    queue.hurry(crate::stay::CHANNEL, jiff::Timestamp::now()).map_err(|error| error.to_string())?;
    let mut channels: Vec<Box<dyn Channel>> = vec![Box::new(toasts(&session))];
    let outcome = deliver(&mut queue, &mut channels)?;
    if outcome.is_busy {
        problems.push("another notifier of this user shows them now".to_owned());
    }
    let hint = if desktop::has_server(&session) { "" } else { "; start one, such as dunst or mako" };
    let failed = outcome.attempts.iter().filter_map(|attempt| attempt.result.as_ref().err());
    problems.extend(failed.map(|error| format!("{error}{hint}")));
    let confirmed: Vec<&String> =
        outcome.attempts.iter().filter(|attempt| attempt.result.is_ok()).flat_map(|attempt| &attempt.ids).collect();
    let listed = listed(&mut queue)?;
    let shown = listed.into_iter().filter(|listed| confirmed.contains(&&listed.id)).map(|listed| listed.event);
    let shown = shown.collect();
    Ok((shown, waiting(&mut queue)?))
}

/// What the queue holds and nobody saw, oldest first.
fn waiting(queue: &mut Queue) -> Result<Vec<Event>, String> {
    let is_waiting = |listed: &Listed| {
        let is_settled = |delivery: &aux_alert::Delivery| !matches!(delivery.state, DeliveryState::Waiting { .. });
        !listed.deliveries.iter().any(is_settled)
    };
    Ok(listed(queue)?.into_iter().filter(is_waiting).map(|listed| listed.event).collect())
}

fn listed(queue: &mut Queue) -> Result<Vec<Listed>, String> {
    let mut listed = queue.list(EVENTS_KEPT_MAX).map_err(|error| error.to_string())?;
    listed.reverse();
    Ok(listed)
}
