//! What a flake.lock takes from this machine, which the lock of a repository from elsewhere has no business to do.

use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_io::input;
use serde_json::Value;

use super::FlakeTarget;

/// The first source on this machine that the lock of a foreign flake names.
pub(super) fn first(target: &FlakeTarget) -> Option<String> {
    if !target.is_foreign {
        return None;
    }
    target.lock.symlink_metadata().ok()?;
    // Nix might make something of a lock that we cannot read.
    let lock = input::read(&target.lock, DOCUMENT_BYTES_MAX).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    lock.map_or_else(|| Some("what could not be read".to_owned()), |lock| in_lock(&lock))
}

/// A node may say one thing in `original` and another in `locked`, which is what is fetched.
fn in_lock(lock: &Value) -> Option<String> {
    let nodes = lock.get("nodes")?.as_object()?;
    let mut references = nodes.values().flat_map(|node| [node.get("locked"), node.get("original")]).flatten();
    references.find_map(on_this_machine)
}

fn on_this_machine(reference: &Value) -> Option<String> {
    let field = |name: &str| reference.get(name).and_then(Value::as_str).unwrap_or_default();
    let (path, url) = (field("path"), field("url"));
    // A path inside the repository itself belongs to it.
    let leaves = path.starts_with(['/', '~']) || path.split('/').any(|part| part == "..");
    if field("type") == "path" && leaves {
        return Some(path.to_owned());
    }
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    let is_local = scheme.eq_ignore_ascii_case("file") || scheme.to_ascii_lowercase().ends_with("+file");
    (is_local || url.starts_with(['/', '.', '~']) || url.to_ascii_lowercase().starts_with("file:"))
        .then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whatever_is_on_this_machine_is_found_in_either_reference() {
        let github = json!({ "type": "github", "owner": "a", "repo": "b" });
        for (reference, wanted) in [
            (json!({ "type": "path", "path": "/root/.ssh" }), Some("/root/.ssh")),
            (json!({ "type": "path", "path": "./sub/../../x" }), Some("./sub/../../x")),
            (json!({ "type": "path", "path": "./sub" }), None),
            (json!({ "type": "git", "url": "file:///srv/x" }), Some("file:///srv/x")),
            (json!({ "type": "git", "url": "/srv/x" }), Some("/srv/x")),
            (json!({ "type": "tarball", "url": "FILE:/etc/shadow" }), Some("FILE:/etc/shadow")),
            (json!({ "type": "git", "url": "https://x.org/file://a" }), None),
            (github.clone(), None),
        ] {
            for (locked, original) in [(&reference, &github), (&github, &reference)] {
                let lock = json!({ "nodes": { "root": {}, "x": { "locked": locked, "original": original } } });
                assert_eq!(in_lock(&lock).as_deref(), wanted, "{lock}");
            }
        }
    }
}
