//! Which keys differ between two indexes, or between any of several and the newest.

use std::collections::{BTreeMap, BTreeSet};

use super::super::key::AdvisoryKey;
use super::super::read::{Damaged, Index};
use super::super::table::Table;
use super::super::{SECTIONS, Section};
use super::blocks::groups;
use super::{ORDER, Shape, shape};

/// The keys that changed, by section; in blocks also the advisories within them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    pub(super) sections: [Keys; SECTIONS],
}

pub(super) type Keys = BTreeMap<Vec<u8>, Within>;

/// How much of one key's value changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Within {
    /// All of it: the value is opaque, or the key was gone at some step, with advisories nobody remembers.
    All,
    /// What these advisories say.
    Advisories(BTreeSet<u64>),
}

impl Within {
    fn add(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Advisories(these), Self::Advisories(others)) => these.extend(others),
            _ => *self = Self::All,
        }
    }
}

impl Touched {
    /// Everything that differs between two indexes.
    pub fn between(old: &Index<'_>, new: &Index<'_>) -> Result<Self, Damaged> {
        let mut touched = Self::default();
        for (section, keys) in ORDER.into_iter().zip(&mut touched.sections) {
            *keys = compare(section, old.table(section), new.table(section))?;
        }
        Ok(touched)
    }

    /// Adds what another step touched.
    pub fn add(&mut self, other: Self) {
        for (keys, others) in self.sections.iter_mut().zip(other.sections) {
            for (key, within) in others {
                keys.entry(key).or_insert_with(|| Within::Advisories(BTreeSet::new())).add(within);
            }
        }
    }

    /// The advisories that changed themselves, or in what they say of some product.
    pub fn advisories(&self) -> BTreeSet<AdvisoryKey> {
        let [_, advisories, _, products, packages, ..] = &self.sections;
        let own = advisories.keys().filter_map(|key| key.as_slice().try_into().ok().map(u64::from_be_bytes));
        let said = products.values().chain(packages.values()).filter_map(|within| match within {
            Within::Advisories(advisories) => Some(advisories.iter().copied()),
            Within::All => None,
        });
        own.chain(said.flatten()).map(AdvisoryKey::from_number).collect()
    }

    /// The packages about which the team's decisions changed: names, statements, fixes.
    pub fn decisions(&self) -> BTreeSet<String> {
        let [.., names, statements, fixes] = &self.sections;
        let keys = names.keys().chain(statements.keys()).chain(fixes.keys());
        keys.map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.sections.iter().map(BTreeMap::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }
}

/// Walks two sorted tables side by side.
fn compare(section: Section, old: Table<'_>, new: Table<'_>) -> Result<Keys, Damaged> {
    let mut keys = Keys::new();
    let (mut old, mut new) = (old.entries(), new.entries());
    let (mut left, mut right) = (old.next().transpose()?, new.next().transpose()?);
    loop {
        let order = match (&left, &right) {
            (None, None) => return Ok(keys),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((left, _)), Some((right, _))) => left.cmp(right),
        };
        let before = if order.is_le() { left.take() } else { None };
        let after = if order.is_ge() { right.take() } else { None };
        let (was, is) = (before.as_ref().map(|(_, value)| *value), after.as_ref().map(|(_, value)| *value));
        if was != is {
            let within = match (was, is) {
                (Some(was), Some(is)) => within(section, was, is)?,
                (None, Some(is)) => within(section, &[], is)?,
                _ => Within::All,
            };
            if let Some((key, _)) = before.or(after) {
                keys.insert(key, within);
            }
        }
        if order.is_le() {
            left = old.next().transpose()?;
        }
        if order.is_ge() {
            right = new.next().transpose()?;
        }
    }
}

/// What differs between two values of one key.
fn within(section: Section, was: &[u8], is: &[u8]) -> Result<Within, Damaged> {
    let Shape::Block { lead_bytes } = shape(section) else { return Ok(Within::All) };
    let by_advisory = |value: &[u8]| -> Result<BTreeMap<u64, Vec<u8>>, Damaged> {
        let entries = value.get(lead_bytes..).unwrap_or_default();
        Ok(groups(entries)?.into_iter().map(|group| (group.advisory, group.bytes.to_vec())).collect())
    };
    let (was, is) = (by_advisory(was)?, by_advisory(is)?);
    let all: BTreeSet<u64> = was.keys().chain(is.keys()).copied().collect();
    let differ = |advisory: &u64| was.get(advisory) != is.get(advisory);
    Ok(Within::Advisories(all.into_iter().filter(differ).collect()))
}
