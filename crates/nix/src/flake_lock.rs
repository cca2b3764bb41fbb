//! `flake.lock`: what a flake's inputs are pinned to (Nix manual, "nix flake", "Lock files").

use aux_core::FlakeInput;
use aux_core::limits::FLAKE_PATH_NAMES_MAX;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Why a document is not a lock file.
#[derive(Debug, thiserror::Error)]
pub enum FlakeLockError {
    #[error("not a flake.lock")]
    Syntax(#[source] serde_json::Error),
    #[error("version {0} of flake.lock is not known; versions {VERSION_MIN} to {VERSION_MAX} are")]
    UnknownVersion(u64),
    #[error("node `{node}` is named by {by} and not there")]
    MissingNode { node: String, by: String },
    #[error("inputs of inputs nest deeper than {FLAKE_PATH_NAMES_MAX}")]
    TooDeep,
    #[error("input `{0}` is neither locked nor a reference to another input")]
    Unlocked(String),
}

const VERSION_MIN: u64 = 5;
const VERSION_MAX: u64 = 7;

#[derive(Deserialize)]
struct Header {
    version: u64,
}

#[derive(Deserialize)]
struct Lock {
    nodes: BTreeMap<String, LockNode>,
    #[serde(default = "root")]
    root: String,
}

fn root() -> String {
    "root".to_owned()
}

#[derive(Deserialize)]
struct LockNode {
    #[serde(default)]
    inputs: BTreeMap<String, Target>,
    #[serde(alias = "lockedRef")]
    locked: Option<Map<String, Value>>,
    #[serde(alias = "originalRef")]
    original: Option<Map<String, Value>>,
    /// Before version 6, what was found out about the locked input stood here.
    #[serde(default)]
    info: Map<String, Value>,
}

/// What an input is: a node of its own, or another input, named by its path from the root.
#[derive(Deserialize)]
#[serde(untagged)]
enum Target {
    Node(String),
    Follows(Vec<String>),
}

/// Reads a lock file. Inputs come sorted by name; each node's own inputs are listed once.
pub fn parse(document: &[u8]) -> Result<Vec<FlakeInput>, FlakeLockError> {
    let Header { version } = serde_json::from_slice(document).map_err(FlakeLockError::Syntax)?;
    if !(VERSION_MIN..=VERSION_MAX).contains(&version) {
        return Err(FlakeLockError::UnknownVersion(version));
    }
    let lock: Lock = serde_json::from_slice(document).map_err(FlakeLockError::Syntax)?;
    let mut inputs = Vec::new();
    let mut expanded = BTreeSet::from([lock.root.as_str()]);
    let mut queue = VecDeque::from([(lock.root.as_str(), String::new(), 0)]);
    while let Some((key, prefix, depth)) = queue.pop_front() {
        if depth >= FLAKE_PATH_NAMES_MAX {
            return Err(FlakeLockError::TooDeep);
        }
        for (name, target) in &lock.node(key, "the lock file")?.inputs {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            match target {
                Target::Node(key) => {
                    let node = lock.node(key, &path)?;
                    inputs.push(locked_input(&path, node)?);
                    // A node that several inputs share is walked once, from where it was met first: lock files of a
                    // hundred lines can describe more paths than there is memory.
                    if expanded.insert(key) {
                        queue.push_back((key, path, depth + 1));
                    }
                }
                Target::Follows(target) => inputs.push(following_input(path, target, &lock)),
            }
        }
    }
    inputs.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(inputs)
}

impl Lock {
    fn node(&self, key: &str, by: &str) -> Result<&LockNode, FlakeLockError> {
        let missing = || FlakeLockError::MissingNode { node: key.to_owned(), by: by.to_owned() };
        self.nodes.get(key).ok_or_else(missing)
    }

