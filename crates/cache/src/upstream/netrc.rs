//! The passwords that upstreams want: a file as Nix and curl read it, and what of it is sent where.

use std::fmt;
use std::path::{Path, PathBuf};

use aux_io::http::Url;
use aux_io::private::PrivateError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// A file with passwords, bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Entries in the order of their file.
#[derive(Default)]
pub struct Netrc(Vec<Entry>);

struct Entry {
    /// `None` for every host.
    host: Option<String>,
    login: Zeroizing<String>,
    password: Zeroizing<String>,
}

/// What one upstream is told of who asks: the value of an `Authorization` header.
pub(super) struct Authorization(Zeroizing<String>);

/// Why a file is not used. What is said of a file has no word of it, since every word may be a password.
#[derive(Debug, thiserror::Error)]
pub enum NetrcError {
    #[error(transparent)]
    File(#[from] PrivateError),
    #[error("{}: line {line}: {what}", path.display())]
    Syntax { path: PathBuf, line: usize, what: &'static str },
}

impl Netrc {
    /// Reads a file that nobody else may read.
    pub fn read(path: &Path) -> Result<Self, NetrcError> {
        let text = aux_io::private::text(path, FILE_BYTES_MAX)?;
        Self::parse(&text).map_err(|(line, what)| NetrcError::Syntax { path: path.to_path_buf(), line, what })
    }

    /// `machine HOST login NAME password WORD`, with any blanks and line feeds between; `default` in the place of a machine; a
    /// `#` at the start of a line or behind a blank begins a comment. The error is a line and what is wrong there.
    pub(crate) fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut entries: Vec<Draft> = Vec::new();
        let mut words = Words { text, line: 1 };
        while let Some(word) = words.next()? {
            let line = words.line;
            let mut value = |what| words.next()?.ok_or((line, what));
            match word.as_str() {
                "machine" => {
                    let host = value("`machine` without a host")?;
                    entries.push(Draft { host: Some(host.to_ascii_lowercase()), login: None, password: None });
                }
                "default" => entries.push(Draft { host: None, login: None, password: None }),
                "macdef" => words.pass_over_macro(),
                "login" | "user" | "account" | "password" | "passwd" => {
                    let value = value("a word without a value")?;
                    let draft = entries.last_mut().ok_or((line, "stands before the first `machine` or `default`"))?;
                    match word.as_str() {
                        // It is cut off at the first colon by whoever reads it (RFC 7617, section 2).
                        "login" | "user" if value.contains(':') => return Err((line, "a login has no colon")),
                        "login" | "user" => draft.login = Some(value),
                        "password" | "passwd" => draft.password = Some(value),
                        _ => {}
                    }
                }
                _ => return Err((line, "is no word of a netrc file; a password with blanks stands between quotes")),
            }
        }
        // Without a password there is nothing to send.
        let entry = |draft: Draft| {
            Some(Entry { host: draft.host, login: draft.login.unwrap_or_default(), password: draft.password? })
        };
        Ok(Self(entries.into_iter().filter_map(entry).collect()))
    }

    /// What a URL's host is told: that of the first entry for it, or for every host.
    fn find(&self, url: &Url) -> Option<&Entry> {
        let url = url.to_url();
        // An IPv6 address stands between brackets in a URL alone.
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
        self.0.iter().find(|entry| entry.host.as_deref().is_none_or(|known| known.eq_ignore_ascii_case(host)))
    }

    /// What an upstream at this URL is told. In the clear nothing is sent but to this machine; the error is that there was
    /// something.
    pub(super) fn authorization(&self, url: &Url) -> Result<Option<Authorization>, InTheClear> {
        let Some(Entry { login, password, .. }) = self.find(url) else { return Ok(None) };
        if !url.is_https() && !url.is_loopback() {
            return Err(InTheClear);
        }
        let both = Zeroizing::new(format!("{}:{}", login.as_str(), password.as_str()));
        let encoded = Zeroizing::new(STANDARD.encode(both.as_bytes()));
        Ok(Some(Authorization(Zeroizing::new(format!("Basic {}", encoded.as_str())))))
    }
}

/// There is a password, and the way is open to everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InTheClear;

struct Draft {
    host: Option<String>,
    login: Option<Zeroizing<String>>,
    password: Option<Zeroizing<String>>,
}

/// The words that are left, and the line where the last one stood.
struct Words<'t> {
    text: &'t str,
    line: usize,
}

