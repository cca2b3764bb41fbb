//! What is kept beside paths: listings of NARs, build logs, realisations.

use aux_nix::Sha256;

use super::driver::values;
use super::error::RecordsError;
use super::{Actor, Records, SpaceRow, trail};

impl Records {
    /// The listing of a NAR, as JSON; `None` where none was made.
    pub(crate) fn listing(&self, nar_hash: Sha256) -> Result<Option<Vec<u8>>, RecordsError> {
        self.read(|transaction| {
            let sql = "SELECT listing FROM object WHERE nar_hash = ?1";
            let found = transaction.row(sql, values![&nar_hash.0], |row| row.get(0))?;
            Ok(found.filter(|listing: &Vec<u8>| !listing.is_empty()))
        })
    }

    /// A log or realisation by its name: of the cache, or of the cache a view is of.
    pub(crate) fn note(
        &self,
        space: i64,
        source: Option<i64>,
        (kind, name): (&str, &str),
    ) -> Result<Option<Vec<u8>>, RecordsError> {
        self.read(|transaction| {
            transaction.row(
                "SELECT bytes FROM note WHERE space = ?1 AND kind = ?2 AND name = ?3",
                values![source.unwrap_or(space), kind, name],
                |row| row.get(0),
            )
        })
    }

    /// Keeps a log or realisation; the newest stands.
    pub(crate) fn put_note(
        &self,
        space: &SpaceRow,
        (kind, name): (&str, &str),
        bytes: &[u8],
        actor: &Actor,
    ) -> Result<(), RecordsError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO note VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (space, kind, name) DO UPDATE SET \
                 bytes = excluded.bytes, at = excluded.at",
                values![space.number, kind, name, bytes, actor.now.as_second()],
            )?;
            trail::write(transaction, actor, ("put", Some(&space.name)), (Some(name), Some(kind)))
        })
    }
}
