//! What a target is made of, and what of it could not be read.

use crate::Component;
use jiff::Timestamp;

/// Everything read from one target. What could not be read stands in `problems`: unknown is never shown as zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// What the user called it: a path, a file name, `-`.
    pub name: String,
    pub kind: TargetKind,
    /// Sorted by ecosystem, name and version; one entry each.
    pub components: Vec<Component>,
    /// A breadth-first tree over the dependency graph from its roots: parents come before children.
    pub tree: Vec<Node>,
    /// The pinned inputs, when the target has a flake.lock.
    pub inputs: Vec<FlakeInput>,
    pub problems: Vec<Problem>,
}

/// A node of the breadth-first tree; following `parent` gives the shortest path to a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub label: String,
    pub parent: Option<u32>,
}

impl Inventory {
    pub fn new(name: impl Into<String>, kind: TargetKind) -> Self {
        Self {
            name: name.into(),
            kind,
            components: Vec::new(),
            tree: Vec::new(),
            inputs: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The shortest dependency path from a root to `component`, root first, the component last.
    ///
    /// Empty where no graph was read.
    pub fn path_to(&self, component: &Component) -> Vec<&str> {
        let mut path = Vec::new();
        let mut next = component.node;
        while let Some(node) = next.and_then(|index| self.tree.get(index as usize)) {
            path.push(node.label.as_str());
            // Parents stand before their children, so a tree that says otherwise is not followed in circles.
            next = node.parent.filter(|&parent| next.is_some_and(|index| parent < index));
        }
        path.reverse();
        path
    }
}

/// What kind of thing was read, as detection reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetKind {
    DerivationGraph,
    DerivationJson,
    Closure,
    PathInfo,
    FlakeLock,
    /// A machine or package of a flake, evaluated.
    FlakeOutput,
    CycloneDx,
    Spdx,
    NameList,
    PurlList,
    PkgsrcList,
    TritonManifest,
    /// It was not recognised; `problems` says what was tried.
    Unrecognised,
}

impl TargetKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DerivationGraph => "derivation-graph",
            Self::DerivationJson => "derivation-json",
            Self::Closure => "closure",
            Self::PathInfo => "path-info",
            Self::FlakeLock => "flake-lock",
            Self::FlakeOutput => "flake-output",
            Self::CycloneDx => "cyclonedx",
            Self::Spdx => "spdx",
            Self::NameList => "name-list",
            Self::PurlList => "purl-list",
            Self::PkgsrcList => "pkgsrc-list",
            Self::TritonManifest => "triton-manifest",
            Self::Unrecognised => "unrecognised",
        }
    }
}

/// Something that could not be read at all, and so was not judged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, path or line it is about.
    pub subject: String,
    /// What went wrong, a sentence fragment in lower case.
    pub message: String,
}

impl Problem {
    pub fn new(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { subject: subject.into(), message: message.into() }
    }
}

/// One locked input of a flake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlakeInput {
    /// The path of input names from the root flake: `nixpkgs`, `home-manager/nixpkgs`.
    pub name: String,
    /// The input it follows, as a path of names, when it is not locked itself.
    pub follows: Option<String>,
    /// Where it comes from, as a flake reference without its revision.
    pub source: String,
    /// The branch or tag asked for.
    pub branch: Option<String>,
    pub revision: Option<String>,
    /// When the locked revision was made.
    pub last_modified: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ecosystem;

    #[test]
    fn the_path_runs_from_the_root_and_ends_on_a_broken_tree() {
        let mut inventory = Inventory::new("x", TargetKind::DerivationGraph);
        let node = |label: &str, parent| Node { label: label.to_owned(), parent };
        inventory.tree =
            vec![node("system", None), node("nginx", Some(0)), node("openssl", Some(1)), node("loop", Some(3))];
        let mut openssl = Component::named(Ecosystem::NIX, "openssl", "3", "x");
        assert!(inventory.path_to(&openssl).is_empty());
        openssl.node = Some(2);
        assert_eq!(inventory.path_to(&openssl), ["system", "nginx", "openssl"]);
        openssl.node = Some(3);
        assert_eq!(inventory.path_to(&openssl), ["loop"]);
    }
}
