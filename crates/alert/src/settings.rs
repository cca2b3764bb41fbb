//! The `[alert]` table of a configuration file, and the channels it sets up.
//!
//! A channel that cannot be set up is a problem of its own: the others work on.

mod shown;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aux_core::limits::{ALERT_SEND_SECONDS_MAX, SECRET_FILE_BYTES_MAX};
use aux_io::http::{HttpClient, HttpError, HttpOptions, Proxy};
use aux_io::input::{self, InputError};
use serde::Deserialize;

use crate::mail::{Encryption, Mail, MailError, MailOptions};
use crate::notification::Notification;
use crate::webhook::{Webhook, WebhookError};
use crate::{Channel, Secret, SecretError};

/// Where the line for terminals lies unless the configuration says otherwise.
pub const LINE_FILE: &str = "/run/aux/motd";
/// Where the queue lies unless the configuration says otherwise.
pub const QUEUE_FILE: &str = "/var/lib/aux/alerts.sqlite";

/// Whom to tell, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub queue: Option<PathBuf>,
    /// The line for terminals.
    pub line: Option<PathBuf>,
    /// Toasts in the session; by default wherever there is one.
    pub notification: Option<bool>,
    #[serde(default)]
    pub webhook: BTreeMap<String, WebhookSettings>,
    #[serde(default)]
    pub mail: BTreeMap<String, MailSettings>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Either this, or a file that holds it where the URL itself is a secret.
    url: Option<Hidden>,
    url_file: Option<PathBuf>,
    /// A file with `whsec_…`; without it requests are not signed.
    secret_file: Option<PathBuf>,
    /// Certificates in PEM to trust in place of the machine's.
    certificates: Option<PathBuf>,
    /// Plain `http://` to other machines.
    #[serde(default)]
    allow_insecure: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    server: String,
    port: Option<u16>,
    #[serde(default)]
    encryption: Encryption,
    /// Certificates in PEM to trust beside the machine's.
    certificates: Option<PathBuf>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    from: String,
    to: Vec<String>,
}

/// A URL whose path may be a password: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
struct Hidden(String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("(hidden)")
    }
}

/// A channel that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("{channel}: {cause}")]
    Secret { channel: String, cause: SecretError },
    #[error("{channel}: the certificates cannot be read: {cause}")]
    Certificates { channel: String, cause: InputError },
    #[error("{channel}: name either `url` or `url_file`")]
    Url { channel: String },
    #[error("{channel}: `user` and `password_file` go together")]
    Credentials { channel: String },
    #[error("{channel}: {cause}")]
    Http { channel: String, cause: HttpError },
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error("notification: there is no session bus here (DBUS_SESSION_BUS_ADDRESS); run this in a desktop session")]
    NoSession,
}

/// What the process knows of its surroundings.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// The value of `DBUS_SESSION_BUS_ADDRESS`.
    pub bus_address: Option<String>,
    /// Sent as `User-Agent`.
    pub user_agent: String,
    /// What webhooks on other machines are reached through.
    pub proxy: Option<Proxy>,
}

/// The channels that are ready, and what is wrong with the others.
pub struct Channels {
    pub ready: Vec<Box<dyn Channel>>,
    pub problems: Vec<SetupError>,
}

impl Settings {
    /// Paths are meant from the folder of the file that names them.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        let own = [&mut self.queue, &mut self.line];
        let webhooks = self
            .webhook
            .values_mut()
            .flat_map(|webhook| [&mut webhook.url_file, &mut webhook.secret_file, &mut webhook.certificates]);
        let mails = self.mail.values_mut().flat_map(|mail| [&mut mail.certificates, &mut mail.password_file]);
        for path in own.into_iter().chain(webhooks).chain(mails).flatten() {
            *path = folder.join(&path);
        }
        self
    }

    pub fn queue_file(&self) -> &Path {
        self.queue.as_deref().unwrap_or(Path::new(QUEUE_FILE))
    }

    pub fn line_file(&self) -> &Path {
        self.line.as_deref().unwrap_or(Path::new(LINE_FILE))
    }

    /// Sets every channel up; opens no connection.
    pub fn channels(&self, session: &Session) -> Channels {
        let mut channels = Channels { ready: Vec::new(), problems: Vec::new() };
        match (&session.bus_address, self.notification) {
            (_, Some(false)) | (None, None) => {}
            (None, Some(true)) => channels.problems.push(SetupError::NoSession),
            (Some(address), _) => channels.ready.push(Box::new(Notification::new("notification", address))),
        }
        for (name, webhook) in &self.webhook {
            channels.add(webhook.channel(&format!("webhook.{name}"), session));
        }
        for (name, mail) in &self.mail {
            channels.add(mail.channel(&format!("mail.{name}")));
        }
        channels
    }
}

