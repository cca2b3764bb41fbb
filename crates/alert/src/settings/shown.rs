//! The settings as a person may see them: secrets by the files that hold them, a webhook by its host alone.

use std::fmt::Write as _;
use std::path::Path;

use aux_io::http::Url;

use super::{Hidden, MailSettings, Settings, WebhookSettings};
use crate::mail::Encryption;

impl Settings {
    /// Every setting that is there, by its key below `[alert]`, in a stable order.
    pub fn shown(&self) -> Vec<(String, String)> {
        let path = |path: &Path| path.display().to_string();
        let mut shown = Vec::new();
        let mut say = |key: &str, value: Option<String>| shown.extend(value.map(|value| (key.to_owned(), value)));
        say("notification", self.notification.map(|is_on| is_on.to_string()));
        say("queue", self.queue.as_deref().map(path));
        say("line", self.line.as_deref().map(path));
        for (name, webhook) in &self.webhook {
            say(&format!("webhook.{name}"), Some(webhook.shown()));
        }
        for (name, mail) in &self.mail {
            say(&format!("mail.{name}"), Some(mail.shown()));
        }
        shown
    }
}

/// `, word path`, where there is a path.
fn add(text: &mut String, word: &str, path: Option<&Path>) {
    if let Some(path) = path {
        // Writing to a text cannot fail.
        write!(text, ", {word} {}", path.display()).ok();
    }
}

impl WebhookSettings {
    fn shown(&self) -> String {
        let mut text = match (&self.url, &self.url_file) {
            (Some(Hidden(url)), None) => origin(url),
            (None, Some(file)) => format!("url_file {}", file.display()),
            _ => "neither or both of `url` and `url_file`".to_owned(),
        };
        add(&mut text, "secret_file", self.secret_file.as_deref());
        if self.secret_file.is_none() {
            text.push_str(", not signed");
        }
        add(&mut text, "certificates", self.certificates.as_deref());
        if self.allow_insecure {
            text.push_str(", allow_insecure");
        }
        text
    }
}

/// Scheme, host and port; what follows may be a password.
fn origin(url: &str) -> String {
    let root = Url::parse(url).ok().and_then(|url| url.join("/").ok());
    root.map_or_else(|| "a url that cannot be read".to_owned(), |root| format!("{root}…"))
}

impl MailSettings {
    fn shown(&self) -> String {
        let encryption = match self.encryption {
            Encryption::StartTls => "starttls",
            Encryption::Tls => "tls",
            Encryption::None => "none",
        };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let mut text = format!("{}{port} ({encryption}), from {}, to {}", self.server, self.from, self.to.join(" "));
        if let Some(user) = &self.user {
            write!(text, ", user {user}").ok();
        }
        add(&mut text, "password_file", self.password_file.as_deref());
        add(&mut text, "certificates", self.certificates.as_deref());
        text
    }
}
