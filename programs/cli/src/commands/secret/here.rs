//! `aux secret init --here`: a fleet of this machine, with keys that are made for it.

use std::path::{Path, PathBuf};

use aux_app::exit;
use aux_core::limits::SLOT_FILE_BYTES_MAX;
use aux_io::{file, input};
use aux_secrets::acts::{InitRequest, Session, init};
use aux_secrets::declaration::Edit;
use aux_secrets::{FleetId, Identities, Label, Recipient, Repository, SecretBytes, age_file};
use aux_unlock::{slot, tag_recipient};
use jiff::civil::Date;
use serde_json::json;

use super::common::{random, read_identities};
use super::reach::refuse_single;
use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::Ui;

/// What was typed.
pub(super) struct Beginning<'a> {
    pub(super) dir: &'a Path,
    pub(super) machine: Option<Label>,
    pub(super) today: Date,
}

/// A new identity, and the same as a file's content.
fn made(comment: &str) -> Result<(Identities, Recipient, SecretBytes), Failure> {
    let text = age_file::identity_of(&random()?);
    let identities = Identities::read(&text).map_err(Failure::new)?;
    let recipient = recipient(&identities)?;
    let mut content = SecretBytes::with_capacity(512);
    content.push(format!("# {comment}\n# public key: {recipient}\n").as_bytes());
    content.push(text.reveal());
    content.push(b"\n");
    Ok((identities, recipient, content))
}

fn recipient(identities: &Identities) -> Result<Recipient, Failure> {
    identities.recipients().into_iter().next().ok_or_else(|| Failure::new("an identity without a recipient"))
}

/// The identity of a file, which is made where it is not there.
fn kept(path: &Path, comment: &str, ui: &mut Ui) -> Result<(Identities, Recipient), Failure> {
    if path.exists() {
        let identities = read_identities(path, ui)?;
        let recipient = recipient(&identities)?;
        return Ok((identities, recipient));
    }
    let (identities, recipient, content) = made(comment)?;
    if let Some(folder) = path.parent() {
        file::create_private_folder(folder)?;
    }
    file::create_private(path, content.reveal())?;
    Ok((identities, recipient))
}

/// Whom this machine's keys are encrypted to, and the file that opens them: its slots where it has some, a key in its TPM where it
/// has one, an identity otherwise.
fn of_machine(machine: &Label, ui: &mut Ui) -> Result<(Recipient, PathBuf), Failure> {
    let [slots, tpm_key] = ["slots.json", "tpm-key.json"].map(|name| environment::state_folder().join(name));
    if !slots.exists() && tpm_key.exists() {
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", tpm_key.display()));
        let key = slot::parse_tpm_key(&input::read(&tpm_key, SLOT_FILE_BYTES_MAX)?).map_err(|error| failed(&error))?;
        let text = tag_recipient(&key).map_err(|error| failed(&error))?;
        return Ok((text.parse().map_err(|error| failed(&error))?, tpm_key));
    }
    if !slots.exists() {
        let path = environment::machine_identity();
        let (_, recipient) = kept(&path, &format!("the identity of the machine {machine}"), ui)?;
        return Ok((recipient, path));
    }
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", slots.display()));
    let read = slot::parse(&input::read(&slots, SLOT_FILE_BYTES_MAX)?).map_err(|error| failed(&error))?;
    if read.machine != machine.as_str() {
        let hint = format!("say --machine {}, or make slots for this machine", read.machine);
        return Err(failed(&format!("the slots were made for machine `{}`", read.machine)).hint(hint));
    }
    refuse_single(&read, "its secrets would hang on it")?;
    Ok((read.recipient.parse().map_err(|error| failed(&error))?, slots))
}

/// Runs it.
pub(super) fn run(beginning: Beginning<'_>, is_json: bool, ui: &mut Ui) -> Result<u8, Failure> {
    let name = || environment::host_name().to_ascii_lowercase().parse::<Label>();
    let machine = match beginning.machine {
        Some(machine) => machine,
        None => name().map_err(|error| {
            Failure::new(error).hint("--machine NAME says what this machine is to be called among secrets")
        })?,
    };
    // Refused here where a fleet is there, before a key is made.
    let repository = Repository::create(beginning.dir)?;
    let no_home = || Failure::new("there is no home to keep an identity in").hint("set HOME, or name --recipient");
    let own = environment::secrets_identity().ok_or_else(no_home)?;
    let (kept_identity, kept_recipient) = kept(&own, "opens the seed of secrets", ui)?;
    let (machine_recipient, opens) = of_machine(&machine, ui)?;
    let fleet = FleetId(*random()?);
    let (safe_identity, safe_recipient, safe) = made(&format!("recovery of the secrets of fleet {fleet}"))?;
    // First, so that nothing is begun whose key went nowhere.
    ui.close_answer_to_others();
    if !is_json {
        ui.answer_secret(&safe)?;
    }
    let recipients = vec![kept_recipient, safe_recipient];
    let request = InitRequest { recipients, fleet, seed: random()?, today: beginning.today };
    let again = read_identities(&own, ui)?;
    let begun = init(repository, request, vec![kept_identity, safe_identity], &mut |_| {})?;
    let mut session = Session::open(Repository::open(beginning.dir, None)?, again)?;
    session.edit(&[Edit::AddMachine {
        name: machine.clone(),
        environment: None,
        groups: Vec::new(),
        recipients: vec![machine_recipient.to_string()],
    }])?;
    let committed = session.prepare(false)?.commit(&mut |_| {})?;
    let dir = beginning.dir.display();
    if is_json {
        let answer = json!({
            "schema": "aux.secret-init-here/1", "fleet": begun.fleet.to_string(), "signer": begun.signer.as_str(),
            "machine": machine, "serial": committed.serial, "identity": own.display().to_string(),
            "machine_opens_by": opens.display().to_string(), "recovery_key": safe.reveal_text(),
        });
        ui.answer(&format!("{answer:#}\n"))?;
        return Ok(exit::DONE);
    }
    ui.remark(&format!("fleet {fleet} is in {dir}; two keys opened its seed just now:"));
    ui.remark(&format!("  {}, which you go on with", own.display()));
    ui.remark("  the one just printed: put it away where the first is not; it is not shown again");
    ui.remark(&format!("machine {machine} is enrolled; its keys open by {}", opens.display()));
    ui.remark(&format!("next: aux secret add NAME --type TYPE --unit UNIT --repo {dir}"));
    Ok(exit::DONE)
}
