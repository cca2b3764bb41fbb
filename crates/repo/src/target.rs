//! What a person types to name a repository, and which of it git may be told.
//!
//! Addresses go to a program that reads options and helpers out of them (`--upload-pack=…`, `ext::…`), so what is let
//! through is listed here, and everything else is refused.

use aux_core::limits::REPOSITORY_NAME_BYTES_MAX;

use crate::Revision;

/// A repository, and which state and folder of it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As it was typed.
    pub name: String,
    /// What git is told: `https://…`, `ssh://…` or `file:///…`.
    pub(crate) url: String,
    pub reference: Reference,
    /// The folder the flake lies in, relative; empty for the root.
    pub dir: String,
}

/// A state of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// What the other side has checked out: its default branch.
    Head,
    /// A branch, or else a tag.
    Name(String),
    Revision(Revision),
}

/// Why a word cannot name a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("`{0}` repositories are not read; write git+https://, git+ssh://, git+file:// or github:owner/name")]
    Scheme(String),
    #[error("http:// shows and lets anybody change what is fetched; write git+https://")]
    Plain,
    #[error("the password in the address would be seen by others; use git+ssh://, or clone it and name the folder")]
    Password,
    #[error("`{0}` is no host that could be asked")]
    Host(String),
    #[error("`{0}` is no path of a repository")]
    Path(String),
    #[error("write it as github:OWNER/NAME or github:OWNER/NAME/BRANCH")]
    Forge,
    #[error("`{0}` is no name of a branch or tag")]
    Name(String),
    #[error("`{0}` is no full revision; it has 40 or 64 digits of lower-case hexadecimal")]
    Revision(String),
    #[error("`{0}` is no folder inside a repository")]
    Folder(String),
    #[error("the parameter `{0}` is not known; known are ref, rev and dir")]
    Parameter(String),
    #[error("submodules are not fetched; clone it with them and name the folder")]
    Submodules,
    #[error("`#{0}` names one output, and all machines are audited; leave it out")]
    Fragment(String),
    #[error("it is longer than {REPOSITORY_NAME_BYTES_MAX} bytes (REPOSITORY_NAME_BYTES_MAX)")]
    TooLong,
}

/// Forges with a short form, and where they are.
const FORGES: [(&str, &str); 3] =
    [("github:", "https://github.com/"), ("gitlab:", "https://gitlab.com/"), ("sourcehut:", "https://git.sr.ht/")];

/// What a word may begin with that means a repository somewhere else, though not in a form that is read.
const FOREIGN: [&str; 12] = [
    "git+", "git://", "git@", "ssh://", "https://", "http://", "ftp://", "hg+", "flake:", "tarball+", "ext::",
    "file://",
];

impl Target {
    /// Reads a word. `None` where it does not look like a repository somewhere else at all: a path, `-`.
    pub fn parse(word: &str) -> Option<Result<Self, TargetError>> {
        let forge = FORGES.iter().find_map(|(prefix, base)| Some((word.strip_prefix(prefix)?, *base)));
        let is_ours = ["git+https://", "git+ssh://", "git+file://"].iter().any(|scheme| word.starts_with(scheme));
        let is_foreign = FOREIGN.iter().any(|prefix| word.starts_with(prefix)) || word.contains("::");
        if word.len() > REPOSITORY_NAME_BYTES_MAX && (forge.is_some() || is_ours || is_foreign) {
            return Some(Err(TargetError::TooLong));
        }
        match forge {
            Some((rest, base)) => Some(of_forge(word, rest, base)),
            None if is_ours => Some(of_url(word)),
            None if word.starts_with("git+http://") => Some(Err(TargetError::Plain)),
            // A file of that name may well be there; a helper's address never means one.
            None if is_foreign && !std::path::Path::new(word).exists() => Some(Err(TargetError::Scheme(scheme(word)))),
            None => None,
        }
    }

    /// The same repository at another state.
    #[must_use]
    pub fn at(&self, reference: Reference) -> Self {
        Self { reference, ..self.clone() }
    }

    /// What git is told, for a person.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Reference {
    /// A full revision, or the name of a branch or tag.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        match Revision::parse(text) {
            Some(revision) => Ok(Self::Revision(revision)),
            None if is_reference_name(text) => Ok(Self::Name(text.to_owned())),
            None => Err(TargetError::Name(text.to_owned())),
        }
    }
}

fn scheme(word: &str) -> String {
    let end = word.find([':', '@', '/']).unwrap_or(word.len());
    word.get(..end).unwrap_or(word).to_owned()
}

