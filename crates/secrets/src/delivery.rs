//! What a machine is given: its own key and those of its groups, in `machines/NAME/scope.age`; and the seed's own file.

use std::collections::BTreeMap;

use aux_core::hexadecimal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::declaration::Holder;
use crate::derive::{FleetId, Label, ScopeKey, Seed};
use crate::keyring::Keyring;
use crate::manifest::{Manifest, delivery_policy};
use crate::secret::SecretBytes;

const SCOPE_SCHEMA: &str = "aux.scope/1";
const SEED_SCHEMA: &str = "aux.seed/1";

/// Keys that were delivered to a machine, and which of its states they belong to.
pub struct Delivery {
    pub machine: Label,
    pub fleet: FleetId,
    /// The serial of the manifest it was written with: no lower one is to be believed.
    pub serial: u64,
    policy: String,
    key: ScopeKey,
    groups: BTreeMap<Label, ScopeKey>,
}

/// A delivered file that is refused. Nothing of what it holds stands in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    #[error("is not what it should be: {what}")]
    Syntax { what: &'static str },
    #[error("was delivered to the machine {machine}")]
    Machine { machine: Label },
    #[error("is of another fleet, {fleet}")]
    Fleet { fleet: String },
    #[error("is not of the manifest's state of this machine: an old file was put back, or the new one is missing")]
    Stale,
    #[error("the manifest (serial {serial}) is older than the keys (serial {delivered}): an old manifest was put back")]
    OldManifest { serial: u64, delivered: u64 },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    schema: String,
    fleet: String,
    machine: Label,
    serial: u64,
    policy: String,
    key: Key,
    groups: BTreeMap<Label, Key>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSeed {
    schema: String,
    fleet: String,
    epoch: u32,
    seed: Key,
}

/// Base 64 that is overwritten when it is dropped.
#[derive(Serialize, Deserialize)]
struct Key(String);

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Key {
    fn of(bytes: &[u8; 32]) -> Self {
        Self(STANDARD.encode(bytes))
    }

    fn bytes(&self) -> Option<Zeroizing<[u8; 32]>> {
        let mut bytes = Zeroizing::new([0; 32]);
        let length = STANDARD.decode_slice(&self.0, bytes.as_mut_slice()).ok()?;
        (length == bytes.len()).then_some(bytes)
    }
}

fn text_of(written: &impl Serialize) -> SecretBytes {
    SecretBytes::from(serde_json::to_vec(written).unwrap_or_default())
}

/// What is encrypted to a machine; nothing where a key does not follow from what is here.
pub fn write(manifest: &Manifest, keyring: &Keyring, machine: &Label) -> Option<SecretBytes> {
    let entry = manifest.machines.get(machine)?;
    let key = |holder: Holder| keyring.holder(&holder, &manifest.place(&holder)?);
    let own = key(Holder::Machine(machine.clone()))?;
    let mut groups = BTreeMap::new();
    for group in &entry.groups {
        groups.insert(group.clone(), Key::of(key(Holder::Group(group.clone()))?.reveal()));
    }
    Some(text_of(&Written {
        schema: SCOPE_SCHEMA.to_owned(),
        fleet: manifest.fleet.clone(),
        machine: machine.clone(),
        serial: manifest.serial,
        policy: hexadecimal(&delivery_policy(manifest, machine)?),
        key: Key::of(own.reveal()),
        groups,
    }))
}

impl Delivery {
    /// What a decrypted `scope.age` says.
    pub fn read(plaintext: &SecretBytes) -> Result<Self, DeliveryError> {
        let syntax = |what| DeliveryError::Syntax { what };
        let written: Written =
            serde_json::from_slice(plaintext.reveal()).map_err(|_| syntax("no keys of a machine"))?;
        if written.schema != SCOPE_SCHEMA {
            return Err(syntax("a format this program does not know"));
        }
        let key = |key: &Key| key.bytes().map(ScopeKey::new).ok_or(syntax("a key has not 32 bytes"));
        let groups = written.groups.iter().map(|(label, bytes)| Ok((label.clone(), key(bytes)?)));
        Ok(Self {
            fleet: written.fleet.parse().map_err(|_| syntax("no fleet"))?,
            serial: written.serial,
            policy: written.policy.clone(),
            key: key(&written.key)?,
            groups: groups.collect::<Result<_, DeliveryError>>()?,
            machine: written.machine,
        })
    }

    /// The keys, if they are those that a verified manifest speaks of, for this machine.
    pub fn keyring(self, manifest: &Manifest, machine: &Label) -> Result<Keyring, DeliveryError> {
        if &self.machine != machine {
            return Err(DeliveryError::Machine { machine: self.machine });
        }
        if self.fleet.to_string() != manifest.fleet {
            return Err(DeliveryError::Fleet { fleet: self.fleet.to_string() });
        }
        if manifest.serial < self.serial {
            return Err(DeliveryError::OldManifest { serial: manifest.serial, delivered: self.serial });
        }
        if delivery_policy(manifest, machine).map(|policy| hexadecimal(&policy)) != Some(self.policy) {
            return Err(DeliveryError::Stale);
        }
        let groups = self.groups.into_iter().map(|(label, key)| (Holder::Group(label), key));
        Ok(Keyring::of_holders(groups.chain([(Holder::Machine(self.machine), self.key)])))
    }
}

/// What is encrypted to recovery.
pub fn write_seed(seed: &Seed, fleet: FleetId, epoch: u32) -> SecretBytes {
    let (schema, fleet) = (SEED_SCHEMA.to_owned(), fleet.to_string());
    text_of(&WrittenSeed { schema, fleet, epoch, seed: Key::of(seed.reveal()) })
}

/// The seed of a decrypted `seed.age`, if it is this fleet's and this epoch's.
pub fn read_seed(plaintext: &SecretBytes, fleet: FleetId, epoch: u32) -> Result<Seed, DeliveryError> {
    let syntax = |what| DeliveryError::Syntax { what };
    let written: WrittenSeed = serde_json::from_slice(plaintext.reveal()).map_err(|_| syntax("no seed"))?;
    if written.schema != SEED_SCHEMA {
        return Err(syntax("a format this program does not know"));
    }
    if written.fleet != fleet.to_string() {
        return Err(DeliveryError::Fleet { fleet: written.fleet });
    }
    if written.epoch != epoch {
        return Err(syntax("the seed of another epoch than the declaration says"));
    }
    written.seed.bytes().map(Seed::new).ok_or(syntax("a seed has 32 bytes"))
}
