//! The program `nix`, asked to evaluate: purely, building nothing, trusting no setting that a flake brings along.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aux_core::limits::EVALUATION_SECONDS_MAX;
use aux_io::process::{self, Command, ProcessError};
use serde_json::Value;

/// Bytes of what `nix` complains that are worth repeating.
const COMPLAINT_BYTES_MAX: usize = 600;

/// How to run `nix`.
#[derive(Debug, Clone)]
pub struct Nix {
    pub program: PathBuf,
    /// The whole environment of the program.
    pub environment: Vec<(OsString, OsString)>,
    /// For one question; [`EVALUATION_SECONDS_MAX`] unless it is set.
    pub time_limit: Duration,
    /// Ask no network for inputs that are not in the store.
    pub is_offline: bool,
}

/// Why an evaluation gave no value. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    #[error("{}: no such program; install nix, or leave evaluation out", program.display())]
    Missing { program: PathBuf },
    /// The flake has no such output at all.
    #[error("has no output `{attribute}`")]
    NoOutput { attribute: String },
    #[error("its flake.lock does not lock every input; run `nix flake lock` and audit again")]
    Unlocked,
    #[error("evaluating it needs something built first, and an audit builds nothing (import from derivation)")]
    NeedsBuild,
    #[error("did not evaluate: {complaint}")]
    Failed { complaint: String },
    #[error("was stopped: it did not evaluate within {seconds} seconds (EVALUATION_SECONDS_MAX)")]
    Timeout { seconds: u64 },
    #[error("cannot be evaluated: {0}")]
    Process(ProcessError),
    #[error("evaluated to something that is no JSON: {0}")]
    Json(serde_json::Error),
    #[error("its path holds `{character}`, which a flake reference cannot carry; rename the folder")]
    Path { character: char },
}

impl Nix {
    pub fn new(program: impl AsRef<Path>, environment: Vec<(OsString, OsString)>) -> Self {
        let time_limit = Duration::from_secs(EVALUATION_SECONDS_MAX);
        Self { program: program.as_ref().to_owned(), environment, time_limit, is_offline: false }
    }
}

/// A flake, as `nix` is told about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flake {
    reference: String,
}

impl Flake {
    /// The flake in a folder. Inside a git work tree it is what git tracks, as `nix` itself has it; any other folder is
    /// taken whole.
    pub fn in_folder(folder: &Path) -> Result<Self, EvaluateError> {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let root = folder.ancestors().find(|above| above.join(".git").exists());
        let Some(root) = root else { return Self::of_tree(&folder) };
        let mut reference = format!("git+file://{}", path_text(root)?);
        let mut separator = '?';
        let mut add = |parameter: &str| {
            reference.push(separator);
            reference.push_str(parameter);
            separator = '&';
        };
        if let Some(inside) = folder.strip_prefix(root).ok().filter(|inside| !inside.as_os_str().is_empty()) {
            add(&format!("dir={}", path_text(inside)?));
        }
        // A job's checkout is usually shallow, and without this word nix refuses it.
        if root.join(".git/shallow").exists() {
            add("shallow=1");
        }
        Ok(Self { reference })
    }

    /// The flake in a folder of which every file belongs to it.
    pub fn of_tree(folder: &Path) -> Result<Self, EvaluateError> {
        Ok(Self { reference: format!("path:{}", path_text(folder)?) })
    }

    /// The reference as `nix` reads it, without an attribute.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// What `nix` is to evaluate: `path:/srv/fleet#nixosConfigurations."web"`. Names are quoted, whatever they hold.
    pub fn installable(&self, attribute: &[&str]) -> String {
        format!("{}#{}", self.reference, attribute_path(attribute))
    }
}

/// Characters that mean something in a flake reference, and those of paths that `nix` itself refuses to encode.
fn path_text(path: &Path) -> Result<&str, EvaluateError> {
    let text = path.to_str().ok_or(EvaluateError::Path { character: char::REPLACEMENT_CHARACTER })?;
    let is_strange = |character: &char| character.is_control() || " #?%\"\\<>^`{|}[]&".contains(*character);
    match text.chars().find(|character| is_strange(character) || !character.is_ascii()) {
        Some(character) => Err(EvaluateError::Path { character }),
        None => Ok(text),
    }
}

/// `packages.x86_64-linux."a.b"`: a name that is no plain word is quoted.
pub(crate) fn attribute_path(names: &[&str]) -> String {
    let quoted = |name: &&str| {
        let is_word =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if is_word { (*name).to_owned() } else { string_literal(name) }
    };
    names.iter().map(quoted).collect::<Vec<_>>().join(".")
}

/// A text as a string of the Nix language (Nix manual, "String literal").
pub fn string_literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            // `${` would be replaced by what stands in it.
            '$' => literal.push_str("\\$"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            _ => literal.push(character),
        }
    }
    literal.push('"');
    literal
}

