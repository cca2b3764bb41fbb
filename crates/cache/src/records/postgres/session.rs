//! One connection to `PostgreSQL` with the statements it knows already.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use bytes::BytesMut;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Statement};

use super::super::driver::{Problem, Value};
use super::super::error::RecordsError;

/// How long a connection that was not used for a while has to prove itself.
const ANSWER: Duration = Duration::from_secs(5);
/// Statements that a connection remembers.
const STATEMENTS_MAX: usize = 128;

/// A connection. Once it is given up it is not used again.
#[derive(Default)]
pub(crate) struct Session {
    client: Option<Box<Client>>,
    statements: BTreeMap<String, Statement>,
    server: String,
    has_part: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(client: Client, server: String) -> Self {
        Self { client: Some(Box::new(client)), statements: BTreeMap::new(), server, has_part: false }
    }

    /// Whether nothing is known against it.
    pub(super) fn is_whole(&self) -> bool {
        self.client.as_ref().is_some_and(|client| !client.is_closed())
    }

    /// Whether the database still answers on it.
    pub(in super::super) fn answers(&mut self) -> bool {
        self.client.as_mut().is_some_and(|client| client.is_valid(ANSWER).is_ok())
    }

    pub(super) fn client(&mut self) -> Result<&mut Client, Problem> {
        self.parts().map(|(client, _)| client)
    }

    pub(super) fn parts(&mut self) -> Result<(&mut Client, &mut BTreeMap<String, Statement>), Problem> {
        let client = self.client.as_mut().ok_or(Problem::Lost)?;
        Ok((client, &mut self.statements))
    }

    /// Statements whose answers do not matter.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), Problem> {
        Ok(self.client()?.batch_execute(sql)?)
    }

    pub(super) fn told(&self, problem: Problem) -> RecordsError {
        super::named(&self.server, problem)
    }

    /// Whether it stands for a server that runs.
    pub(super) fn has_part(&self) -> bool {
        self.has_part
    }

    pub(super) fn take_part(&mut self, is_had: bool) {
        self.has_part |= is_had;
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Ends the connection, and with it its locks.
    pub(super) fn give_up(&mut self) {
        if let Some(client) = self.client.take() {
            // A client brings a small runtime along, which may not end on a thread that serves.
            if tokio::runtime::Handle::try_current().is_ok() {
                drop(std::thread::spawn(move || drop(client)));
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// A transaction in which something is asked.
pub(crate) struct Asked<'t> {
    transaction: postgres::Transaction<'t>,
    statements: &'t mut BTreeMap<String, Statement>,
    mark: String,
}

impl<'t> Asked<'t> {
    pub(super) fn new(
        transaction: postgres::Transaction<'t>,
        statements: &'t mut BTreeMap<String, Statement>,
        mark: &str,
    ) -> Self {
        Self { transaction, statements, mark: mark.to_owned() }
    }

    pub(super) fn commit(self) -> Result<(), postgres::Error> {
        self.transaction.commit()
    }

    /// What changes of this server are marked with.
    pub(in super::super) fn mark(&self) -> &str {
        &self.mark
    }

    pub(in super::super) fn batch(&mut self, sql: &str) -> Result<(), postgres::Error> {
        self.transaction.batch_execute(sql)
    }

    pub(in super::super) fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, postgres::Error> {
        let statement = self.statement(sql)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        self.transaction.execute(&statement, &values)
    }

    pub(in super::super) fn each(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&postgres::Row) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let statement = self.statement(sql)?;
        let mut rows =
            self.transaction.query_raw(&statement, values.iter().map(|value| value as &(dyn ToSql + Sync)))?;
        while let Some(row) = rows.next()? {
            each(&row)?;
        }
        Ok(())
    }

    /// The statement, made ready once for each connection.
    fn statement(&mut self, sql: &str) -> Result<Statement, postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.transaction.prepare(&sql.replace('?', "$"))?;
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) if *kind == Type::INT4 => i32::try_from(*number)?.to_sql(kind, out),
            Self::Integer(number) => number.to_sql(kind, out),
            Self::Boolean(is) if *kind == Type::BOOL => is.to_sql(kind, out),
            Self::Boolean(is) => i64::from(*is).to_sql(kind, out),
            // PostgreSQL has no text with this character, and what a person wrote is not refused for it.
            Self::Text(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").to_sql(kind, out),
            Self::Text(text) => text.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
