//! How names are read and folded: `openssl-3.0.13` into name and version, spellings into one key.

/// Splits a Nix store name the way `builtins.parseDrvName` does: the version begins at the first dash that a letter
/// does not follow (Nix manual, "Built-in Functions").
pub fn split_nix_name(name: &str) -> (&str, &str) {
    let bytes = name.as_bytes();
    let dash = (0..bytes.len()).find(|&index| {
        bytes.get(index) == Some(&b'-') && bytes.get(index + 1).is_some_and(|next| !next.is_ascii_alphabetic())
    });
    match dash {
        Some(dash) => (name.get(..dash).unwrap_or(name), name.get(dash + 1..).unwrap_or_default()),
        None => (name, ""),
    }
}

/// One spelling for names that differ in case and separators only: `Foo_Bar`, `foo-bar` and `fooBar`, `node.js` and
/// `nodejs`. A name of nothing but separators stays as it is.
pub fn fold(name: &str) -> String {
    let is_separator = |c: char| matches!(c, '_' | '.' | ' ' | '-' | '+' | ':' | '\\');
    let folded: String = name.chars().filter(|c| !is_separator(*c)).flat_map(char::to_lowercase).collect();
    if folded.is_empty() { name.to_owned() } else { folded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nix_names_split_where_nix_splits_them() {
        for (whole, name, version) in [
            ("openssl-3.0.13", "openssl", "3.0.13"),
            ("python3.11-requests-2.31.0", "python3.11-requests", "2.31.0"),
            ("nix-0.12pre12876", "nix", "0.12pre12876"),
            ("hello", "hello", ""),
            ("xorg-server-1.19", "xorg-server", "1.19"),
            ("a--", "a", "-"),
        ] {
            assert_eq!(split_nix_name(whole), (name, version));
        }
    }

    #[test]
    fn folding_forgets_case_and_separators() {
        assert_eq!(fold("Node.js"), "nodejs");
        assert_eq!(fold("webkitgtk\\+"), "webkitgtk");
        assert_eq!(fold("__x__Y"), "xy");
        assert_eq!(fold("++"), "++");
    }
}
