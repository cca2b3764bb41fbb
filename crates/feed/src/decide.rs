//! A decision written into the triage folder: appended or inserted as text, so that nothing a person wrote is lost.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aux_advisory::triage::{self, Place, Triage, TriageError};
use aux_core::Ecosystem;
use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_core::naming::fold;
use aux_io::file::FileError;
use aux_io::input;
use jiff::civil::Date;

use crate::lint::notes;

/// Who decides, and when.
#[derive(Debug, Clone)]
pub struct Decider<'a> {
    pub author: &'a str,
    pub today: Date,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A package is, or is not, what advisories call `product`.
    Identity { ecosystem: Ecosystem, package: String, product: String, is_it: bool, reason: String },
    /// An advisory holds for a package, or does not.
    Statement {
        ecosystem: Ecosystem,
        package: String,
        id: String,
        /// Why it does not hold, in VEX's words; `None` where it does.
        justification: Option<&'static str>,
        versions: String,
        reason: String,
        expires: Date,
    },
    /// A statement holds until later.
    Renewal { place: Place, expires: Date },
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    #[error("the triage folder has wrong entries, so nothing is written into it: {first}")]
    Folder { first: TriageError },
    #[error("`aux feed lint` would refuse it: {note}")]
    Refused { note: TriageError },
    #[error("{}: was changed by somebody else meanwhile, and is left as it is", path.display())]
    Changed { path: PathBuf },
    #[error("{}: the entry at line {line} is not written as expected; change it by hand", path.display())]
    Unfamiliar { path: PathBuf, line: usize },
    #[error("{}: cannot be read: {cause}", path.display())]
    Read { path: PathBuf, cause: String },
    #[error("{}: cannot be made: {cause}", path.display())]
    Folders { path: PathBuf, cause: io::Error },
    #[error(transparent)]
    Write(#[from] FileError),
}

/// Writes a decision into `folder` and says into which file; refuses what a check of the folder would refuse.
pub fn decide(folder: &Path, decision: &Decision, decider: &Decider<'_>) -> Result<PathBuf, DecideError> {
    let texts = texts(folder)?;
    let (before, errors) = read(&texts);
    if let Some(first) = errors.into_iter().next() {
        return Err(DecideError::Folder { first });
    }
    let (path, text) = change(folder, &texts, &before, decision, decider)?;
    let old = texts.get(&path);
    let mut changed = texts.clone();
    changed.insert(path.clone(), text.clone());
    let (after, errors) = read(&changed);
    if let Some(note) = errors.into_iter().next() {
        return Err(DecideError::Refused { note });
    }
    // Notes name lines, and lines move; a folder that had notes before is refused only for one more.
    let (known, notes) = (notes(&before, decider.today), notes(&after, decider.today));
    if notes.len() > known.len()
        && let Some(note) = notes.into_iter().find(|note| !known.contains(note))
    {
        return Err(DecideError::Refused { note });
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|cause| DecideError::Folders { path: parent.to_owned(), cause })?;
    }
    // An editor may have saved the file since it was read.
    let now = match fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(cause) => return Err(DecideError::Read { path, cause: cause.to_string() }),
    };
    if now.as_deref() != old.map(String::as_bytes) {
        return Err(DecideError::Changed { path });
    }
    aux_io::file::replace(&path, text.as_bytes())?;
    Ok(path)
}

type Texts = BTreeMap<PathBuf, String>;

fn texts(folder: &Path) -> Result<Texts, DecideError> {
    let mut texts = Texts::new();
    let mut wrong = None;
    input::entries(folder, DOCUMENT_BYTES_MAX, &mut |entry| match entry {
        Ok(entry) if Path::new(entry.name).extension().is_none_or(|extension| extension != "toml") => {}
        Ok(entry) => match std::str::from_utf8(entry.bytes) {
            Ok(text) => drop(texts.insert(PathBuf::from(entry.name), text.to_owned())),
            Err(_) => wrong = Some((entry.name.to_owned(), "it is not UTF-8 text".to_owned())),
        },
        Err(error) => wrong = Some((error.name().to_owned(), error.message())),
    });
    match wrong {
        Some((path, cause)) => Err(DecideError::Read { path: path.into(), cause }),
        None => Ok(texts),
    }
}

fn read(texts: &Texts) -> (Triage, Vec<TriageError>) {
    let mut all = Triage::default();
    let errors =
        texts.iter().flat_map(|(path, text)| triage::read(&path.display().to_string(), text, &mut all)).collect();
    (all, errors)
}