/// Evaluates an attribute of a flake to JSON, after `function` (Nix text, `value: …`) was applied to it where one is given.
///
/// The evaluation is pure, builds nothing, writes no lock file, looks into no registry and takes no setting from the
/// flake. Derivations whose path it asks for are written to the store.
pub fn evaluate_json(
    nix: &Nix,
    flake: &Flake,
    attribute: &[&str],
    function: Option<&str>,
) -> Result<Value, EvaluateError> {
    let output =
        process::run(&command(nix, flake, attribute, function)).map_err(|error| explained(error, attribute))?;
    serde_json::from_slice(&output).map_err(EvaluateError::Json)
}

fn command(nix: &Nix, flake: &Flake, attribute: &[&str], function: Option<&str>) -> Command {
    let mut command = Command::new(&nix.program, nix.time_limit);
    command.environment.clone_from(&nix.environment);
    let mut add = |words: &[&str]| command.arguments.extend(words.iter().map(OsString::from));
    add(&["--extra-experimental-features", "nix-command flakes", "eval", "--json"]);
    add(&["--no-write-lock-file", "--no-update-lock-file"]);
    for (option, value) in [
        ("pure-eval", "true"),
        ("allow-import-from-derivation", "false"),
        ("accept-flake-config", "false"),
        ("use-registries", "false"),
    ] {
        add(&["--option", option, value]);
    }
    if nix.is_offline {
        add(&["--offline"]);
    }
    add(&[&flake.installable(attribute)]);
    if let Some(function) = function {
        add(&["--apply", function]);
    }
    command
}

fn explained(error: ProcessError, attribute: &[&str]) -> EvaluateError {
    match error {
        ProcessError::Missing { program } => EvaluateError::Missing { program },
        ProcessError::Timeout { time_limit, .. } => EvaluateError::Timeout { seconds: time_limit.as_secs() },
        ProcessError::Status { stderr, .. } if stderr.contains("does not provide attribute") => {
            EvaluateError::NoOutput { attribute: attribute_path(attribute) }
        }
        ProcessError::Status { stderr, .. } if stderr.contains("--no-update-lock-file") => EvaluateError::Unlocked,
        ProcessError::Status { stderr, .. } if errors(&stderr).contains("allow-import-from-derivation") => {
            EvaluateError::NeedsBuild
        }
        ProcessError::Status { stderr, .. } => EvaluateError::Failed { complaint: complaint(&stderr) },
        other => EvaluateError::Process(other),
    }
}

/// What nix complains, without its warnings: one names a setting of the flake that it ignores.
fn errors(stderr: &str) -> String {
    stderr.lines().filter(|line| !line.trim_start().starts_with("warning:")).collect::<Vec<_>>().join("\n")
}

/// What `nix` gives as the error: old versions say it first and the trace after, new ones last, after a lone `error:`.
fn complaint(stderr: &str) -> String {
    let mut said = stderr.lines().rev().filter_map(|line| line.trim().strip_prefix("error:")).map(str::trim);
    let mut complaint = said.find(|text| !text.is_empty()).unwrap_or_default().to_owned();
    if complaint.is_empty() {
        complaint = stderr.trim().lines().next_back().unwrap_or("nix did not say why").to_owned();
    }
    if complaint.len() > COMPLAINT_BYTES_MAX {
        complaint.truncate(complaint.floor_char_boundary(COMPLAINT_BYTES_MAX));
        complaint.push('…');
    }
    complaint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_cannot_become_code() {
        let flake = Flake::of_tree(Path::new("/srv/fleet")).unwrap();
        assert_eq!(flake.installable(&["nixosConfigurations", "web"]), "path:/srv/fleet#nixosConfigurations.web");
        assert_eq!(
            flake.installable(&["packages", "x86_64-linux", "a\"b${c}\\"]),
            r#"path:/srv/fleet#packages.x86_64-linux."a\"b\${c}\\""#
        );
        assert!(matches!(Flake::of_tree(Path::new("/a#b")), Err(EvaluateError::Path { character: '#' })));
    }

    #[test]
    fn the_error_is_found_in_what_old_and_new_versions_say() {
        assert_eq!(complaint("warning: x\nerror: no such host\n       at y\n(use '--show-trace')"), "no such host");
        assert_eq!(complaint("error:\n   … while calling\n\n   error: no such host\n"), "no such host");
        assert_eq!(complaint("Killed"), "Killed");
        assert!(complaint(&format!("error: {}", "ä".repeat(9_999))).ends_with("ä…"));
    }

    #[test]
    fn a_flake_inside_git_is_what_git_tracks() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let reference = |path: &Path| Flake::in_folder(path).unwrap().reference().to_owned();
        assert_eq!(reference(&root), format!("path:{}", root.display()));
        std::fs::create_dir_all(root.join(".git")).unwrap();
        std::fs::create_dir(root.join("hosts")).unwrap();
        assert_eq!(reference(&root), format!("git+file://{}", root.display()));
        std::fs::File::create(root.join(".git/shallow")).unwrap();
        assert_eq!(reference(&root.join("hosts")), format!("git+file://{}?dir=hosts&shallow=1", root.display()));
    }
}
