//! What a request is about, out of its path alone. What is no name of anything never gets further.

use aux_nix::Sha256;

use crate::names::{PathHash, SpaceName, UploadName, offered_nar};

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    StatusPage,
    Metrics,
    Health,
    /// The interface, without its prefix: the parts of the path.
    Interface(Vec<String>),
    Cached(SpaceName, Resource),
}

/// One resource of a cache or view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    Info,
    NarInfo(PathHash),
    Listing(PathHash),
    /// The name as the client has it, and the NAR it is where the server offers one under it.
    Nar(UploadName, Option<Sha256>),
    Note(NoteKind, String),
}

/// What is kept beside paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoteKind {
    Log,
    Realisation,
}

impl NoteKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Realisation => "realisation",
        }
    }
}

/// Longest name of a log or realisation: a store name, or a hash and an output's name.
const NOTE_NAME_BYTES_MAX: usize = 320;
/// Parts of a path below the interface.
const PARTS_MAX: usize = 6;
const PART_BYTES_MAX: usize = 260;

impl Route {
    /// Reads the path of a request, still as it was sent; `None` where it names nothing.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix('/')?;
        match rest {
            "" => return Some(Self::StatusPage),
            "-/metrics" => return Some(Self::Metrics),
            "-/health" => return Some(Self::Health),
            _ => {}
        }
        if let Some(rest) = rest.strip_prefix("-/api/1/") {
            let parts: Vec<String> = rest.split('/').map(str::to_owned).collect();
            let fits = parts.len() <= PARTS_MAX && parts.iter().all(|part| is_part(part));
            return fits.then_some(Self::Interface(parts));
        }
        let (space, rest) = rest.split_once('/')?;
        Some(Self::Cached(SpaceName::parse(space)?, Resource::parse(rest)?))
    }
}

impl Resource {
    fn parse(rest: &str) -> Option<Self> {
        if rest == "nix-cache-info" {
            return Some(Self::Info);
        }
        if let Some(hash) = rest.strip_suffix(".narinfo") {
            return PathHash::parse(hash).map(Self::NarInfo);
        }
        if let Some(hash) = rest.strip_suffix(".ls") {
            return PathHash::parse(hash).map(Self::Listing);
        }
        if let Some(name) = rest.strip_prefix("nar/") {
            return Some(Self::Nar(UploadName::parse(name)?, offered_nar(name).map(Sha256)));
        }
        if let Some(name) = rest.strip_prefix("log/") {
            // Nix asks for the last part of the derivation's path; some put a suffix of the packing behind it.
            return note_name(name).map(|name| Self::Note(NoteKind::Log, name));
        }
        let name = rest.strip_prefix("realisations/")?.strip_suffix(".doi")?;
        note_name(name).map(|name| Self::Note(NoteKind::Realisation, name))
    }
}

/// `hash-name.drv`, or `sha256:…!out`, whose marks some clients escape (RFC 3986, section 2.1).
fn note_name(text: &str) -> Option<String> {
    let name = text.replace("%21", "!").replace("%3A", ":").replace("%3a", ":").replace("%5E", "^");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._?=!:^".contains(&byte);
    let fits =
        !name.is_empty() && name.len() <= NOTE_NAME_BYTES_MAX && !name.starts_with('.') && name.bytes().all(is_plain);
    fits.then_some(name)
}

fn is_part(part: &str) -> bool {
    !part.is_empty()
        && part.len() <= PART_BYTES_MAX
        && !part.starts_with('.')
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._?=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "01rwx9dqpbp7r777v319h2acnmqqawp0";

    #[test]
    fn what_nix_asks_for_is_understood() {
        let space = || SpaceName::parse("team").unwrap();
        let hash = PathHash::parse(HASH).unwrap();
        let cached = |resource| Some(Route::Cached(space(), resource));
        assert_eq!(Route::parse("/team/nix-cache-info"), cached(Resource::Info));
        assert_eq!(Route::parse(&format!("/team/{HASH}.narinfo")), cached(Resource::NarInfo(hash)));
        assert_eq!(Route::parse(&format!("/team/{HASH}.ls")), cached(Resource::Listing(hash)));
        let nar = UploadName::parse("abc.nar.xz").unwrap();
        assert_eq!(Route::parse("/team/nar/abc.nar.xz"), cached(Resource::Nar(nar, None)));
        let log = Resource::Note(NoteKind::Log, format!("{HASH}-x.drv"));
        assert_eq!(Route::parse(&format!("/team/log/{HASH}-x.drv")), cached(log));
        let doi = Resource::Note(NoteKind::Realisation, "sha256:ab!out".to_owned());
        assert_eq!(Route::parse("/team/realisations/sha256:ab!out.doi"), cached(doi.clone()));
        assert_eq!(Route::parse("/team/realisations/sha256%3Aab%21out.doi"), cached(doi));
        assert_eq!(Route::parse("/"), Some(Route::StatusPage));
        let parts = vec!["views".to_owned(), "vetted".to_owned()];
        assert_eq!(Route::parse("/-/api/1/views/vetted"), Some(Route::Interface(parts)));
    }

    #[test]
    fn what_could_climb_names_nothing() {
        for path in [
            "",
            "team",
            "/team",
            "/team/",
            "//team/nix-cache-info",
            "/../team/nix-cache-info",
            "/team/../nix-cache-info",
            "/team/nar/../x.nar",
            "/team/nar/..%2fx.nar",
            "/team/nar/%2e%2e.nar",
            "/team/nar/.nar",
            "/team/nar//x.nar",
            "/team/nar/x.nar\0",
            "/team/log/../x",
            "/team/log/.hidden",
            "/team/log/a/b",
            "/team/log/%00",
            "/team/realisations/..doi",
            "/team/realisations/a%2fb.doi",
            "/TEAM/nix-cache-info",
            "/-/api/1/",
            "/-/api/1/../views",
            "/-/api/1/views//x",
            "/-/api/1/%2e%2e/x",
            "/-/api/2/views",
        ] {
            assert_eq!(Route::parse(path), None, "{path}");
        }
    }
}