/// The file to write, and its whole new text.
fn change(
    folder: &Path,
    texts: &Texts,
    triage: &Triage,
    decision: &Decision,
    decider: &Decider<'_>,
) -> Result<(PathBuf, String), DecideError> {
    match decision {
        Decision::Identity { ecosystem, package, product, is_it, reason } => {
            let list = if *is_it { "affirm" } else { "deny" };
            let is_same = |name: &String| fold(name) == fold(package);
            let existing = triage
                .identities
                .iter()
                .find(|identity| identity.ecosystem == *ecosystem && identity.names.iter().any(is_same));
            if let Some(identity) = existing {
                // The entry keeps its own reason; the product's is said beside it.
                let comment: String = format!("{product}: {reason} ({}, {})", decider.author, decider.today);
                let comment: String = comment.chars().filter(|c| !c.is_control()).collect();
                return insert(texts, &identity.place, list, product, &comment);
            }
            let mut lines = vec![format!("names = [{}]", quoted(package))];
            if *ecosystem != Ecosystem::NIX {
                lines.push(format!("ecosystem = {}", quoted(ecosystem.as_str())));
            }
            lines.push(format!("{list} = [{}]", quoted(product)));
            lines.push(format!("reason = {}", quoted(reason)));
            lines.push(format!("author = {}", quoted(decider.author)));
            lines.push(format!("date = {}", decider.today));
            Ok(append(folder.join("identities/decided.toml"), texts, "identity", &lines))
        }
        Decision::Statement { ecosystem, package, id, justification, versions, reason, expires } => {
            let status = if justification.is_some() { "not_affected" } else { "affected" };
            let mut lines = vec![
                format!("package = {}", quoted(&format!("{ecosystem}:{package}"))),
                format!("ids = [{}]", quoted(id)),
                format!("status = {}", quoted(status)),
                format!("versions = {}", quoted(versions)),
            ];
            lines.extend(justification.map(|word| format!("justification = {}", quoted(word))));
            lines.push(format!("reason = {}", quoted(reason)));
            lines.push(format!("author = {}", quoted(decider.author)));
            lines.push(format!("date = {}", decider.today));
            lines.push(format!("expires = {expires}"));
            Ok(append(folder.join("statements/decided.toml"), texts, "statement", &lines))
        }
        Decision::Renewal { place, expires } => renew(texts, place, *expires),
    }
}

fn append(path: PathBuf, texts: &Texts, kind: &str, lines: &[String]) -> (PathBuf, String) {
    let mut text = texts.get(&path).cloned().unwrap_or_else(|| "# Decisions made with `aux feed triage`.\n".to_owned());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    (path, format!("{text}\n[[{kind}]]\n{}\n", lines.join("\n")))
}

/// Lines of the entry at `place`, by number from 0, and where it stands.
fn entry<'t>(texts: &'t Texts, place: &Place) -> Result<(PathBuf, Vec<&'t str>, std::ops::Range<usize>), DecideError> {
    let path = PathBuf::from(&place.file);
    let unfamiliar = || DecideError::Unfamiliar { path: path.clone(), line: place.line };
    let lines: Vec<&str> = texts.get(&path).ok_or_else(unfamiliar)?.split_inclusive('\n').collect();
    let start = place.line.saturating_sub(1);
    let is_table = |line: &&str| line.trim_start().starts_with("[[");
    if !lines.get(start).is_some_and(is_table) {
        return Err(unfamiliar());
    }
    let length = lines.iter().skip(start + 1).take_while(|line| !is_table(line)).count();
    Ok((path, lines, start..start + 1 + length))
}

/// Adds a product to a list of an entry, and a comment that says who, when and why; validation sees whether it came out
/// right.
fn insert(
    texts: &Texts,
    place: &Place,
    list: &str,
    product: &str,
    comment: &str,
) -> Result<(PathBuf, String), DecideError> {
    let (path, lines, range) = entry(texts, place)?;
    let key_line = key_line(&lines, &range, list);
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        match line.split_once('[') {
            Some((before, after)) if Some(number) == key_line => {
                text.extend([before, "[", &quoted(product), ", ", after]);
            }
            None if Some(number) == key_line => return Err(DecideError::Unfamiliar { path, line: number + 1 }),
            _ => text.push_str(line),
        }
        if number == range.start {
            text.extend(["# ", comment, "\n"]);
            if key_line.is_none() {
                text.extend([list, " = [", &quoted(product), "]\n"]);
            }
        }
    }
    Ok((path, text))
}

