//! What a generation says of itself (`.state.json`): which secrets are in it, by their check values. Nothing in it is secret.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::derive::{Check, Label};

/// The name and version of the format.
pub const SCHEMA: &str = "aux.secrets-installed/1";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub schema: String,
    pub machine: Label,
    /// Of the manifest it was made from.
    pub serial: u64,
    pub secrets: BTreeMap<Label, Entry>,
    /// Units that were to be restarted, and are not known to have been.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pending: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub check: Check,
    pub units: BTreeSet<String>,
}

/// What became of a secret since the generation before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Changed,
    Removed,
}

impl State {
    /// The state that a text says, if this program knows its format.
    pub fn read(text: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(text).ok().filter(|state| state.schema == SCHEMA)
    }

    pub fn to_text(&self) -> String {
        // Maps of text and numbers always have a JSON.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// What differs from the generation before; where it is not known, everything does.
    pub fn changes(&self, before: Option<&Self>) -> BTreeMap<Label, ChangeKind> {
        let known = |name: &Label| before.and_then(|before| before.secrets.get(name));
        let mut changes = BTreeMap::new();
        for (name, entry) in &self.secrets {
            match known(name) {
                None => drop(changes.insert(name.clone(), ChangeKind::Added)),
                Some(old) if old.check != entry.check => drop(changes.insert(name.clone(), ChangeKind::Changed)),
                Some(_) => {}
            }
        }
        let old = before.into_iter().flat_map(|before| before.secrets.keys());
        changes.extend(
            old.filter(|name| !self.secrets.contains_key(*name)).map(|name| (name.clone(), ChangeKind::Removed)),
        );
        changes
    }

    /// The units of these secrets, now and before.
    pub fn units(&self, names: &BTreeMap<Label, ChangeKind>, before: Option<&Self>) -> BTreeSet<String> {
        let states = std::iter::once(self).chain(before);
        let entries = states.flat_map(|state| state.secrets.iter().filter(|(name, _)| names.contains_key(*name)));
        entries.flat_map(|(_, entry)| entry.units.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = include_str!("../../tests/golden/secrets-installed.json");

    #[test]
    fn the_golden_state_reads_and_writes_as_it_stands() {
        let state = State::read(GOLDEN.as_bytes()).unwrap();
        assert_eq!(state.to_text(), GOLDEN);
        assert!(State::read(GOLDEN.replace("installed/1", "installed/2").as_bytes()).is_none());
        assert!(State::read(b"{}").is_none() && State::read(&[0xff; 9]).is_none());
    }

    #[test]
    fn what_differs_is_told_by_check_values_and_reaches_units_of_before() {
        let before = State::read(GOLDEN.as_bytes()).unwrap();
        assert!(before.changes(Some(&before)).is_empty());
        let mut now = before.clone();
        now.secrets.remove("db-password");
        now.secrets.get_mut("token").unwrap().check = Check::try_from("0000000000000001".to_owned()).unwrap();
        now.secrets.insert("more".parse().unwrap(), now.secrets["token"].clone());
        let changes = now.changes(Some(&before));
        let kinds: Vec<_> = changes.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        assert_eq!(
            kinds,
            [("db-password", ChangeKind::Removed), ("more", ChangeKind::Added), ("token", ChangeKind::Changed)]
        );
        let units: Vec<_> = now.units(&changes, Some(&before)).into_iter().collect();
        assert_eq!(units, ["app.service", "postgresql.service"]);
        assert_eq!(now.changes(None).len(), 2);
    }
}
