//! What is unwise in a declaration, and what lies in the open: private keys and derived values in files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use aux_core::limits::{FOLDER_DEPTH_MAX, SECRET_SCANNED_BYTES_MAX, SYSTEM_ENTRIES_MAX};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::view::View;
use crate::declaration::Declaration;
use crate::kinds::Rule;

/// One thing that is unwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintFinding {
    /// A path, or a place in the declaration.
    pub at: String,
    pub what: String,
}

/// What was found, and what could not be looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LintReport {
    pub findings: Vec<LintFinding>,
    pub unread: Vec<String>,
    pub files: usize,
    /// Values that files were searched for; nothing, where no key was opened.
    pub values: Option<usize>,
}

/// What a private key's text begins with, wherever it stands.
const KEYS: [(&str, &[u8]); 4] = [
    ("an identity of age", b"AGE-SECRET-KEY-1"),
    ("a private key of OpenSSH", b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA"),
    ("a private key", b"-----BEGIN PRIVATE KEY-----\nM"),
    ("a private key", b"-----BEGIN EC PRIVATE KEY-----\nM"),
];
/// Shorter values stand by chance in anything.
const NEEDLE_BYTES_MIN: usize = 8;

/// Looks at a declaration, and through `paths` for what must not lie there; for the values themselves too, with an
/// unlocked view.
pub fn lint(declaration: &Declaration, paths: &[PathBuf], view: Option<&View>) -> LintReport {
    let mut report = LintReport { findings: unwise(declaration), ..LintReport::default() };
    let mut needles = Needles::default();
    if let Some(view) = view {
        let mut count = 0;
        for holder in view.manifest.holders() {
            for name in view.manifest.values(&holder).into_iter().flatten().map(|(name, _)| name) {
                // An envelope without a value, and a pair's key, have none to look for.
                let Ok(value) = view.value(&holder, name) else { continue };
                needles.add(value.reveal(), &format!("the value of {name} of {holder}"));
                count += 1;
            }
        }
        report.values = Some(count);
    }
    for path in paths {
        // A link that was named is meant to be followed, such as Nix's `result`; one on the way leads elsewhere.
        match fs::canonicalize(path) {
            Ok(real) if path.is_symlink() => search(&real, 0, &needles, &mut report),
            _ => search(path, 0, &needles, &mut report),
        }
    }
    report
}

fn unwise(declaration: &Declaration) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    let mut find = |at: String, what: String| findings.push(LintFinding { at, what });
    let recovery = &declaration.fleet.recovery;
    if recovery.len() < 2 {
        find("fleet.recovery".to_owned(), "one recipient alone: if its key is lost, so is everything".to_owned());
    }
    for (name, machine) in &declaration.machines {
        if machine.recipients.is_empty() {
            find(format!("machines.{name}"), "has no recipient: only recovery can open its keys".to_owned());
        }
        if machine.recipients.iter().any(|recipient| recovery.contains(recipient)) {
            let what = "one of its recipients is also in fleet.recovery: the machine can open the seed";
            find(format!("machines.{name}.recipients"), what.to_owned());
        }
        for group in machine.groups.iter().filter_map(|group| Some((group, declaration.groups.get(group)?))) {
            if group.1.environment.is_some() && group.1.environment != machine.environment {
                let what = format!("is in the group {}, which belongs to another environment", group.0);
                find(format!("machines.{name}.groups"), what);
            }
        }
    }
    for (name, secret) in &declaration.secrets {
        let at = format!("secrets.{name}");
        if secret.parameters.weak == Some(true) {
            let bits = secret.rule.entropy_bits().unwrap_or_default();
            find(at.clone(), format!("is weak: {bits} bits can be guessed where its hash is known"));
        }
        if matches!(&secret.rule, Rule::Gokey(rule) if rule.seed.is_some()) {
            find(
                at,
                "hangs on a seed of gokey before 0.2.0 (CVE-2025-13353): replace it by a type of this program"
                    .to_owned(),
            );
        }
    }
    findings
}

/// Values by their first eight bytes.
#[derive(Default)]
struct Needles(BTreeMap<[u8; NEEDLE_BYTES_MIN], Vec<Needle>>);

/// One form of a value, and whose it is.
struct Needle {
    form: Zeroizing<Vec<u8>>,
    what: String,
}

