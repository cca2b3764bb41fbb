//! Rotation: a number is raised, and what hangs on it changes. Each kind says whom it stops and whom it does not.

use jiff::civil::Date;
use zeroize::Zeroizing;

use super::session::{Session, SessionError};
use crate::declaration::{Edit, Holder};
use crate::derive::Label;
use crate::kinds::Rule;
use crate::secret::SecretBytes;

/// What is made new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// A secret's version.
    Secret(Label),
    /// The generation of a machine, a group or the admins.
    Holder(Holder),
    Environment(Label),
    /// The seed.
    Epoch,
}

impl Rotation {
    /// Whom it stops.
    pub fn stops(&self) -> &'static str {
        match self {
            Self::Secret(_) => "whoever knew the value",
            Self::Holder(Holder::Machine(_)) => "whoever had the machine's key: every secret derived for it changes",
            Self::Holder(Holder::Group(_)) => "whoever had the group's key, such as a machine that left it",
            Self::Holder(Holder::Admin) => "whoever had the admins' key: authorities and the signing key change",
            Self::Environment(_) => "whoever had the environment's key: all its machines and groups change",
            Self::Epoch => "whoever had the old seed: everything derived changes",
        }
    }

    /// Whom it does not.
    pub fn does_not_stop(&self) -> &'static str {
        match self {
            Self::Secret(_) => {
                "whoever has the key of the machine or group it belongs to: they compute the next version; rotate that"
            }
            Self::Holder(Holder::Machine(_)) => {
                "whoever has a key the machine's file is encrypted to: replace its recipients too; nor does it change its groups' \
                 secrets"
            }
            Self::Holder(Holder::Group(_)) => "whoever is still a member, or has the seed or the environment's key",
            Self::Holder(Holder::Admin) => {
                "whoever has the seed; and certificates of the old authorities are believed until clients forget them"
            }
            Self::Environment(_) => "whoever has the seed",
            Self::Epoch => {
                "whoever is still in fleet.recovery; and values in envelopes stay what they are until providers change them"
            }
        }
    }
}

impl Session {
    /// Raises the number. `seed` is 32 new random bytes, which only a new epoch takes.
    pub fn rotate(&mut self, rotation: &Rotation, today: Date, seed: Zeroizing<[u8; 32]>) -> Result<(), SessionError> {
        let unknown = |what, name: &Label| SessionError::Unknown { what, name: name.to_string() };
        match rotation {
            Rotation::Secret(name) => self.rotate_secret(name, today),
            Rotation::Holder(holder) => {
                let named = || holder.label().map_or_else(|| "admin".to_owned(), ToString::to_string);
                let what = if matches!(holder, Holder::Group(_)) { "group" } else { "machine" };
                let place =
                    self.declaration.place(holder).ok_or_else(|| SessionError::Unknown { what, name: named() })?;
                self.edit(&[Edit::Generation { holder: holder.clone(), generation: place.generation + 1 }])?;
                if *holder == Holder::Admin { self.sign_anew() } else { Ok(()) }
            }
            Rotation::Environment(name) => {
                let environment =
                    self.declaration.environments.get(name).ok_or_else(|| unknown("environment", name))?;
                let generation = environment.generation + 1;
                self.edit(&[Edit::EnvironmentGeneration { environment: name.clone(), generation }])
            }
            Rotation::Epoch => self.begin_epoch(seed),
        }
    }

    fn rotate_secret(&mut self, name: &Label, today: Date) -> Result<(), SessionError> {
        let unknown = || SessionError::Unknown { what: "secret", name: name.to_string() };
        let secret = self.declaration.secrets.get(name).ok_or_else(unknown)?;
        let why = match &secret.rule {
            Rule::Envelope => Some("an envelope changes when a new value is set: aux secret set NAME"),
            Rule::Gokey(_) => Some("what gokey derives changes with its realm or master password only"),
            _ => None,
        };
        if let Some(why) = why {
            return Err(SessionError::Kind { name: name.clone(), why });
        }
        let mut edits = vec![Edit::Version { secret: name.clone(), version: secret.version + 1 }];
        if secret.rule.algorithm().is_some() {
            edits.push(Edit::NotBefore { secret: name.clone(), day: today });
        }
        self.edit(&edits)
    }

    /// A value for an envelope; its version goes up where it had one.
    pub fn fill(&mut self, name: &Label, machine: Option<&Label>, value: SecretBytes) -> Result<Holder, SessionError> {
        let holder = self.filled_holder(name, machine)?;
        let version = self.declaration.secrets.get(name).map_or(1, |secret| secret.version);
        if self.is_filled(&holder, name) {
            self.edit(&[Edit::Version { secret: name.clone(), version: version + 1 }])?;
        }
        self.set(holder.clone(), name.clone(), value);
        Ok(holder)
    }

    /// The value an envelope has; an empty one, where it was never filled.
    pub fn current(&self, name: &Label, machine: Option<&Label>) -> Result<SecretBytes, SessionError> {
        let holder = self.filled_holder(name, machine)?;
        match self.previous.as_ref().filter(|_| self.is_filled(&holder, name)) {
            Some(previous) => self.open_envelope(previous, &holder, name),
            None => Ok(SecretBytes::with_capacity(0)),
        }
    }

    fn is_filled(&self, holder: &Holder, name: &Label) -> bool {
        self.previous.as_ref().and_then(|previous| previous.values(holder)?.get(name)?.check).is_some()
    }

    /// Whose value of an envelope is meant.
    fn filled_holder(&self, name: &Label, machine: Option<&Label>) -> Result<Holder, SessionError> {
        let unknown = || SessionError::Unknown { what: "secret", name: name.to_string() };
        let secret = self.declaration.secrets.get(name).ok_or_else(unknown)?;
        let kind = |why| SessionError::Kind { name: name.clone(), why };
        if secret.rule != Rule::Envelope {
            return Err(kind("is derived, so it takes no value; `aux secret rotate` gives it a new one"));
        }
        let holders = self.declaration.holders(secret);
        match (machine, holders.as_slice()) {
            (Some(machine), _) => {
                let own = holders.iter().find(|holder| self.declaration.reads(machine, holder));
                own.cloned().ok_or_else(|| kind("is not a secret of that machine"))
            }
            (None, [only]) => Ok(only.clone()),
            (None, []) => Err(kind("belongs to no machine yet")),
            (None, _) => Err(kind("has a value for each machine: say which with --machine")),
        }
    }
}
