//! Comparing is antisymmetric, and sorting is a total order, under every scheme and for any text.
#![no_main]

use aux_core::version::{Scheme, compare, sort};
use std::cmp::Ordering;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (a, rest) = text.split_once('\n').unwrap_or_default();
    let (b, c) = rest.split_once('\n').unwrap_or_default();
    for scheme in [Scheme::Generic, Scheme::Nix, Scheme::Semver, Scheme::Dewey] {
        assert_eq!(
            compare(scheme, a, b),
            compare(scheme, b, a).map(Ordering::reverse),
            "{scheme:?}: {a:?} against {b:?}"
        );
        assert_eq!(sort(scheme, a, b), sort(scheme, b, a).reverse(), "{scheme:?}: sorting {a:?} and {b:?}");
        let (one, two) = (sort(scheme, a, b), sort(scheme, b, c));
        assert!(one != two || sort(scheme, a, c) == one, "{scheme:?}: {a:?} {one:?} {b:?} {two:?} {c:?}");
    }
});
