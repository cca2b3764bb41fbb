//! The word `--ecosystem` takes: a mistyped one would silently look packages up where they are not.

use aux_core::Ecosystem;

/// Types of package URLs that advisories speak of ("known types" of the purl specification), and our own.
const KNOWN: &[&str] = &[
    "alpm", "apk", "bitnami", "cargo", "composer", "conan", "conda", "cpan", "cran", "deb", "gem", "generic", "github",
    "golang", "hackage", "hex", "luarocks", "maven", "nix", "npm", "nuget", "opam", "pkgsrc", "pub", "pypi", "rpm",
    "swift",
];

/// Reads the word; names that OSV uses (`crates.io`, `PyPI`) are understood too.
pub(crate) fn ecosystem(word: &str) -> Result<Ecosystem, String> {
    let ecosystem = Ecosystem::new(word);
    if word.trim().is_empty() || !KNOWN.contains(&ecosystem.as_str()) {
        return Err(format!("known are {}", KNOWN.join(", ")));
    }
    Ok(ecosystem)
}
