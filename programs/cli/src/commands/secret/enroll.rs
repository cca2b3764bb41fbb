//! `aux secret enroll`: a machine gets its keys.

use aux_secrets::declaration::Edit;
use aux_secrets::{Label, Recipient};
use serde_json::json;

use super::common::{Answer, Writing};
use crate::failure::Failure;
use crate::ui::Ui;

/// Give a machine its keys: declare it, derive its key, and encrypt that to the machine and to recovery.
///
/// The recipient is a key that only the machine has: the TPM's (age1tag1…), or one that age-keygen made there.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The machine's name.
    #[arg(value_name = "MACHINE")]
    machine: Label,
    /// The machine's own recipient of age; may be given several times.
    #[arg(long = "recipient", short = 'r', value_name = "AGE")]
    recipients: Vec<String>,
    /// A group it belongs to; may be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<Label>,
    /// The environment it belongs to.
    #[arg(long, value_name = "ENVIRONMENT")]
    environment: Option<Label>,
    #[command(flatten)]
    writing: Writing,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let recipients = args.recipients.iter().map(|text| text.parse()).collect::<Result<Vec<Recipient>, _>>();
    let recipients = recipients.map_err(Failure::new)?;
    let mut session = args.writing.session(ui)?;
    if session.declaration().machines.contains_key(&args.machine) {
        let hint = "change its table in aux-secrets.toml, then run `aux secret rekey`";
        return Err(Failure::new(format!("machine {} is enrolled already", args.machine)).hint(hint));
    }
    session.edit(&[Edit::AddMachine {
        name: args.machine.clone(),
        environment: args.environment.clone(),
        groups: args.groups.clone(),
        recipients: recipients.iter().map(ToString::to_string).collect(),
    }])?;
    let prepared = session.prepare(false)?;
    let recipient = prepared.manifest.machines.get(&args.machine).and_then(|entry| entry.recipient.clone());
    let answer = Answer {
        lines: vec![format!("machine {}: its keys are in machines/{}/scope.age", args.machine, args.machine)],
        fields: vec![
            ("machine", json!(args.machine.as_str())),
            ("recipient", json!(recipient.map(|one| one.to_string()))),
        ],
    };
    if recipients.is_empty() {
        ui.remark("aux: no --recipient: only recovery can open this machine's keys until it has one");
    }
    args.writing.finish(prepared, &answer, ui)
}
