//! What commands about slots share: where the file is, and what may be used to open it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aux_core::limits::{PASSPHRASE_BYTES_MAX, SLOT_FILE_BYTES_MAX, TPM_POLICIES_BYTES_MAX};
use aux_io::input;
use aux_io::tpm::TpmAddress;
use aux_secrets::credential::Source;
use aux_secrets::{Device, Identities, KeptIdentities, Label};
use aux_unlock::memory::{SecretBytes, harden_process};
use aux_unlock::random::Randomness;
use aux_unlock::slot::{self, SlotFile};
use aux_unlock::{
    OpenError, Opened, Outcome, RecoveryKey, SlotReport, Surroundings, TagIdentity, lint, open, tang_client,
};
use serde::Serialize;

use super::common::{Keys, Signers, read_identities};
use crate::commands::{environment, network};
use crate::failure::Failure;
use crate::ui::Ui;

const TPM_DEVICE: &str = "/dev/tpmrm0";

#[derive(Debug, clap::Args)]
pub(crate) struct Reach {
    /// The file of slots; `slots.json` in the state folder otherwise.
    #[arg(long, value_name = "FILE")]
    slots: Option<PathBuf>,
    /// What this machine is called in the fleet; its host name otherwise.
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
    /// The TPM: a device, or `swtpm:ADDRESS:PORT`; `/dev/tpmrm0` where it is there.
    #[arg(long, value_name = "TPM")]
    tpm: Option<String>,
    /// Signed policies, for TPM slots that are bound to a key.
    #[arg(long, value_name = "FILE")]
    policies: Option<PathBuf>,
    /// The key in the TPM that this machine's keys are encrypted to (`aux secret slot recipient`); `tpm-key.json` in the state
    /// folder where it is there.
    #[arg(long, value_name = "FILE")]
    tpm_key: Option<PathBuf>,
    /// A file whose first line is a passphrase; `-` reads it from standard input.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// A file that holds a recovery key.
    #[arg(long, value_name = "FILE")]
    recovery_file: Option<PathBuf>,
    /// Print the answer as one document.
    #[arg(long)]
    pub(super) json: bool,
}

/// What opens a machine's keys.
pub(super) enum Opener {
    /// Files with identities.
    Named(Vec<PathBuf>),
    /// The file of slots.
    Slots(PathBuf),
    /// The file of a key in the TPM.
    TpmKey(PathBuf),
    /// An administrator's own identity.
    Kept,
}

/// One slot in a document of `--json`.
#[derive(Serialize)]
pub(super) struct SlotAnswer {
    path: String,
    kind: &'static str,
    /// Whether it opens with what was given.
    opens: bool,
    /// In words.
    outcome: String,
    remarks: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    slots: Vec<Self>,
}

impl Reach {
    /// The file's path.
    pub(super) fn path(&self) -> PathBuf {
        self.slots.clone().unwrap_or_else(|| environment::state_folder().join("slots.json"))
    }

    /// Reads the file.
    pub(super) fn read(&self) -> Result<SlotFile, Failure> {
        let path = self.path();
        if !path.exists() {
            return Err(Failure::new(format!("{}: no such file", path.display()))
                .hint("aux secret slot add NAME makes the first slot, and the file with it"));
        }
        let bytes = input::read(&path, SLOT_FILE_BYTES_MAX)?;
        slot::parse(&bytes).map_err(|error| {
            Failure::new(format!("{}: {error}", path.display()))
                .hint("restore the file from a copy, or make it anew: a machine opens by any of its slots")
        })
    }

    /// The machine's name, as secrets know it.
    pub(super) fn label(&self) -> Result<Label, Failure> {
        let name = self.machine.clone().unwrap_or_else(|| environment::host_name().to_ascii_lowercase());
        name.parse().map_err(|error| Failure::new(error).hint("--machine NAME says what this machine is called"))
    }

    /// What opens the machine's keys: what is named, else its slots, a key in its TPM, its own identity, or one that is kept, the first
    /// that is there.
    pub(super) fn opener(&self, keys: &Keys) -> Opener {
        let (slots, tpm_key, own) = (self.path(), self.tpm_key(), environment::machine_identity());
        match () {
            () if !keys.identities.is_empty() => Opener::Named(keys.identities.clone()),
            () if self.slots.is_some() => Opener::Slots(slots),
            () if self.tpm_key.is_some() => Opener::TpmKey(tpm_key),
            () if slots.exists() => Opener::Slots(slots),
            () if tpm_key.exists() => Opener::TpmKey(tpm_key),
            () if own.is_file() => Opener::Named(vec![own]),
            () => Opener::Kept,
        }
    }

    /// Where this machine's secrets are, and what opens them for as long as the program runs.
    pub(super) fn source(&self, folder: &Path, signers: &Signers, keys: &Keys, ui: &mut Ui) -> Result<Source, Failure> {
        let (machine, signers) = (self.label()?, signers.read()?);
        let identities = KeptIdentities::new(&self.identities(keys, ui)?);
        Ok(Source { folder: folder.to_owned(), machine, identities, signers })
    }