impl Needles {
    /// In the forms in which files have a value: as it is, between quotes of a derivation or of JSON, and in base 64.
    fn add(&mut self, value: &[u8], what: &str) {
        let value = value.trim_ascii_end();
        let mut forms = vec![Zeroizing::new(value.to_vec()), quoted(value)];
        forms.push(Zeroizing::new(STANDARD.encode(value).trim_end_matches('=').as_bytes().to_vec()));
        forms.dedup();
        for form in forms {
            if let Some(start) = form.first_chunk::<NEEDLE_BYTES_MIN>() {
                self.0.entry(*start).or_default().push(Needle { form, what: what.to_owned() });
            }
        }
    }

    fn find<'n>(&'n self, bytes: &[u8]) -> Vec<&'n str> {
        let mut found = Vec::new();
        for (at, window) in bytes.windows(NEEDLE_BYTES_MIN).enumerate() {
            let start = window.first_chunk::<NEEDLE_BYTES_MIN>().and_then(|start| self.0.get(start));
            for Needle { form, what } in start.into_iter().flatten() {
                if bytes.get(at..).is_some_and(|rest| rest.starts_with(form)) {
                    found.push(what.as_str());
                }
            }
        }
        found
    }
}

/// As it stands between double quotes; derivations (`ATerm`), Nix, JSON and TOML have these escapes in common.
fn quoted(value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(value.len() * 2));
    for byte in value {
        match byte {
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\r' => text.extend_from_slice(b"\\r"),
            b'\t' => text.extend_from_slice(b"\\t"),
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', *byte]),
            byte => text.push(*byte),
        }
    }
    text
}

fn search(path: &Path, depth: usize, needles: &Needles, report: &mut LintReport) {
    let unread = |report: &mut LintReport, why: &str| report.unread.push(format!("{}: {why}", path.display()));
    if depth > FOLDER_DEPTH_MAX {
        return unread(report, "too deep (FOLDER_DEPTH_MAX)");
    }
    if report.files >= SYSTEM_ENTRIES_MAX {
        return unread(report, "too many files (SYSTEM_ENTRIES_MAX); name fewer paths");
    }
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) => return unread(report, &error.to_string()),
    };
    if kind.is_dir() {
        let Ok(entries) = fs::read_dir(path) else { return unread(report, "cannot be listed") };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in &paths {
            search(path, depth + 1, needles, report);
        }
    } else if kind.is_file() {
        report.files += 1;
        let mut bytes = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(SECRET_SCANNED_BYTES_MAX).read_to_end(&mut bytes));
        if let Err(error) = read {
            return unread(report, &error.to_string());
        }
        if bytes.len() as u64 == SECRET_SCANNED_BYTES_MAX {
            unread(report, "only its beginning was searched (SECRET_SCANNED_BYTES_MAX)");
        }
        let mut what = needles.find(&bytes);
        for (name, start) in KEYS {
            let holds = |start: &[u8]| bytes.windows(start.len()).any(|window| window == start);
            if holds(start) || holds(&quoted(start)) {
                what.push(name);
            }
        }
        what.sort_unstable();
        what.dedup();
        let at = path.display().to_string();
        report
            .findings
            .extend(what.iter().map(|what| LintFinding { at: at.clone(), what: format!("holds {what}, in the open") }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_as_it_is_quoted_and_in_base_64() {
        let mut needles = Needles::default();
        needles.add(b"one \"line\"\\\nand another\n", "it");
        for text in [
            "x = one \"line\"\\\nand another",
            r#"("x","one \"line\"\\\nand another\n")"#,
            "data: b25lICJsaW5lIlwKYW5kIGFub3RoZXI=",
        ] {
            assert_eq!(needles.find(text.as_bytes()), ["it"], "{text}");
        }
        assert!(needles.find(b"one line and another").is_empty());
    }

    #[test]
    fn what_is_named_is_searched_although_it_is_a_link_and_what_a_link_on_the_way_leads_to_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, link) = (folder.path().join("tree"), folder.path().join("result"));
        fs::create_dir(&tree).unwrap();
        aux_io::file::replace(tree.join("key"), b"AGE-SECRET-KEY-1\n").unwrap();
        std::os::unix::fs::symlink(&tree, &link).unwrap();
        std::os::unix::fs::symlink(&tree, tree.join("again")).unwrap();
        let declaration = Declaration::read(include_bytes!("../../tests/golden/aux-secrets.toml")).unwrap();
        let report = lint(&declaration, &[link, folder.path().join("none")], None);
        let found: Vec<_> = report.findings.iter().filter(|finding| finding.what.contains("in the open")).collect();
        assert!(found.len() == 1 && found[0].at.ends_with("tree/key"), "{found:?}");
        assert!(report.files == 1 && report.unread.len() == 1, "{report:?}");
    }
}
