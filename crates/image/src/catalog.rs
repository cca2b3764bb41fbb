//! The catalog: which images there are, and what the build tools' maps say of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use aux_core::limits::IMAGE_CATALOG_IMAGES_MAX;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

/// Images, newest last where they are dated, and the maps.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    images: Vec<Image>,
    pub maps: Maps,
    /// The revision of the build tools that components should point at, where somebody says.
    pub tools_revision: Option<String>,
    /// Where a branch's `pkg_summary` lies, relative to the catalog.
    pub summaries: BTreeMap<String, PathBuf>,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `triton-origin-x86_64-19.4.0`
    pub name: String,
    /// Opaque text.
    pub version: String,
    pub uuid: String,
    /// `2019Q4`
    pub branch: Option<String>,
    /// The UUID of the image it is made from.
    pub origin: Option<String>,
    pub published: Option<Timestamp>,
    pub channels: Vec<String>,
    /// What a Jenkinsfile's `image_ver:` says for it.
    pub image_ver: Option<String>,
    /// What a Jenkinsfile's `pi:` says for it.
    pub platform: Option<String>,
    /// What `NODE_PREBUILT_IMAGE` should be with it, where that is not its origin.
    pub node_prebuilt: Option<String>,
    /// `sha256:…` of the same image as an OCI image.
    pub digest: Option<String>,
    /// The revision of the flake that the same image is built from.
    pub flake: Option<FlakeRevision>,
    /// Where the list of its packages lies, relative to the catalog.
    pub packages: Option<PathBuf>,
}

/// A revision of a flake, as a flake.lock pins one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FlakeRevision {
    pub revision: String,
    /// `sha256-…`, without which nobody but nix can pin it.
    pub nar_hash: Option<String>,
    pub last_modified: Option<u64>,
}

/// The three maps of `validate-buildenv.sh`, by the UUID of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maps {
    pub pkgsrc: BTreeMap<String, String>,
    pub sdc: BTreeMap<String, String>,
    pub jenkins_agent: BTreeMap<String, String>,
}

impl Maps {
    /// The maps with their names, in the order of the script.
    pub fn named(&self) -> [(&'static str, &BTreeMap<String, String>); 3] {
        [("PKGSRC_MAP", &self.pkgsrc), ("SDC_MAP", &self.sdc), ("JENKINS_AGENT_MAP", &self.jenkins_agent)]
    }
}

/// Why a catalog cannot be used. Causes stand in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    #[error("not TOML: {0}")]
    Toml(String),
    #[error("image {0}: `{1}` is no UUID")]
    Uuid(String, String),
    #[error("image {0}: `{1}` is no date; write it as 2025-01-16 or 2025-01-16T17:52:11Z")]
    Published(String, String),
    #[error("the UUID {0} stands twice; it alone is an image's identity")]
    Twice(String),
    #[error("it names no image")]
    Empty,
    #[error("more than {IMAGE_CATALOG_IMAGES_MAX} images (IMAGE_CATALOG_IMAGES_MAX)")]
    TooMany,
    #[error("`{0}` is no revision, hash or moment of a flake")]
    Flake(String),
    #[error("no image is called `{0}`")]
    Unknown(String),
    #[error("{count} images are called `{name}`, of versions {versions}; name one as NAME@VERSION or by its UUID")]
    Ambiguous { name: String, count: usize, versions: String },
}

#[derive(Deserialize)]
struct Document {
    #[serde(default, alias = "image")]
    images: Vec<Entry>,
    #[serde(default, rename = "PKGSRC_MAP")]
    pkgsrc_map: BTreeMap<String, String>,
    #[serde(default, rename = "SDC_MAP")]
    sdc_map: BTreeMap<String, String>,
    #[serde(default, rename = "JENKINS_AGENT_MAP")]
    jenkins_agent_map: BTreeMap<String, String>,
    #[serde(default)]
    maps: MapsTable,
    #[serde(default, alias = "tools")]
    build_tools: Tools,
    #[serde(default)]
    summaries: BTreeMap<String, PathBuf>,
}

