//! SPDX 2.2 and 2.3 in JSON: packages with their external references, and relationships for paths.

use crate::gather::joined;
use crate::graph_order::breadth_first;
use crate::{Gathered, purl};
use aux_core::{Component, Ecosystem, Scope, TargetKind};
use serde::Deserialize;
use std::collections::BTreeMap;

const VERSIONS: &[&str] = &["SPDX-2.2", "SPDX-2.3"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spdx_version: Option<String>,
    packages: Option<Vec<Package>>,
    relationships: Option<Vec<Relationship>>,
    #[serde(rename = "documentDescribes")]
    describes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    id: Option<String>,
    name: Option<String>,
    version_info: Option<String>,
    external_refs: Option<Vec<Reference>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    reference_type: Option<String>,
    reference_locator: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    #[serde(rename = "relationshipType")]
    kind: String,
    related_spdx_element: String,
}

/// Reads one document. `fallback` is the ecosystem of a package without a package URL.
pub fn read(name: &str, bytes: &[u8], fallback: &Ecosystem, into: &mut Gathered) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let document: Document = match serde_json::from_slice(bytes) {
        Ok(document) => document,
        Err(error) => return into.problem(name, format!("not readable as SPDX: {error}")),
    };
    match document.spdx_version.as_deref() {
        Some(version) if VERSIONS.contains(&version) => {}
        version => {
            let version = version.unwrap_or("SPDX without a version");
            return into.problem(name, format!("{version} is not known here; export it as SPDX 2.3 or 2.2 JSON"));
        }
    }
    let Some(packages) = document.packages else {
        return into.problem(name, "an SPDX document without packages says nothing about packages");
    };
    into.recognise(TargetKind::Spdx);
    let labels: Vec<String> = packages.iter().map(label).collect();
    let mut numbers = BTreeMap::new();
    for (number, package) in (0_u32..).zip(&packages) {
        if let Some(id) = &package.id {
            numbers.entry(id.clone()).or_insert(number);
        }
    }
    let links = links(&numbers, labels.len(), &document.relationships.unwrap_or_default());
    let described = document.describes.unwrap_or_default();
    let roots: Vec<u32> =
        described.iter().filter_map(|id| numbers.get(id).copied()).chain(links.roots.iter().copied()).collect();
    let order = breadth_first(&labels, &links.edges, &roots);
    let place = order.place.clone();
    let offset = into.add_tree(order);
    for (index, package) in packages.into_iter().enumerate() {
        let node = place.get(index).copied().flatten().map(|place| place.saturating_add(offset));
        let scope = links.scopes.get(index).copied().flatten().unwrap_or(Scope::Unknown);
        match component(package, fallback) {
            Ok((mut component, problem)) => {
                component.node = node;
                component.scope = scope;
                into.add(component);
                if let Some(problem) = problem {
                    into.problem(name, problem);
                }
            }
            Err(problem) => into.problem(name, problem),
        }
    }
}

struct Links {
    edges: Vec<Vec<u32>>,
    roots: Vec<u32>,
    scopes: Vec<Option<Scope>>,
}

/// Turns relationships into edges from a package to what it needs (SPDX 2.3, clause 11.1, table 68).
fn links(numbers: &BTreeMap<String, u32>, count: usize, relationships: &[Relationship]) -> Links {
    let mut links = Links { edges: vec![Vec::new(); count], roots: Vec::new(), scopes: vec![None; count] };
    for relationship in relationships {
        let from = numbers.get(&relationship.spdx_element_id).copied();
        let to = numbers.get(&relationship.related_spdx_element).copied();
        let (from, to, scope) = match relationship.kind.as_str() {
            "DESCRIBES" => {
                links.roots.extend(to);
                continue;
            }
            "DESCRIBED_BY" => {
                links.roots.extend(from);
                continue;
            }
            "DEPENDS_ON" | "CONTAINS" | "DYNAMIC_LINK" | "STATIC_LINK" | "HAS_PREREQUISITE" => {
                (from, to, Scope::Unknown)
            }
            "DEPENDENCY_OF"
            | "CONTAINED_BY"
            | "OPTIONAL_DEPENDENCY_OF"
            | "PROVIDED_DEPENDENCY_OF"
            | "PREREQUISITE_FOR" => (to, from, Scope::Unknown),
            "RUNTIME_DEPENDENCY_OF" => (to, from, Scope::Runtime),
            "BUILD_DEPENDENCY_OF"
            | "BUILD_TOOL_OF"
            | "DEV_DEPENDENCY_OF"
            | "DEV_TOOL_OF"
            | "TEST_DEPENDENCY_OF"
            | "TEST_TOOL_OF" => (to, from, Scope::Build),
            _ => continue,
        };
        let (Some(from), Some(to)) = (from, to) else { continue };
        if let Some(edges) = links.edges.get_mut(from as usize) {
            edges.push(to);
        }
        if let Some(known) = links.scopes.get_mut(to as usize) {
            *known = Some(known.map_or(scope, |known| joined(known, scope)));
        }
    }
    links
}

