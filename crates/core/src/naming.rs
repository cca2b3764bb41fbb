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

/// One spelling for names that differ in case and separators only: `Foo_Bar` and `foo-bar`, `node.js` and `node-js`.
pub fn fold(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '_' | '.' | ' ' | '-' | '+' | ':' | '\\' => {
                if !folded.is_empty() && !folded.ends_with('-') {
                    folded.push('-');
                }
            }
            _ => folded.extend(character.to_lowercase()),
        }
    }
    while folded.ends_with('-') {
        folded.pop();
    }
    folded
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
        assert_eq!(fold("Node.js"), "node-js");
        assert_eq!(fold("webkitgtk\\+"), "webkitgtk");
        assert_eq!(fold("__x__Y"), "x-y");
        assert_eq!(fold("++"), "");
    }
}
