//! Lists, one thing a line: package names as Nix writes them, store paths, package URLs, `pkg_info` output.

use crate::{Gathered, purl, store_name};
use aux_core::limits::{LINE_BYTES_MAX, NAME_BYTES_MAX};
use aux_core::naming::split_nix_name;
use aux_core::{Component, Ecosystem, TargetKind};
use aux_io::input::{Line, lines};
use std::io::Read;

/// Reads a list line by line; `ecosystem` says what a plain name is, Nix where nothing was said.
///
/// Blank lines and lines that begin with `#` are passed over. A line that is no name is a problem of its own.
pub fn read(name: &str, reader: &mut dyn Read, kind: TargetKind, ecosystem: &Ecosystem, into: &mut Gathered) {
    let mut count = 0_u64;
    let result = lines(name, reader, &mut |number, line| {
        let text = match text_of(number, line) {
            Ok("") => return,
            Ok(text) if text.starts_with('#') => return,
            Ok(text) => text,
            Err(message) => return into.problem(format!("{name}:{number}"), message),
        };
        match component(text, ecosystem) {
            Ok(component) => {
                count += 1;
                into.add(component);
            }
            Err(message) => into.problem(format!("{name}:{number}"), message),
        }
    });
    if count > 0 {
        into.recognise(kind);
    } else if result.is_ok() {
        into.problem(name, "names no package");
    }
    if let Err(error) = result {
        into.problem(error.name(), error.message());
    }
}

fn text_of(number: u64, line: Line<'_>) -> Result<&str, String> {
    let bytes = match line {
        Line::Whole(bytes) => bytes,
        Line::Cut(_) => return Err(format!("longer than {LINE_BYTES_MAX} bytes (LINE_BYTES_MAX)")),
    };
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    // A byte order mark belongs to the file, not to the first name.
    let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
    Ok(text.trim())
}

/// The component that one trimmed line names. Its output is the line.
pub fn component(line: &str, ecosystem: &Ecosystem) -> Result<Component, String> {
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("pkg:")) {
        return purl::component(line, line).map_err(|error| format!("{} {error}", shown(line)));
    }
    let word = if *ecosystem == Ecosystem::PKGSRC { pkgsrc_word(line) } else { line };
    if word.len() > NAME_BYTES_MAX {
        return Err(format!("{} is longer than {NAME_BYTES_MAX} bytes (NAME_BYTES_MAX)", shown(word)));
    }
    if let Some(base) = store_name::base_name(word) {
        let parts = store_name::split(base);
        return Ok(Component::named(Ecosystem::NIX, parts.name, parts.version, line));
    }
    let valid = match ecosystem.as_str() {
        "nix" => store_name::is_valid(word),
        "pkgsrc" => is_pkgsrc_name(word),
        _ => !word.chars().any(|one| one.is_whitespace() || one.is_control()),
    };
    if !valid {
        return Err(format!("{} is no package name", shown(word)));
    }
    let (name, version) = match ecosystem.as_str() {
        "nix" => split_nix_name(word),
        "pkgsrc" => split_pkgsrc_name(word),
        // `lodash@4.17.20`, but not npm's `@scope/name`.
        _ => match word.rsplit_once('@') {
            Some((name, version)) if !name.is_empty() => (name, version),
            _ => split_nix_name(word),
        },
    };
    // `pkg_info` writes a description behind a name with its version; other text with blanks in it is no name.
    if name.is_empty() || (version.is_empty() && word.len() < line.len()) {
        return Err(format!("{} is no package name", shown(word)));
    }
    Ok(Component::named(ecosystem.clone(), name, version, line))
}

/// The name on a line of `pkg_info`, `pkgin list`, or `pkgin -p list`, which writes a semicolon behind it.
fn pkgsrc_word(line: &str) -> &str {
    line.split(|one: char| one.is_whitespace() || one == ';').next().unwrap_or(line)
}