fn of_forge(word: &str, rest: &str, base: &str) -> Result<Target, TargetError> {
    let (path, parameters) = split(rest)?;
    let mut parts = path.splitn(3, '/');
    let (Some(owner), Some(name)) = (parts.next(), parts.next()) else { return Err(TargetError::Forge) };
    let is_owner = |owner: &str| is_forge_name(owner.strip_prefix('~').unwrap_or(owner));
    if !is_owner(owner) || !is_forge_name(name) {
        return Err(TargetError::Forge);
    }
    let mut target = Target {
        name: word.to_owned(),
        url: format!("{base}{owner}/{name}"),
        reference: parts.next().map_or(Ok(Reference::Head), Reference::parse)?,
        dir: String::new(),
    };
    apply(parameters, &mut target)?;
    Ok(target)
}

fn is_forge_name(name: &str) -> bool {
    let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && !name.starts_with(['-', '.']) && name.bytes().all(is_sound)
}

fn of_url(word: &str) -> Result<Target, TargetError> {
    let url = word.strip_prefix("git+").unwrap_or(word);
    let (url, parameters) = split(url)?;
    let (scheme, rest) = url.split_once("://").ok_or_else(|| TargetError::Path(url.to_owned()))?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if scheme == "file" {
        if !authority.is_empty() {
            return Err(TargetError::Path(format!("{authority}{path}")));
        }
    } else {
        check_authority(authority)?;
    }
    check_path(path)?;
    let mut target =
        Target { name: word.to_owned(), url: url.to_owned(), reference: Reference::Head, dir: String::new() };
    apply(parameters, &mut target)?;
    Ok(target)
}

/// The address and its parameters.
fn split(text: &str) -> Result<(&str, &str), TargetError> {
    if let Some((_, fragment)) = text.split_once('#') {
        return Err(TargetError::Fragment(fragment.to_owned()));
    }
    Ok(text.split_once('?').unwrap_or((text, "")))
}

/// `git@example.org:2222`: a user, a host and a port, none of which could be an option.
fn check_authority(authority: &str) -> Result<(), TargetError> {
    let wrong = || TargetError::Host(authority.to_owned());
    let (user, place) = authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
    let is_word = |text: &str, more: &[u8]| {
        let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
        !text.is_empty() && !text.starts_with(['-', '.']) && text.bytes().all(is_sound)
    };
    if let Some(user) = user {
        if user.contains(':') {
            return Err(TargetError::Password);
        }
        if !is_word(user, b"._-") {
            return Err(wrong());
        }
    }
    let (host, port) = place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)));
    let is_port = |port: &str| port.parse::<u16>().is_ok() && !port.starts_with('+');
    if is_word(host, b".-") && port.is_none_or(is_port) { Ok(()) } else { Err(wrong()) }
}

/// Git decodes `%2d` before it uses a path, so the decoded form is what must be sound.
fn check_path(path: &str) -> Result<(), TargetError> {
    let wrong = || TargetError::Path(path.to_owned());
    let decoded = percent_decoded(path).ok_or_else(wrong)?;
    let is_sound = |character: char| {
        !character.is_control() && !character.is_whitespace() && !"\\\"'`$|&;<>*?[]{}()!".contains(character)
    };
    let is_segment = |segment: &str| !segment.starts_with('-') && segment != "..";
    let inside = decoded.strip_prefix('/').filter(|inside| !inside.is_empty());
    if decoded.chars().all(is_sound) && inside.is_some_and(|inside| inside.split('/').all(is_segment)) {
        Ok(())
    } else {
        Err(wrong())
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok()
}

fn apply(parameters: &str, target: &mut Target) -> Result<(), TargetError> {
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = percent_decoded(value).ok_or_else(|| TargetError::Parameter(parameter.to_owned()))?;
        match key {
            "rev" => {
                let revision = Revision::parse(&value).ok_or_else(|| TargetError::Revision(value.clone()))?;
                target.reference = Reference::Revision(revision);
            }
            // A revision says it all; a name beside it only says where it was found.
            "ref" if !is_reference_name(&value) => return Err(TargetError::Name(value)),
            "ref" if matches!(target.reference, Reference::Revision(_)) => {}
            "ref" => target.reference = Reference::Name(value),
            "dir" => target.dir = folder(&value)?,
            "submodules" if value != "0" => return Err(TargetError::Submodules),
            "submodules" | "shallow" => {}
            _ => return Err(TargetError::Parameter(key.to_owned())),
        }
    }
    Ok(())
}

fn folder(value: &str) -> Result<String, TargetError> {
    let value = value.trim_end_matches('/');
    if value.is_empty() || is_inside(value) { Ok(value.to_owned()) } else { Err(TargetError::Folder(value.to_owned())) }
}

/// Whether a path stays inside the repository it belongs to, and outside of what git keeps there.
pub(crate) fn is_inside(path: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.eq_ignore_ascii_case(".git");
    !path.contains(['\0', '\\', '\n']) && path.split('/').all(is_part)
}