impl Words<'_> {
    fn next(&mut self) -> Result<Option<Zeroizing<String>>, (usize, &'static str)> {
        loop {
            let rest = self.text.trim_start_matches([' ', '\t', '\r']);
            match rest.chars().next() {
                None => return Ok(None),
                Some('\n') => {
                    self.line += 1;
                    self.text = rest.get(1..).unwrap_or_default();
                }
                Some('#') => self.text = rest.find('\n').and_then(|end| rest.get(end..)).unwrap_or_default(),
                Some('"') => return self.quoted(rest.get(1..).unwrap_or_default()).map(Some),
                Some(_) => {
                    let (word, rest) = rest.split_at(rest.find([' ', '\t', '\r', '\n']).unwrap_or(rest.len()));
                    self.text = rest;
                    return Ok(Some(Zeroizing::new(word.to_owned())));
                }
            }
        }
    }

    /// A word between quotes, in which a backslash takes its meaning from the next character, as curl has it.
    fn quoted(&mut self, text: &str) -> Result<Zeroizing<String>, (usize, &'static str)> {
        let mut word = Zeroizing::new(String::with_capacity(text.len().min(256)));
        let mut characters = text.char_indices();
        while let Some((place, character)) = characters.next() {
            match character {
                '"' => {
                    // The borrow is of the text, and not of what is left of it.
                    let left = text.len().saturating_sub(place + 1);
                    self.text = self.text.get(self.text.len().saturating_sub(left)..).unwrap_or_default();
                    return Ok(word);
                }
                '\n' => break,
                '\\' => match characters.next() {
                    Some((_, 'n')) => word.push('\n'),
                    Some((_, 'r')) => word.push('\r'),
                    Some((_, 't')) => word.push('\t'),
                    Some((_, other)) => word.push(other),
                    None => break,
                },
                other => word.push(other),
            }
        }
        Err((self.line, "a quote that does not end in its line"))
    }

    /// A macro goes on to the next empty line; nobody runs it here.
    fn pass_over_macro(&mut self) {
        let end = self.text.find("\n\n").map_or(self.text.len(), |end| end + 1);
        let (over, rest) = self.text.split_at(end);
        self.line += over.matches('\n').count();
        self.text = rest;
    }
}

impl Authorization {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Netrc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Netrc").field("entries", &self.0.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Authorization")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(netrc: &str, url: &str) -> Option<String> {
        let authorization = Netrc::parse(netrc).unwrap().authorization(&Url::parse(url).unwrap()).unwrap()?;
        let encoded = authorization.expose().strip_prefix("Basic ").unwrap();
        Some(String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap())
    }

    #[test]
    fn the_first_entry_for_a_host_is_sent_there_and_nowhere_else() {
        let netrc = "# ours\nmachine cache.example.org login nix password s3cret # the first\n\
            machine Other.Example\n\tpassword\tonly-a-password\r\n\
            machine cache.example.org login late password never\n\
            machine ::1 login six password p\nmachine nothing.example login n\n\
            macdef init\ncd /tmp\npassword none\n\ndefault login anybody password d#d\n";
        for (url, expected) in [
            ("https://cache.example.org/team", "nix:s3cret"),
            ("https://CACHE.example.org:8443/", "nix:s3cret"),
            ("https://other.example", ":only-a-password"),
            ("https://[::1]:1/", "six:p"),
            ("https://sub.cache.example.org", "anybody:d#d"),
            ("https://nothing.example", "anybody:d#d"),
        ] {
            assert_eq!(sent(netrc, url).as_deref(), Some(expected), "{url}");
        }
        assert_eq!(sent("machine a.example password x", "https://b.example"), None);
        assert_eq!(sent("", "https://b.example"), None);
        let quoted = "machine a.example password \"a \\\"b\\\\\\t#\" login l";
        assert_eq!(sent(quoted, "https://a.example").as_deref(), Some("l:a \"b\\\t#"));
    }

    #[test]
    fn nothing_is_sent_in_the_clear_but_to_this_machine() {
        let netrc = Netrc::parse("default login a password b").unwrap();
        let says = |url: &str| netrc.authorization(&Url::parse(url).unwrap()).map(|found| found.is_some());
        for url in ["http://127.0.0.1:8180", "http://localhost", "http://[::1]", "https://cache.example.org"] {
            assert_eq!(says(url), Ok(true), "{url}");
        }
        for url in ["http://cache.example.org", "http://192.0.2.1", "http://localhost.example"] {
            assert_eq!(says(url), Err(InTheClear), "{url}");
        }
        let other = Netrc::parse("machine a password b").unwrap().authorization(&Url::parse("http://b").unwrap());
        assert!(other.unwrap().is_none());
    }

    #[test]
    fn what_is_no_netrc_is_refused_by_its_line_and_without_its_words() {
        for (text, expected) in [
            ("machine a\npassword hidden more", (2, "is no word of a netrc file")),
            ("hidden", (1, "is no word of a netrc file")),
            ("\n\npassword hidden", (3, "stands before the first")),
            ("machine", (1, "`machine` without a host")),
            ("machine a password", (1, "a word without a value")),
            ("machine a login \"hidden\npassword b", (1, "a quote that does not end")),
            ("machine a login \"hidden\\", (1, "a quote that does not end")),
            ("default\nlogin a:hidden", (2, "a login has no colon")),
        ] {
            let (line, what) = Netrc::parse(text).err().unwrap();
            assert!((line, what.starts_with(expected.1)) == (expected.0, true), "{text:?}: {line} {what}");
            assert!(!what.contains("hidden"));
        }
        let netrc = Netrc::parse("machine a login hidden password hidden").unwrap();
        let one = netrc.authorization(&Url::parse("https://a").unwrap()).unwrap();
        assert_eq!(format!("{netrc:?} {one:?}"), "Netrc { entries: 1, .. } Some(Authorization)");
    }

    #[test]
    fn a_file_that_others_may_read_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("netrc");
        aux_io::file::create_private(&path, b"machine a password hidden\nwhat").unwrap();
        let told = Netrc::read(&path).unwrap_err().to_string();
        assert!(told.contains("netrc: line 2: is no word") && !told.contains("hidden"), "{told}");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        let told = Netrc::read(&path).unwrap_err().to_string();
        assert!(told.contains("others may read this file"), "{told}");
    }
}