/// Splits where pkgsrc splits: at the last dash (`pkg_info(1)`). What follows must begin with a digit to be a version,
/// as pkgsrc demands of versions; the names of sub-packages do not.
pub fn split_pkgsrc_name(name: &str) -> (&str, &str) {
    match name.rsplit_once('-') {
        Some((base, version)) if version.starts_with(|first: char| first.is_ascii_digit()) => (base, version),
        _ => (name, ""),
    }
}

pub(crate) fn is_pkgsrc_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._~,".contains(&byte))
}

/// Whether a version ends in pkgsrc's package revision, `nb3`; no other ecosystem writes one.
pub fn has_pkgsrc_revision(word: &str) -> bool {
    let revision = word.trim_end_matches(|last: char| last.is_ascii_digit());
    revision.len() < word.len()
        && revision.strip_suffix("nb").is_some_and(|version| {
            version.ends_with(|last: char| last.is_ascii_alphanumeric()) && !split_pkgsrc_name(version).1.is_empty()
        })
}

/// Reads what `pkg_info -X` prints: of each block its `PKGNAME`.
pub fn read_summary(name: &str, reader: &mut dyn Read, into: &mut Gathered) {
    let mut count = 0_u64;
    let result = lines(name, reader, &mut |number, line| {
        let bytes = match line {
            Line::Whole(bytes) | Line::Cut(bytes) => bytes,
        };
        let outcome = match bytes.strip_prefix(b"PKGNAME=") {
            Some(value) => text_of(number, Line::Whole(value)).and_then(|text| component(text, &Ecosystem::PKGSRC)),
            None if bytes.trim_ascii().is_empty() || bytes.contains(&b'=') => return,
            None => Err("is not VARIABLE=VALUE".to_owned()),
        };
        match outcome {
            Ok(component) => {
                count += 1;
                into.add(component);
            }
            Err(message) => into.problem(format!("{name}:{number}"), message),
        }
    });
    if count > 0 {
        into.recognise(TargetKind::PkgsrcList);
    }
    if let Err(error) = result {
        into.problem(error.name(), error.message());
    }
}

/// A line short enough for a message, without control characters.
fn shown(line: &str) -> String {
    const SHOWN_CHARACTERS: usize = 60;
    let mut text: String =
        line.chars().take(SHOWN_CHARACTERS).map(|one| if one.is_control() { '?' } else { one }).collect();
    if line.chars().nth(SHOWN_CHARACTERS).is_some() {
        text.push('…');
    }
    format!("'{text}'")
}

/// [`read`] for bytes in memory.
pub fn read_bytes(name: &str, bytes: &[u8], kind: TargetKind, ecosystem: &Ecosystem, into: &mut Gathered) {
    read(name, &mut &*bytes, kind, ecosystem, into);
}

#[cfg(test)]
mod tests {
    use super::*;
    use aux_core::Inventory;

    fn inventory(text: &[u8], ecosystem: &Ecosystem) -> Inventory {
        let mut gathered = Gathered::default();
        read_bytes("list", text, TargetKind::NameList, ecosystem, &mut gathered);
        gathered.finish("list")
    }

    fn parts(inventory: &Inventory) -> Vec<(&str, &str, Vec<&str>)> {
        inventory
            .components
            .iter()
            .map(|one| (&*one.name, &*one.version, one.outputs.iter().map(String::as_str).collect()))
            .collect()
    }

    #[test]
    fn a_name_list_keeps_each_line_as_it_was_written() {
        let hash = "0c0b2a3d4f5g6h7i8j9k0l1m2n3p4q5r";
        let text = format!(
            "\u{feff}# a comment\r\n\r\nopenssl-3.0.13\r\n  openssl-3.0.13  \nhello\n\
             /nix/store/{hash}-openssl-3.0.13-bin\npython3.11-requests-2.31.0"
        );
        let inventory = inventory(text.as_bytes(), &Ecosystem::NIX);
        let store_path = format!("/nix/store/{hash}-openssl-3.0.13-bin");
        assert_eq!(
            parts(&inventory),
            [
                ("hello", "", vec!["hello"]),
                ("openssl", "3.0.13", vec![&*store_path, "openssl-3.0.13"]),
                ("python3.11-requests", "2.31.0", vec!["python3.11-requests-2.31.0"]),
            ]
        );
        assert!(inventory.problems.is_empty());
        assert_eq!(inventory.kind, TargetKind::NameList);
    }

