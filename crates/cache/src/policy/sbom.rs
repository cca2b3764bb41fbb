//! Licences of store paths, as an SBOM says them that somebody gives with a promotion.
//!
//! A component is of the paths that it names: by its `bom-ref` (bombon, with the store directory or without), whole by a property `nix:output_path` or `nix:out_path`
//! (sbomnix), or an external reference. Names and versions are not enough, nor are derivations: no signature covers whose
//! output a path is.

use std::collections::BTreeMap;

use aux_nix::BaseName;
use serde::Deserialize;

const CYCLONEDX: &[&str] = &["1.4", "1.5", "1.6"];
const SPDX: &[&str] = &["SPDX-2.2", "SPDX-2.3"];
/// Properties that hold an output's path.
const PATH_PROPERTIES: &[&str] = &["nix:output_path", "nix:out_path"];
/// Characters of the SBOM's hash in evidence.
const DIGEST_CHARACTERS: usize = 32;

/// What an SBOM says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sbom {
    /// By the last part of a store path: what must all be taken, empty where no licence is said.
    licences: BTreeMap<String, Vec<Said>>,
    /// The beginning of the BLAKE3 of the document.
    pub digest: String,
}

/// A licence of a component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    /// An expression of SPDX, or what stands where one belongs.
    Expression(String),
    /// A name of the tool's own.
    Name(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    bom_format: Option<String>,
    spec_version: Option<String>,
    metadata: Option<Metadata>,
    components: Option<Vec<Component>>,
    spdx_version: Option<String>,
    packages: Option<Vec<Package>>,
}

#[derive(Deserialize)]
struct Metadata {
    component: Option<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    #[serde(rename = "bom-ref")]
    reference: Option<String>,
    properties: Option<Vec<Property>>,
    external_references: Option<Vec<Link>>,
    licenses: Option<Vec<Choice>>,
    components: Option<Vec<Self>>,
}

#[derive(Deserialize)]
struct Property {
    name: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Link {
    url: Option<String>,
}

#[derive(Deserialize)]
struct Choice {
    expression: Option<String>,
    license: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "packageFileName")]
    file_name: Option<String>,
    download_location: Option<String>,
    external_refs: Option<Vec<Locator>>,
    license_concluded: Option<String>,
    license_declared: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Locator {
    reference_locator: Option<String>,
}

impl Sbom {
    /// Reads `CycloneDX` 1.4 to 1.6 or SPDX 2.2 and 2.3, in JSON. `store` is where paths lie: `/nix/store`.
    pub(crate) fn parse(text: &str, store: &str) -> Result<Self, String> {
        let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let digest = blake3::hash(text.as_bytes()).to_hex();
        let digest = digest.get(..DIGEST_CHARACTERS).unwrap_or_default().to_owned();
        let mut sbom = Self { licences: BTreeMap::new(), digest };
        match (document.bom_format.as_deref(), document.spdx_version.as_deref()) {
            (Some("CycloneDX"), None) => {
                known("CycloneDX", document.spec_version.as_deref(), CYCLONEDX)?;
                let root = document.metadata.and_then(|metadata| metadata.component);
                for component in root.into_iter().chain(document.components.unwrap_or_default()) {
                    sbom.add_component(component, store);
                }
            }
            (None, version @ Some(_)) => {
                known("SPDX", version, SPDX)?;
                for package in document.packages.unwrap_or_default() {
                    sbom.add_package(package, store);
                }
            }
            _ => return Err("it is neither CycloneDX nor SPDX 2".to_owned()),
        }
        if sbom.licences.is_empty() {
            return Err(format!("it names no path of {store}"));
        }
        Ok(sbom)
    }

    /// What it says of a path; `None` where it names none such.
    pub(crate) fn licences(&self, path: &BaseName) -> Option<&[Said]> {
        self.licences.get(path.as_str()).map(Vec::as_slice)
    }

