//! `aux secret slot add`: a slot, or several of which some are needed.

use std::path::PathBuf;
use std::sync::Arc;

use aux_app::exit;
use aux_core::limits::SLOT_TEXT_BYTES_MAX;
use aux_io::{file, input};
use aux_unlock::memory::SecretBytes;
use aux_unlock::slot::{SlotFile, print};
use aux_unlock::tpm::{self, CounterBound, Policy, PolicyKey, Statement};
use aux_unlock::{NewLock, NewSlot, PassphraseCost, Printed, Surroundings, add, create, lint, tang};
use serde::Serialize;

use super::reach::{Reach, document, moved, open_or_ask, passphrase};
use super::slot_nested;
use crate::failure::Failure;
use crate::ui::Ui;

/// What signed policies of ours are signed for.
pub(super) const REFERENCE: &str = "aux";

/// Make a slot. The first makes the file and a new key; every other is added once a slot that is there has opened.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "aux secret slot add [OPTIONS] SLOT",
    group = clap::ArgGroup::new("kind")
        .required(true)
        .multiple(true)
        .args(["tpm2", "policy_key", "tang", "new_passphrase_file", "new_passphrase", "recovery", "nested"])
)]
pub(crate) struct Args {
    /// What to call it.
    #[arg(value_name = "SLOT")]
    name: String,
    #[command(flatten)]
    binding: Binding,
    /// A tang server; may be given several times.
    #[arg(long, value_name = "URL")]
    tang: Vec<String>,
    /// A signing key of a tang server that is trusted, by its thumbprint; may be given several times.
    #[arg(long, value_name = "THUMBPRINT", requires = "tang")]
    trust: Vec<String>,
    /// A passphrase, the first line of this file; `-` reads it from standard input.
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// A passphrase, which is asked for.
    #[arg(long, conflicts_with = "new_passphrase_file")]
    new_passphrase: bool,
    /// A key that is printed, this once, on standard output.
    #[arg(long)]
    recovery: bool,
    /// How many of these it takes, where there are several.
    #[arg(long, value_name = "NUMBER")]
    threshold: Option<u8>,
    /// A file in TOML that says what opens it, with thresholds in thresholds.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tpm2", "policy_key", "tang", "new_passphrase_file", "new_passphrase",
        "recovery", "threshold"])]
    nested: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
}

/// What a key or slot in the TPM is bound to.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Binding {
    /// This machine's TPM, while these PCRs are what they are now, such as `7,11`.
    #[arg(long, value_name = "PCRS", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(0..24))]
    pub(super) tpm2: Vec<u8>,
    /// With --tpm2: only while this counter of the TPM, such as `0x01500020`, is not past its value; made if it is not there.
    #[arg(long, value_name = "INDEX", requires = "tpm2", value_parser = index)]
    pub(super) counter: Option<u32>,
    /// This machine's TPM, while a policy holds that this key has signed (a public key in PEM).
    #[arg(long, value_name = "FILE", conflicts_with = "tpm2")]
    pub(super) policy_key: Option<PathBuf>,
}

impl Binding {
    /// Whether it is bound to anything.
    pub(super) fn is_given(&self) -> bool {
        !self.tpm2.is_empty() || self.policy_key.is_some()
    }

    /// As a policy, with what the TPM has now; nothing where nothing is given.
    pub(super) fn policy(&self, surroundings: &Surroundings) -> Result<Option<Policy>, Failure> {
        if !self.is_given() {
            return Ok(None);
        }
        if let Some(path) = &self.policy_key {
            let limit = u64::try_from(SLOT_TEXT_BYTES_MAX).unwrap_or(u64::MAX);
            let key = PolicyKey::of_pem(&input::read(path, limit)?);
            let key = key.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
            return Ok(Some(Policy::Signed { key, reference: REFERENCE.to_owned() }));
        }
        let Some(address) = &surroundings.tpm else {
            return Err(Failure::new("this machine has no /dev/tpmrm0").hint("--tpm says where the TPM is"));
        };
        let registers = tpm::registers(address, &self.tpm2, &surroundings.random).map_err(Failure::new)?;
        let mut counter = None;
        if let Some(index) = self.counter {
            let value = tpm::counter(address, index, &surroundings.random).map_err(Failure::new)?;
            let most = match value {
                Some(value) => value,
                None => tpm::count(address, index, &surroundings.random).map_err(Failure::new)?,
            };
            counter = Some(CounterBound { index, most });
        }
        Ok(Some(Policy::Measured(Statement { registers, counter })))
    }
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    machine: String,
    recipient: String,
    slot: String,
    recovery_keys: Vec<RecoveryAnswer>,
    /// Why the machine should not be restarted yet.
    before_reboot: Vec<String>,
}

#[derive(Serialize)]
struct RecoveryAnswer {
    slot: String,
    key: String,
}

/// Runs it.
pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let path = args.reach.path();
    let mut surroundings = args.reach.surroundings()?;
    let (slots, printed) = if path.exists() {
        let mut slots = args.reach.read()?;
        let opened = open_or_ask(&slots, &mut surroundings, ui)?;
        let new = args.new_slot(&surroundings, ui)?;
        let printed = add(&mut slots, &opened.key, new, &surroundings).map_err(Failure::new)?;
        file::replace(&path, print(&slots).as_bytes())?;
        (slots, printed)
    } else {
        let new = args.new_slot(&surroundings, ui)?;
        let (slots, _key, printed) = create(new, &surroundings).map_err(Failure::new)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            file::create_private_folder(folder)?;
        }
        file::create_private(&path, print(&slots).as_bytes())?;
        (slots, printed)
    };
    answer(args, slots, &printed, ui)?;
    Ok(exit::DONE)
}

