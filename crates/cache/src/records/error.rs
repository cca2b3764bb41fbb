//! Why the records give no answer, in terms of what a person can do about it.

use aux_io::database::DatabaseError;
use postgres::error::SqlState;

/// Why the records give no answer. The cause stands in the text.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    #[error(transparent)]
    Embedded(Box<DatabaseError>),
    #[error("{server}: the database cannot be reached: {cause}")]
    Away { server: String, cause: String },
    #[error("{server}: the database is busy: {cause}")]
    Busy { server: String, cause: String },
    #[error("{server}: no space left for the database: {cause}")]
    Full { server: String, cause: String },
    #[error("{server}: the database does not let this user in: {cause}")]
    Refused { server: String, cause: String },
    #[error(
        "{server}: the schema aux_cache was written by a newer aux (version {found}, this one knows up to {known}); \
         update aux"
    )]
    Newer { server: String, found: i64, known: usize },
    #[error("{server}: the schema aux_cache is of something else; name another database")]
    Foreign { server: String },
    #[error("{server}: the database gives no answer: {cause}")]
    Query { server: String, cause: String },
    #[error("the records hold what cannot be read: {what}")]
    Unreadable { what: String },
}

impl From<DatabaseError> for RecordsError {
    fn from(error: DatabaseError) -> Self {
        Self::Embedded(Box::new(error))
    }
}

impl RecordsError {
    /// Whether the database itself is away, so that the same may be asked again later.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

/// What `PostgreSQL` says. See appendix A of its manual, "`PostgreSQL` Error Codes".
pub(super) fn classified(server: &str, error: &postgres::Error) -> RecordsError {
    let (server, cause) = (server.to_owned(), told(error));
    let Some(code) = error.code() else {
        // Without a code it is the connection, and not the database, that said no.
        return RecordsError::Away { server, cause };
    };
    match *code {
        SqlState::DISK_FULL => RecordsError::Full { server, cause },
        SqlState::QUERY_CANCELED
        | SqlState::LOCK_NOT_AVAILABLE
        | SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED => RecordsError::Busy { server, cause },
        SqlState::INVALID_PASSWORD
        | SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        | SqlState::INSUFFICIENT_PRIVILEGE
        | SqlState::INVALID_CATALOG_NAME => RecordsError::Refused { server, cause },
        // A standby answers questions and takes nothing; it is not the server that was meant, for now.
        SqlState::READ_ONLY_SQL_TRANSACTION
        | SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::TOO_MANY_CONNECTIONS
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => RecordsError::Away { server, cause },
        _ => RecordsError::Query { server, cause },
    }
}

/// The error and what caused it, in one line.
fn told(error: &postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = next.source();
    }
    text
}
