//! Small inputs of our own: a handful of made-up advisories, and targets of every kind that they speak of.

use serde_json::{Value, json};

use crate::world::World;

/// Thirty-two characters of Nix's alphabet, for store paths.
pub(crate) const HASH: &str = "0c0b2a3d4f5g6h7i8j9k0l1m2n3p4q5r";

/// Writes `nvd.json`, `osv.json`, `kev.json`, `cve5.json`, `pkg-vulnerabilities` and `triage/`.
pub(crate) fn sources(world: &World) {
    world.file("nvd.json", &nvd().to_string());
    world.file("osv.json", &osv().to_string());
    world.file("cve5.json", &cve5().to_string());
    let kev = json!({ "title": "t", "catalogVersion": "1", "count": 1,
        "vulnerabilities": [{ "cveID": "CVE-2020-10001", "dateAdded": "2021-01-01", "shortDescription": "d" }] });
    world.file("kev.json", &kev.to_string());
    world.file(
        "pkg-vulnerabilities",
        "#FORMAT 1.1.0\nzlib<1.2.12\theap-overflow\thttps://nvd.nist.gov/vuln/detail/CVE-2020-10002\n",
    );
    world.file("triage/all.toml", TRIAGE);
}

/// CVE-2020-1000x: openssl (exploited), zlib, bolt of two vendors, curl without a version, and openssl in 3.0 again.
pub(crate) fn nvd() -> Value {
    let items = [
        item("CVE-2020-10001", "HHH", &[product("openssl:openssl", Some("1.1.1k"))]),
        item("CVE-2020-10002", "NNL", &[product("zlib:zlib", Some("1.2.12"))]),
        item("CVE-2020-10003", "HNN", &[product("acme:bolt", Some("2.0")), product("initech:bolt", Some("3.0"))]),
        item("CVE-2020-10004", "NNH", &[product("haxx:curl", None)]),
        item("CVE-2020-10005", "NHN", &[product("openssl:openssl", Some("1.1.1k"))]),
    ];
    json!({ "format": "NVD_CVE", "version": "2.0", "vulnerabilities": items })
}

/// An advisory with the impact of each of confidentiality, integrity and availability.
pub(crate) fn item(id: &str, impact: &str, products: &[Value]) -> Value {
    let [c, i, a] = impact.as_bytes() else { panic!("three letters") };
    let [c, i, a] = [c, i, a].map(|letter| char::from(*letter));
    let vector = format!("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:{c}/I:{i}/A:{a}");
    json!({ "cve": {
        "id": id, "published": "2021-01-01T00:00:00.000", "lastModified": "2021-02-01T00:00:00.000",
        "vulnStatus": "Analyzed", "descriptions": [{ "lang": "en", "value": format!("What {id} is about.") }],
        "metrics": { "cvssMetricV31": [{ "type": "Primary", "cvssData": { "version": "3.1", "vectorString": vector } }] },
        "configurations": [{ "nodes": [{ "operator": "OR", "negate": false, "cpeMatch": products }] }],
        "references": [{ "url": format!("https://advisories.example/{id}") }],
    }})
}

/// A product below a version, or named without one.
pub(crate) fn product(name: &str, below: Option<&str>) -> Value {
    match below {
        Some(below) => json!({ "vulnerable": true, "criteria": format!("cpe:2.3:a:{name}:*:*:*:*:*:*:*:*"),
            "versionEndExcluding": below }),
        None => json!({ "vulnerable": true, "criteria": format!("cpe:2.3:a:{name}:-:*:*:*:*:*:*:*") }),
    }
}

