//! A URL that never shows its credentials.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Host;

/// An `https`, `http` or `file` URL. `Display` and `Debug` mask a password, or a name that stands alone as a token does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Url(Arc<url::Url>);

/// What is not a URL to fetch from. The text itself is left out: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("this is not a URL ({cause}); write https://host/path or file:///path")]
    Syntax { cause: String },
    #[error("`{scheme}:` is not fetched from; write https://, http:// or file://")]
    Scheme { scheme: String },
    #[error("a file:// URL names a path of this machine from the root, such as file:///srv/feed")]
    FilePath,
}

impl Url {
    /// Reads a URL; anything but `https`, `http` and `file` is refused.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let url = url::Url::parse(text).map_err(|error| UrlError::Syntax { cause: error.to_string() })?;
        Self::checked(url)
    }

    /// The `file://` URL of an absolute path.
    pub fn of_path(path: &Path) -> Result<Self, UrlError> {
        url::Url::from_file_path(path).map_err(|()| UrlError::FilePath).and_then(Self::checked)
    }

    /// What `reference` means on the page of this URL: relative, or absolute.
    pub fn join(&self, reference: &str) -> Result<Self, UrlError> {
        let url = self.0.join(reference).map_err(|error| UrlError::Syntax { cause: error.to_string() })?;
        Self::checked(url)
    }

    /// The URL of something below this one, whether or not this one ends in a slash; its query is dropped.
    pub fn below(&self, path: &str) -> Result<Self, UrlError> {
        let mut folder = url::Url::clone(&self.0);
        if !folder.path().ends_with('/') {
            let path = format!("{}/", folder.path());
            folder.set_path(&path);
        }
        folder.set_query(None);
        Self(Arc::new(folder)).join(&format!("./{}", path.trim_start_matches('/')))
    }

    /// The same URL with one more parameter in its query.
    #[must_use]
    pub fn with_parameter(mut self, name: &str, value: &str) -> Self {
        Arc::make_mut(&mut self.0).query_pairs_mut().append_pair(name, value);
        self
    }

    fn checked(url: url::Url) -> Result<Self, UrlError> {
        match url.scheme() {
            "https" | "http" => Ok(Self(Arc::new(url))),
            "file" if url.to_file_path().is_ok() => Ok(Self(Arc::new(url))),
            "file" => Err(UrlError::FilePath),
            scheme => Err(UrlError::Scheme { scheme: scheme.to_owned() }),
        }
    }

    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    pub fn is_file(&self) -> bool {
        self.0.scheme() == "file"
    }

    /// Whether a name or a password stands in it.
    pub fn has_credentials(&self) -> bool {
        !self.0.username().is_empty() || self.0.password().is_some()
    }

    /// The path of a `file` URL.
    pub fn file_path(&self) -> Option<PathBuf> {
        if self.is_file() { self.0.to_file_path().ok() } else { None }
    }

    /// The last name of the path, such as `feed.json`; empty where the path ends in a slash.
    pub fn file_name(&self) -> &str {
        self.0.path().rsplit('/').next().unwrap_or_default()
    }

    /// Whether the host is this machine: 127.0.0.0/8, `::1`, or the name `localhost` (RFC 6761, section 6.3).
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                name == "localhost" || name.ends_with(".localhost")
            }
            None => false,
        }
    }

    /// Scheme, host and port: what a credential was meant for.
    pub fn is_same_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// The whole URL, credentials included, for the wire alone.
    pub(super) fn for_the_wire(&self) -> &str {
        let text = self.0.as_str();
        // The part after `#` is never sent (RFC 9110, section 7.1).
        text.split('#').next().unwrap_or(text)
    }

    /// For a library that asks us to fetch by this type. It does not mask credentials, so it is never shown.
    pub fn to_url(&self) -> url::Url {
        (*self.0).clone()
    }

    /// Carries the credentials of `other` on to the same server.
    pub(super) fn with_credentials_of(mut self, other: &Self) -> Self {
        if self.0.username().is_empty() && self.is_same_origin(other) {
            // Both fail only for URLs that cannot hold credentials, and then there are none to carry.
            let url = Arc::make_mut(&mut self.0);
            url.set_username(other.0.username()).ok();
            url.set_password(other.0.password()).ok();
        }
        self
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = url::Url::clone(&self.0);
        if shown.password().is_some() {
            shown.set_password(Some("***")).ok();
        } else if !shown.username().is_empty() {
            shown.set_username("***").ok();
        }
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

impl std::str::FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_never_shown() {
        let with_password = Url::parse("https://user:secret@host.example/a?b").unwrap();
        assert_eq!(with_password.to_string(), "https://user:***@host.example/a?b");
        assert_eq!(format!("{with_password:?}"), "Url(https://user:***@host.example/a?b)");
        assert_eq!(Url::parse("https://token@host.example").unwrap().to_string(), "https://***@host.example/");
        let wrong = Url::parse("https://user:secret@host:port").unwrap_err();
        assert!(!format!("{wrong} {wrong:?}").contains("secret"), "{wrong:?}");
    }

    #[test]
    fn this_machine_is_told_from_others() {
        for here in
            ["http://127.0.0.1:80", "http://127.9.9.9", "http://[::1]:8080/a", "http://localhost", "http://LOCALHOST."]
        {
            assert!(Url::parse(here).unwrap().is_loopback(), "{here}");
        }
        for away in [
            "http://10.0.0.1",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://[::2]",
            "http://0.0.0.0",
        ] {
            assert!(!Url::parse(away).unwrap().is_loopback(), "{away}");
        }
    }

    #[test]
    fn only_what_can_be_fetched_is_a_url() {
        assert_eq!(
            Url::parse("ftp://host/").unwrap_err().to_string(),
            "`ftp:` is not fetched from; write https://, http:// or file://"
        );
        assert_eq!(Url::parse("file://host/share").unwrap_err(), UrlError::FilePath);
        assert!(matches!(Url::parse("feeds.example/feed"), Err(UrlError::Syntax { .. })));
        assert_eq!(Url::parse("file:///srv/a%20b").unwrap().file_path().unwrap(), Path::new("/srv/a b"));
        assert_eq!(Url::of_path(Path::new("/srv/a b")).unwrap().to_string(), "file:///srv/a%20b");
    }

    #[test]
    fn a_path_below_keeps_the_folder() {
        for base in ["https://h/feed", "https://h/feed/"] {
            assert_eq!(
                Url::parse(base).unwrap().below("1.root.json").unwrap().to_string(),
                "https://h/feed/1.root.json"
            );
        }
        let page = Url::parse("https://h/api").unwrap().with_parameter("since", "2021-02-01T00:00:00+00:00");
        assert_eq!(page.to_string(), "https://h/api?since=2021-02-01T00%3A00%3A00%2B00%3A00");
    }
}
