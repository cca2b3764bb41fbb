//! Every real derivation is read and printed back.

use crate::corpus;
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