#[derive(Default, Deserialize)]
struct MapsTable {
    #[serde(default, rename = "PKGSRC_MAP", alias = "pkgsrc")]
    pkgsrc: BTreeMap<String, String>,
    #[serde(default, rename = "SDC_MAP", alias = "sdc")]
    sdc: BTreeMap<String, String>,
    #[serde(default, rename = "JENKINS_AGENT_MAP", alias = "jenkins_agent")]
    jenkins_agent: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
struct Tools {
    revision: Option<String>,
    #[serde(default, rename = "PKGSRC_MAP")]
    pkgsrc: BTreeMap<String, String>,
    #[serde(default, rename = "SDC_MAP")]
    sdc: BTreeMap<String, String>,
    #[serde(default, rename = "JENKINS_AGENT_MAP")]
    jenkins_agent: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    version: String,
    uuid: String,
    branch: Option<String>,
    origin: Option<String>,
    published: Option<toml::Value>,
    #[serde(default)]
    channels: Vec<String>,
    image_ver: Option<String>,
    #[serde(alias = "pi")]
    platform: Option<String>,
    node_prebuilt: Option<String>,
    digest: Option<String>,
    flake: Option<FlakeRevision>,
    packages: Option<PathBuf>,
}

impl Catalog {
    /// Reads a catalog; docs/formats/image-catalog.md says what stands in it.
    pub fn read(text: &str) -> Result<Self, CatalogError> {
        let document: Document = toml::from_str(text).map_err(|error| CatalogError::Toml(error.to_string()))?;
        if document.images.len() > IMAGE_CATALOG_IMAGES_MAX {
            return Err(CatalogError::TooMany);
        }
        let mut images = document.images.into_iter().map(image).collect::<Result<Vec<_>, _>>()?;
        if images.is_empty() {
            return Err(CatalogError::Empty);
        }
        let mut seen = BTreeSet::new();
        for image in &images {
            if !seen.insert(image.uuid.clone()) {
                return Err(CatalogError::Twice(image.uuid.clone()));
            }
        }
        // Undated ones keep their place among each other, before all others.
        images.sort_by_key(|image| image.published);
        let maps = Maps {
            pkgsrc: united([document.pkgsrc_map, document.maps.pkgsrc, document.build_tools.pkgsrc]),
            sdc: united([document.sdc_map, document.maps.sdc, document.build_tools.sdc]),
            jenkins_agent: united([
                document.jenkins_agent_map,
                document.maps.jenkins_agent,
                document.build_tools.jenkins_agent,
            ]),
        };
        Ok(Self { images, maps, tools_revision: document.build_tools.revision, summaries: document.summaries })
    }

    pub fn images(&self) -> &[Image] {
        &self.images
    }

    pub fn by_uuid(&self, uuid: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.uuid == uuid)
    }

