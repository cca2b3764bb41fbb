//! `nix path-info -r --json`: the store paths of a closure, what they refer to, and what derived them.
//!
//! | form | document | store paths |
//! |---|---|---|
//! | list (to Nix 2.18, and Lix) | `[{"path": …, "references": […]}]` | whole |
//! | map (from Nix 2.19), form 1 | `{path: {"references": […]}}`, an invalid path has `null` | whole |
//! | forms 2 and 3 (from Nix 2.33) | `{"version": 2, "storeDir": …, "info": {path: {…}}}` | without the store directory |
//!
//! (Nix manual, "Store Object Info", version history.)

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One store path of a closure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathInfo {
    /// Whole: `/nix/store/…`.
    pub path: String,
    /// Whole store paths it refers to, sorted; itself may be among them.
    pub references: Vec<String>,
    /// The derivation it was built from, where the store remembers.
    pub deriver: Option<String>,
    /// False where the path was asked for and is not in the store.
    pub is_valid: bool,
}

/// Why a document is not a list of store paths.
#[derive(Debug, thiserror::Error)]
pub enum PathInfoError {
    #[error("not the JSON of `nix path-info`")]
    Syntax(#[source] serde_json::Error),
    #[error("store path `{path}`")]
    Entry { path: String, source: serde_json::Error },
    #[error("version {0} of the store object format is not known; versions up to {VERSION_MAX} are")]
    UnknownVersion(u64),
    #[error("a versioned document must have `info`")]
    NoInfo,
    #[error("store path `{0}` stands twice")]
    Duplicate(String),
}

/// The newest form read here.
const VERSION_MAX: u64 = 3;
/// Where stores are when a document without store directories does not say.
const STORE_DIRECTORY: &str = "/nix/store";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    path: Option<String>,
    version: Option<u64>,
    store_dir: Option<String>,
    #[serde(default)]
    references: Vec<String>,
    deriver: Option<String>,
    #[serde(default = "yes")]
    valid: bool,
}

fn yes() -> bool {
    true
}

/// Reads a document, sorted by path.
pub fn parse(document: &[u8]) -> Result<Vec<PathInfo>, PathInfoError> {
    match serde_json::from_slice(document).map_err(PathInfoError::Syntax)? {
        Value::Array(items) => {
            let items = items.into_iter().enumerate();
            collect(items.map(|(index, item)| (format!("entry {index}"), item)), STORE_DIRECTORY)
        }
        Value::Object(mut map) => {
            let info = map.remove("info");
            let store = map.remove("storeDir");
            let directory = store.as_ref().and_then(Value::as_str).unwrap_or(STORE_DIRECTORY);
            let entries = match map.remove("version").as_ref().and_then(Value::as_u64) {
                None => map,
                Some(version) => versioned(version, info, map)?,
            };
            collect(entries, directory)
        }
        _ => Err(PathInfoError::Syntax(serde::de::Error::custom("expected a list or a map of store paths"))),
    }
}

/// The entries of a document that says its version.
fn versioned(version: u64, info: Option<Value>, rest: Map<String, Value>) -> Result<Map<String, Value>, PathInfoError> {
    check_version(version)?;
    match info {
        Some(Value::Object(info)) => Ok(info),
        // Form 1 keeps the paths at the top, beside the version.
        None if version == 1 => Ok(rest),
        _ => Err(PathInfoError::NoInfo),
    }
}

fn check_version(version: u64) -> Result<(), PathInfoError> {
    if (1..=VERSION_MAX).contains(&version) { Ok(()) } else { Err(PathInfoError::UnknownVersion(version)) }
}

fn collect(
    entries: impl IntoIterator<Item = (String, Value)>,
    directory: &str,
) -> Result<Vec<PathInfo>, PathInfoError> {
    let mut closure: BTreeMap<String, PathInfo> = BTreeMap::new();
    for (key, value) in entries {
        let info = read(key, value, directory)?;
        let path = info.path.clone();
        if closure.insert(path.clone(), info).is_some() {
            return Err(PathInfoError::Duplicate(path));
        }
    }
    Ok(closure.into_values().collect())
}

fn read(key: String, value: Value, directory: &str) -> Result<PathInfo, PathInfoError> {
    let entry: Option<Entry> = match serde_json::from_value(value) {
        Ok(entry) => entry,
        Err(source) => return Err(PathInfoError::Entry { path: key, source }),
    };
    let Some(entry) = entry else {
        return Ok(PathInfo { path: whole(key, directory), references: Vec::new(), deriver: None, is_valid: false });
    };
    if let Some(version) = entry.version {
        check_version(version)?;
    }
    let directory = entry.store_dir.as_deref().unwrap_or(directory);
    let mut references: Vec<String> = entry.references.into_iter().map(|path| whole(path, directory)).collect();
    references.sort();
    references.dedup();
    Ok(PathInfo {
        path: whole(entry.path.unwrap_or(key), directory),
        references,
        deriver: entry.deriver.filter(|path| path != "unknown-deriver").map(|path| whole(path, directory)),
        is_valid: entry.valid,
    })
}

fn whole(path: String, directory: &str) -> String {
    if path.starts_with('/') { path } else { format!("{directory}/{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Vec<PathInfo> {
        vec![PathInfo {
            path: "/s/a".to_owned(),
            references: vec!["/s/a".to_owned(), "/s/b".to_owned()],
            deriver: Some("/s/a.drv".to_owned()),
            is_valid: true,
        }]
    }

    #[test]
    fn every_form_says_the_same() {
        for document in [
            r#"[{"path":"/s/a","references":["/s/b","/s/a"],"deriver":"/s/a.drv","valid":true,"narSize":1}]"#,
            r#"{"/s/a":{"references":["/s/b","/s/a"],"deriver":"/s/a.drv","ca":null}}"#,
            r#"{"/s/a":{"version":1,"storeDir":"/s","references":["/s/b","/s/a"],"deriver":"/s/a.drv"}}"#,
            r#"{"version":1,"storeDir":"/s","/s/a":{"references":["/s/b","/s/a"],"deriver":"/s/a.drv"}}"#,
            r#"{"version":2,"storeDir":"/s","info":{"a":{"references":["b","a"],"deriver":"a.drv","version":2}}}"#,
            r#"{"version":3,"storeDir":"/s","info":{"a":{"references":["b","a"],"deriver":"a.drv","signatures":[{}]}}}"#,
        ] {
            assert_eq!(parse(document.as_bytes()).unwrap(), expected(), "{document}");
        }
    }

    #[test]
    fn a_path_that_is_not_there_is_said_to_be_missing() {
        for document in [r#"{"/s/x":null}"#, r#"[{"path":"/s/x","valid":false}]"#] {
            let closure = parse(document.as_bytes()).unwrap();
            assert!(!closure[0].is_valid && closure[0].path == "/s/x" && closure[0].deriver.is_none());
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(matches!(parse(br#"{"version":4,"info":{}}"#), Err(PathInfoError::UnknownVersion(4))));
        assert!(matches!(parse(br#"{"version":2}"#), Err(PathInfoError::NoInfo)));
        assert!(matches!(parse(b"3"), Err(PathInfoError::Syntax(_))));
        assert!(matches!(parse(b"[3]"), Err(PathInfoError::Entry { .. })));
        assert!(matches!(parse(br#"[{"path":"/s/x"},{"path":"/s/x"}]"#), Err(PathInfoError::Duplicate(_))));
    }
}
