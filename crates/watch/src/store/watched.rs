//! Targets that somebody added with `aux watch add`.

use aux_core::limits::WATCHED_MAX;
use aux_io::sqlite::rusqlite::params;
use jiff::Timestamp;

use super::{Store, StoreError};
use crate::Watched;

impl Store {
    /// Adds a target; a name that is taken is refused.
    pub fn add(&mut self, watched: &Watched, now: Timestamp) -> Result<(), StoreError> {
        let count: i64 =
            self.read(|transaction| transaction.query_row("SELECT count(*) FROM watched", [], |row| row.get(0)))?;
        if usize::try_from(count).is_ok_and(|count| count >= WATCHED_MAX) {
            return Err(StoreError::Full { limit: WATCHED_MAX });
        }
        let target = watched.target.as_deref().unwrap_or_default();
        let every = i64::try_from(watched.every_seconds).unwrap_or(i64::MAX);
        let added = self.write(|transaction| {
            transaction.execute(
                "INSERT INTO watched VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                params![watched.name, target, every, now.as_second()],
            )
        })?;
        if added == 0 { Err(StoreError::Twice { name: watched.name.clone() }) } else { Ok(()) }
    }

    /// Every added target, by name.
    pub fn watched(&self) -> Result<Vec<Watched>, StoreError> {
        self.read(|transaction| {
            let mut statement = transaction.prepare("SELECT name, target, every_seconds FROM watched ORDER BY name")?;
            let rows = statement.query_map([], |row| {
                let every: i64 = row.get(2)?;
                let target: String = row.get(1)?;
                let target = Some(target).filter(|target| !target.is_empty());
                Ok(Watched { name: row.get(0)?, target, every_seconds: u64::try_from(every).unwrap_or_default() })
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        })
    }

    /// Stops watching, and forgets everything of the target; whether it was watched.
    pub fn remove(&mut self, name: &str) -> Result<bool, StoreError> {
        self.write(|transaction| {
            let removed = transaction.execute("DELETE FROM watched WHERE name = ?1", [name])?;
            if removed > 0 {
                for table in ["system WHERE name", "finding WHERE system", "subject WHERE system", "told WHERE system"]
                {
                    transaction.execute(&format!("DELETE FROM {table} = ?1"), [name])?;
                }
            }
            Ok(removed > 0)
        })
    }

    /// Drops the reports of systems that nobody watches any more. What was told of them is kept, so that a system that
    /// comes back into the configuration is not told of anew.
    pub fn keep_only(&mut self, names: &[&str]) -> Result<(), StoreError> {
        self.write(|transaction| {
            let known: Vec<String> = {
                let mut statement = transaction.prepare("SELECT name FROM system")?;
                statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
            };
            for name in known.iter().filter(|name| !names.contains(&name.as_str())) {
                transaction.execute("DELETE FROM system WHERE name = ?1", [name])?;
                transaction.execute("DELETE FROM finding WHERE system = ?1", [name])?;
            }
            Ok(())
        })
    }
}
