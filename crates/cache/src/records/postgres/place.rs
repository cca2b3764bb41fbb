//! Where the database is, who asks it, and whether the way there is encrypted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aux_core::limits::{CACHE_AUTHORITIES_BYTES_MAX, CACHE_DATABASE_SECONDS_MAX};
use postgres::config::{Host, SslMode};
use postgres::{Client, Config, NoTls};
use zeroize::Zeroizing;

use super::tls::Verified;

/// A file with a password, bytes.
const PASSWORD_BYTES_MAX: u64 = 4_096;
const CONNECT: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(CACHE_DATABASE_SECONDS_MAX);

/// A database of `PostgreSQL` and how to get into it. It has no `Debug` of the password.
#[derive(Clone)]
pub struct Place {
    config: Box<Config>,
    /// `None` for a way that nobody can listen to.
    encryption: Option<Verified>,
    shown: String,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown)
    }
}

/// Why an address names no database that may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    #[error("is no address of a database, like postgres://USER@HOST/NAME: {0}")]
    Malformed(String),
    #[error("holds a password, which everybody on this machine can see; put it into a file and name that file")]
    Password,
    #[error("names no host; for a socket write postgres:///NAME?host=/run/postgresql&user=USER")]
    NoHost,
    #[error(
        "asks for {host} without encryption; only sockets and this machine itself (localhost, 127.0.0.1, ::1) may be \
         asked so"
    )]
    Plain { host: String },
    #[error("sslmode={mode}: is not known here; verify-full is, and disable for this machine itself")]
    Mode { mode: String },
    #[error("asks for encryption on a socket, which has none; leave sslmode and sslrootcert away")]
    Socket,
    #[error("sslrootcert={}: {cause}", path.display())]
    Authorities { path: PathBuf, cause: String },
}

/// What an address says of encryption, which the client of `PostgreSQL` itself does not know in these words.
#[derive(Default)]
struct Said {
    mode: Option<String>,
    authorities: Option<PathBuf>,
}

impl Place {
    /// Reads `postgres://USER@HOST:PORT/NAME`. The password is never part of it. Another machine is always asked through TLS
    /// and proves its name, to the authorities of the file that `sslrootcert` names or to those of this machine.
    pub fn parse(address: &str, password: Option<&[u8]>) -> Result<Self, PlaceError> {
        if !address.starts_with("postgres://") && !address.starts_with("postgresql://") {
            return Err(PlaceError::Malformed("it does not begin with postgres://".to_owned()));
        }
        let (address, said) = Said::split(address)?;
        // What is wrong is told without the text itself, which may hold what should not be shown.
        let mut config: Config = address.parse().map_err(|error: postgres::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            PlaceError::Malformed(cause.unwrap_or_else(|| error.to_string()))
        })?;
        if config.get_password().is_some() {
            return Err(PlaceError::Password);
        }
        if config.get_hosts().is_empty() {
            return Err(PlaceError::NoHost);
        }
        let encryption = said.encryption(&config)?;
        let shown = shown(&config);
        config.application_name("aux-server").connect_timeout(CONNECT).tcp_user_timeout(PATIENCE);
        config.keepalives_idle(PATIENCE);
        config.ssl_mode(if encryption.is_some() { SslMode::Require } else { SslMode::Disable });
        if let Some(password) = password {
            config.password(password);
        }
        Ok(Self { config: Box::new(config), encryption, shown })
    }

    pub(super) fn connect(&self) -> Result<Client, postgres::Error> {
        match &self.encryption {
            Some(verified) => self.config.connect(verified.clone()),
            None => self.config.connect(NoTls),
        }
    }

    /// Host and name, for errors.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

impl Said {
    /// Takes what is about encryption out of an address.
    fn split(address: &str) -> Result<(String, Self), PlaceError> {
        let mut said = Self::default();
        let Some((before, query)) = address.split_once('?') else { return Ok((address.to_owned(), said)) };
        let mut others = Vec::new();
        for parameter in query.split('&') {
            match parameter.split_once('=') {
                Some(("sslmode", mode)) => said.mode = Some(mode.to_owned()),
                Some(("sslrootcert", path)) if path.contains('%') => {
                    return Err(PlaceError::Malformed("sslrootcert is a path as it is, without %".to_owned()));
                }
                Some(("sslrootcert", path)) => said.authorities = Some(path.into()),
                _ => others.push(parameter),
            }
        }
        Ok((format!("{before}?{}", others.join("&")), said))
    }

    fn encryption(&self, config: &Config) -> Result<Option<Verified>, PlaceError> {
        let hosts = config.get_hosts();
        let is_socket = hosts.iter().any(|host| matches!(host, Host::Unix(_)));
        let far = hosts.iter().find_map(|host| match host {
            Host::Tcp(name) if !matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1") => Some(name.clone()),
            Host::Tcp(_) | Host::Unix(_) => None,
        });
        // An address beside the name says where it really goes.
        let far = far
            .or_else(|| config.get_hostaddrs().iter().find(|address| !address.is_loopback()).map(ToString::to_string));
        let is_wanted = match self.mode.as_deref() {
            None => far.is_some() || self.authorities.is_some(),
            Some("verify-full") => true,
            Some("disable") => match far {
                Some(host) => return Err(PlaceError::Plain { host }),
                None => false,
            },
            Some(mode) => return Err(PlaceError::Mode { mode: mode.to_owned() }),
        };
        if !is_wanted {
            return Ok(None);
        }
        if is_socket {
            return Err(PlaceError::Socket);
        }
        let failed = |cause: String| PlaceError::Authorities {
            path: self.authorities.clone().unwrap_or_else(|| PathBuf::from("the authorities of this machine")),
            cause,
        };
        let read = |path: &PathBuf| aux_io::input::read(path, CACHE_AUTHORITIES_BYTES_MAX);
        let pem = self.authorities.as_ref().map(read).transpose().map_err(|error| failed(error.message()))?;
        let client = aux_io::tls::client(pem.as_deref()).map_err(failed)?;
        Ok(Some(Verified(Arc::clone(&client))))
    }
}

/// Reads a password from the first line of a file that nobody else may read. The error is a sentence for a person.
pub fn password(file: &Path) -> Result<Zeroizing<String>, String> {
    let text = aux_io::private::text(file, PASSWORD_BYTES_MAX).map_err(|error| error.to_string())?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.to_owned())),
        _ => Err(format!("{}: its first line is empty", file.display())),
    }
}

/// Host and name, for errors.
fn shown(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Unix(path)) => path.display().to_string(),
        Some(Host::Tcp(name)) => name.clone(),
        None => String::new(),
    };
    format!("postgres {} at {host}", config.get_dbname().or(config.get_user()).unwrap_or_default())
}
