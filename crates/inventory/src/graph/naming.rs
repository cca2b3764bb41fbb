//! From a store name, and what a derivation says of itself, to the package's name and version.

use aux_core::naming::split_nix_name;

/// Processors as system triples begin with them (config.sub of GNU config).
const PROCESSORS: [&str; 22] = [
    "x86_64",
    "i386",
    "i486",
    "i586",
    "i686",
    "aarch64",
    "arm64",
    "amd64",
    "arm",
    "armv5tel",
    "armv6l",
    "armv7l",
    "armv7a",
    "avr",
    "powerpc",
    "powerpc64",
    "powerpc64le",
    "riscv32",
    "riscv64",
    "s390x",
    "wasm32",
    "mips64el",
];

/// Words that follow a processor in a system triple.
const TRIPLE_WORDS: [&str; 27] = [
    "unknown",
    "pc",
    "apple",
    "none",
    "w64",
    "linux",
    "darwin",
    "windows",
    "mingw32",
    "freebsd",
    "netbsd",
    "openbsd",
    "cygwin",
    "wasi",
    "gnu",
    "gnueabi",
    "gnueabihf",
    "gnuabi64",
    "gnux32",
    "musl",
    "musleabi",
    "musleabihf",
    "msvc",
    "elf",
    "eabi",
    "android",
    "androideabi",
];

/// Words that say what a copy of a package is for, not which version it is.
const TOOL_WORDS: [&str; 5] = ["linux", "darwin", "bootstrap", "binary", "unwrapped"];

/// Output names that stand at the end of a store path (nixpkgs manual, "Multiple-output packages").
const OUTPUT_NAMES: [&str; 16] = [
    "bin", "data", "debug", "dev", "devdoc", "dist", "doc", "info", "lib", "libs", "man", "modules", "out", "py",
    "static", "test",
];

/// A package's own name and version; the version is empty where there is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackageName {
    pub name: String,
    pub version: String,
}

impl PackageName {
    /// Reads the name of a derivation: `go-1.22.12-linux-arm64-bootstrap` is `go` at `1.22.12`.
    pub fn of_derivation(store_name: &str) -> Self {
        let (name, version) = split_nix_name(store_name);
        if !version.starts_with(|first: char| first.is_ascii_digit()) {
            return Self { name: own_name(store_name).to_owned(), version: String::new() };
        }
        let version = without_tool_words(version);
        // `gpm-unstable-2020-06-17`: the word belongs to the version (nixpkgs manual, "Versioning").
        match name.strip_suffix("-unstable") {
            Some(name) => Self { name: own_name(name).to_owned(), version: format!("unstable-{version}") },
            None => Self { name: own_name(name).to_owned(), version: version.to_owned() },
        }
    }

    /// Reads the name of an output's store path, which ends in the output's name: `openssl-1.0.2k-bin`.
    pub fn of_output(store_name: &str) -> Self {
        let bare = store_name.rsplit_once('-').filter(|(_, last)| OUTPUT_NAMES.contains(last)).map(|(bare, _)| bare);
        let package = bare.map(Self::of_derivation).filter(|package| !package.version.is_empty());
        package.unwrap_or_else(|| Self::of_derivation(store_name))
    }

    /// Reads a derivation's name with what its environment calls `pname` and `version`.
    ///
    /// The store name stays the authority, because a closure or a list of names has nothing else and must give the
    /// same answer: `python3.11-requests-2.31.0` with `pname` `requests` is `python3.11-requests`. The environment
    /// says where the version begins, and which words after the name only tell one build from another
    /// (`busybox-static-x86_64-unknown-linux-musl-1.36.1`).
    pub fn with_hints(store_name: &str, package: Option<&str>, version: Option<&str>) -> Self {
        let split = Self::of_derivation(store_name);
        let Some(version) = version.map(without_release_word).filter(|version| !version.is_empty()) else {
            return split;
        };
        let Some(name) = before_version(store_name, version) else {
            let missing = split.version.is_empty() && !store_name.ends_with('-');
            return if missing { Self { version: version.to_owned(), ..split } } else { split };
        };
        let name = own_name(name);
        let extended = package.filter(|package| {
            let rest = name.strip_prefix(*package);
            !package.is_empty() && rest.is_some_and(|rest| rest.starts_with('-'))
        });
        Self { name: own_name(extended.unwrap_or(name)).to_owned(), version: version.to_owned() }
    }
}

/// The version without a word before it (`boost-1.81.0`), empty where no digit is in it.
///
/// A short prefix belongs to it (`v1.2`, `r12`), and so does `unstable-`.
fn without_release_word(version: &str) -> &str {
    if !version.contains(|any: char| any.is_ascii_digit()) {
        return "";
    }
    match split_nix_name(version) {
        (word, rest)
            if !rest.is_empty() && word != "unstable" && word.bytes().all(|byte| byte.is_ascii_alphabetic()) =>
        {
            rest
        }
        _ => version,
    }
}