    /// Opens what there is to open.
    pub(super) fn identities(&self, keys: &Keys, ui: &mut Ui) -> Result<Identities, Failure> {
        match self.opener(keys) {
            Opener::Kept => keys.needed(ui),
            Opener::Named(paths) => {
                let mut each = paths.iter().map(|path| read_identities(path, ui));
                each.try_fold(Identities::default(), |all, one| Ok(all.with(one?)))
            }
            Opener::TpmKey(path) => self.tpm_identity(&path),
            Opener::Slots(_) => {
                let slots = self.read()?;
                let opened = open_or_ask(&slots, &mut self.surroundings()?, ui)?;
                let identity = opened.key.identity_text().map_err(Failure::new)?;
                Identities::read(&aux_secrets::SecretBytes::from(identity.as_bytes())).map_err(Failure::new)
            }
        }
    }

    /// The file of the key in the TPM.
    pub(super) fn tpm_key(&self) -> PathBuf {
        self.tpm_key.clone().unwrap_or_else(|| environment::state_folder().join("tpm-key.json"))
    }

    /// The key in the TPM as an identity; the TPM is asked when something is opened.
    pub(super) fn tpm_identity(&self, path: &Path) -> Result<Identities, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", path.display()));
        let object = slot::parse_tpm_key(&input::read(path, SLOT_FILE_BYTES_MAX)?).map_err(|error| {
            failed(&error).hint("restore the file from a copy, or make a new key and enrol the machine with it again")
        })?;
        let Surroundings { tpm, policies, random, .. } = self.surroundings()?;
        let address =
            tpm.ok_or_else(|| Failure::new("this machine has no /dev/tpmrm0").hint("--tpm says where the TPM is"))?;
        let key = TagIdentity::new(address, object, policies, random).map_err(|error| failed(&error))?;
        let recipient = key.recipient().map_err(|error| failed(&error))?.parse().map_err(|error| failed(&error))?;
        let refusals = key.refusals();
        let refusal = Arc::new(move || refusals().map(|error| error.to_string()));
        Ok(Identities::of_device(recipient, Device { identity: Arc::new(key), refusal }))
    }

    /// The TPM that is asked each time something is opened, if there is one.
    pub(super) fn asked_later(&self, keys: &Keys) -> Result<Option<TpmAddress>, Failure> {
        match self.opener(keys) {
            Opener::TpmKey(_) => Ok(self.surroundings()?.tpm),
            Opener::Kept | Opener::Named(_) | Opener::Slots(_) => Ok(None),
        }
    }

    /// The same for a command line that nobody types: what opens without a person, from the root.
    pub(super) fn options(&self, keys: &Keys) -> Result<Vec<String>, Failure> {
        if self.passphrase_file.is_some() || self.recovery_file.is_some() {
            return Err(Failure::new("a passphrase or a recovery key opens nothing while nobody is there")
                .hint("leave it out, and let the TPM or servers open the slots: aux secret slot add"));
        }
        let absolute = |path: &Path| environment::absolute(path).display().to_string();
        let with = |option: &str, path: &Path| [option.to_owned(), absolute(path)];
        let mut options: Vec<String> = match self.opener(keys) {
            Opener::Named(paths) => paths.iter().flat_map(|path| with("--identity", path)).collect(),
            Opener::Kept => environment::secrets_identity().iter().flat_map(|path| with("--identity", path)).collect(),
            Opener::Slots(path) => with("--slots", &path).to_vec(),
            Opener::TpmKey(path) => with("--tpm-key", &path).to_vec(),
        };
        if let Some(tpm) = &self.tpm {
            options.extend(["--tpm".to_owned(), tpm.clone()]);
        }
        if let Some(policies) = &self.policies {
            options.extend(with("--policies", policies));
        }
        Ok(options)
    }

    /// The file's permission bits; of one that cannot be looked at, those that say most.
    pub(super) fn mode(&self) -> u32 {
        std::fs::metadata(self.path()).map_or(0o777, |metadata| metadata.permissions().mode() & 0o7777)
    }

    /// What may be used. From here on the process leaves no core dump.
    pub(super) fn surroundings(&self) -> Result<Surroundings, Failure> {
        harden_process().map_err(Failure::new)?;
        let client = tang_client(network::options(true)?).map_err(|error| Failure::http(&error))?;
        let machine = self.machine.clone().unwrap_or_else(|| environment::host_name().to_ascii_lowercase());
        let mut surroundings = Surroundings::new(&machine, client, randomness());
        surroundings.tpm = match &self.tpm {
            Some(text) => Some(TpmAddress::parse(text).map_err(Failure::new)?),
            None => Path::new(TPM_DEVICE).exists().then(|| TpmAddress::Device(PathBuf::from(TPM_DEVICE))),
        };
        if let Some(path) = &self.policies {
            let bytes = input::read(path, TPM_POLICIES_BYTES_MAX)?;
            let policies = slot::parse_policies(&bytes);
            surroundings.policies = policies.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        }
        if let Some(path) = &self.passphrase_file {
            surroundings.passphrase = Some(Arc::new(passphrase(path)?));
        }
        if let Some(path) = &self.recovery_file {
            let bytes = input::read(path, PASSPHRASE_BYTES_MAX)?;
            let wrong = |cause: &dyn std::fmt::Display| Failure::new(format!("{}: {cause}", path.display()));
            let text = String::from_utf8(bytes).map_err(|_| wrong(&"not text"))?;
            let key = RecoveryKey::parse(&text).map_err(|error| wrong(&error))?;
            surroundings.recovery = Some(Arc::new(key));
        }
        Ok(surroundings)
    }
}

