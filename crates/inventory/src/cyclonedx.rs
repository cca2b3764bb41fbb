//! `CycloneDX` 1.4 to 1.6 in JSON (ECMA-424): components at any depth, and the dependency graph for paths.
//!
//! A key that stands twice in an object we look at is refused by serde's generated readers: the second `components`
//! could otherwise hide the first.

use crate::graph_order::breadth_first;
use crate::{Gathered, purl};
use aux_core::component::PatchEvidence;
use aux_core::{Component, Ecosystem, Patch, Scope, TargetKind};
use serde::Deserialize;
use std::collections::BTreeMap;

const VERSIONS: &[&str] = &["1.4", "1.5", "1.6"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bom {
    #[serde(rename = "bomFormat")]
    format: Option<String>,
    spec_version: Option<String>,
    metadata: Option<Metadata>,
    components: Option<Vec<Part>>,
    dependencies: Option<Vec<Dependency>>,
}

#[derive(Deserialize)]
struct Metadata {
    component: Option<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(rename = "bom-ref")]
    reference: Option<String>,
    group: Option<String>,
    name: Option<String>,
    version: Option<String>,
    purl: Option<String>,
    cpe: Option<String>,
    scope: Option<String>,
    components: Option<Vec<Self>>,
    pedigree: Option<Pedigree>,
}

#[derive(Deserialize)]
struct Pedigree {
    patches: Option<Vec<PedigreePatch>>,
}

#[derive(Deserialize)]
struct PedigreePatch {
    diff: Option<Diff>,
    resolves: Option<Vec<Issue>>,
}

#[derive(Deserialize)]
struct Diff {
    url: Option<String>,
}

#[derive(Deserialize)]
struct Issue {
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    #[serde(rename = "ref")]
    reference: String,
    depends_on: Option<Vec<String>>,
}

/// Reads one document. `fallback` is the ecosystem of a component without a package URL.
pub fn read(name: &str, bytes: &[u8], fallback: &Ecosystem, into: &mut Gathered) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let bom: Bom = match serde_json::from_slice(bytes) {
        Ok(bom) => bom,
        Err(error) => return into.problem(name, format!("not readable as CycloneDX: {error}")),
    };
    if bom.format.as_deref() != Some("CycloneDX") {
        return into.problem(name, "not readable as CycloneDX: bomFormat is not \"CycloneDX\"");
    }
    match bom.spec_version.as_deref() {
        Some(version) if VERSIONS.contains(&version) => {}
        version => {
            let version = version.unwrap_or("without a version");
            return into.problem(name, format!("CycloneDX {version} is not known here; export it as 1.4, 1.5 or 1.6"));
        }
    }
    let Some(parts) = bom.components else {
        return into.problem(name, "a CycloneDX document without components says nothing about packages");
    };
    into.recognise(TargetKind::CycloneDx);
    let mut graph = Graph::default();
    let root = bom.metadata.and_then(|metadata| metadata.component).map(|root| {
        let number = graph.node(root.reference.as_deref(), &label(&root));
        // A root may hold components of its own; they are as real as the others.
        (number, root.components.unwrap_or_default())
    });
    let mut found = Vec::new();
    let root_number = root.as_ref().map(|(number, _)| *number);
    for part in root.map(|(_, inner)| inner).unwrap_or_default().into_iter().chain(parts) {
        flatten(part, None, &mut graph, &mut found);
    }
    for dependency in bom.dependencies.unwrap_or_default() {
        for target in dependency.depends_on.unwrap_or_default() {
            graph.edge(&dependency.reference, &target);
        }
    }
    let order = breadth_first(&graph.labels, &graph.edges, root_number.as_slice());
    let place = order.place.clone();
    let offset = into.add_tree(order);
    for (number, part) in found {
        let node = place.get(number as usize).copied().flatten().map(|place| place.saturating_add(offset));
        add(name, part, node, fallback, into);
    }
}

/// The dependency graph by `bom-ref`.
#[derive(Default)]
struct Graph {
    labels: Vec<String>,
    edges: Vec<Vec<u32>>,
    numbers: BTreeMap<String, u32>,
}

