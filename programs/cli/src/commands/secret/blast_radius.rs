//! `aux secret blast-radius`: what one compromise takes.

use aux_app::exit;
use aux_secrets::acts::{View, blast_radius};
use serde_json::json;

use super::common::{Place, Signers};
use crate::failure::Failure;
use crate::ui::Ui;

/// Say what a machine or a person could read, and what must change when they are no longer trusted, in order.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A machine's name; or a person's recipient (age1…) or signing key (ssh-ed25519 AAAA…).
    #[arg(value_name = "WHO")]
    who: String,
    #[command(flatten)]
    signers: Signers,
    #[command(flatten)]
    place: Place,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let view = View::open(args.place.open()?, args.signers.read()?)?;
    let Some(radius) = blast_radius(&view.manifest, &args.who) else {
        return Err(Failure::new(format!(
            "`{}` is no machine, recipient of recovery or signer of this fleet",
            args.who
        ))
        .hint("`aux secret list --json` names the machines; recovery and signers stand in aux-secrets.toml"));
    };
    if args.json {
        let steps = radius.steps.iter().map(|step| json!({ "command": step.command, "why": step.why }));
        let answer = json!({
            "schema": "aux.secret-blast-radius/1", "who": args.who, "readable": radius.readable, "steps": steps.collect::<Vec<_>>(),
            "remaining": radius.remaining,
        });
        ui.answer(&format!("{answer:#}\n"))?;
        return Ok(exit::DONE);
    }
    let mut lines = vec!["could read:".to_owned()];
    lines.extend(radius.readable.iter().map(|what| format!("  {what}")));
    lines.push("do, in this order:".to_owned());
    for (index, step) in radius.steps.iter().enumerate() {
        match &step.command {
            Some(command) => {
                lines.push(format!("  {}. {command}", index + 1));
                lines.push(format!("       {}", step.why));
            }
            None => lines.push(format!("  {}. by hand: {}", index + 1, step.why)),
        }
    }
    lines.push("what stays:".to_owned());
    lines.extend(radius.remaining.iter().map(|what| format!("  {what}")));
    ui.answer_lines(&lines)?;
    Ok(exit::DONE)
}
