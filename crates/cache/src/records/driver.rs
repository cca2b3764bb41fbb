//! One way to ask either database: statements in the words that both know, values in, rows out.
//!
//! Parameters are written `?1` as `SQLite` has them; for `PostgreSQL` they become `$1`. No statement has a question mark
//! that is anything else.

use std::cell::RefCell;

use aux_io::sqlite::rusqlite;

use super::copy::Cell;
use super::postgres::Asked;

/// A transaction of the database that is used.
pub(super) enum Transaction<'t> {
    Embedded(&'t rusqlite::Transaction<'t>),
    Shared(RefCell<Asked<'t>>),
}

/// What went wrong within an act.
#[derive(Debug)]
pub(super) enum Problem {
    Embedded(rusqlite::Error),
    Shared(postgres::Error),
    /// The connection was given up before.
    Lost,
    /// A row holds what no aux writes there.
    Unreadable(String),
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Embedded(error)
    }
}

impl From<postgres::Error> for Problem {
    fn from(error: postgres::Error) -> Self {
        Self::Shared(error)
    }
}

/// One value of a statement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'v> {
    Null,
    Integer(i64),
    Boolean(bool),
    Text(&'v str),
    Bytes(&'v [u8]),
}

/// Values of a statement, in the order of their numbers.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::records::driver::Value::from($value)),*] };
}
pub(super) use values;

impl Transaction<'_> {
    /// Whether several servers use the database.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// Changes rows; how many.
    pub(super) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Problem> {
        match self {
            Self::Embedded(transaction) => {
                let changed = transaction.prepare(sql)?.execute(rusqlite::params_from_iter(values))?;
                Ok(changed as u64)
            }
            Self::Shared(asked) => Ok(asked.borrow_mut().execute(sql, values)?),
        }
    }

    /// Several statements without values.
    pub(super) fn batch(&self, sql: &str) -> Result<(), Problem> {
        match self {
            Self::Embedded(transaction) => Ok(transaction.execute_batch(sql)?),
            Self::Shared(asked) => Ok(asked.borrow_mut().batch(sql)?),
        }
    }

    /// Hands over every row. Nothing else may be asked meanwhile.
    pub(super) fn each(
        &self,
        sql: &str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        match self {
            Self::Embedded(transaction) => {
                let mut statement = transaction.prepare(sql)?;
                let mut rows = statement.query(rusqlite::params_from_iter(values))?;
                while let Some(row) = rows.next()? {
                    each(&Row::Embedded(row))?;
                }
                Ok(())
            }
            Self::Shared(asked) => asked.borrow_mut().each(sql, values, &mut |row| each(&Row::Shared(row))),
        }
    }

    /// Every row.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Problem> {
        let mut found = Vec::new();
        self.each(sql, values, &mut |row| {
            found.push(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The first row; none is an answer.
    pub(super) fn row<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        Ok(self.rows(sql, values, read)?.into_iter().next())
    }

    /// The one row that a statement always has.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.row(sql, values, read)?.ok_or_else(|| Problem::Unreadable("a row that is always there".to_owned()))
    }
}

/// One row of an answer.
pub(super) enum Row<'r> {
    Embedded(&'r rusqlite::Row<'r>),
    Shared(&'r postgres::Row),
}

impl Row<'_> {
    pub(super) fn get<T: Column>(&self, column: usize) -> Result<T, Problem> {
        T::read(self, column)
    }

    /// Text as it stands in the row, without a copy.
    pub(super) fn text(&self, column: usize) -> Result<Option<&str>, Problem> {
        match self {
            Self::Embedded(row) => {
                let value = row.get_ref(column)?;
                let text = value.as_str_or_null().map_err(|error| Problem::Unreadable(error.to_string()))?;
                Ok(text)
            }
            Self::Shared(row) => Ok(row.try_get(column)?),
        }
    }
}

impl Row<'_> {
    /// All that stands in it.
    pub(super) fn cells(&self) -> Result<Vec<Cell>, Problem> {
        match self {
            Self::Embedded(row) => {
                let count = row.as_ref().column_count();
                (0..count).map(|column| Ok(embedded_cell(row.get_ref(column)?))).collect()
            }
            Self::Shared(row) => (0..row.len()).map(|column| shared_cell(row, column)).collect(),
        }
    }
}

fn embedded_cell(value: rusqlite::types::ValueRef<'_>) -> Cell {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null | ValueRef::Real(_) => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    }
}

fn shared_cell(row: &postgres::Row, column: usize) -> Result<Cell, Problem> {
    let kind = row.columns().get(column).map(|column| column.type_().clone());
    let cell = match kind {
        Some(postgres::types::Type::INT8) => row.try_get::<_, Option<i64>>(column)?.map(Cell::Integer),
        Some(postgres::types::Type::BYTEA) => row.try_get::<_, Option<Vec<u8>>>(column)?.map(Cell::Bytes),
        _ => row.try_get::<_, Option<String>>(column)?.map(Cell::Text),
    };
    Ok(cell.unwrap_or(Cell::Null))
}

/// What a column can be read as.
pub(super) trait Column: Sized {
    fn read(row: &Row<'_>, column: usize) -> Result<Self, Problem>;
}

macro_rules! columns {
    ($($kind:ty),*) => { $(impl Column for $kind {
        fn read(row: &Row<'_>, column: usize) -> Result<Self, Problem> {
            match row {
                Row::Embedded(row) => Ok(row.get(column)?),
                Row::Shared(row) => Ok(row.try_get(column)?),
            }
        }
    })* };
}
columns!(i64, String, Vec<u8>, Option<i64>, Option<String>);

impl Column for bool {
    fn read(row: &Row<'_>, column: usize) -> Result<Self, Problem> {
        match row {
            Row::Embedded(row) => Ok(row.get(column)?),
            // What is asked is a truth value; what is kept is 0 or 1, as the embedded store has it.
            Row::Shared(row) => match row.try_get(column) {
                Ok(is) => Ok(is),
                Err(_) => Ok(row.try_get::<_, i64>(column)? != 0),
            },
        }
    }
}

impl<const LENGTH: usize> Column for [u8; LENGTH] {
    fn read(row: &Row<'_>, column: usize) -> Result<Self, Problem> {
        match row {
            Row::Embedded(row) => Ok(row.get(column)?),
            Row::Shared(row) => {
                let bytes: &[u8] = row.try_get(column)?;
                bytes.try_into().map_err(|_| Problem::Unreadable(format!("a hash of {} bytes", bytes.len())))
            }
        }
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::ValueRef;
        let value = match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Boolean(is) => ValueRef::Integer(i64::from(*is)),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        };
        Ok(rusqlite::types::ToSqlOutput::Borrowed(value))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Integer(i64::from(number))
    }
}

impl From<bool> for Value<'_> {
    fn from(is: bool) -> Self {
        Self::Boolean(is)
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(text)
    }
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(text: &'v String) -> Self {
        Self::Text(text)
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(bytes: &'v [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'v, const LENGTH: usize> From<&'v [u8; LENGTH]> for Value<'v> {
    fn from(bytes: &'v [u8; LENGTH]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