    fn add_component(&mut self, component: Component, store: &str) {
        let said: Vec<Said> = component.licenses.unwrap_or_default().into_iter().filter_map(said).collect();
        let properties = component.properties.unwrap_or_default().into_iter();
        let is_path = |one: &Property| one.name.as_deref().is_some_and(|name| PATH_PROPERTIES.contains(&name));
        let outputs = properties.filter(is_path).filter_map(|property| property.value);
        let links = component.external_references.unwrap_or_default().into_iter().filter_map(|link| link.url);
        // Its reference is a name, whose first part alone, 32 characters of a hash, makes it one of a path.
        let reference = component.reference.and_then(|name| base(&name, store).or_else(|| last_part(&name)));
        let named = outputs.chain(links).filter_map(|name| base(&name, store));
        self.add(reference.into_iter().chain(named), &said);
        for inner in component.components.unwrap_or_default() {
            self.add_component(inner, store);
        }
    }

    fn add_package(&mut self, package: Package, store: &str) {
        let stated = |text: Option<String>| text.filter(|text| text != "NOASSERTION" && text != "NONE");
        let licence = stated(package.license_concluded).or_else(|| stated(package.license_declared));
        let said: Vec<Said> = licence.map(Said::Expression).into_iter().collect();
        let locators = package.external_refs.unwrap_or_default().into_iter().filter_map(|one| one.reference_locator);
        let named = package.file_name.into_iter().chain(package.download_location);
        self.add(named.chain(locators).filter_map(|name| base(&name, store)), &said);
    }

    /// A path that stands in several components has the licences of all.
    fn add(&mut self, bases: impl Iterator<Item = String>, said: &[Said]) {
        for base in bases {
            let all = self.licences.entry(base).or_default();
            all.extend(said.iter().cloned());
            all.sort();
            all.dedup();
        }
    }
}

fn known(format: &str, version: Option<&str>, known: &[&str]) -> Result<(), String> {
    match version {
        Some(version) if known.contains(&version) => Ok(()),
        version => Err(format!(
            "{format} {} is not known here; export it as one of {}",
            version.unwrap_or("without a version"),
            known.join(", ")
        )),
    }
}

fn said(choice: Choice) -> Option<Said> {
    let named = |named: Named| named.id.map(Said::Expression).or_else(|| named.name.map(Said::Name));
    choice.expression.map(Said::Expression).or_else(|| choice.license.and_then(named))
}

/// The last part of a store path that is named whole: no derivation, and nothing below it.
fn base(name: &str, store: &str) -> Option<String> {
    let path = name.strip_prefix("file://").unwrap_or(name);
    last_part(path.strip_prefix(store)?.strip_prefix('/')?)
}

