//! Every real derivation is read and printed back.

use crate::corpus;
use aux_nix::derivation::json;
use aux_nix::{Derivation, StorePath};

#[test]
fn all_2792_real_derivations_come_back_byte_for_byte() {
    let Some(folder) = corpus::folder() else { return };
    for (name, count) in corpus::ARCHIVES {
        let files = corpus::derivations(&folder.join("nix").join(format!("{name}.drvs.tar.zst")));
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
    let Some(folder) = corpus::folder() else { return };
    for (name, count) in corpus::ARCHIVES {
        let folder = folder.join("nix");
        let document = std::fs::File::open(folder.join(format!("{name}.show-derivation.json.zst"))).unwrap();
        let graph = json::parse(&zstd::stream::decode_all(document).unwrap()).unwrap();
        assert_eq!(graph.len(), count);
        for (path, bytes) in corpus::derivations(&folder.join(format!("{name}.drvs.tar.zst"))) {
            let position = graph.binary_search_by(|(candidate, _)| candidate.cmp(&path)).unwrap();
            assert!(graph[position].1.print() == bytes, "{path} differs");
        }
    }
}
