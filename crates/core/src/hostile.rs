//! Versions and names of any shape: comparing is antisymmetric, sorting is total, folding is settled after once.

#[path = "../../../tests/support/damage.rs"]
mod damage;

use crate::naming;
use crate::version::{Scheme, compare, sort};
use std::cmp::Ordering;

#[test]
fn comparing_is_antisymmetric_and_sorting_transitive() {
    damage::every_text("versions", &|text| {
        let (a, rest) = text.split_once('\n').unwrap_or_default();
        let (b, c) = rest.split_once('\n').unwrap_or_default();
        for scheme in [Scheme::Generic, Scheme::Nix, Scheme::Semver, Scheme::Dewey] {
            assert_eq!(compare(scheme, a, b), compare(scheme, b, a).map(Ordering::reverse), "{scheme:?} {a:?} {b:?}");
            assert_eq!(sort(scheme, a, b), sort(scheme, b, a).reverse(), "{scheme:?} {a:?} {b:?}");
            let (one, two) = (sort(scheme, a, b), sort(scheme, b, c));
            assert!(one != two || sort(scheme, a, c) == one, "{scheme:?} {a:?} {b:?} {c:?}");
        }
    });
}

#[test]
fn a_folded_name_folds_to_itself() {
    damage::every_text("naming", &|text| {
        let folded = naming::fold(text);
        assert_eq!(naming::fold(&folded), folded);
        let (name, version) = naming::split_nix_name(text);
        assert!(name.len() + version.len() <= text.len());
    });
}
