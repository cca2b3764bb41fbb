//! Mail: everything that is due in one message, over SMTP with TLS.

use std::time::Duration;

use aux_core::limits::{ALERT_BATCH_MAX, ALERT_SEND_SECONDS_MAX};
use jiff::Timestamp;
use lettre::address::AddressError;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MessageBuilder, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{SmtpTransport, Transport};
use serde::Deserialize;

use crate::digest::short_name;
use crate::{Channel, Message, Secret, SendError, wording};

/// How the way to the server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// From the first byte (RFC 8314, section 3.3): port 465.
    Tls,
    /// After `STARTTLS` (RFC 3207), which the server has to offer: port 587.
    #[default]
    StartTls,
    /// Not at all: only for a server on this machine, and without a password.
    None,
}

/// Where mail goes, and how.
pub struct MailOptions {
    pub server: String,
    /// The port that belongs to the encryption where this is `None`.
    pub port: Option<u16>,
    pub encryption: Encryption,
    /// Certificates in PEM that are trusted beside the machine's own.
    pub extra_certificates: Option<Vec<u8>>,
    pub user: Option<(String, Secret)>,
    pub from: String,
    pub to: Vec<String>,
}

/// Why mail cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("{channel}: `{address}` is no mail address: {cause}")]
    Address { channel: String, address: String, cause: AddressError },
    #[error("{channel}: nobody to write to; name at least one address in `to`")]
    Nobody { channel: String },
    #[error(
        "{channel}: mail without encryption goes to this machine only (127.0.0.1, ::1 or localhost), and without a user"
    )]
    Insecure { channel: String },
    #[error("{channel}: TLS cannot be set up: {cause}")]
    Tls { channel: String, cause: lettre::transport::smtp::Error },
}

impl MailError {
    pub(crate) fn channel(&self) -> &str {
        match self {
            Self::Address { channel, .. }
            | Self::Nobody { channel }
            | Self::Insecure { channel }
            | Self::Tls { channel, .. } => channel,
        }
    }
}

/// A mail server and who is written to.
pub struct Mail {
    name: String,
    from: Mailbox,
    to: Vec<Mailbox>,
    transport: SmtpTransport,
    server: String,
}

impl Mail {
    /// Sets the channel up; opens no connection.
    pub fn new(name: &str, options: &MailOptions) -> Result<Self, MailError> {
        let channel = || name.to_owned();
        let is_local = matches!(options.server.as_str(), "localhost" | "127.0.0.1" | "::1");
        if options.encryption == Encryption::None && (!is_local || options.user.is_some()) {
            return Err(MailError::Insecure { channel: channel() });
        }
        let mailbox = |address: &String| {
            address.parse::<Mailbox>().map_err(|cause| MailError::Address {
                channel: channel(),
                address: address.clone(),
                cause,
            })
        };
        let to = options.to.iter().map(mailbox).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            return Err(MailError::Nobody { channel: channel() });
        }
        let transport = transport(options).map_err(|cause| MailError::Tls { channel: channel(), cause })?;
        Ok(Self { name: channel(), from: mailbox(&options.from)?, to, transport, server: options.server.clone() })
    }

    /// The mail as it goes over the wire.
    fn compose(&self, messages: &[Message], now: Timestamp) -> Result<lettre::Message, lettre::error::Error> {
        let subject = match messages {
            [one] => wording::headline(&one.event),
            many => format!("{} security alerts", many.len()),
        };
        let paragraphs: Vec<String> = messages.iter().map(|one| wording::lines(&one.event).join("\n")).collect();
        // Bytes and an encoding of our own choice: a body that is given as text would be wrapped by what it holds.
        let body = Body::new_with_encoding(paragraphs.join("\n\n") + "\n", ContentTransferEncoding::QuotedPrintable)
            .map_err(|_| lettre::error::Error::NonAsciiChars)?;
        let mut builder: MessageBuilder = lettre::Message::builder()
            .from(self.from.clone())
            .subject(format!("[aux] {subject}"))
            .date(now.into())
            .message_id(Some(self.message_id(messages)))
            .raw_header(raw("Auto-Submitted", "auto-generated"));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder.singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body))
    }

    /// The same for the same events, so that a repetition after a crash can be told by who receives it (RFC 5322,
    /// section 3.6.4).
    fn message_id(&self, messages: &[Message]) -> String {
        let name = short_name(messages.iter().map(|message| message.id.as_str()));
        format!("<{name}@{}>", self.from.email.domain())
    }

    fn failed(&self, error: &lettre::transport::smtp::Error) -> SendError {
        let mut cause = format!("{}: {error}", self.server);
        if let Some(source) = std::error::Error::source(error) {
            let source = source.to_string();
            if !cause.contains(&source) {
                cause = format!("{cause}: {source}");
            }
        }
        let cause = aux_core::visible::visible(&cause).into_owned();
        if error.is_permanent() || error.is_client() { SendError::refused(cause) } else { SendError::passing(cause) }
    }
}

/// A header that lettre has no type for.
fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn transport(options: &MailOptions) -> Result<SmtpTransport, lettre::transport::smtp::Error> {
    let parameters = || {
        let mut builder = TlsParameters::builder(options.server.clone());
        if let Some(pem) = &options.extra_certificates {
            builder = builder.add_root_certificate(Certificate::from_pem(pem)?);
        }
        builder.build()
    };
    let (tls, port) = match options.encryption {
        Encryption::Tls => (Tls::Wrapper(parameters()?), 465),
        Encryption::StartTls => (Tls::Required(parameters()?), 587),
        Encryption::None => (Tls::None, 25),
    };
    let mut builder = SmtpTransport::builder_dangerous(&options.server)
        .port(options.port.unwrap_or(port))
        .tls(tls)
        // The machine's name is nobody's business; an address literal is allowed (RFC 5321, section 4.1.4).
        .hello_name(ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST))
        .timeout(Some(Duration::from_secs(ALERT_SEND_SECONDS_MAX)));
    if let Some((user, password)) = &options.user {
        builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
    }
    Ok(builder.build())
}

impl Channel for Mail {
    fn name(&self) -> &str {
        &self.name
    }

    fn batch_max(&self) -> u32 {
        ALERT_BATCH_MAX
    }

    fn send(&mut self, messages: &[Message], now: Timestamp) -> Result<Vec<Option<String>>, SendError> {
        let mail = self.compose(messages, now).map_err(|error| SendError::refused(error.to_string()))?;
        self.transport.send(&mail).map_err(|error| self.failed(&error))?;
        Ok(vec![None; messages.len()])
    }
}