impl Graph {
    fn node(&mut self, reference: Option<&str>, label: &str) -> u32 {
        if let Some(number) = reference.and_then(|reference| self.numbers.get(reference)) {
            return *number;
        }
        let number = u32::try_from(self.labels.len()).unwrap_or(u32::MAX);
        self.labels.push(label.to_owned());
        self.edges.push(Vec::new());
        if let Some(reference) = reference {
            self.numbers.insert(reference.to_owned(), number);
        }
        number
    }

    fn connect(&mut self, from: u32, to: u32) {
        if let Some(edges) = self.edges.get_mut(from as usize) {
            edges.push(to);
        }
    }

    /// References that name no component (services, other documents) lead nowhere.
    fn edge(&mut self, from: &str, to: &str) {
        if let (Some(from), Some(to)) = (self.numbers.get(from).copied(), self.numbers.get(to).copied()) {
            self.connect(from, to);
        }
    }
}

fn label(part: &Part) -> String {
    let name = part.name.as_deref().unwrap_or("(no name)");
    match part.version.as_deref().filter(|version| !version.is_empty()) {
        Some(version) => format!("{name}-{version}"),
        None => name.to_owned(),
    }
}

/// Lists a component and those inside it; `serde_json`'s bound on nesting bounds the recursion.
fn flatten(mut part: Part, parent: Option<u32>, graph: &mut Graph, found: &mut Vec<(u32, Part)>) {
    let number = graph.node(part.reference.as_deref(), &label(&part));
    if let Some(parent) = parent {
        graph.connect(parent, number);
    }
    for inner in part.components.take().unwrap_or_default() {
        flatten(inner, Some(number), graph, found);
    }
    found.push((number, part));
}

fn add(document: &str, part: Part, node: Option<u32>, fallback: &Ecosystem, into: &mut Gathered) {
    let Some(own_name) = part.name.filter(|name| !name.is_empty()) else {
        let which = part.reference.or(part.purl).unwrap_or_else(|| "a component".to_owned());
        return into.problem(document, format!("{which} has no name"));
    };
    let named = part.purl.is_some() || part.cpe.is_some();
    if !named && matches!(part.kind.as_deref(), Some("file" | "data" | "cryptographic-asset")) {
        return;
    }
    let version = part.version.unwrap_or_default();
    let origin = part.reference.or_else(|| part.purl.clone()).unwrap_or_else(|| format!("{own_name}@{version}"));
    let by_purl = part.purl.as_deref().map(|text| purl::component(text, &origin));
    let mut component = match by_purl {
        Some(Ok(component)) => component,
        outcome => {
            if let (Some(Err(error)), Some(text)) = (outcome, &part.purl) {
                into.problem(document, format!("the purl '{text}' of {own_name} {error}"));
            }
            let name = match part.group.filter(|group| !group.is_empty()) {
                Some(group) => format!("{group}/{own_name}"),
                None => own_name,
            };
            Component::named(fallback.clone(), name, "", origin)
        }
    };
    if component.version.is_empty() {
        component.version = version;
    }
    component.cpe = part.cpe.filter(|cpe| cpe.starts_with("cpe:"));
    component.patches = patches(part.pedigree);
    component.scope = match part.scope.as_deref() {
        Some("required" | "optional") => Scope::Runtime,
        Some("excluded") => Scope::Build,
        _ => Scope::Unknown,
    };
    component.node = node;
    into.add(component);
}

/// Patches that a component's pedigree names, with the CVE ids they are said to resolve.
fn patches(pedigree: Option<Pedigree>) -> Vec<Patch> {
    let mut patches = Vec::new();
    for patch in pedigree.and_then(|pedigree| pedigree.patches).unwrap_or_default() {
        let url = patch.diff.and_then(|diff| diff.url);
        let mut cves: Vec<_> = patch
            .resolves
            .unwrap_or_default()
            .into_iter()
            .filter_map(|issue| issue.id)
            .map(|id| id.trim().to_ascii_uppercase())
            .filter(|id| id.starts_with("CVE-"))
            .map(|id| (id, PatchEvidence::Text))
            .collect();
        cves.sort_unstable();
        cves.dedup();
        let path = url.clone().unwrap_or_else(|| "pedigree".to_owned());
        patches.push(Patch { path, urls: url.into_iter().collect(), cves });
    }
    patches
}

