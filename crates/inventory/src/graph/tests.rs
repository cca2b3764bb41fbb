//! Small graphs made by hand: wrappers, missing parts, circles, disagreeing patches.

use super::*;
use proptest::prelude::*;

/// A derivation's file: its name, the environment, and the names it needs.
fn file(name: &str, environment: &[(&str, &str)], inputs: &[&str]) -> (String, String) {
    let inputs: Vec<String> = inputs.iter().map(|input| format!("(\"{}\",[\"out\"])", path(input))).collect();
    let variables: Vec<String> = environment.iter().map(|(name, value)| format!("(\"{name}\",\"{value}\")")).collect();
    let (inputs, variables) = (inputs.join(","), variables.join(","));
    let output = path(name).replace(".drv", "");
    (path(name), format!("Derive([(\"out\",\"{output}\",\"\",\"\")],[{inputs}],[],\"s\",\"b\",[],[{variables}])"))
}

/// A store path whose digest is the same for the same name.
fn path(name: &str) -> String {
    let digest: String =
        name.bytes().cycle().take(32).map(|byte| char::from(b"0123456789abcdfg"[usize::from(byte % 16)])).collect();
    format!("/nix/store/{digest}-{name}.drv")
}

fn read(files: &[(String, String)]) -> Inventory {
    let graph: Vec<_> = files.iter().map(|(path, text)| (path, Derivation::parse(text.as_bytes()).unwrap())).collect();
    inventory("x", TargetKind::DerivationGraph, &graph, &|_| None)
}

fn names(inventory: &Inventory) -> Vec<String> {
    inventory.components.iter().map(|component| format!("{} {}", component.name, component.version)).collect()
}

#[test]
fn a_wrapper_is_folded_dropped_or_kept_for_what_is_missing() {
    let joined = ("buildCommand", "x");
    let files = [
        file("firefox-1.0", &[joined], &["firefox-unwrapped-1.0"]),
        file("firefox-unwrapped-1.0", &[("src", "/s")], &[]),
        file("firefox-extras-1.0", &[joined], &["firefox-unwrapped-1.0"]),
        file("alone-2.0", &[joined], &["alone-unwrapped-2.0"]),
        file("crate-3.0", &[joined], &["crate-3.0.tar.gz"]),
    ];
    let inventory = read(&files);
    assert_eq!(names(&inventory), ["alone 2.0", "firefox 1.0"]);
    assert_eq!(inventory.components[1].outputs.len(), 2);
    // The source's absence is none; the package's is.
    assert_eq!(inventory.problems.len(), 1);
    assert_eq!(inventory.problems[0].subject, path("alone-unwrapped-2.0"));
    assert_eq!(inventory.problems[0].message, "needed by alone-2.0 and not in the graph");
}

#[test]
fn a_patch_counts_only_where_every_build_carries_it() {
    let patched = "/nix/store/p-CVE-2016-0001.patch /nix/store/q-CVE-2016-0002.patch";
    let respelled = "/nix/store/r-cve_2016_0001.diff";
    let mut second = file("zlib-1.0", &[("patches", respelled), ("src", "/s")], &[]);
    second.0 = format!("/nix/store/{}-zlib-1.0.drv", "1".repeat(32));
    let files = [file("zlib-1.0", &[("patches", patched), ("src", "/s")], &[]), second];
    let inventory = read(&files);
    assert_eq!(names(&inventory), ["zlib 1.0"]);
    let patches = &inventory.components[0].patches;
    let claimed: BTreeSet<&str> = patches.iter().flat_map(|patch| &patch.cves).map(|(id, _)| id.as_str()).collect();
    assert_eq!(claimed, BTreeSet::from(["CVE-2016-0001"]));
    assert_eq!(patches.len(), 2);
}

#[test]
fn the_way_through_a_download_is_taken_last() {
    let download = path("src-1.tar.gz");
    let fixed = format!(
        "Derive([(\"out\",\"/nix/store/x\",\"sha256\",\"00\")],[(\"{}\",[\"out\"])],[],\"s\",\"b\",[],[])",
        path("curl-7")
    );
    let files = [
        file("app-1", &[("src", "/s")], &["src-1.tar.gz", "lib-2"]),
        (download, fixed),
        file("lib-2", &[("src", "/s")], &["tls-3"]),
        file("tls-3", &[("src", "/s")], &["curl-7"]),
        file("curl-7", &[("src", "/s")], &[]),
    ];
    let inventory = read(&files);
    let curl = inventory.components.iter().find(|component| component.name == "curl").unwrap();
    assert_eq!(inventory.path_to(curl), ["app-1", "lib-2", "tls-3", "curl-7"]);
}

#[test]
fn a_circle_ends_and_loses_nothing() {
    let source = ("src", "/s");
    let files = [file("a-1", &[source], &["b-1"]), file("b-1", &[source], &["a-1"]), file("c-1", &[source], &["c-1"])];
    let inventory = read(&files);
    assert_eq!(names(&inventory), ["a 1", "b 1", "c 1"]);
    assert!(inventory.components.iter().all(|component| !inventory.path_to(component).is_empty()));
}

#[test]
fn many_missing_derivations_are_counted() {
    let missing: Vec<String> = (0..30).map(|number| format!("lib-{number}")).collect();
    let inputs: Vec<&str> = missing.iter().map(String::as_str).collect();
    let inventory = read(&[file("app-1", &[("src", "/s")], &inputs)]);
    assert_eq!(inventory.problems.len(), 21);
    assert_eq!(inventory.problems[20].message, "10 more derivations are needed and missing");
}

#[test]
fn one_name_for_two_derivations_is_a_problem() {
    let mut files = vec![file("a-1", &[("src", "/s")], &[]), file("a-1", &[("src", "/t")], &[])];
    assert_eq!(read(&files).problems.len(), 1);
    files[1] = files[0].clone();
    assert_eq!(read(&files).problems, []);
}

#[test]
fn a_file_name_without_a_digest_still_links() {
    let mut files = vec![file("app-1", &[("src", "/s")], &["lib-2"]), file("lib-2", &[("src", "/s")], &[])];
    for (path, _) in &mut files {
        *path = path.trim_start_matches("/nix/store/").to_owned();
    }
    let inventory = read(&files);
    assert_eq!(inventory.problems, []);
    assert_eq!(inventory.path_to(&inventory.components[1]), ["app-1", "lib-2"]);
}

proptest! {
    #[test]
    fn any_graph_ends_with_a_tree(edges in proptest::collection::vec((0_usize..12, 0_usize..12), 0..40)) {
        let all: Vec<String> = (0..12).map(|number| format!("p{number}-1")).collect();
        let files: Vec<_> = all.iter().enumerate().map(|(from, name)| {
            let inputs: BTreeSet<&str> =
                edges.iter().filter(|edge| edge.0 == from).map(|edge| all[edge.1].as_str()).collect();
            file(name, &[("src", "/s")], &inputs.into_iter().collect::<Vec<_>>())
        }).collect();
        let inventory = read(&files);
        prop_assert_eq!(inventory.components.len(), 12);
        for (place, node) in inventory.tree.iter().enumerate() {
            prop_assert!(node.parent.is_none_or(|parent| (parent as usize) < place));
        }
        for component in &inventory.components {
            let label = format!("{}-1", component.name);
            prop_assert_eq!(inventory.path_to(component).last().copied(), Some(label.as_str()));
        }
    }
}
