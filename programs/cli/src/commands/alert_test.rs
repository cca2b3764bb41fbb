//! `aux alert test`: one event, marked as a test, through the real channels.

use aux_alert::{Event, Message, SendError};
use aux_app::exit;
use jiff::Timestamp;
use serde::Serialize;

use super::environment;
use crate::failure::Failure;
use crate::ui::Ui;

/// Send a test event through the configured channels and say what happened.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this channel, such as `webhook.team`.
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

/// The document of `--json`.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    id: String,
    channels: Vec<Tried>,
}

#[derive(Serialize)]
struct Tried {
    channel: String,
    result: &'static str,
    cause: Option<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let settings = environment::alert_settings()?;
    let mut channels = settings.channels(&environment::alert_session()?);
    if let Some(wanted) = &args.channel {
        channels.keep(wanted);
    }
    if channels.ready.is_empty() && channels.problems.is_empty() {
        return Err(nobody(args));
    }
    let now = Timestamp::now();
    let id = format!("test_{}", now.as_nanosecond());
    let event = Event::test(&environment::host_name(), now);
    let message = Message { event, id: id.clone(), earlier: None };
    let mut tried: Vec<Tried> = channels
        .problems
        .iter()
        .map(|problem| Tried {
            channel: problem.channel().to_owned(),
            result: "not_set_up",
            cause: Some(problem.to_string()),
        })
        .collect();
    for channel in &mut channels.ready {
        let (result, cause) = match channel.send(std::slice::from_ref(&message), now) {
            Ok(_) => ("confirmed", None),
            Err(error @ SendError::Passing { .. }) => ("no_answer", Some(error.to_string())),
            Err(error @ SendError::Refused { .. }) => ("refused", Some(error.to_string())),
        };
        tried.push(Tried { channel: channel.name().to_owned(), result, cause });
    }
    let code = if tried.iter().all(|tried| tried.result == "confirmed") { exit::DONE } else { exit::NO };
    if args.json {
        let document = Document { schema: "aux.alert-test/1", id, channels: tried };
        let text = serde_json::to_string_pretty(&document).map_err(Failure::new)?;
        ui.answer(&(text + "\n"))?;
    } else {
        ui.answer_lines(&tried.iter().map(line).collect::<Vec<_>>())?;
    }
    Ok(code)
}

fn line(tried: &Tried) -> String {
    match (tried.result, &tried.cause) {
        ("not_set_up", Some(cause)) => format!("cannot be set up: {cause}"),
        (_, None) => format!("{}: confirmed", tried.channel),
        ("refused", Some(cause)) => format!("{}: refused: {cause}", tried.channel),
        (_, Some(cause)) => format!("{}: no answer: {cause}", tried.channel),
    }
}

fn nobody(args: &Args) -> Failure {
    match &args.channel {
        Some(name) => Failure::new(format!("no channel is called `{name}`"))
            .hint("channels are called as in aux.toml: notification, webhook.NAME, mail.NAME"),
        None => Failure::new("no channel is configured, and there is no desktop session to notify")
            .hint("name one in /etc/aux/aux.toml, for example: [alert.webhook.team] with url and secret_file"),
    }
}