    /// The path of the locked input that a path of names leads to, and its node; nothing where it leads nowhere or in
    /// a circle. Each name that itself follows another is replaced by what it follows.
    fn resolve(&self, target: &[String]) -> Option<(Vec<String>, &LockNode)> {
        let mut rest: VecDeque<&str> = target.iter().map(String::as_str).collect();
        let mut path = Vec::new();
        let mut node = self.nodes.get(&self.root)?;
        let mut followed = 0;
        while let Some(name) = rest.pop_front() {
            match node.inputs.get(name)? {
                Target::Node(key) => {
                    node = self.nodes.get(key)?;
                    path.push(name.to_owned());
                }
                Target::Follows(next) => {
                    // A circle comes by here for ever, and an unkind list grows on each turn.
                    followed += 1;
                    if followed > FLAKE_PATH_NAMES_MAX || rest.len() + next.len() > FLAKE_PATH_NAMES_MAX {
                        return None;
                    }
                    path.clear();
                    next.iter().rev().for_each(|name| rest.push_front(name));
                    node = self.nodes.get(&self.root)?;
                }
            }
        }
        Some((path, node))
    }
}

fn following_input(name: String, target: &[String], lock: &Lock) -> FlakeInput {
    let (target, source) = match lock.resolve(target) {
        Some((path, node)) => (path, node.reference().map(source_of).unwrap_or_default()),
        None => (target.to_vec(), String::new()),
    };
    FlakeInput { name, follows: Some(target.join("/")), source, branch: None, revision: None, last_modified: None }
}

fn locked_input(name: &str, node: &LockNode) -> Result<FlakeInput, FlakeLockError> {
    let Some(locked) = &node.locked else { return Err(FlakeLockError::Unlocked(name.to_owned())) };
    let field = |field: &str| text(locked, field).or_else(|| text(&node.info, field));
    let source = node.reference().unwrap_or(locked);
    let original = node.original.as_ref();
    let branch = original.and_then(|original| text(original, "ref")).or_else(|| text(locked, "ref"));
    let branch = branch.or_else(|| channel_of(text(source, "url")?));
    let seconds = locked.get("lastModified").or_else(|| node.info.get("lastModified")).and_then(Value::as_i64);
    Ok(FlakeInput {
        name: name.to_owned(),
        follows: None,
        source: source_of(source),
        branch: branch.map(|branch| branch.strip_prefix("refs/heads/").unwrap_or(branch).to_owned()),
        revision: field("rev").map(str::to_owned),
        last_modified: seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()),
    })
}

impl LockNode {
    /// The reference that says where it comes from: the one asked for, unless that is a name in a registry.
    fn reference(&self) -> Option<&Map<String, Value>> {
        let original = self.original.as_ref().filter(|original| text(original, "type") != Some("indirect"));
        original.or(self.locked.as_ref()).or(self.original.as_ref())
    }
}

fn text<'m>(reference: &'m Map<String, Value>, field: &str) -> Option<&'m str> {
    reference.get(field).and_then(Value::as_str).filter(|value| !value.is_empty())
}

/// A flake reference in its URL form, without revision and branch (Nix manual, "Flake references", "Types").
fn source_of(reference: &Map<String, Value>) -> String {
    let field = |name: &str| text(reference, name).unwrap_or_default();
    let url = || without_credentials(field("url"));
    let mut source = match field("type") {
        forge @ ("github" | "gitlab" | "sourcehut") => format!("{forge}:{}/{}", field("owner"), field("repo")),
        kind @ ("git" | "hg") => {
            let url = url();
            if url.starts_with(&format!("{kind}+")) || url.starts_with(&format!("{kind}:")) {
                url
            } else {
                format!("{kind}+{url}")
            }
        }
        "path" => format!("path:{}", field("path")),
        "indirect" => format!("flake:{}", field("id")),
        _ => url(),
    };
    for name in ["host", "dir"] {
        if let Some(value) = text(reference, name) {
            source.push(if source.contains('?') { '&' } else { '?' });
            source.extend([name, "=", value]);
        }
    }
    source
}

/// A channel is a branch to those who follow it: `https://channels.nixos.org/nixos-24.05/nixexprs.tar.xz`.
fn channel_of(url: &str) -> Option<&str> {
    let rest =
        url.strip_prefix("https://channels.nixos.org/").or_else(|| url.strip_prefix("https://nixos.org/channels/"))?;
    rest.split('/').next().filter(|channel| !channel.is_empty())
}

