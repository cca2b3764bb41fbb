//! Specifications out of an `images.json`, where origin images were described before: an array of images, each with
//! `namePrefix`, `desc`, `origin` and its packages with their versions.

use serde::Deserialize;
use toml::Value;

use super::Spec;

/// An image of an `images.json`, as a specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    pub name: String,
    /// The specification's text, which reads back.
    pub text: String,
    /// Versions that were pinned there and are not any more, so that updates come in.
    pub unpinned: Vec<String>,
}

/// Why an `images.json` gives no specifications. Causes stand in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    #[error("not an images.json: {0}")]
    Json(String),
    #[error("it names no image")]
    Empty,
    #[error("two images are called {0}")]
    Twice(String),
    #[error("{name}: nobody says which branch it is on; its origin's version `{version}` is not YEAR.QUARTER.x")]
    Branch { name: String, version: String },
    #[error("{name}: {cause}")]
    Spec { name: String, cause: super::SpecError },
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "namePrefix", alias = "name")]
    name: String,
    #[serde(default, alias = "description")]
    desc: String,
    origin: Origin,
    #[serde(default)]
    pkgsrc: Vec<String>,
}

#[derive(Deserialize)]
struct Origin {
    uuid: String,
    #[serde(default)]
    version: String,
}

/// Reads every image; what a specification does not know is passed over.
pub fn import(bytes: &[u8]) -> Result<Vec<Imported>, ImportError> {
    let entries: Vec<Entry> = serde_json::from_slice(bytes).map_err(|error| ImportError::Json(error.to_string()))?;
    let mut imported: Vec<Imported> = Vec::new();
    for entry in entries {
        if imported.iter().any(|one| one.name == entry.name) {
            return Err(ImportError::Twice(entry.name));
        }
        imported.push(specification(entry)?);
    }
    if imported.is_empty() { Err(ImportError::Empty) } else { Ok(imported) }
}

fn specification(entry: Entry) -> Result<Imported, ImportError> {
    let Entry { name, desc, origin, pkgsrc } = entry;
    let version = origin.version;
    let (branch, numbers) =
        branch(&version).ok_or_else(|| ImportError::Branch { name: name.clone(), version: version.clone() })?;
    let mut packages: Vec<String> = pkgsrc.iter().map(|package| base(package).to_owned()).collect();
    packages.sort();
    packages.dedup();
    let unpinned = pkgsrc.into_iter().filter(|package| base(package) != package).collect();
    let text = |text: &str| Value::String(text.to_owned()).to_string();
    let packages: Vec<String> = packages.iter().map(|package| text(package)).collect();
    let mut lines = vec![
        format!("name = {}", text(&name)),
        format!("branch = {}", text(&branch)),
        format!("version = {}", text(&numbers)),
        format!("origin = {}", text(&origin.uuid)),
        format!("packages = [{}]", packages.join(", ")),
    ];
    if !desc.is_empty() {
        lines.push(format!("description = {}", text(&desc)));
    }
    let text = lines.join("\n") + "\n";
    match Spec::read(&text) {
        Ok(_) => Ok(Imported { name, text, unpinned }),
        Err(cause) => Err(ImportError::Spec { name, cause }),
    }
}

/// `18.1.0` is built from 2018Q1, and gives versions `18.1.z`.
fn branch(version: &str) -> Option<(String, String)> {
    let mut parts = version.split('.');
    let (year, quarter) = (parts.next()?, parts.next()?);
    let is_year = year.len() == 2 && year.bytes().all(|byte| byte.is_ascii_digit());
    (is_year && matches!(quarter, "1" | "2" | "3" | "4"))
        .then(|| (format!("20{year}Q{quarter}"), format!("{year}.{quarter}")))
}

/// A package's name without the version behind its last dash; a pattern stays as it is.
fn base(package: &str) -> &str {
    match package.rsplit_once('-') {
        _ if package.contains(['[', '*', '?', '{', '<', '>', '=']) => package,
        Some((name, version)) if !name.is_empty() && version.starts_with(|one: char| one.is_ascii_digit()) => name,
        _ => package,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"[{
        "namePrefix": "origin-multiarch", "desc": "Says \"hello\"", "protoMinMemoryMb": "1024",
        "origin": { "uuid": "1ad363ec-3b83-11e8-8521-2f68a4a34d5d", "name": "minimal", "version": "18.1.0" },
        "pkgsrc": ["curl-7.59.0", "gsed-4.4", "patch", "nodejs-[0-9]*"]
    }]"#;

    #[test]
    fn an_old_description_becomes_a_specification_without_versions() {
        let imported = import(OLD.as_bytes()).unwrap();
        let [one] = imported.as_slice() else { panic!("{imported:?}") };
        let spec = Spec::read(&one.text).unwrap();
        assert_eq!(
            (spec.name.as_str(), spec.branch.as_str(), spec.description.as_str()),
            ("origin-multiarch", "2018Q1", "Says \"hello\"")
        );
        assert_eq!(spec.packages, ["curl", "gsed", "nodejs-[0-9]*", "patch"]);
        assert_eq!(spec.version, super::super::VersionScheme::Numbered("18.1".to_owned()));
        assert_eq!(one.unpinned, ["curl-7.59.0", "gsed-4.4"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let twice = format!("[{0},{0}]", &OLD[1..OLD.len() - 1]);
        for (text, says) in [
            ("{}".to_owned(), "not an images.json"),
            ("[]".to_owned(), "names no image"),
            (twice, "two images"),
            (OLD.replace("18.1.0", "trunk"), "which branch"),
            (OLD.replace("18.1.0", "18.9.0"), "which branch"),
            (OLD.replace("1ad363ec", "x"), "no UUID"),
            (OLD.replace("origin-multiarch", "../x"), "no name of an image"),
            (OLD.replace(r#""patch""#, r#""a\nb""#), "no name of a package"),
        ] {
            let error = import(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