pub(crate) fn osv() -> Value {
    json!({ "schema_version": "1.6.0", "id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2020-10006"],
        "published": "2021-01-05T00:00:00Z", "modified": "2021-01-05T00:00:00Z", "summary": "What it is about",
        "affected": [{ "package": { "ecosystem": "npm", "name": "left-pad" },
            "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }, { "fixed": "1.3.0" }] }] }] })
}

pub(crate) fn cve5() -> Value {
    json!({ "dataType": "CVE_RECORD", "dataVersion": "5.1",
        "cveMetadata": { "cveId": "CVE-2020-10007", "state": "PUBLISHED", "assignerOrgId": "00000000-0000-4000-8000-000000000000",
            "datePublished": "2021-01-07T00:00:00Z" },
        "containers": { "cna": { "providerMetadata": { "orgId": "00000000-0000-4000-8000-000000000000" },
            "descriptions": [{ "lang": "en", "value": "What it is about." }],
            "affected": [{ "vendor": "OpenSSL", "product": "OpenSSL", "defaultStatus": "unaffected",
                "versions": [{ "status": "affected", "version": "1.1.1", "lessThan": "1.1.1l", "versionType": "custom" }] }],
            "references": [{ "url": "https://advisories.example/7" }] } } })
}

const TRIAGE: &str = r#"
[[class]]
class = "critical"
ids = ["CVE-2020-10001"]
reason = "anybody reads the server's memory"
author = "the team"
date = 2021-03-01

[[statement]]
package = "nix:openssl"
ids = ["CVE-2020-10005"]
status = "not_affected"
justification = "vulnerable_code_not_present"
versions = "=1.1.1g"
reason = "built without it"
author = "the team"
date = 2021-03-01

[[fix]]
package = "nix:openssl"
ids = ["CVE-2020-10001"]
channel = "nixos-20.09"
version = "1.1.1k"
revision = "0123456789abcdef0123456789abcdef01234567"
commits = []
reason = "the channel's own commit"
"#;

/// The store path of a name.
pub(crate) fn store_path(name: &str) -> String {
    format!("/nix/store/{HASH}-{name}")
}

/// A derivation in Nix's own text form.
pub(crate) fn derivation(name: &str, inputs: &[&str], patches: &str) -> String {
    let inputs: Vec<String> = inputs.iter().map(|input| format!("(\"{}.drv\",[\"out\"])", store_path(input))).collect();
    let (inputs, out) = (inputs.join(","), store_path(name));
    let builder = "/bin/sh";
    let environment =
        [("builder", builder), ("name", name), ("out", &out), ("patches", patches), ("system", "x86_64-linux")];
    let environment = environment.map(|(key, value)| format!("(\"{key}\",\"{value}\")")).join(",");
    format!("Derive([(\"out\",\"{out}\",\"\",\"\")],[{inputs}],[],\"x86_64-linux\",\"{builder}\",[],[{environment}])")
}

/// Writes a derivation where the store would have it, and names it.
pub(crate) fn put_derivation(world: &World, folder: &str, name: &str, inputs: &[&str], patches: &str) {
    world.file(&format!("{folder}/{HASH}-{name}.drv"), &derivation(name, inputs, patches));
}

pub(crate) fn cyclonedx() -> String {
    json!({ "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [
        { "type": "library", "name": "openssl", "version": "1.1.1g", "purl": "pkg:generic/openssl@1.1.1g" },
        { "type": "library", "name": "left-pad", "version": "1.2.0", "purl": "pkg:npm/left-pad@1.2.0" } ] })
    .to_string()
}

pub(crate) fn spdx() -> String {
    json!({ "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "d", "packages": [
        { "SPDXID": "SPDXRef-1", "name": "openssl", "versionInfo": "1.1.1g", "downloadLocation": "NOASSERTION" } ] })
    .to_string()
}

pub(crate) fn path_info() -> String {
    json!([{ "path": store_path("openssl-1.1.1g"), "narHash": "sha256:0", "narSize": 1, "references": [] }]).to_string()
}

pub(crate) fn derivation_json() -> String {
    json!({ format!("{}.drv", store_path("openssl-1.1.1g")): {
        "args": [], "builder": "/bin/sh", "inputDrvs": {}, "inputSrcs": [], "system": "x86_64-linux",
        "env": { "name": "openssl-1.1.1g", "out": store_path("openssl-1.1.1g") },
        "outputs": { "out": { "path": store_path("openssl-1.1.1g") } } } })
    .to_string()
}

pub(crate) fn flake_lock() -> String {
    json!({ "version": 7, "root": "root", "nodes": {
        "root": { "inputs": { "nixpkgs": "nixpkgs" } },
        "nixpkgs": {
            "locked": { "type": "github", "owner": "NixOS", "repo": "nixpkgs", "rev": "0123456789abcdef0123456789abcdef01234567",
                "narHash": "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "lastModified": 1_609_459_200 },
            "original": { "type": "github", "owner": "NixOS", "repo": "nixpkgs", "ref": "nixos-20.09" } } } })
    .to_string()
}