/// Refuses to let anything hang on slots that a single failure closes for good.
pub(super) fn refuse_single(file: &SlotFile, why: &str) -> Result<(), Failure> {
    lint::may_reboot(file).map_err(|points| {
        Failure::new(format!("the machine's slots are not fit for a restart, and {why}"))
            .details(points)
            .hint("aux secret slot add NAME makes another, such as --recovery")
    })
}

/// Opens the slots. Where nothing opens, a passphrase would, and somebody is there, that person is asked.
pub(super) fn open_or_ask(file: &SlotFile, surroundings: &mut Surroundings, ui: &mut Ui) -> Result<Opened, Failure> {
    let error = match open(file, surroundings) {
        Ok(opened) => return Ok(opened),
        Err(error) => error,
    };
    if wants_passphrase(&error)
        && ui.is_interactive()
        && let Some(typed) = ui.ask_unseen("passphrase:")
    {
        surroundings.passphrase = Some(Arc::new(moved(&typed)?));
        return open(file, surroundings).map_err(|error| failure(&error));
    }
    Err(failure(&error))
}

/// Typed bytes on a page of their own.
pub(super) fn moved(typed: &aux_secrets::SecretBytes) -> Result<SecretBytes, Failure> {
    let mut page = SecretBytes::zeroed(typed.reveal().len()).map_err(Failure::new)?;
    page.expose_mut().copy_from_slice(typed.reveal());
    Ok(page)
}

fn wants_passphrase(error: &OpenError) -> bool {
    fn any(reports: &[SlotReport]) -> bool {
        let waits =
            |report: &SlotReport| report.kind == "passphrase" && matches!(report.outcome, Outcome::Waits { .. });
        reports.iter().any(|report| waits(report) || any(&report.slots))
    }
    matches!(error, OpenError::NoneOpens { reports } if any(reports))
}

/// A failure to open, with what came of each slot.
pub(super) fn failure(error: &OpenError) -> Failure {
    let failure = Failure::new(error);
    match error {
        OpenError::NoneOpens { reports } => failure
            .details(rows(reports).into_iter().map(|row| row.trim_end().to_owned()).collect())
            .hint("--passphrase-file FILE or --recovery-file FILE opens a slot by hand"),
        OpenError::OtherMachine { file, .. } => {
            failure.hint(format!("slots of another machine open nothing here; if this is it, say --machine {file}"))
        }
        OpenError::OtherKey { .. } => failure.hint("restore the file from a copy"),
        OpenError::Memory(_) | OpenError::Key(_) => failure,
    }
}

/// What came of each slot, a line each, those of a threshold below it.
pub(super) fn rows(reports: &[SlotReport]) -> Vec<String> {
    let mut rows = Vec::new();
    for report in reports {
        rows.push(format!("{:<22} {:<10} {}", report.path, report.kind, report.outcome));
        rows.extend(report.remarks.iter().map(|remark| format!("{:<22} {:<10} note: {remark}", "", "")));
        rows.extend(self::rows(&report.slots));
    }
    rows
}

/// The same for a document.
pub(super) fn answers(reports: &[SlotReport]) -> Vec<SlotAnswer> {
    let answer = |report: &SlotReport| SlotAnswer {
        path: report.path.clone(),
        kind: report.kind,
        opens: report.outcome == Outcome::Opens,
        outcome: report.outcome.to_string(),
        remarks: report.remarks.clone(),
        slots: answers(&report.slots),
    };
    reports.iter().map(answer).collect()
}

/// Prints a document.
pub(super) fn document(document: &impl Serialize, ui: &mut Ui) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document).map_err(Failure::new)?;
    ui.answer(&(text + "\n"))
}

/// The first line of a file.
pub(super) fn passphrase(path: &Path) -> Result<SecretBytes, Failure> {
    let mut bytes = input::read(path, PASSPHRASE_BYTES_MAX)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let taken = SecretBytes::take(bytes.get_mut(..end).unwrap_or_default()).map_err(Failure::new)?;
    if taken.expose().is_empty() {
        return Err(Failure::new(format!("{}: its first line is empty, which is no passphrase", path.display())));
    }
    Ok(taken)
}

/// The kernel's own, which waits until it is seeded. (aws-lc would gather jitter of its own first, some 20 ms of an unlock.)
fn randomness() -> Randomness {
    Randomness::new(|bytes| {
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty()) {
                Ok(length) => filled += length,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    })
}
