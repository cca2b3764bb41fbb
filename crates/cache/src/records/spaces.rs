//! Caches and views: what they are called and how they are set up.

use super::driver::{Problem, Row, Transaction, values};
use super::error::RecordsError;
use super::{Actor, Change, Records, changes, trail};
use crate::names::SpaceName;

/// A cache, or a view of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceRow {
    pub number: i64,
    pub name: SpaceName,
    /// The cache a view takes from; a cache has none.
    pub source: Option<i64>,
    /// Whether everybody may read.
    pub anonymous: bool,
    /// Whether what is pushed gets the server's signature; what is in a view always has it.
    pub signs: bool,
    /// Public keys, one of which must have signed what is pushed; nothing is wanted where there are none.
    pub keys: Vec<String>,
    pub priority: u32,
    /// TOML; empty for a cache.
    pub policy: String,
}

impl SpaceRow {
    /// Names the policy in decisions and in the trail: BLAKE3, hexadecimal.
    pub(crate) fn policy_digest(&self) -> String {
        blake3::hash(self.policy.as_bytes()).to_hex().to_string()
    }
}

/// How a new cache or view is set up.
#[derive(Debug, Clone)]
pub(crate) struct NewSpace {
    pub name: SpaceName,
    pub source: Option<i64>,
    pub anonymous: bool,
    pub signs: bool,
    pub keys: Vec<String>,
    pub priority: u32,
    pub policy: String,
}

const COLUMNS: &str = "number, name, source, anonymous, signs, keys, priority, policy";

impl Records {
    pub(crate) fn spaces(&self) -> Result<Vec<SpaceRow>, RecordsError> {
        self.read(|transaction| transaction.rows(&format!("SELECT {COLUMNS} FROM space ORDER BY number"), &[], space))
    }

    /// Makes one; `None` where the name is taken.
    pub(crate) fn create_space(&self, new: &NewSpace, actor: &Actor) -> Result<Option<SpaceRow>, RecordsError> {
        self.write(|transaction| {
            let keys = new.keys.join(" ");
            let made = transaction.row(
                "INSERT INTO space (name, source, anonymous, signs, keys, priority, policy, created) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (name) DO NOTHING RETURNING number",
                values![
                    new.name.as_str(),
                    new.source,
                    new.anonymous,
                    new.signs,
                    &keys,
                    new.priority,
                    &new.policy,
                    actor.now.as_second()
                ],
                |row| row.get(0),
            )?;
            let Some(number) = made else { return Ok(None) };
            changes::write(transaction, Change::Space(number))?;
            trail::write(transaction, actor, ("create", Some(&new.name)), (None, None))?;
            by_number(transaction, number).map(Some)
        })
    }

    /// Sets up a cache or view anew; its name and source stay.
    pub(crate) fn change_space(&self, row: &SpaceRow, actor: &Actor, what: &str) -> Result<(), RecordsError> {
        self.write(|transaction| {
            let keys = row.keys.join(" ");
            transaction.execute(
                "UPDATE space SET anonymous = ?2, signs = ?3, keys = ?4, priority = ?5, policy = ?6 WHERE number = ?1",
                values![row.number, row.anonymous, row.signs, &keys, row.priority, &row.policy],
            )?;
            changes::write(transaction, Change::Space(row.number))?;
            trail::write(transaction, actor, ("change", Some(&row.name)), (None, Some(what)))
        })
    }
}

fn by_number(transaction: &Transaction<'_>, number: i64) -> Result<SpaceRow, Problem> {
    transaction.one(&format!("SELECT {COLUMNS} FROM space WHERE number = ?1"), values![number], space)
}

fn space(row: &Row<'_>) -> Result<SpaceRow, Problem> {
    let name: String = row.get(1)?;
    let name = SpaceName::parse(&name).ok_or_else(|| Problem::Unreadable(format!("the name {name}")))?;
    let keys: String = row.get(5)?;
    Ok(SpaceRow {
        number: row.get(0)?,
        name,
        source: row.get(2)?,
        anonymous: row.get(3)?,
        signs: row.get(4)?,
        keys: keys.split_whitespace().map(str::to_owned).collect(),
        priority: u32::try_from(row.get::<i64>(6)?).unwrap_or(u32::MAX),
        policy: row.get(7)?,
    })
}
