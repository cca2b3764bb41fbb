//! `aux secret import`: values that lie in files of age, as agenix keeps them, or in files of sops.

use std::path::{Path, PathBuf};

use aux_core::limits::SOPS_FILE_BYTES_MAX;
use aux_io::input;
use aux_secrets::declaration::{Edit, Scope, Uses};
use aux_secrets::kinds::Parameters;
use aux_secrets::sops::{self, Format, SopsError};
use aux_secrets::{Identities, Label, SecretBytes, age_file};
use serde_json::json;

use super::common::{Answer, Writing};
use crate::failure::Failure;
use crate::ui::Ui;

/// Take over values from other tools: files of age, such as those of agenix, and files of sops that are encrypted to age.
///
/// A file of age becomes an envelope of its name; each encrypted value of a file of sops one of the keys that lead to it, such
/// as db-password, and its MAC is checked first. One --identity opens the files and one the seed; they may be the same. A
/// file that is encrypted to a key of SSH is taken over with: age -d -i KEY FILE | aux secret set NAME --file -
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The files: NAME.age, or YAML or JSON of sops.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Whose they become: machine:NAME, group:NAME or admin.
    #[arg(long, value_name = "SCOPE")]
    scope: String,
    #[command(flatten)]
    writing: Writing,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let scope: Scope = args.scope.parse().map_err(Failure::new)?;
    if matches!(scope, Scope::Machines { .. }) {
        return Err(Failure::new("one value is no value for each machine")
            .hint("say --scope machine:NAME or --scope group:NAME"));
    }
    let mut session = args.writing.session(ui)?;
    let identities = args.writing.keys.needed(ui)?;
    let mut taken = Taken::default();
    for path in &args.files {
        taken.take(path, &identities)?;
    }
    let values = taken.values;
    let mut names = Vec::new();
    for (name, value) in values {
        if !session.declaration().secrets.contains_key(&name) {
            let parameters = Box::new(Parameters::default());
            let (scope, uses) = (scope.clone(), Uses::default());
            session.edit(&[Edit::AddSecret {
                name: name.clone(),
                type_word: "envelope".to_owned(),
                parameters,
                scope,
                uses,
            }])?;
        }
        session.fill(&name, None, value)?;
        names.push(name);
    }
    let mut lines = taken.left;
    lines.push("where the old files were shared more widely, have the values replaced".to_owned());
    let answer = Answer { lines, fields: vec![("names", json!(names))] };
    args.writing.finish(session.prepare(false)?, &answer, ui)
}

/// What all files hold together; nothing is written before all of them were read.
#[derive(Default)]
struct Taken {
    values: Vec<(Label, SecretBytes)>,
    /// What was in a file and is no secret, in words.
    left: Vec<String>,
}

impl Taken {
    fn take(&mut self, path: &Path, identities: &Identities) -> Result<(), Failure> {
        let at = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", path.display()));
        let file = input::read(path, SOPS_FILE_BYTES_MAX)?;
        if let Some(format) = sops_format(path, &file) {
            let text = String::from_utf8(file).map_err(|_| at(&"is no text"))?;
            let opened = sops::open(&text, format, identities).map_err(|error| at(&error).hint(hint(&error)))?;
            for one in opened.values {
                let name = sops_name(path, &one.path).map_err(|error| {
                    at(&format!("{}: {error}", one.path.join("."))).hint("rename the key with `sops edit` first")
                })?;
                self.add(name, one.value, path)?;
            }
            let left = opened.open.iter().map(|place| place.join("."));
            self.left
                .extend(left.map(|place| format!("left out {place} of {}, which is not encrypted", path.display())));
            return Ok(());
        }
        let value = age_file::decrypt(&file, identities).map_err(|error| at(&error))?;
        let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let name = label(name.strip_suffix(".age").unwrap_or(&name)).map_err(|error| at(&error))?;
        self.add(name, value, path)
    }

    fn add(&mut self, name: Label, value: SecretBytes, path: &Path) -> Result<(), Failure> {
        if self.values.iter().any(|(known, _)| *known == name) {
            let message = format!("{}: a second value that would be called {name}", path.display());
            return Err(Failure::new(message).hint("import the files one after the other, and rename between"));
        }
        self.values.push((name, value));
        Ok(())
    }
}

/// The format of a file of sops: by its name, or by how JSON begins; nothing for a file of age.
fn sops_format(path: &Path, file: &[u8]) -> Option<Format> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => Some(Format::Yaml),
        Some("json") => Some(Format::Json),
        _ => file.trim_ascii_start().starts_with(b"{").then_some(Format::Json),
    }
}

fn hint(error: &SopsError) -> &'static str {
    match error {
        SopsError::OtherKeys { .. } | SopsError::Groups => "sops -d --extract '[\"KEY\"]' FILE | aux secret set NAME",
        SopsError::NoIdentity { .. } => "name the identity of one of them with --identity FILE",
        SopsError::Syntax { .. } | SopsError::Foreign => "files of age end in .age, those of sops in .yaml or .json",
        _ => "nothing was taken over; `sops -d FILE` says whether sops itself still opens it",
    }
}

/// `db.password` is `db-password`. The one value `data` is what sops makes of a file that is neither YAML nor JSON.
fn sops_name(path: &Path, place: &[String]) -> Result<Label, String> {
    let stem = || path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = if place == ["data"] { stem() } else { place.join("-") };
    label(&name.to_ascii_lowercase())
}

fn label(name: &str) -> Result<Label, String> {
    name.parse().map_err(|error: aux_secrets::derive::LabelError| error.to_string())
}