/// The rules of `git check-ref-format`, and no name that begins like an option.
fn is_reference_name(name: &str) -> bool {
    let is_sound = |character: char| !character.is_control() && !" ~^:?*[\\".contains(character);
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none();
    name.len() <= REPOSITORY_NAME_BYTES_MAX
        && !name.starts_with('-')
        && name != "@"
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && name.chars().all(is_sound)
        && name.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(word: &str) -> Result<Target, TargetError> {
        Target::parse(word).unwrap_or_else(|| panic!("{word} is no repository"))
    }

    #[test]
    fn each_form_becomes_an_address_a_state_and_a_folder() {
        let revision = "0123456789abcdef0123456789abcdef01234567";
        let name = |name: &str| Reference::Name(name.to_owned());
        let state = || Reference::Revision(Revision::parse(revision).unwrap());
        for (word, url, reference, dir) in [
            ("github:auxolotl/core", "https://github.com/auxolotl/core", Reference::Head, ""),
            ("github:auxolotl/core/main", "https://github.com/auxolotl/core", name("main"), ""),
            ("github:a/b/feature/x?dir=sub/c", "https://github.com/a/b", name("feature/x"), "sub/c"),
            (&format!("github:a/b/{revision}"), "https://github.com/a/b", state(), ""),
            ("sourcehut:~me/fleet", "https://git.sr.ht/~me/fleet", Reference::Head, ""),
            ("git+https://x.org:8443/a.git?ref=v1", "https://x.org:8443/a.git", name("v1"), ""),
            (&format!("git+ssh://git@x.org/a?rev={revision}&ref=b"), "ssh://git@x.org/a", state(), ""),
            (&format!("git+ssh://git@x.org/a?ref=b&rev={revision}"), "ssh://git@x.org/a", state(), ""),
            ("git+file:///srv/a%20b/", "", Reference::Head, ""),
            ("git+file:///srv/a-b/?dir=x/", "file:///srv/a-b/", Reference::Head, "x"),
        ] {
            match read(word) {
                Ok(target) => {
                    assert_eq!((target.url.as_str(), &target.reference, target.dir.as_str()), (url, &reference, dir));
                }
                Err(error) => assert!(url.is_empty(), "{word}: {error}"),
            }
        }
        for path in ["-", ".", "fleet", "/srv/a:b", "C:x", "./github:a"] {
            assert_eq!(Target::parse(path), None, "{path}");
        }
    }

    #[test]
    fn what_git_could_take_for_an_option_or_a_command_is_refused() {
        use TargetError as E;
        let text = |text: &str| text.to_owned();
        for (word, wanted) in [
            ("ext::sh -c touch% /tmp/x", E::Scheme(text("ext"))),
            ("git+ext::sh", E::Scheme(text("git+ext"))),
            ("fd::17", E::Scheme(text("fd"))),
            ("git://x.org/a", E::Scheme(text("git"))),
            ("git@x.org:a", E::Scheme(text("git"))),
            ("https://x.org/a", E::Scheme(text("https"))),
            ("git+http://x.org/a", E::Plain),
            ("git+ssh://-oProxyCommand=x/a", E::Host(text("-oProxyCommand=x"))),
            ("git+ssh://-x@h/a", E::Host(text("-x@h"))),
            ("git+ssh://h:-1/a", E::Host(text("h:-1"))),
            ("git+https:///a", E::Host(String::new())),
            ("git+https://me:secret@x.org/a", E::Password),
            ("git+ssh://h/-a", E::Path(text("/-a"))),
            ("git+ssh://h/%2da", E::Path(text("/%2da"))),
            ("git+ssh://h/a%00", E::Path(text("/a%00"))),
            ("git+ssh://h/a$(x)", E::Path(text("/a$(x)"))),
            ("git+ssh://h", E::Path(String::new())),
            ("git+file://host/a", E::Path(text("host/a"))),
            ("git+file:///a/../b", E::Path(text("/a/../b"))),
            ("github:a", E::Forge),
            ("github:-a/b", E::Forge),
            ("github:a/b%20c", E::Forge),
            ("github:a/b/--upload-pack=x", E::Name(text("--upload-pack=x"))),
            ("github:a/b?ref=-x", E::Name(text("-x"))),
            ("github:a/b?ref=a..b", E::Name(text("a..b"))),
            ("github:a/b?ref=a:b", E::Name(text("a:b"))),
            ("github:a/b?ref=", E::Name(String::new())),
            ("github:a/b?rev=HEAD", E::Revision(text("HEAD"))),
            ("github:a/b?dir=../x", E::Folder(text("../x"))),
            ("github:a/b?dir=/etc", E::Folder(text("/etc"))),
            ("github:a/b?dir=.GIT/x", E::Folder(text(".GIT/x"))),
            ("github:a/b?submodules=1", E::Submodules),
            ("github:a/b?exec=x", E::Parameter(text("exec"))),
            ("github:a/b#web", E::Fragment(text("web"))),
        ] {
            assert_eq!(read(word), Err(wanted), "{word}");
        }
        assert_eq!(read(&format!("github:a/{}", "b".repeat(9_999))), Err(E::TooLong));
    }
}