    #[test]
    fn bad_lines_are_problems_with_their_number_and_good_ones_stay() {
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let name = "y".repeat(NAME_BYTES_MAX + 1);
        let text = [b"good-1.0\n\xff\xfe\nnot a name\n".as_slice(), long.as_bytes(), b"\n", name.as_bytes(), b"\n-1\n"]
            .concat();
        let inventory = inventory(&text, &Ecosystem::NIX);
        assert_eq!(inventory.components.len(), 1);
        let subjects: Vec<_> = inventory.problems.iter().map(|one| &*one.subject).collect();
        assert_eq!(subjects, ["list:2", "list:3", "list:4", "list:5", "list:6"]);
    }

    #[test]
    fn a_list_without_a_name_is_not_a_clean_one() {
        let inventory = inventory(b"# nothing\n\n", &Ecosystem::NIX);
        assert_eq!(inventory.kind, TargetKind::Unrecognised);
        assert_eq!(inventory.problems.len(), 1);
    }

    #[test]
    fn pkg_info_lines_are_split_at_the_last_dash() {
        let text = b"curl-7.23.1nb1       Client that groks URLs\npostgresql92-client-9.2.19\npostgresql92-adminpack\n";
        let inventory = inventory(text, &Ecosystem::PKGSRC);
        assert_eq!(
            parts(&inventory),
            [
                ("curl", "7.23.1nb1", vec!["curl-7.23.1nb1       Client that groks URLs"]),
                ("postgresql92-adminpack", "", vec!["postgresql92-adminpack"]),
                ("postgresql92-client", "9.2.19", vec!["postgresql92-client-9.2.19"]),
            ]
        );
    }

    #[test]
    fn a_summary_names_its_packages() {
        let mut gathered = Gathered::default();
        let text = b"COMMENT=a=b\nPKGNAME=curl-7.1nb2\nDESCRIPTION=\xe9\n\nPKGNAME=xz-5.2\nbroken\n";
        read_summary("list", &mut text.as_slice(), &mut gathered);
        let inventory = gathered.finish("list");
        let names: Vec<_> = inventory.components.iter().map(|one| (&*one.name, &*one.version)).collect();
        assert_eq!(names, [("curl", "7.1nb2"), ("xz", "5.2")]);
        assert_eq!((inventory.kind, &*inventory.problems[0].subject), (TargetKind::PkgsrcList, "list:6"));
    }

    #[test]
    fn a_purl_may_stand_in_any_list_and_other_ecosystems_have_their_way_to_write() {
        let inventory =
            inventory(b"pkg:cargo/rand@0.8.5\nlodash@4.17.20\n@types/node@18.0.0\n@a/b\n", &Ecosystem::new("npm"));
        let names: Vec<_> = inventory.components.iter().map(|one| (&*one.name, &*one.version)).collect();
        assert_eq!(names, [("rand", "0.8.5"), ("@a/b", ""), ("@types/node", "18.0.0"), ("lodash", "4.17.20")]);
    }

    #[test]
    fn a_pkgsrc_revision_is_told_from_a_name() {
        for name in ["curl-7.23.1nb1", "apg-2.3.0bnb4", "stud-0nb20120827"] {
            assert!(has_pkgsrc_revision(name), "{name}");
        }
        for name in ["openssl-3.0.13", "libnb1", "nb3", "x-nb3", "foo-1.0nb"] {
            assert!(!has_pkgsrc_revision(name), "{name}");
        }
    }
}