/// A URL whose user name and password nobody needs to see.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(authority_end).unwrap_or((rest, ""));
    match authority.rsplit_once('@') {
        Some((user, host)) if user.contains(':') || scheme.ends_with("http") || scheme.ends_with("https") => {
            format!("{scheme}://***@{host}{path}")
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(nodes: &str) -> Result<Vec<FlakeInput>, FlakeLockError> {
        parse(format!(r#"{{"version":7,"root":"root","nodes":{nodes}}}"#).as_bytes())
    }

    const NIXPKGS: &str = r#"{"locked":{"type":"github","owner":"NixOS","repo":"nixpkgs","rev":"abc","lastModified":1700000000,"narHash":"x"},
        "original":{"type":"github","owner":"NixOS","repo":"nixpkgs","ref":"nixos-24.05"}}"#;

    #[test]
    fn inputs_come_with_branch_revision_and_age() {
        let inputs = lock(&format!(
            r#"{{"root":{{"inputs":{{"nixpkgs":"nixpkgs","home":"home","alias":["home","nixpkgs"]}}}},
            "nixpkgs":{NIXPKGS},
            "home":{{"inputs":{{"nixpkgs":["nixpkgs"]}},"locked":{{"type":"git","url":"https://me:secret@x.org/home","rev":"def"}},
                     "original":{{"type":"indirect","id":"home"}}}}}}"#
        ))
        .unwrap();
        let names: Vec<_> = inputs.iter().map(|input| (input.name.as_str(), input.follows.as_deref())).collect();
        assert_eq!(
            names,
            [("alias", Some("nixpkgs")), ("home", None), ("home/nixpkgs", Some("nixpkgs")), ("nixpkgs", None)]
        );
        assert_eq!(inputs[0].source, "github:NixOS/nixpkgs");
        assert_eq!(inputs[1].source, "git+https://***@x.org/home");
        assert_eq!(inputs[3].branch.as_deref(), Some("nixos-24.05"));
        assert_eq!(inputs[3].revision.as_deref(), Some("abc"));
        assert_eq!(inputs[3].last_modified.unwrap().as_second(), 1_700_000_000);
    }

    #[test]
    fn each_kind_of_reference_has_its_url() {
        for (reference, source) in [
            (
                r#"{"type":"gitlab","owner":"a","repo":"b","host":"git.x.org","dir":"sub"}"#,
                "gitlab:a/b?host=git.x.org&dir=sub",
            ),
            (r#"{"type":"git","url":"ssh://git@x.org/r"}"#, "git+ssh://git@x.org/r"),
            (r#"{"type":"path","path":"./sub"}"#, "path:./sub"),
            (r#"{"type":"indirect","id":"nixpkgs"}"#, "flake:nixpkgs"),
            (r#"{"type":"tarball","url":"https://x.org/a.tar.gz"}"#, "https://x.org/a.tar.gz"),
            (r#"{"type":"file","url":"https://u@x.org/a"}"#, "https://***@x.org/a"),
        ] {
            assert_eq!(source_of(&serde_json::from_str(reference).unwrap()), source);
        }
        assert_eq!(channel_of("https://channels.nixos.org/nixos-unstable/nixexprs.tar.xz"), Some("nixos-unstable"));
    }

    #[test]
    fn version_5_kept_its_facts_beside_the_reference() {
        let inputs = parse(
            br#"{"version":5,"root":"root","nodes":{"root":{"inputs":{"n":"n"}},
            "n":{"info":{"lastModified":5,"narHash":"x"},"locked":{"type":"github","owner":"a","repo":"b","rev":"r"}}}}"#,
        )
        .unwrap();
        assert_eq!(inputs[0].last_modified.unwrap().as_second(), 5);
    }

    #[test]
    fn circles_end() {
        let inputs = lock(&format!(
            r#"{{"root":{{"inputs":{{"a":["b"],"b":["a"],"c":["c","c"],"n":"n"}}}},
            "n":{{"inputs":{{"again":"n","root":"root"}},{}}}"#,
            NIXPKGS.trim_start_matches('{')
        ));
        // The root is no input, so an input that names it is not locked.
        assert!(matches!(inputs, Err(FlakeLockError::Unlocked(name)) if name == "n/root"));
        let inputs = lock(&format!(
            r#"{{"root":{{"inputs":{{"a":["b"],"b":["a"],"c":["c","c"],"n":"n"}}}},
            "n":{{"inputs":{{"again":"n"}},{}}}"#,
            NIXPKGS.trim_start_matches('{')
        ))
        .unwrap();
        let names: Vec<_> = inputs.iter().map(|input| (input.name.as_str(), input.follows.as_deref())).collect();
        assert_eq!(names, [("a", Some("b")), ("b", Some("a")), ("c", Some("c/c")), ("n", None), ("n/again", None)]);
    }

    #[test]
    fn a_chain_without_end_is_refused() {
        let nodes: Vec<String> = (0..300)
            .map(|number| format!(r#""n{number}":{{"inputs":{{"n":"n{}"}},"locked":{{}}}}"#, number + 1))
            .collect();
        let nodes = format!(r#"{{"root":{{"inputs":{{"n":"n0"}}}},{},"n300":{{"locked":{{}}}}}}"#, nodes.join(","));
        assert!(matches!(lock(&nodes), Err(FlakeLockError::TooDeep)));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(matches!(parse(br#"{"version":8,"nodes":{}}"#), Err(FlakeLockError::UnknownVersion(8))));
        assert!(matches!(parse(br#"{"version":4}"#), Err(FlakeLockError::UnknownVersion(4))));
        assert!(matches!(parse(b"{}"), Err(FlakeLockError::Syntax(_))));
        assert!(matches!(lock("{}"), Err(FlakeLockError::MissingNode { .. })));
        assert!(matches!(lock(r#"{"root":{"inputs":{"a":"gone"}}}"#), Err(FlakeLockError::MissingNode { .. })));
    }
}
