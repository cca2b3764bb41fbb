//! The specification of an image: what it is called, which branch it follows, which packages it has by name.

mod import;

use std::collections::BTreeSet;
use std::path::PathBuf;

use aux_core::limits::{IMAGE_ROOTS_MAX, NAME_BYTES_MAX};
use jiff::Timestamp;
use serde::Deserialize;

use crate::catalog::is_uuid;
use crate::gate::{Gate, GateError};

pub use import::{ImportError, Imported, import};

/// When a new image is worth it at once, where a specification says nothing: a fix for what is critical or exploited.
pub const NOW_DEFAULT: &str = "severity:critical+now,kev+now,class:critical+now";
/// How long an image may wait for its updates, where a specification says nothing, days.
pub const CADENCE_DAYS_DEFAULT: u32 = 30;

/// A specification, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    pub name: String,
    pub branch: String,
    pub version: VersionScheme,
    /// The UUID of the image it is made from, where it is made from one.
    pub origin: Option<String>,
    /// Names without versions; a pattern may stand where somebody must have one.
    pub packages: Vec<String>,
    pub channel: Option<String>,
    /// Where packages are fetched, with `pkg_summary.gz` beside them.
    pub repository: Option<String>,
    /// Where packages are unpacked, from the root.
    pub prefix: String,
    /// Where the package database stands, from the root.
    pub database: String,
    /// Files that may be setuid or setgid, from the root.
    pub setuid: BTreeSet<String>,
    pub description: String,
    /// What the OCI image says its system is. Tools refuse what they do not know, and they do not know illumos.
    pub os: String,
    /// The system it is really for, as a label.
    pub platform: String,
    pub policy: Policy,
}

/// How versions are made that do not collide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionScheme {
    /// `x.y` of the specification, and a z that is the moment: `18.4.20190410193647`.
    Numbered(String),
    /// `branch-timestamp-gitdescribe`: `master-20250116T175211Z-gb17eb8e`.
    Stamp,
}

impl VersionScheme {
    /// The version of an image made at a moment; `revision` is the git branch and commit that the stamp names.
    pub fn version(&self, at: Timestamp, revision: Option<(&str, &str)>) -> Option<String> {
        match self {
            Self::Numbered(numbers) => Some(format!("{numbers}.{}", at.strftime("%Y%m%d%H%M%S"))),
            Self::Stamp => {
                let (branch, commit) = revision?;
                // imgapi takes at most 128 characters, and a branch may be named anything.
                let branch: String =
                    branch.chars().filter(|one| one.is_ascii_alphanumeric() || "._".contains(*one)).take(60).collect();
                Some(format!("{branch}-{}-g{}", at.strftime("%Y%m%dT%H%M%SZ"), commit.get(..7).unwrap_or(commit)))
            }
        }
    }
}

/// When a new image is worth it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Findings that are reason enough by themselves.
    pub now: Gate,
    /// After how many days any update is.
    pub cadence_days: u32,
}