impl SetupError {
    /// The channel it is about.
    pub fn channel(&self) -> &str {
        match self {
            Self::Secret { channel, .. }
            | Self::Certificates { channel, .. }
            | Self::Url { channel }
            | Self::Credentials { channel }
            | Self::Http { channel, .. } => channel,
            Self::Webhook(cause) => cause.channel(),
            Self::Mail(cause) => cause.channel(),
            Self::NoSession => "notification",
        }
    }
}

impl Channels {
    /// Leaves the channel of this name alone in the list.
    pub fn keep(&mut self, name: &str) {
        self.ready.retain(|channel| channel.name() == name);
        self.problems.retain(|problem| problem.channel() == name);
    }

    fn add<C: Channel + 'static>(&mut self, made: Result<C, SetupError>) {
        match made {
            Ok(channel) => self.ready.push(Box::new(channel)),
            Err(problem) => self.problems.push(problem),
        }
    }
}

impl WebhookSettings {
    fn channel(&self, name: &str, session: &Session) -> Result<Webhook, SetupError> {
        let channel = || name.to_owned();
        let secret =
            |path: &PathBuf| Secret::of_file(path).map_err(|cause| SetupError::Secret { channel: channel(), cause });
        let url = match (&self.url, &self.url_file) {
            (Some(Hidden(url)), None) => Secret::new(url),
            (None, Some(path)) => secret(path)?,
            _ => return Err(SetupError::Url { channel: channel() }),
        };
        let key = self.secret_file.as_ref().map(secret).transpose()?;
        let limit = Duration::from_secs(ALERT_SEND_SECONDS_MAX);
        let options = HttpOptions {
            total_limit: limit,
            connect_limit: limit,
            response_limit: limit,
            allow_insecure: self.allow_insecure,
            proxy: session.proxy.clone(),
            root_certificates: certificates(name, self.certificates.as_deref())?,
            ..HttpOptions::new(session.user_agent.clone())
        };
        let client = HttpClient::new(options).map_err(|cause| SetupError::Http { channel: channel(), cause })?;
        Ok(Webhook::new(name, &url, key.as_ref(), client)?)
    }
}

impl MailSettings {
    fn channel(&self, name: &str) -> Result<Mail, SetupError> {
        let channel = || name.to_owned();
        let user = match (&self.user, &self.password_file) {
            (Some(user), Some(path)) => {
                let password = Secret::of_file(path);
                Some((user.clone(), password.map_err(|cause| SetupError::Secret { channel: channel(), cause })?))
            }
            (None, None) => None,
            _ => return Err(SetupError::Credentials { channel: channel() }),
        };
        let options = MailOptions {
            server: self.server.clone(),
            port: self.port,
            encryption: self.encryption,
            extra_certificates: certificates(name, self.certificates.as_deref())?,
            user,
            from: self.from.clone(),
            to: self.to.clone(),
        };
        Ok(Mail::new(name, &options)?)
    }
}

fn certificates(channel: &str, path: Option<&Path>) -> Result<Option<Vec<u8>>, SetupError> {
    let read = path.map(|path| input::read(path, SECRET_FILE_BYTES_MAX)).transpose();
    read.map_err(|cause| SetupError::Certificates { channel: channel.to_owned(), cause })
}