    /// The image somebody names: by name, `NAME@VERSION`, version or UUID.
    pub fn named(&self, word: &str) -> Result<&Image, CatalogError> {
        let lower = word.to_ascii_lowercase();
        if let Some(image) = self.by_uuid(&lower) {
            return Ok(image);
        }
        let whole = |image: &&Image| format!("{}@{}", image.name, image.version) == word;
        let by_name: Vec<&Image> = self.images.iter().filter(|image| image.name == word || whole(image)).collect();
        match by_name[..] {
            [] => {
                let versions: Vec<&Image> = self.images.iter().filter(|image| image.version == word).collect();
                match versions[..] {
                    [image] => Ok(image),
                    _ => Err(CatalogError::Unknown(word.to_owned())),
                }
            }
            [image] => Ok(image),
            _ => Err(CatalogError::Ambiguous {
                name: word.to_owned(),
                count: by_name.len(),
                versions: by_name.iter().map(|image| image.version.as_str()).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The branch of an image, by the catalog or by the build tools' map.
    pub fn branch_of(&self, uuid: &str) -> Option<&str> {
        let by_image = self.by_uuid(uuid).and_then(|image| image.branch.as_deref());
        by_image.or_else(|| self.maps.pkgsrc.get(uuid).map(String::as_str))
    }

    /// Whether a map of the build tools holds an image.
    pub(crate) fn maps_hold(&self, name: &str, uuid: &str) -> bool {
        self.maps.named().iter().any(|(known, map)| *known == name && map.contains_key(uuid))
    }

    /// The newest image of the same family; the image itself where none came after it.
    pub fn newest(&self, uuid: &str) -> Option<&Image> {
        let image = self.by_uuid(uuid)?;
        self.images.iter().rev().find(|newest| newest.family() == image.family())
    }

    /// How many images of the same family came after this one; `None` where the image is not known.
    pub fn behind(&self, uuid: &str) -> Option<usize> {
        let position = self.images.iter().position(|image| image.uuid == uuid)?;
        let image = self.images.get(position)?;
        let later = self.images.iter().skip(position + 1);
        Some(later.filter(|later| later.family() == image.family() && later.published != image.published).count())
    }
}

impl Image {
    /// The name without the version behind it, `triton-origin-x86_64` of `triton-origin-x86_64-19.4.0`.
    pub fn family(&self) -> &str {
        match self.name.rsplit_once('-') {
            Some((family, version)) if version.starts_with(|first: char| first.is_ascii_digit()) => family,
            _ => &self.name,
        }
    }

    /// `triton-origin-x86_64-19.4.0@master-20200130T200825Z-gbb45b8d`, as `SDC_MAP` writes it.
    pub fn whole_name(&self) -> String {
        if self.version.is_empty() { self.name.clone() } else { format!("{}@{}", self.name, self.version) }
    }

    /// What `image_ver:` says for it: what the catalog says, the version in its name, or that of its branch.
    pub fn jenkins_version(&self) -> Option<String> {
        let is_version =
            |text: &&str| text.contains('.') && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let in_name = self.name.rsplit('-').next().filter(is_version).map(str::to_owned);
        let of_branch = || {
            let (year, quarter) = self.branch.as_deref()?.split_once('Q')?;
            Some(format!("{}.{quarter}.0", year.get(2..)?))
        };
        self.image_ver.clone().or(in_name).or_else(of_branch)
    }
}

fn united<const N: usize>(maps: [BTreeMap<String, String>; N]) -> BTreeMap<String, String> {
    maps.into_iter().flatten().map(|(uuid, value)| (uuid.to_ascii_lowercase(), value)).collect()
}

fn image(entry: Entry) -> Result<Image, CatalogError> {
    let uuid = |text: String| {
        let lower = text.to_ascii_lowercase();
        if is_uuid(&lower) { Ok(lower) } else { Err(CatalogError::Uuid(entry.name.clone(), text)) }
    };
    let published = match &entry.published {
        None => None,
        Some(value) => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some(moment(&text).ok_or_else(|| CatalogError::Published(entry.name.clone(), text))?)
        }
    };
    Ok(Image {
        uuid: uuid(entry.uuid)?,
        origin: entry.origin.filter(|origin| !origin.is_empty()).map(&uuid).transpose()?,
        node_prebuilt: entry.node_prebuilt.map(&uuid).transpose()?,
        name: entry.name,
        version: entry.version,
        branch: entry.branch,
        published,
        channels: entry.channels,
        image_ver: entry.image_ver,
        platform: entry.platform,
        digest: entry.digest,
        flake: entry.flake.map(flake).transpose()?,
        packages: entry.packages,
    })
}

/// What goes into a flake.lock is nothing but a revision and a hash.
fn flake(flake: FlakeRevision) -> Result<FlakeRevision, CatalogError> {
    let is_hex = |text: &str| matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_hash = |text: &str| {
        let hash = text.strip_prefix("sha256-").unwrap_or_default();
        hash.len() == 44 && hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    };
    if !is_hex(&flake.revision) {
        return Err(CatalogError::Flake(flake.revision));
    }
    match flake.nar_hash.as_ref().filter(|hash| !is_hash(hash)) {
        Some(hash) => Err(CatalogError::Flake(hash.clone())),
        None => Ok(flake),
    }
}

fn moment(text: &str) -> Option<Timestamp> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse().ok().or_else(day)
}

/// Whether a text is a UUID in lower case.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOG: &str = r#"
[[images]]
name = "origin-19.4.0"
version = "master-2"
uuid = "59BA2E5E-976f-4e09-8aac-a4a7ef0395f5"
branch = "2019Q4"
origin = "5417ab20-3156-11ea-8b19-2b66f5e7a439"
published = 2020-01-30
channels = ["dev", "release"]

[[images]]
name = "origin-18.4.0"
version = "master-1"
uuid = "a9368831-958e-432d-a031-f8ce6768d190"
branch = "2018Q4"
published = "2019-04-10T19:36:47Z"

[PKGSRC_MAP]
5417ab20-3156-11ea-8b19-2b66f5e7a439 = "2019Q4"

[maps.SDC_MAP]
a9368831-958e-432d-a031-f8ce6768d190 = "origin-18.4.0@master-1"
"#;

    #[test]
    fn images_are_found_by_name_version_and_uuid_and_stand_by_age() {
        let catalog = Catalog::read(CATALOG).unwrap();
        for word in ["origin-19.4.0", "origin-19.4.0@master-2", "master-2", "59ba2e5e-976f-4e09-8aac-a4a7ef0395f5"] {
            assert_eq!(catalog.named(word).unwrap().name, "origin-19.4.0", "{word}");
        }
        assert!(catalog.named("origin").is_err());
        assert_eq!(catalog.behind("a9368831-958e-432d-a031-f8ce6768d190"), Some(1));
        assert_eq!(catalog.behind("59ba2e5e-976f-4e09-8aac-a4a7ef0395f5"), Some(0));
        assert_eq!(catalog.branch_of("5417ab20-3156-11ea-8b19-2b66f5e7a439"), Some("2019Q4"));
        assert_eq!((catalog.maps.pkgsrc.len(), catalog.maps.sdc.len()), (1, 1));
        assert_eq!(catalog.images()[0].jenkins_version().as_deref(), Some("18.4.0"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, says) in [
            ("a9368831", "x9368831", "no UUID"),
            ("2019-04-10T", "10.4.2019 ", "no date"),
            (
                "a9368831-958e-432d-a031-f8ce6768d190\"\nbranch",
                "59ba2e5e-976f-4e09-8aac-a4a7ef0395f5\"\nbranch",
                "twice",
            ),
            ("[[images]]", "[[other]]", "no image"),
            ("name =", "name ", "TOML"),
        ] {
            let error = Catalog::read(&CATALOG.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(says), "{from}: {error}");
        }
    }
}