/// Why a specification cannot be used. Causes stand in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error("not a specification: {0}")]
    Toml(String),
    #[error("`{0}` is no name of an image: letters, digits, dots, dashes and underscores")]
    Name(String),
    #[error("version `{0}` is neither x.y nor `stamp`")]
    Version(String),
    #[error("origin `{0}` is no UUID")]
    Origin(String),
    #[error("it names no package")]
    Empty,
    #[error("`{0}` is no name of a package")]
    Package(String),
    #[error("more than {IMAGE_ROOTS_MAX} packages (IMAGE_ROOTS_MAX)")]
    TooMany,
    #[error("{field} `{path}` is no path below the root")]
    Path { field: &'static str, path: String },
    #[error("policy: {0}")]
    Gate(#[from] GateError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    branch: String,
    #[serde(default = "stamp")]
    version: String,
    #[serde(alias = "base")]
    origin: Option<String>,
    packages: Vec<String>,
    channel: Option<String>,
    repository: Option<String>,
    #[serde(default = "prefix")]
    prefix: PathBuf,
    #[serde(default = "database")]
    database: PathBuf,
    #[serde(default)]
    setuid: Vec<PathBuf>,
    #[serde(default)]
    description: String,
    #[serde(default = "os")]
    os: String,
    #[serde(default = "platform")]
    platform: String,
    #[serde(default)]
    policy: PolicyTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyTable {
    now: Option<String>,
    cadence_days: Option<u32>,
}

fn os() -> String {
    "linux".to_owned()
}

fn platform() -> String {
    "smartos".to_owned()
}

fn stamp() -> String {
    "stamp".to_owned()
}

fn prefix() -> PathBuf {
    PathBuf::from("opt/local")
}

fn database() -> PathBuf {
    PathBuf::from("opt/local/pkg")
}

impl Spec {
    /// Reads a specification; docs/formats/image-spec.md says what stands in it.
    pub fn read(text: &str) -> Result<Self, SpecError> {
        let document: Document = toml::from_str(text).map_err(|error| SpecError::Toml(error.to_string()))?;
        let is_name = |text: &str| {
            !text.is_empty()
                && text.len() <= 128
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        if !is_name(&document.name) {
            return Err(SpecError::Name(document.name));
        }
        if document.packages.is_empty() {
            return Err(SpecError::Empty);
        }
        if document.packages.len() > IMAGE_ROOTS_MAX {
            return Err(SpecError::TooMany);
        }
        let is_bad = |text: &&String| {
            text.is_empty()
                || text.len() > NAME_BYTES_MAX
                || text.contains(|one: char| one.is_whitespace() || one.is_control())
        };
        if let Some(bad) = document.packages.iter().find(is_bad) {
            return Err(SpecError::Package(bad.clone()));
        }
        let origin = match document.origin.map(|origin| origin.to_ascii_lowercase()) {
            Some(origin) if !is_uuid(&origin) => return Err(SpecError::Origin(origin)),
            origin => origin,
        };
        let setuid = document.setuid.iter().map(|path| below_root("setuid", path)).collect::<Result<_, _>>()?;
        Ok(Self {
            version: scheme(document.version)?,
            prefix: below_root("prefix", &document.prefix)?,
            database: below_root("database", &document.database)?,
            name: document.name,
            branch: document.branch,
            origin,
            packages: document.packages,
            channel: document.channel,
            repository: document.repository,
            setuid,
            description: document.description,
            os: document.os,
            platform: document.platform,
            policy: Policy {
                now: Gate::read(document.policy.now.as_deref().unwrap_or(NOW_DEFAULT))?,
                cadence_days: document.policy.cadence_days.unwrap_or(CADENCE_DAYS_DEFAULT),
            },
        })
    }
}

fn scheme(text: String) -> Result<VersionScheme, SpecError> {
    let is_number = |part: &str| !part.is_empty() && part.len() < 10 && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        _ if text == "stamp" => Ok(VersionScheme::Stamp),
        Some((x, y)) if is_number(x) && is_number(y) => Ok(VersionScheme::Numbered(text)),
        _ => Err(SpecError::Version(text)),
    }
}

/// A path as archives write it: from the root, without a slash in front.
fn below_root(field: &'static str, path: &std::path::Path) -> Result<String, SpecError> {
    use std::path::Component;
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(SpecError::Path { field, path: path.display().to_string() });
            }
        }
    }
    if parts.is_empty() {
        return Err(SpecError::Path { field, path: path.display().to_string() });
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "name = \"origin\"\nbranch = \"2018Q4\"\nversion = \"18.4\"\npackages = [\"curl\", \"gsed\"]\n";

    #[test]
    fn a_specification_says_what_it_leaves_to_others() {
        let spec = Spec::read(SPEC).unwrap();
        assert_eq!((spec.prefix.as_str(), spec.database.as_str()), ("opt/local", "opt/local/pkg"));
        assert_eq!((spec.policy.now.as_str(), spec.policy.cadence_days), (NOW_DEFAULT, 30));
        let at = "2019-04-10T19:36:47Z".parse().unwrap();
        assert_eq!(spec.version.version(at, None).as_deref(), Some("18.4.20190410193647"));
        let revision = Some(("fix/a b", "b17eb8e000"));
        assert_eq!(VersionScheme::Stamp.version(at, revision).as_deref(), Some("fixab-20190410T193647Z-gb17eb8e"));
        assert_eq!(VersionScheme::Stamp.version(at, None), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, says) in [
            ("\"origin\"", "\"../x\"", "no name of an image"),
            ("18.4", "18", "neither x.y"),
            ("[\"curl\", \"gsed\"]", "[]", "no package"),
            ("gsed", "g sed", "`g sed`"),
            ("branch", "prefix = \"../x\"\nbranch", "below the root"),
            ("branch", "origin = \"x\"\nbranch", "no UUID"),
            ("branch", "unknown = 1\nbranch", "unknown field"),
        ] {
            let error = Spec::read(&SPEC.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(says), "{from}: {error}");
        }
    }
}
