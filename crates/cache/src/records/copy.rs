//! Records as rows of tables, whatever they say: for moving all of them from one database to another.

use super::driver::{Problem, Transaction, Value, values};
use super::error::RecordsError;
use super::schema::SCHEMA;
use super::{Records, Store};

/// Rows of one statement; with its columns it stays below what either database takes as values at once.
const ROWS_AT_ONCE: usize = 50;
/// Rows of one transaction.
const ROWS_OF_ACT: usize = 2_000;
/// Facts about a database itself, which are not moved with the rest.
const OWN_FACTS: &str = "name <> 'moving' AND name <> 'moved'";

/// A value as it stands in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// How many rows a table has, and a sum over them in which their order does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub rows: u64,
    sum: [u64; 4],
}

/// A table by its name, and whether its rows are numbered by the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub name: &'static str,
    is_numbered: bool,
}

/// All tables, each behind those that it refers to: a table cannot be made otherwise.
pub(crate) fn tables() -> Vec<Table> {
    let made = SCHEMA.migrations.iter().flat_map(|step| step.split("CREATE TABLE ").skip(1));
    let table = |text: &'static str| {
        let (name, rest) = text.split_once(' ')?;
        let is_numbered = rest.trim_start_matches(['(', ' ', '\n']).starts_with("number INTEGER PRIMARY KEY");
        Some(Table { name, is_numbered })
    };
    made.filter_map(table).collect()
}

impl Table {
    fn all(&self) -> String {
        let condition = if self.name == "setting" { format!(" WHERE {OWN_FACTS}") } else { String::new() };
        format!("SELECT * FROM {}{condition} ORDER BY 1", self.name)
    }
}

impl Records {
    /// What a table holds.
    pub(crate) fn contents(&self, table: &Table) -> Result<Contents, RecordsError> {
        let mut contents = Contents::default();
        self.read(|transaction| {
            unhurried(transaction)?;
            transaction.each(&table.all(), &[], &mut |row| {
                contents.add(&row.cells()?);
                Ok(())
            })
        })?;
        Ok(contents)
    }

    /// Copies the rows of a table that are not there yet. `copied` hears how many were looked at.
    pub(crate) fn copy(&self, table: &Table, into: &Self, copied: &mut dyn FnMut(u64)) -> Result<(), RecordsError> {
        let mut waiting: Vec<Vec<Cell>> = Vec::new();
        let mut failed = None;
        let read = self.read(|transaction| {
            unhurried(transaction)?;
            transaction.each(&table.all(), &[], &mut |row| {
                waiting.push(row.cells()?);
                if waiting.len() < ROWS_OF_ACT {
                    return Ok(());
                }
                copied(waiting.len() as u64);
                into.insert(table, &std::mem::take(&mut waiting)).map_err(|error| {
                    failed = Some(error);
                    Problem::Lost
                })
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        read?;
        copied(waiting.len() as u64);
        into.insert(table, &waiting)?;
        into.number_on(table)
    }

    fn insert(&self, table: &Table, rows: &[Vec<Cell>]) -> Result<(), RecordsError> {
        self.write(|transaction| {
            for rows in rows.chunks(ROWS_AT_ONCE) {
                let width = rows.first().map_or(0, Vec::len);
                let row = |row: usize| {
                    let values: Vec<String> = (1..=width).map(|column| format!("?{}", row * width + column)).collect();
                    format!("({})", values.join(", "))
                };
                let all: Vec<String> = (0..rows.len()).map(row).collect();
                let sql = format!("INSERT INTO {} VALUES {} ON CONFLICT DO NOTHING", table.name, all.join(", "));
                let values: Vec<Value<'_>> = rows.iter().flatten().map(Cell::value).collect();
                transaction.execute(&sql, &values)?;
            }
            Ok(())
        })
    }

    /// Lets the database number on behind the rows that came with their numbers.
    fn number_on(&self, table: &Table) -> Result<(), RecordsError> {
        if !table.is_numbered || matches!(self.0, Store::Embedded(_)) {
            return Ok(());
        }
        self.write(|transaction| {
            let name = table.name;
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('aux_cache.{name}', 'number'), \
                 (SELECT coalesce(max(number), 0) + 1 FROM {name}), false)"
            );
            transaction.rows(&sql, &[], |row| row.get::<Option<i64>>(0)).map(drop)
        })
    }

    /// Removes every row.
    pub(crate) fn clear(&self) -> Result<(), RecordsError> {
        self.write(|transaction| {
            unhurried(transaction)?;
            for table in tables().iter().rev().filter(|table| table.name != "setting" && table.name != "space") {
                transaction.execute(&format!("DELETE FROM {}", table.name), &[])?;
            }
            // A view refers to its cache.
            transaction.execute("DELETE FROM space WHERE source IS NOT NULL", &[])?;
            transaction.execute("DELETE FROM space", &[])?;
            transaction.execute(&format!("DELETE FROM setting WHERE {OWN_FACTS}"), &[]).map(drop)
        })
    }

    /// Forgets a fact about itself.
    pub(crate) fn remove_setting(&self, name: &str) -> Result<(), RecordsError> {
        self.write(|transaction| transaction.execute("DELETE FROM setting WHERE name = ?1", values![name]).map(drop))
    }
}

/// What is read whole takes as long as it takes.
pub(super) fn unhurried(transaction: &Transaction<'_>) -> Result<(), Problem> {
    if transaction.is_shared() { transaction.batch("SET LOCAL statement_timeout = 0") } else { Ok(()) }
}

impl Contents {
    fn add(&mut self, row: &[Cell]) {
        let mut hasher = blake3::Hasher::new();
        for cell in row {
            let (kind, bytes) = match cell {
                Cell::Null => (0_u8, Vec::new()),
                Cell::Integer(number) => (1, number.to_le_bytes().to_vec()),
                // What one of the databases cannot hold is written there with this character instead.
                Cell::Text(text) => (2, text.replace('\0', "\u{fffd}").into_bytes()),
                Cell::Bytes(bytes) => (3, bytes.clone()),
            };
            hasher.update(&[kind]);
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(&bytes);
        }
        self.rows += 1;
        let hash = hasher.finalize();
        for (sum, part) in self.sum.iter_mut().zip(hash.as_bytes().chunks_exact(8)) {
            *sum = sum.wrapping_add(part.try_into().map_or(0, u64::from_le_bytes));
        }
    }
}

impl Cell {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => Value::Integer(*number),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_stands_behind_those_it_refers_to() {
        let tables = tables();
        let place = |name: &str| tables.iter().position(|table| table.name == name).unwrap();
        assert!(tables.len() >= 16, "{tables:?}");
        assert!(
            place("space") < place("path") && place("object") < place("path") && place("path") < place("reference")
        );
        let numbered: Vec<_> = tables.iter().filter(|table| table.is_numbered).map(|table| table.name).collect();
        assert!(
            ["space", "path", "decision", "token", "trail"].iter().all(|name| numbered.contains(name)),
            "{numbered:?}"
        );
        assert!(!numbered.contains(&"entry") && !numbered.contains(&"edition"), "{numbered:?}");
    }
}
