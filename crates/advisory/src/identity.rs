//! From a package's name to what advisories may call it: the rule where the team has not spoken, and the names to look up.

use std::collections::{BTreeMap, BTreeSet};

use aux_core::naming::fold;
use aux_core::{Component, Ecosystem};

use crate::cpe::Part;
use crate::record::{Language, Product};
use crate::triage::{Standing, Vendor};

/// Whether a package is what an advisory's product means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stance {
    Affirmed,
    Denied,
    /// Equal names, several vendors, and nobody has decided.
    Unreviewed,
}

impl Stance {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Affirmed => "affirmed",
            Self::Denied => "denied",
            Self::Unreviewed => "unreviewed",
        }
    }

    pub fn as_byte(self) -> u8 {
        match self {
            Self::Affirmed => 0,
            Self::Denied => 1,
            Self::Unreviewed => 2,
        }
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Affirmed, Self::Denied, Self::Unreviewed].get(usize::from(byte)).copied()
    }
}

/// The stance of every CPE product towards a package of the same folded name, by rule.
///
/// Affirmed when one vendor claims the name. Where several do, those that bear the product's name or are known to
/// publish many programs (`Standing::Plausible`) are; the rest is unreviewed. A vendor that is set aside never counts.
pub fn by_rule(products: &BTreeSet<Product>, vendors: &[Vendor]) -> BTreeMap<Product, Stance> {
    let standing: BTreeMap<&str, Standing> =
        vendors.iter().map(|vendor| (vendor.vendor.as_str(), vendor.standing)).collect();
    let mut claims: BTreeMap<String, Vec<&Product>> = BTreeMap::new();
    for product in products {
        if let Product::Cpe { part: Part::Application | Part::OperatingSystem, product: name, .. } = product {
            claims.entry(fold(name)).or_default().push(product);
        }
    }
    let mut stances = BTreeMap::new();
    for (folded, claimants) in claims {
        let mut kept: BTreeSet<&str> = claimants.iter().map(|product| vendor(product)).collect();
        kept.retain(|vendor| standing.get(vendor) != Some(&Standing::SetAside));
        let mut chosen = kept.clone();
        if kept.len() > 1 {
            chosen.retain(|vendor| standing.contains_key(vendor) || bears(vendor, &folded));
        }
        for product in claimants {
            let is_chosen = chosen.contains(vendor(product));
            stances.insert(product.clone(), if is_chosen { Stance::Affirmed } else { Stance::Unreviewed });
        }
    }
    stances
}

fn vendor(product: &Product) -> &str {
    match product {
        Product::Cpe { vendor, .. } => vendor,
        Product::Package { .. } => "",
    }
}

/// Whether a vendor bears the product's name: `samba:samba`, `libpng_project:libpng`, `gnupg:libgcrypt` does not.
fn bears(vendor: &str, folded_product: &str) -> bool {
    const SUFFIXES: [&str; 12] = [
        "project",
        "team",
        "foundation",
        "group",
        "software",
        "inc",
        "org",
        "dev",
        "developers",
        "community",
        "labs",
        "io",
    ];
    let vendor = fold(vendor);
    if vendor == folded_product {
        return true;
    }
    let base = SUFFIXES.iter().find_map(|suffix| vendor.strip_suffix(suffix));
    base == Some(folded_product)
        || (folded_product.len() >= 4 && vendor.contains(folded_product))
        || (vendor.len() >= 4 && folded_product.contains(&vendor))
}

/// A name to look up for a component, folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupName {
    pub folded: String,
    /// The language whose package set the name stood in (`python3.11-requests`).
    pub language: Option<Language>,
}

/// The names under which a component may be known, best first.
///
/// The last ones are only meant where the earlier ones are unknown: `mysql55` is `MySQL`, but `gtk3` has its own name.
pub fn lookup_names(component: &Component) -> Vec<LookupName> {
    let whole = fold(&component.name);
    let mut names = Vec::new();
    if component.ecosystem != Ecosystem::NIX {
        names.push(LookupName { folded: whole, language: language_of_ecosystem(&component.ecosystem) });
        return names;
    }
    // An extended support release is a product of its own.
    if component.version.ends_with("esr") && !whole.ends_with("esr") {
        names.push(LookupName { folded: format!("{whole}esr"), language: None });
    } else {
        names.push(LookupName { folded: whole, language: None });
    }
    if let Some((language, rest)) = without_language(&component.name) {
        names.push(LookupName { folded: fold(rest), language: Some(language) });
    }
    for base in [without_variant(&component.name), without_version_digits(&component.name)].into_iter().flatten() {
        names.push(LookupName { folded: fold(base), language: None });
    }
    names
}

