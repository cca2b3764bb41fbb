//! `aux alert list`: what the queue holds, what was delivered, what waits, and why.

use std::path::PathBuf;

use aux_alert::{Delivery, DeliveryState, Event, Listed, Queue, wording};
use aux_app::exit;
use serde::Serialize;

use super::environment;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Say what alerts there are, where each was delivered, and what waits and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The queue to look into, where it is not the one that the configuration names.
    #[arg(long, value_name = "FILE")]
    queue: Option<PathBuf>,
    /// Show at most so many, the newest.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: u32,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

/// The document of `--json`.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    queue: String,
    alerts: Vec<Alert>,
}

#[derive(Serialize)]
struct Alert {
    id: String,
    accepted: String,
    #[serde(flatten)]
    event: Event,
    deliveries: Vec<Way>,
}

#[derive(Serialize)]
struct Way {
    channel: String,
    state: &'static str,
    /// When it was settled, or will be tried next.
    at: String,
    attempts: u32,
    error: Option<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let file = match &args.queue {
        Some(file) => file.clone(),
        None => environment::alert_settings()?.queue_file().to_owned(),
    };
    if !file.exists() {
        return Err(Failure::new(format!("{}: no such queue", file.display()))
            .hint("the agent begins one with its first alert; --queue FILE names another"));
    }
    let listed = Queue::open(&file).and_then(|mut queue| queue.list(args.limit)).map_err(Failure::new)?;
    if args.json {
        let alerts = listed.into_iter().map(alert).collect();
        let document = Document { schema: "aux.alert-list/1", queue: file.display().to_string(), alerts };
        let text = serde_json::to_string_pretty(&document).map_err(Failure::new)?;
        ui.answer(&(text + "\n"))?;
    } else if listed.is_empty() {
        ui.answer_lines(&["no alert was raised".to_owned()])?;
    } else {
        ui.answer_lines(&listed.iter().flat_map(lines).collect::<Vec<_>>())?;
    }
    Ok(exit::DONE)
}

fn alert(listed: Listed) -> Alert {
    let deliveries = listed.deliveries.into_iter().map(way).collect();
    Alert { id: listed.id, accepted: listed.accepted.to_string(), event: listed.event, deliveries }
}

fn way(delivery: Delivery) -> Way {
    let (state, at) = match delivery.state {
        DeliveryState::Waiting { next } => ("waiting", next),
        DeliveryState::Delivered { at } => ("delivered", at),
        DeliveryState::GivenUp { at } => ("given_up", at),
    };
    let Delivery { channel, attempts, error, .. } = delivery;
    Way { channel, state, at: at.to_string(), attempts, error }
}

fn lines(listed: &Listed) -> Vec<String> {
    let mut lines = vec![format!("{:.0}  {}", listed.accepted, wording::headline(&listed.event))];
    if listed.deliveries.is_empty() {
        lines.push("  waiting: no channel was there to take it".to_owned());
    }
    for delivery in &listed.deliveries {
        let attempts = counted(delivery.attempts as usize, "attempt", "attempts");
        let error = delivery.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        let channel = &delivery.channel;
        lines.push(match delivery.state {
            DeliveryState::Delivered { at } => format!("  {channel}: delivered {at:.0}"),
            DeliveryState::Waiting { next } => {
                format!("  {channel}: waiting after {attempts}, next {next:.0}{error}")
            }
            DeliveryState::GivenUp { at } => format!("  {channel}: given up {at:.0} after {attempts}{error}"),
        });
    }
    lines
}