/// What stands before `-version`, where that ends the name or a dash follows.
fn before_version<'n>(store_name: &'n str, version: &str) -> Option<&'n str> {
    let (position, _) = store_name.match_indices(version).find(|(position, _)| {
        let before = store_name.get(..*position).unwrap_or_default();
        let after = store_name.get(position + version.len()..).unwrap_or_default();
        before.len() > 1 && before.ends_with('-') && (after.is_empty() || after.starts_with('-'))
    })?;
    store_name.get(..position - 1)
}

/// The name without the system it targets, and without the word nixpkgs gives a program that a wrapper surrounds.
fn own_name(name: &str) -> &str {
    let name = name.strip_suffix("-unwrapped").unwrap_or(name);
    after_triple(name).unwrap_or(name)
}

/// What follows a system triple at the start of a name: `gcc` of `x86_64-unknown-linux-musl-gcc`.
fn after_triple(name: &str) -> Option<&str> {
    let (processor, mut rest) = name.split_once('-')?;
    if !PROCESSORS.contains(&processor) {
        return None;
    }
    let mut words = 0;
    while let Some((word, after)) = rest.split_once('-') {
        if !TRIPLE_WORDS.contains(&word) {
            break;
        }
        words += 1;
        rest = after;
    }
    (words > 0).then_some(rest)
}

/// The version without the system and purpose that follow it.
fn without_tool_words(version: &str) -> &str {
    let cut = version.match_indices('-').find(|(position, _)| {
        let next = version.get(position + 1..).unwrap_or_default();
        let word = next.split('-').next().unwrap_or_default();
        PROCESSORS.contains(&word) || TOOL_WORDS.contains(&word)
    });
    cut.and_then(|(position, _)| version.get(..position)).unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(package: &PackageName) -> (&str, &str) {
        (&package.name, &package.version)
    }

    #[test]
    fn derivation_names_come_apart() {
        for (whole, name, version) in [
            ("openssl-1.0.2k", "openssl", "1.0.2k"),
            ("glibc-2.38-44", "glibc", "2.38-44"),
            ("go-1.22.12-linux-arm64-bootstrap", "go", "1.22.12"),
            ("zlib-1.3.1-x86_64-unknown-linux-gnu", "zlib", "1.3.1"),
            ("x86_64-unknown-linux-musl-gcc-13.2.0", "gcc", "13.2.0"),
            ("gpm-unstable-2020-06-17", "gpm", "unstable-2020-06-17"),
            ("foo-0-unstable-2024-01-01", "foo", "0-unstable-2024-01-01"),
            ("firefox-unwrapped-51.0.1", "firefox", "51.0.1"),
            ("perl5.38.2-CGI-4.59", "perl5.38.2-CGI", "4.59"),
            ("cdparanoia-III-10.2", "cdparanoia-III", "10.2"),
            ("unit-systemd-backlight-.service", "unit-systemd-backlight-.service", ""),
            ("arm-trusted-firmware-2.9", "arm-trusted-firmware", "2.9"),
            ("stdenv-linux", "stdenv-linux", ""),
        ] {
            assert_eq!(pair(&PackageName::of_derivation(whole)), (name, version));
        }
        assert_eq!(pair(&PackageName::of_output("glibc-2.38-44-bin")), ("glibc", "2.38-44"));
        assert_eq!(pair(&PackageName::of_output("openssl-1.0.2k")), ("openssl", "1.0.2k"));
        assert_eq!(pair(&PackageName::of_output("system-man")), ("system-man", ""));
    }

    #[test]
    fn the_environment_says_where_the_version_begins() {
        for (whole, package, version, name) in [
            ("python3.11-requests-2.31.0", "requests", "2.31.0", "python3.11-requests"),
            ("busybox-static-x86_64-unknown-linux-musl-1.36.1", "busybox", "1.36.1", "busybox"),
            ("gpm-unstable-2020-06-17", "gpm", "unstable-2020-06-17", "gpm"),
            ("firefox-unwrapped-120.0", "firefox-unwrapped", "120.0", "firefox"),
            ("font-adobe-100dpi-1.0.3", "font-adobe-100dpi", "1.0.3", "font-adobe-100dpi"),
            ("zlib-1.3.1-x86_64-unknown-linux-gnu", "zlib", "1.3.1", "zlib"),
            ("tool", "tool", "7", "tool"),
            ("tool-v1.2", "tool", "v1.2", "tool"),
        ] {
            assert_eq!(pair(&PackageName::with_hints(whole, Some(package), Some(version))), (name, version));
        }
        let odd = PackageName::with_hints("aliases-22-1.1.conf", None, Some("22-1.1"));
        assert_eq!(pair(&odd), ("aliases", "22-1.1.conf"));
        let worded = PackageName::with_hints("boost-build-boost-1.81.0", Some("boost-build"), Some("boost-1.81.0"));
        assert_eq!(pair(&worded), ("boost-build", "1.81.0"));
        assert_eq!(pair(&PackageName::with_hints("a-1", None, Some(""))), ("a", "1"));
    }
}
