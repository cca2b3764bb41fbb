//! Pins: names that keep a path, and all it needs, from collection.

use jiff::Timestamp;

use super::driver::{Problem, Row, values};
use super::error::RecordsError;
use super::{Actor, Records, SpaceRow, moment, trail};

/// One pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pin {
    pub name: String,
    /// The store path's last part.
    pub base: String,
    pub created: Timestamp,
    pub by: String,
}

const SELECT: &str = "SELECT pin.name, path.base, pin.at, pin.by FROM pin JOIN path ON path.number = pin.path";

impl Records {
    pub(crate) fn pins(&self, space: i64) -> Result<Vec<Pin>, RecordsError> {
        self.read(|transaction| {
            transaction.rows(&format!("{SELECT} WHERE pin.space = ?1 ORDER BY pin.name"), values![space], pin)
        })
    }

    /// Pins a path under a name, which pinned another before, perhaps.
    pub(crate) fn pin(&self, space: &SpaceRow, name: &str, path: i64, actor: &Actor) -> Result<Pin, RecordsError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO pin VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (space, name) DO UPDATE SET \
                 path = excluded.path, at = excluded.at, by = excluded.by",
                values![space.number, name, path, actor.now.as_second(), &actor.by],
            )?;
            let own = values![space.number, name];
            let made = transaction.one(&format!("{SELECT} WHERE pin.space = ?1 AND pin.name = ?2"), own, pin)?;
            trail::write(transaction, actor, ("pin", Some(&space.name)), (Some(&made.base), Some(name)))?;
            Ok(made)
        })
    }

    /// Takes a pin away; what it was, `None` where there was none.
    pub(crate) fn unpin(&self, space: &SpaceRow, name: &str, actor: &Actor) -> Result<Option<Pin>, RecordsError> {
        self.write(|transaction| {
            let own = values![space.number, name];
            let found = transaction.row(&format!("{SELECT} WHERE pin.space = ?1 AND pin.name = ?2"), own, pin)?;
            if let Some(pin) = &found {
                transaction.execute("DELETE FROM pin WHERE space = ?1 AND name = ?2", own)?;
                trail::write(transaction, actor, ("unpin", Some(&space.name)), (Some(&pin.base), Some(name)))?;
            }
            Ok(found)
        })
    }
}

fn pin(row: &Row<'_>) -> Result<Pin, Problem> {
    Ok(Pin { name: row.get(0)?, base: row.get(1)?, created: moment(row.get(2)?), by: row.get(3)? })
}
