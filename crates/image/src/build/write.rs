//! Everything that is written of an image, put in place in one step: layer, manifest, packages, SBOM, audit, changelog, OCI.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use aux_audit::formats::json_document;
use aux_io::file::{self, FileError};
use jiff::Timestamp;
use pkgsrc::digest::Digest;
use serde::Serialize;
use serde_json::{Value, json};

use super::layer::Layer;
use super::oci;
use crate::audit::{self, Report};
use crate::plan::{Changelog, ChangelogOutput};
use crate::resolve::Resolution;
use crate::spec::Spec;

/// An image that was made.
#[derive(Debug)]
pub struct Image<'i> {
    pub spec: &'i Spec,
    pub version: String,
    pub at: Timestamp,
    pub layer: Layer,
    pub resolution: &'i Resolution<'i>,
}

/// What is written beside it.
#[derive(Debug)]
pub struct Parts<'p> {
    /// What is known to be wrong with it, where a list was given.
    pub audit: Option<&'p Report>,
    /// How it differs from the one before, where that was given.
    pub changelog: Option<&'p Changelog>,
}

/// Why an image was not written. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("{}: an image is there already, and it is another", path.display())]
    Exists { path: PathBuf },
    #[error("{}: {cause}", path.display())]
    Folder { path: PathBuf, cause: std::io::Error },
    #[error("{0}")]
    File(#[from] FileError),
}

impl Image<'_> {
    /// A UUID made of what the image is (RFC 9562, version 8): the same image has the same.
    pub fn uuid(&self) -> String {
        let text = format!("{}\0{}\0{}", self.spec.name, self.version, sha256(&self.layer.packed));
        let hash = sha256(text.as_bytes());
        let number = u128::from_str_radix(hash.get(..32).unwrap_or_default(), 16).unwrap_or_default();
        let number = number & !(0xf << 76) | 0x8 << 76;
        let number = number & !(0x3 << 62) | 0x2 << 62;
        let hex = format!("{number:032x}");
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
    }

    /// imgapi's manifest, version 2.
    fn manifest(&self) -> Value {
        let sha1 = Digest::SHA1.hash_file(&mut self.layer.packed.as_slice()).unwrap_or_default();
        let mut manifest = json!({
            "v": 2,
            "uuid": self.uuid(),
            "owner": "00000000-0000-0000-0000-000000000000",
            "name": self.spec.name,
            "version": self.version,
            "state": "unactivated",
            "disabled": false,
            "public": false,
            "type": "other",
            "os": "smartos",
            "description": self.spec.description,
            "files": [{ "sha1": sha1, "size": self.layer.packed.len(), "compression": "gzip" }],
            "tags": { "pkgsrc_branch": self.spec.branch },
        });
        if let Some(object) = manifest.as_object_mut() {
            if let Some(origin) = &self.spec.origin {
                object.insert("origin".to_owned(), json!(origin));
            }
            if let Some(channel) = &self.spec.channel {
                object.insert("channels".to_owned(), json!([channel]));
            }
        }
        manifest
    }

    fn packages(&self) -> Value {
        let names: Vec<String> = self.resolution.packages.iter().map(|package| package.full_name()).collect();
        json!({
            "name": self.spec.name,
            "version": self.version,
            "uuid": self.uuid(),
            "branch": self.spec.branch,
            "built": self.at.to_string(),
            "pkgsrc": names,
        })
    }

    /// CycloneDX 1.6, without a serial number of its own: the UUID of the image is one.
    fn sbom(&self) -> Value {
        let purl = |name: &str, version: &str| format!("pkg:pkgsrc/{name}@{version}");
        let components: Vec<Value> = self
            .resolution
            .packages
            .iter()
            .map(|package| {
                let mut component = json!({
                    "type": "library",
                    "bom-ref": package.full_name(),
                    "name": package.name,
                    "version": package.version,
                    "description": package.comment,
                    "purl": purl(&package.name, &package.version),
                });
                if let Some(object) = component.as_object_mut() {
                    if !package.license.is_empty() {
                        object.insert("licenses".to_owned(), json!([{ "license": { "name": package.license } }]));
                    }
                    if !package.homepage.is_empty() {
                        let reference = json!([{ "type": "website", "url": package.homepage }]);
                        object.insert("externalReferences".to_owned(), reference);
                    }
                }
                component
            })
            .collect();
        json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": format!("urn:uuid:{}", self.uuid()),
            "version": 1,
            "metadata": {
                "timestamp": self.at.to_string(),
                "component": {
                    "type": "container", "bom-ref": self.uuid(), "name": self.spec.name, "version": self.version,
                },
            },
            "components": components,
        })
    }
}

/// Writes an image into a folder of its own below `folder`, and says which. What is there already, byte for byte, stays.
pub fn write(folder: &Path, image: &Image<'_>, parts: &Parts<'_>) -> Result<PathBuf, WriteError> {
    let name = format!("{}-{}", image.spec.name, image.version);
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    files.insert(format!("{name}.tar.gz"), image.layer.packed.clone());
    files.insert(format!("{name}.manifest.json"), pretty(&image.manifest()));
    files.insert(format!("{name}.pkgs.json"), pretty(&image.packages()));
    files.insert(format!("{name}.sbom.json"), pretty(&image.sbom()));
    if let Some(report) = parts.audit {
        files.insert(format!("{name}.audit.json"), audit::json(report).into_bytes());
    }
    if let Some(changelog) = parts.changelog {
        files.insert(format!("{name}.changelog.json"), json_of_changelog(changelog).into_bytes());
    }
    files.extend(oci::layout(image).into_iter().map(|(path, bytes)| (format!("oci/{path}"), bytes)));
    let place = folder.join(&name);
    if place.exists() {
        let is_same = files.iter().all(|(path, bytes)| fs::read(place.join(path)).is_ok_and(|there| there == *bytes));
        return if is_same { Ok(place) } else { Err(WriteError::Exists { path: place }) };
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause| WriteError::Folder { path, cause }
    };
    let part = folder.join(format!(".{name}.part"));
    // What a run left that was killed is nobody's.
    drop(fs::remove_dir_all(&part));
    for (path, bytes) in &files {
        let path = part.join(path);
        let parent = path.parent().unwrap_or(&part);
        fs::create_dir_all(parent).map_err(failed(parent))?;
        file::replace(&path, bytes)?;
    }
    fs::rename(&part, &place).map_err(failed(&place))?;
    Ok(place)
}

/// `aux.image-changelog/1`, of two images.
pub fn json_of_changelog(changelog: &Changelog) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        #[serde(flatten)]
        changelog: ChangelogOutput<'a>,
    }
    json_document(&Document { schema: "aux.image-changelog/1", changelog: ChangelogOutput::new(changelog) })
}

fn pretty(value: &Value) -> Vec<u8> {
    json_document(value).into_bytes()
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(mut bytes: &[u8]) -> String {
    // Reading from memory does not fail.
    Digest::SHA256.hash_file(&mut bytes).unwrap_or_default()
}