fn version(package: &Package) -> &str {
    // "NOASSERTION" and "NONE" are SPDX's words for not knowing and for nothing.
    match package.version_info.as_deref() {
        Some("NOASSERTION" | "NONE") | None => "",
        Some(version) => version,
    }
}

fn label(package: &Package) -> String {
    let name = package.name.as_deref().unwrap_or("(no name)");
    match version(package) {
        "" => name.to_owned(),
        version => format!("{name}-{version}"),
    }
}

/// The component and, where its package URL could not be read, that problem.
fn component(package: Package, fallback: &Ecosystem) -> Result<(Component, Option<String>), String> {
    let version = version(&package).to_owned();
    let id = package.id.unwrap_or_default();
    let own_name =
        package.name.filter(|name| !name.is_empty()).ok_or_else(|| format!("the package '{id}' has no name"))?;
    let origin = if id.is_empty() { format!("{own_name}@{version}") } else { id };
    let references = package.external_refs.unwrap_or_default();
    let located = |kind: &str| {
        references
            .iter()
            .find(|reference| reference.reference_type.as_deref() == Some(kind))
            .and_then(|reference| reference.reference_locator.as_deref())
    };
    let purl = located("purl").map(|text| (text, purl::component(text, &origin)));
    let (mut component, problem) = match purl {
        Some((_, Ok(component))) => (component, None),
        Some((text, Err(error))) => {
            let problem = format!("the purl '{text}' of {own_name} {error}");
            (Component::named(fallback.clone(), own_name, "", origin), Some(problem))
        }
        None => (Component::named(fallback.clone(), own_name, "", origin), None),
    };
    if component.version.is_empty() {
        component.version = version;
    }
    component.cpe = located("cpe23Type").or_else(|| located("cpe22Type")).map(str::to_owned);
    Ok((component, problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aux_core::Inventory;

    fn inventory(text: &str) -> Inventory {
        let mut gathered = Gathered::default();
        read("s.json", text.as_bytes(), &Ecosystem::GENERIC, &mut gathered);
        gathered.finish("s.json")
    }

    #[test]
    fn packages_have_their_references_scope_and_path() {
        let inventory = inventory(
            r#"{"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "packages": [
            {"SPDXID": "SPDXRef-app", "name": "app", "versionInfo": "NOASSERTION"},
            {"SPDXID": "SPDXRef-web", "name": "web", "versionInfo": "2", "externalRefs": [
              {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:npm/web@2"},
              {"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:w:web:2:*:*:*:*:*:*:*"}]},
            {"SPDXID": "SPDXRef-make", "name": "make", "versionInfo": "4"}],
            "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-app"},
            {"spdxElementId": "SPDXRef-app", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-web"},
            {"spdxElementId": "SPDXRef-make", "relationshipType": "BUILD_TOOL_OF", "relatedSpdxElement": "SPDXRef-web"}]}"#,
        );
        assert!(inventory.problems.is_empty(), "{:?}", inventory.problems);
        let [app, make, web] = &inventory.components[..] else { panic!("{:?}", inventory.components) };
        assert_eq!((&*app.version, make.scope, web.ecosystem.as_str()), ("", Scope::Build, "npm"));
        assert_eq!(web.cpe.as_deref(), Some("cpe:2.3:a:w:web:2:*:*:*:*:*:*:*"));
        assert_eq!(inventory.path_to(make), ["app", "web-2", "make-4"]);
        assert_eq!(web.outputs, ["SPDXRef-web"]);
    }

    #[test]
    fn other_versions_damage_and_repeated_keys_are_refused() {
        for (text, wanted) in [
            (r#"{"spdxVersion": "SPDX-2.4", "packages": []}"#, "SPDX-2.4 is not known"),
            (r#"{"spdxVersion": "SPDX-2.3"}"#, "without packages"),
            (
                r#"{"spdxVersion": "SPDX-2.3", "packages": [{"name": "a"}], "packages": []}"#,
                "duplicate field `packages`",
            ),
            (r#"{"spdxVersion": "SPDX-2.3", "packages": [{"#, "EOF"),
            (r#"{"spdxVersion": "SPDX-2.3", "packages": [{"SPDXID": "x"}]}"#, "has no name"),
        ] {
            let inventory = inventory(text);
            assert!(inventory.components.is_empty());
            assert!(inventory.problems[0].message.contains(wanted), "{:?}", inventory.problems);
        }
    }
}