fn renew(texts: &Texts, place: &Place, expires: Date) -> Result<(PathBuf, String), DecideError> {
    let (path, lines, range) = entry(texts, place)?;
    let line = key_line(&lines, &range, "expires")
        .ok_or_else(|| DecideError::Unfamiliar { path: path.clone(), line: place.line })?;
    let renewed = format!("expires = {expires}\n");
    let text = lines.iter().enumerate().map(|(number, text)| if number == line { &renewed } else { *text }).collect();
    Ok((path, text))
}

fn key_line(lines: &[&str], range: &std::ops::Range<usize>, key: &str) -> Option<usize> {
    let is_key =
        |line: &str| line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
    range.clone().find(|number| lines.get(*number).is_some_and(|line| is_key(line)))
}

/// A TOML string, whatever stands in it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: &str = "# a comment of ours\n[[identity]]\nnames = [\"bolt\"] # two vendors\naffirm = [\n  'a:acme:bolt',\n]\nreason = \"Acme's\"\n\n[[statement]]\npackage = \"nix:curl\"\nids = [\"CVE-2020-1\"]\nstatus = \"affected\"\nreason = \"r\"\nauthor = \"a\"\ndate = 2020-01-01\nexpires = 2020-06-01 # soon\n";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        aux_io::file::replace(folder.path().join("ours.toml"), KEPT.as_bytes()).unwrap();
        folder
    }

    fn decider() -> Decider<'static> {
        Decider { author: "A \"quoted\" name", today: "2021-06-01".parse().unwrap() }
    }

    fn identity(package: &str, product: &str, is_it: bool, reason: &str) -> Decision {
        let (package, product, reason) = (package.to_owned(), product.to_owned(), reason.to_owned());
        Decision::Identity { ecosystem: Ecosystem::NIX, package, product, is_it, reason }
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_new_entry_is_appended_with_its_author_and_a_known_name_gets_its_product() {
        let folder = folder();
        let decide = |decision: &Decision| decide(folder.path(), decision, &decider()).unwrap();
        let path = decide(&identity("zip", "a:info-zip:zip", true, "it \\ is"));
        assert_eq!(path, folder.path().join("identities/decided.toml"));
        decide(&identity("zip", "a:other:zip", false, "another"));
        let written = text(&path);
        assert!(
            written.contains("affirm = [\"a:info-zip:zip\"]") && written.contains("deny = [\"a:other:zip\"]"),
            "{written}"
        );
        assert!(written.contains("2021-06-01") && written.contains("quoted"), "{written}");
        assert_eq!(written.matches("[[identity]]").count(), 1);
        let with_product = KEPT
            .replace("affirm = [\n", "affirm = [\"a:initech:bolt\", \n")
            .replace("[[identity]]\n", "[[identity]]\n# a:initech:bolt: also (A \"quoted\" name, 2021-06-01)\n");
        let ours = decide(&identity("Bolt", "a:initech:bolt", true, "also"));
        assert_eq!(text(&ours), with_product);
    }

    #[test]
    fn a_renewal_changes_one_line() {
        let folder = folder();
        let place = Place { file: folder.path().join("ours.toml").display().to_string(), line: 9 };
        let renewal = Decision::Renewal { place, expires: "2022-01-01".parse().unwrap() };
        let path = decide(folder.path(), &renewal, &decider()).unwrap();
        assert_eq!(text(&path), KEPT.replace("expires = 2020-06-01 # soon", "expires = 2022-01-01"));
    }

    #[test]
    fn what_lint_would_refuse_is_not_written() {
        let folder = folder();
        let refused = |decision: &Decision| decide(folder.path(), decision, &decider()).unwrap_err().to_string();
        assert!(refused(&identity("new", "a:x:y", true, " ")).contains("`reason` is empty"));
        assert!(refused(&identity("new", "nonsense", true, "r")).contains("part:vendor:product"));
        let statement = |versions: &str, expires: &str| Decision::Statement {
            ecosystem: Ecosystem::NIX,
            package: "curl".to_owned(),
            id: "CVE-2020-2".to_owned(),
            justification: Some("component_not_present"),
            versions: versions.to_owned(),
            reason: "r".to_owned(),
            expires: expires.parse().unwrap(),
        };
        assert!(refused(&statement("about one", "2022-01-01")).contains("`about one`"));
        aux_io::file::replace(folder.path().join("broken.toml"), b"[[identity]\n").unwrap();
        assert!(refused(&identity("new", "a:x:y", true, "r")).starts_with("the triage folder has wrong entries"));
        assert_eq!(text(&folder.path().join("ours.toml")), KEPT);
        assert!(!folder.path().join("identities").exists());
    }
}
