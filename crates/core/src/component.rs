//! One thing a system is made of, as an auditor sees it: a name, a version, and where it was read.

use crate::Ecosystem;

/// A package at one version, all its outputs grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    pub ecosystem: Ecosystem,
    /// The package's own name in its ecosystem: `openssl`, `python3.11-requests`.
    pub name: String,
    /// As written; empty where none could be read.
    pub version: String,
    /// The package URL it was named by, when it was.
    pub purl: Option<String>,
    /// The CPE 2.3 name it was named by, when it was.
    pub cpe: Option<String>,
    /// The exact lines, store paths or references it was read from; never empty.
    pub outputs: Vec<String>,
    /// Patches that every derivation of this version carries.
    pub patches: Vec<Patch>,
    /// What the package's own metadata says of itself (`meta.knownVulnerabilities`).
    pub known_vulnerabilities: Vec<String>,
    pub scope: Scope,
    /// Where it stands in [`crate::Inventory::tree`], when a graph was read.
    pub node: Option<u32>,
}

impl Component {
    /// A component of which only the name, the version and one origin line are known.
    pub fn named(
        ecosystem: Ecosystem,
        name: impl Into<String>,
        version: impl Into<String>,
        origin: impl Into<String>,
    ) -> Self {
        Self {
            ecosystem,
            name: name.into(),
            version: version.into(),
            purl: None,
            cpe: None,
            outputs: vec![origin.into()],
            patches: Vec::new(),
            known_vulnerabilities: Vec::new(),
            scope: Scope::Unknown,
            node: None,
        }
    }
}

/// A patch a package is built with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Patch {
    /// The store path or file name of the patch.
    pub path: String,
    /// Where it was downloaded from, when its derivation says so.
    pub urls: Vec<String>,
    /// CVE ids seen, upper case, each with where: sorted, without repeats.
    pub cves: Vec<(String, PatchEvidence)>,
}

/// Where in a patch a CVE id was seen. A comment in the package's source is not visible here and never counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PatchEvidence {
    /// In the patch's file name.
    Name,
    /// In the URL it was fetched from.
    Url,
    /// In the text of the patch.
    Text,
}

/// Whether a component is part of what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Runtime,
    /// Needed to build only.
    Build,
    /// A derivation graph alone cannot tell.
    Unknown,
}

impl Scope {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Build => "build",
            Self::Unknown => "unknown",
        }
    }
}