fn answer(args: &Args, slots: SlotFile, printed: &[Printed], ui: &mut Ui) -> Result<(), Failure> {
    let before_reboot = lint::may_reboot(&slots).err().unwrap_or_default();
    let mut keys = Vec::new();
    for one in printed {
        keys.push((one.path.clone(), one.key.text().map_err(Failure::new)?));
    }
    if !keys.is_empty() {
        ui.close_answer_to_others();
    }
    if args.reach.json {
        let recovery_keys = keys.iter().map(|(slot, key)| RecoveryAnswer { slot: slot.clone(), key: key.to_string() });
        let answer = Document {
            schema: "aux.secret-slot-add/1",
            machine: slots.machine,
            recipient: slots.recipient,
            slot: args.name.clone(),
            recovery_keys: recovery_keys.collect(),
            before_reboot,
        };
        return document(&answer, ui);
    }
    // Keys alone go to standard output, so that they can be sent to a printer.
    for (_, key) in &keys {
        ui.answer(&format!("{}\n", key.as_str()))?;
    }
    if !keys.is_empty() {
        ui.remark("put the recovery key away on paper; it is not shown again");
    }
    ui.remark(&format!(
        "slot {} is in {}; its recipient is {}",
        args.name,
        args.reach.path().display(),
        slots.recipient
    ));
    for concern in before_reboot {
        ui.remark(&format!("do not restart the machine yet: {concern}"));
    }
    Ok(())
}

impl Args {
    /// What was asked for, as one slot.
    fn new_slot(&self, surroundings: &Surroundings, ui: &mut Ui) -> Result<NewSlot, Failure> {
        if let Some(path) = &self.nested {
            return slot_nested::read(path, &self.name, surroundings, ui);
        }
        let mut locks = Vec::new();
        if let Some(policy) = self.binding.policy(surroundings)? {
            locks.push(("tpm".to_owned(), NewLock::Tpm2(policy)));
        }
        for (index, url) in self.tang.iter().enumerate() {
            locks.push((format!("tang-{}", index + 1), tang_lock(url, &self.trust, surroundings, ui)?));
        }
        let passphrase = match &self.new_passphrase_file {
            Some(path) => Some(passphrase(path)?),
            None if self.new_passphrase => Some(asked_twice(ui)?),
            None => None,
        };
        if let Some(passphrase) = passphrase.map(Arc::new) {
            let cost = PassphraseCost::default();
            locks.push(("passphrase".to_owned(), NewLock::Passphrase { passphrase, cost }));
        }
        if self.recovery {
            locks.push(("recovery".to_owned(), NewLock::Recovery));
        }
        let count = locks.len();
        let lock = match (self.threshold, count) {
            (None, 1) => locks.pop().map(|(_, lock)| lock),
            (None, _) => {
                return Err(Failure::new(format!("{count} locks in one slot, and no word on how many are needed"))
                    .hint("--threshold 1 takes any of them, --threshold 2 any two; or make a slot of each"));
            }
            (Some(threshold), _) => {
                let slots = locks.into_iter().map(|(name, lock)| NewSlot { name, lock }).collect();
                Some(NewLock::Threshold { threshold, slots })
            }
        };
        let lock = lock.ok_or_else(|| Failure::new("a slot needs something that opens it"))?;
        Ok(NewSlot { name: self.name.clone(), lock })
    }
}

/// A server whose advertisement one of these keys signed, or one that a person here trusts.
pub(super) fn tang_lock(
    url: &str,
    trusted: &[String],
    surroundings: &Surroundings,
    ui: &mut Ui,
) -> Result<NewLock, Failure> {
    let advertisement = tang::ask(&surroundings.http, url).map_err(Failure::new)?;
    let signers = advertisement.signers();
    let mut trust = trusted.iter().find(|trusted| signers.contains(trusted)).cloned();
    if trust.is_none() && trusted.is_empty() && ui.is_interactive() {
        ui.tell(&[format!("{url} is signed by {}; compare it with tang-show-keys there", signers.join(" and "))]);
        let answer = ui.ask("trust it? [y/N]");
        trust = signers.first().filter(|_| answer.is_some_and(|answer| answer.eq_ignore_ascii_case("y"))).cloned();
    }
    let Some(trust) = trust else {
        return Err(Failure::new(format!("{url} is signed by {}, which is not trusted", signers.join(" and ")))
            .hint("compare it with what tang-show-keys says on the server, and add --trust THUMBPRINT"));
    };
    let trusted = advertisement.trusted(&trust).map_err(Failure::new)?;
    Ok(NewLock::Tang { url: url.to_owned(), trusted })
}

/// A new passphrase, typed twice.
pub(super) fn asked_twice(ui: &mut Ui) -> Result<SecretBytes, Failure> {
    if !ui.is_interactive() {
        return Err(Failure::new("nobody is here who could type a passphrase").hint("--new-passphrase-file FILE"));
    }
    let missing = || Failure::new("no passphrase was typed");
    let first = moved(&ui.ask_unseen("new passphrase:").ok_or_else(missing)?)?;
    let second = moved(&ui.ask_unseen("once more:").ok_or_else(missing)?)?;
    if first.is_same(&second) { Ok(first) } else { Err(Failure::new("the two are not the same; nothing was changed")) }
}

/// Reads an index such as `0x01500020`.
pub(super) fn index(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0x").ok_or("an index is written as 0x01500020")?;
    u32::from_str_radix(digits, 16).map_err(|error| error.to_string())
}