fn language_of_ecosystem(ecosystem: &Ecosystem) -> Option<Language> {
    Some(match ecosystem.as_str() {
        "npm" => Language::Node,
        "pypi" => Language::Python,
        "gem" => Language::Ruby,
        "cpan" => Language::Perl,
        "cargo" => Language::Rust,
        "composer" => Language::Php,
        "maven" => Language::Java,
        "golang" => Language::Go,
        "luarocks" => Language::Lua,
        "hackage" => Language::Haskell,
        _ => return None,
    })
}

/// `python3.11-requests` → Python and `requests`.
fn without_language(name: &str) -> Option<(Language, &str)> {
    const SETS: [(&str, Language); 9] = [
        ("python", Language::Python),
        ("perl", Language::Perl),
        ("ruby", Language::Ruby),
        ("php", Language::Php),
        ("lua", Language::Lua),
        ("node", Language::Node),
        ("nodejs", Language::Node),
        ("haskell", Language::Haskell),
        ("ghc", Language::Haskell),
    ];
    let (set, rest) = name.split_once('-')?;
    let word = set.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '_');
    let word = word.strip_suffix("Packages").unwrap_or(word);
    let (_, language) = SETS.iter().find(|(known, _)| *known == word)?;
    (!rest.is_empty()).then_some((*language, rest))
}

/// `thunderbird-bin` → `thunderbird`: nixpkgs' words for how a package was built, not for what it is.
fn without_variant(name: &str) -> Option<&str> {
    const VARIANTS: [&str; 22] = [
        "-bin",
        "-unwrapped",
        "-wrapped",
        "-wrapper",
        "-unstable",
        "Unstable",
        "-git",
        "-minimal",
        "Minimal",
        "-full",
        "Full",
        "-headless",
        "-static",
        "-nox",
        "-gtk2",
        "-gtk3",
        "-qt4",
        "-qt5",
        "-qt6",
        "-hardened",
        "_hardened",
        "-lts",
    ];
    let base = VARIANTS.iter().find_map(|variant| name.strip_suffix(variant))?;
    (base.len() >= 2).then_some(base)
}

/// `mysql55` → `mysql`, `linux_4_9` → `linux`; nothing when no name would be left.
fn without_version_digits(name: &str) -> Option<&str> {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
    (base.len() >= 2 && base.len() < name.len()).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::Place;

    fn stance(claims: &[&str], product: &str) -> Stance {
        let products = claims.iter().map(|text| Product::read(text).unwrap()).collect();
        let place = Place { file: "v.toml".into(), line: 1 };
        let vendor =
            |name: &str, standing| Vendor { place: place.clone(), vendor: name.into(), standing, reason: "r".into() };
        by_rule(&products, &[vendor("adobe", Standing::SetAside), vendor("gnome", Standing::Plausible)])
            [&Product::read(product).unwrap()]
    }

    #[test]
    fn one_vendor_is_affirmed_and_several_are_not() {
        assert_eq!(stance(&["a:haxx:curl"], "a:haxx:curl"), Stance::Affirmed);
        assert_eq!(stance(&["a:one:bolt", "a:two:bolt"], "a:one:bolt"), Stance::Unreviewed);
        assert_eq!(stance(&["a:samba:samba", "a:redhat:samba"], "a:samba:samba"), Stance::Affirmed);
        assert_eq!(stance(&["a:samba:samba", "a:redhat:samba"], "a:redhat:samba"), Stance::Unreviewed);
        assert_eq!(stance(&["a:gnome:gupnp", "a:gupnp:gupnp", "a:x:gupnp"], "a:gnome:gupnp"), Stance::Affirmed);
        assert_eq!(stance(&["a:adobe:air"], "a:adobe:air"), Stance::Unreviewed);
        assert_eq!(stance(&["a:adobe:thing", "a:other:thing"], "a:other:thing"), Stance::Affirmed);
    }

    fn names(name: &str, version: &str) -> Vec<String> {
        let component = Component::named(Ecosystem::NIX, name, version, "x");
        lookup_names(&component).into_iter().map(|name| name.folded).collect()
    }

    #[test]
    fn names_are_tried_whole_first() {
        assert_eq!(names("firefox", "78.10.1esr"), ["firefoxesr"]);
        assert_eq!(names("python3.11-PyYAML", "6"), ["python311pyyaml", "pyyaml"]);
        assert_eq!(names("linux_4_9", "4.9.1"), ["linux49", "linux"]);
        assert_eq!(names("thunderbird-bin", "4"), ["thunderbirdbin", "thunderbird"]);
        assert_eq!(names("7", "1"), ["7"]);
    }
}