/// The last part of a store path that is no derivation.
fn last_part(text: &str) -> Option<String> {
    let base = BaseName::parse(text).ok()?;
    base.name().strip_suffix(".drv").is_none().then(|| base.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENSSL: &str = "01rwx9dqpbp7r777v319h2acnmqqawp0-openssl-3.0.13";
    const ZLIB: &str = "11rwx9dqpbp7r777v319h2acnmqqawp0-zlib-1.3.1";
    const JDK: &str = "21rwx9dqpbp7r777v319h2acnmqqawp0-openjdk-21";
    const TOOL: &str = "31rwx9dqpbp7r777v319h2acnmqqawp0-tool-1.0";

    fn of<'s>(sbom: &'s Sbom, base: &str) -> Option<&'s [Said]> {
        sbom.licences(&BaseName::parse(base).unwrap())
    }

    fn expression(text: &str) -> Said {
        Said::Expression(text.to_owned())
    }

    #[test]
    fn components_are_of_the_paths_that_they_name() {
        let text = include_str!("../../tests/vectors/closure.cdx.json");
        let sbom = Sbom::parse(text, "/nix/store").unwrap();
        assert_eq!(of(&sbom, OPENSSL), Some(&[expression("Apache-2.0")][..]), "by a property");
        assert_eq!(of(&sbom, &OPENSSL.replace("13", "13-bin")), Some(&[expression("Apache-2.0")][..]));
        assert_eq!(of(&sbom, ZLIB), Some(&[expression("Zlib")][..]), "by its reference");
        assert_eq!(of(&sbom, JDK), Some(&[expression("GPL-2.0-only WITH Classpath-exception-2.0")][..]), "by a link");
        assert_eq!(of(&sbom, TOOL), Some(&[expression("MIT"), Said::Name("unfree".to_owned())][..]));
        assert_eq!(of(&sbom, "41rwx9dqpbp7r777v319h2acnmqqawp0-settings"), Some(&[][..]), "no licence is said");
        assert_eq!(of(&sbom, "51rwx9dqpbp7r777v319h2acnmqqawp0-glibc-2.40"), None, "its derivation alone is named");
        assert_eq!(sbom.digest.len(), DIGEST_CHARACTERS);
    }

    #[test]
    fn a_reference_may_be_without_the_store_directory_and_nothing_else_may() {
        let document = serde_json::json!({ "bomFormat": "CycloneDX", "specVersion": "1.5", "components": [
            { "bom-ref": ZLIB, "licenses": [{ "license": { "id": "Zlib" } }] },
            { "bom-ref": format!("{TOOL}.drv"), "licenses": [{ "license": { "id": "MIT" } }] },
            { "bom-ref": "pkg:nix/x", "properties": [{ "name": "nix:output_path", "value": OPENSSL }],
              "licenses": [{ "license": { "id": "Apache-2.0" } }] },
        ] });
        let sbom = Sbom::parse(&document.to_string(), "/nix/store").unwrap();
        assert_eq!(of(&sbom, ZLIB), Some(&[expression("Zlib")][..]));
        assert_eq!((of(&sbom, TOOL), of(&sbom, OPENSSL)), (None, None));
    }

    #[test]
    fn packages_of_spdx_have_the_licence_that_was_concluded_or_else_declared() {
        let package = |base: &str, concluded: &str, declared: &str| {
            serde_json::json!({
                "SPDXID": "SPDXRef-x", "name": "x", "downloadLocation": "NOASSERTION",
                "licenseConcluded": concluded, "licenseDeclared": declared,
                "externalRefs": [{ "referenceCategory": "OTHER", "referenceType": "nix-store-path",
                                   "referenceLocator": format!("/nix/store/{base}") }],
            })
        };
        let packages = [
            package(OPENSSL, "NOASSERTION", "Apache-2.0"),
            package(ZLIB, "Zlib", "MIT"),
            package(TOOL, "NONE", "NOASSERTION"),
        ];
        let document = serde_json::json!({ "spdxVersion": "SPDX-2.3", "packages": packages });
        let sbom = Sbom::parse(&document.to_string(), "/nix/store").unwrap();
        assert_eq!(of(&sbom, OPENSSL), Some(&[expression("Apache-2.0")][..]));
        assert_eq!(of(&sbom, ZLIB), Some(&[expression("Zlib")][..]));
        assert_eq!(of(&sbom, TOOL), Some(&[][..]));
    }

    #[test]
    fn what_is_no_sbom_or_of_another_store_is_refused() {
        let zlib = format!("{{\"bom-ref\": \"/nix/store/{ZLIB}\"}}");
        let bom = |version: &str| {
            format!("{{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"{version}\", \"components\": [{zlib}]}}")
        };
        assert!(Sbom::parse(&bom("1.6"), "/nix/store").is_ok());
        for (text, store, message) in [
            (&*bom("1.9"), "/nix/store", "CycloneDX 1.9 is not known here"),
            (&bom("1.6"), "/other/store", "names no path of /other/store"),
            ("{}", "/nix/store", "neither CycloneDX nor SPDX"),
            ("{\"spdxVersion\": \"SPDX-3.0\"}", "/nix/store", "is not known here"),
            ("[", "/nix/store", "EOF"),
            ("{\"components\": [], \"components\": []}", "/nix/store", "duplicate field"),
        ] {
            let error = Sbom::parse(text, store).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
