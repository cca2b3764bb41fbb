//! Where a bucket is and who may use it.

use std::fmt;
use std::path::Path;

use aux_io::http::{Url, UrlError};
use aux_io::private::PrivateError;
use zeroize::Zeroizing;

/// The bytes of a file with credentials.
const CREDENTIALS_BYTES_MAX: u64 = 64 << 10;
/// What S3 itself calls the place that has no other name.
pub const REGION: &str = "us-east-1";

/// A bucket of an S3-compatible store.
#[derive(Clone)]
pub struct BucketSettings {
    pub(super) bucket: String,
    /// In front of every key; empty, or ending with `/`.
    pub(super) prefix: String,
    /// `None` for Amazon's own.
    pub(super) endpoint: Option<Url>,
    pub(super) region: String,
    pub(super) credentials: Credentials,
}

#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) key: Zeroizing<String>,
    pub(super) secret: Zeroizing<String>,
    pub(super) token: Option<Zeroizing<String>>,
}

/// Why there is no such bucket to use.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    #[error("{0}: is no bucket; s3://NAME or s3://NAME/PREFIX would be one")]
    Address(String),
    #[error("{text}: is no address of a store: {cause}")]
    Endpoint { text: String, cause: UrlError },
    #[error("{text}: plain http:// is for this machine alone; use https://")]
    Insecure { text: String },
    #[error("{0}")]
    File(#[from] PrivateError),
    #[error("{path}: has no line `{name} = …`")]
    Missing { path: String, name: &'static str },
}

impl BucketSettings {
    /// `address` is `s3://NAME/PREFIX`; `credentials` a file as Amazon's own programs have it, of which the first section is
    /// read.
    pub fn new(address: &str, endpoint: Option<&str>, region: &str, credentials: &Path) -> Result<Self, BucketError> {
        let wrong = || BucketError::Address(address.to_owned());
        let rest = address.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(is_plain);
        let prefix = prefix.trim_end_matches('/');
        if !is_part(bucket) || !(prefix.is_empty() || prefix.split('/').all(is_part)) {
            return Err(wrong());
        }
        let endpoint = endpoint.map(|text| {
            let url = Url::parse(text).map_err(|cause| BucketError::Endpoint { text: text.to_owned(), cause })?;
            let is_safe = url.is_https() || url.is_loopback() && !url.is_file();
            if is_safe { Ok(url) } else { Err(BucketError::Insecure { text: text.to_owned() }) }
        });
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            endpoint: endpoint.transpose()?,
            region: region.to_owned(),
            credentials: Credentials::read(credentials)?,
        })
    }
}

impl Credentials {
    fn read(path: &Path) -> Result<Self, BucketError> {
        let text = aux_io::private::text(path, CREDENTIALS_BYTES_MAX)?;
        Self::parse(&text).map_err(|name| BucketError::Missing { path: path.display().to_string(), name })
    }

    /// Reads the first section; the error is the name of what is missing.
    fn parse(text: &str) -> Result<Self, &'static str> {
        const KEY: &str = "aws_access_key_id";
        const SECRET: &str = "aws_secret_access_key";
        const TOKEN: &str = "aws_session_token";
        let lines = || {
            let lines = text.lines().map(str::trim).skip_while(|line| line.is_empty() || line.starts_with(['#', ';']));
            let first = usize::from(lines.clone().next().is_some_and(|line| line.starts_with('[')));
            lines.skip(first).take_while(|line| !line.starts_with('['))
        };
        let value = |name: &str| {
            let found = lines().filter_map(|line| line.split_once('=')).find(|(key, _)| key.trim() == name);
            found.map(|(_, value)| Zeroizing::new(value.trim().to_owned())).filter(|value| !value.is_empty())
        };
        let (key, secret) = (value(KEY).ok_or(KEY)?, value(SECRET).ok_or(SECRET)?);
        Ok(Self { key, secret, token: value(TOKEN) })
    }
}

impl fmt::Debug for BucketSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Where it is, and nothing of who may use it.
impl fmt::Display for BucketSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_of_the_first_section() {
        let text = "# ours\n\n[default]\naws_access_key_id = A\naws_secret_access_key=b+/=\n\n[other]\naws_session_token = x\n";
        let read = Credentials::parse(text).unwrap();
        assert_eq!((read.key.as_str(), read.secret.as_str(), read.token.is_none()), ("A", "b+/=", true));
        let read = Credentials::parse("aws_access_key_id=A\naws_secret_access_key=b\naws_session_token=t").unwrap();
        assert_eq!(read.token.as_deref().map(String::as_str), Some("t"));
        assert_eq!(
            Credentials::parse("[a]\naws_access_key_id=A\n[b]\naws_secret_access_key=b").err(),
            Some("aws_secret_access_key")
        );
        assert_eq!(Credentials::parse("").err(), Some("aws_access_key_id"));
    }

    #[test]
    fn an_address_is_a_bucket_and_a_prefix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        aux_io::file::create_private(&path, b"aws_access_key_id=A\naws_secret_access_key=hidden").unwrap();
        let settings = |address: &str, endpoint| BucketSettings::new(address, endpoint, REGION, &path);
        for (address, shown) in [("s3://b", "s3://b/"), ("s3://b/", "s3://b/"), ("s3://b/x/y/", "s3://b/x/y/")] {
            let settings = settings(address, Some("http://127.0.0.1:9000")).unwrap();
            assert_eq!(settings.to_string(), shown);
            assert!(!format!("{settings:?}").contains("hidden"));
        }
        for address in ["b", "s3://", "s3:///x", "s3://b/../x", "s3://b//x", "s3://b x", "https://b"] {
            assert!(matches!(settings(address, None), Err(BucketError::Address(_))), "{address}");
        }
        for endpoint in ["http://s3.example", "file:///x"] {
            assert!(matches!(settings("s3://b", Some(endpoint)), Err(BucketError::Insecure { .. })), "{endpoint}");
        }
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(matches!(settings("s3://b", None), Err(BucketError::File(PrivateError::Readable { .. }))));
    }
}
