//! Every real derivation is read and printed back.

use crate::corpora::corpus;
use crate::derivations::derivations;
use aux_nix::derivation::json;
use aux_nix::{Derivation, StorePath};

const ARCHIVES: [(&str, usize); 2] = [("auxolotl-core-2024-06", 1_208), ("nixos-17.03-system", 1_584)];

#[test]
fn all_2792_real_derivations_come_back_byte_for_byte() {
    let Some(folder) = corpus("nix") else { return };
    for (name, count) in ARCHIVES {
        let files = derivations(&folder.join(format!("{name}.drvs.tar.zst")));
        assert_eq!(files.len(), count);
        for (path, bytes) in &files {
            let derivation = Derivation::parse(bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(derivation.print() == *bytes, "{path} is printed differently");
            assert!(StorePath::parse(path).unwrap().derivation_name().is_some());
        }
    }
}

#[test]
fn the_json_of_the_real_graphs_holds_the_same_derivations() {
    let Some(folder) = corpus("nix") else { return };
    for (name, count) in ARCHIVES {
        let document = std::fs::File::open(folder.join(format!("{name}.show-derivation.json.zst"))).unwrap();
        let graph = json::parse(&zstd::stream::decode_all(document).unwrap()).unwrap();
        assert_eq!(graph.len(), count);
        for (path, bytes) in derivations(&folder.join(format!("{name}.drvs.tar.zst"))) {
            let position = graph.binary_search_by(|(candidate, _)| candidate.cmp(&path)).unwrap();
            assert!(graph[position].1.print() == bytes, "{path} differs");
        }
    }
}