#[cfg(test)]
mod tests {
    use super::*;
    use aux_core::Inventory;

    fn inventory(text: &str) -> Inventory {
        let mut gathered = Gathered::default();
        read("bom.json", text.as_bytes(), &Ecosystem::GENERIC, &mut gathered);
        gathered.finish("bom.json")
    }

    #[test]
    fn components_come_from_every_depth_with_their_path() {
        let inventory = inventory(
            r#"{"bomFormat": "CycloneDX", "specVersion": "1.5",
            "metadata": {"component": {"bom-ref": "app", "name": "shop", "version": "1", "type": "application"}},
            "components": [
              {"type": "library", "bom-ref": "w", "name": "web", "version": "2", "purl": "pkg:npm/web@2", "scope": "required",
               "components": [{"type": "library", "bom-ref": "z", "name": "zlib", "version": "1.2.11",
                               "cpe": "cpe:2.3:a:zlib:zlib:1.2.11:*:*:*:*:*:*:*"}]},
              {"type": "library", "group": "org.x", "name": "y", "version": "3", "scope": "excluded"},
              {"type": "file", "name": "etc/passwd"},
              {"type": "library", "name": "patched", "version": "4", "pedigree": {"patches": [
                {"type": "backport", "diff": {"url": "https://x/fix.patch"}, "resolves": [{"type": "security", "id": "cve-2020-1"}]}]}}
            ],
            "dependencies": [{"ref": "app", "dependsOn": ["w", "nowhere"]}, {"ref": "w", "dependsOn": ["app"]}]}"#,
        );
        assert_eq!(inventory.kind, TargetKind::CycloneDx);
        assert!(inventory.problems.is_empty(), "{:?}", inventory.problems);
        let names: Vec<_> =
            inventory.components.iter().map(|one| (one.ecosystem.as_str(), &*one.name, &*one.version)).collect();
        assert_eq!(
            names,
            [
                ("generic", "org.x/y", "3"),
                ("generic", "patched", "4"),
                ("generic", "zlib", "1.2.11"),
                ("npm", "web", "2")
            ]
        );
        let zlib = &inventory.components[2];
        assert_eq!(inventory.path_to(zlib), ["shop-1", "web-2", "zlib-1.2.11"]);
        assert_eq!(zlib.outputs, ["z"]);
        assert_eq!(inventory.components[0].scope, Scope::Build);
        assert_eq!(inventory.components[3].scope, Scope::Runtime);
        assert_eq!(inventory.components[1].patches[0].cves, [("CVE-2020-1".to_owned(), PatchEvidence::Text)]);
    }

    #[test]
    fn what_cannot_be_read_whole_is_not_read_in_part() {
        for (text, wanted) in [
            (r#"{"bomFormat": "CycloneDX", "specVersion": "1.7", "components": []}"#, "1.7 is not known"),
            (r#"{"bomFormat": "CycloneDX", "components": []}"#, "without a version"),
            (r#"{"bomFormat": "Other", "specVersion": "1.5", "components": []}"#, "bomFormat"),
            (r#"{"bomFormat": "CycloneDX", "specVersion": "1.5"}"#, "without components"),
            (
                r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"name": "a"}], "components": []}"#,
                "duplicate field `components`",
            ),
            (r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"name": "#, "EOF"),
            (r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"name": 5}]}"#, "invalid type"),
        ] {
            let inventory = inventory(text);
            assert!(inventory.components.is_empty());
            assert!(inventory.problems[0].message.contains(wanted), "{:?}", inventory.problems);
            assert_eq!(inventory.problems[0].subject, "bom.json");
        }
        let deep = format!(
            r#"{{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": {}"#,
            r#"[{"name": "a", "components": "#.repeat(5_000)
        );
        assert!(inventory(&deep).problems[0].message.contains("recursion limit"));
    }

    #[test]
    fn a_bad_component_does_not_hide_the_others() {
        let inventory = inventory(
            r#"{"bomFormat": "CycloneDX", "specVersion": "1.4", "components": [
            {"name": "a", "version": "1", "purl": "npm/a"}, {"version": "1"}, {"name": "b", "version": "2"}]}"#,
        );
        assert_eq!(inventory.components.len(), 2);
        assert_eq!(inventory.problems.len(), 2);
    }
}
