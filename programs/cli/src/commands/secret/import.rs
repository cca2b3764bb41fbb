//! `aux secret import`: values that lie in files of age, as agenix keeps them.

use std::path::{Path, PathBuf};

use aux_secrets::declaration::{Edit, Scope, Uses};
use aux_secrets::kinds::Parameters;
use aux_secrets::{Label, SecretBytes, age_file, secret_file};
use serde_json::json;

use super::common::{Answer, Writing};
use crate::failure::Failure;
use crate::ui::Ui;

/// Take over values from files of age, such as those of agenix: each becomes an envelope of the file's name.
///
/// One --identity opens the files and one the seed; they may be the same. A file that is encrypted to a key of SSH is
/// taken over with: age -d -i KEY FILE | aux secret set NAME --file -
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The files, NAME.age each.
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
    let mut values: Vec<(Label, SecretBytes)> = Vec::new();
    for path in &args.files {
        let at = |error: String| Failure::new(format!("{}: {error}", path.display()));
        let file = secret_file::read(path).map_err(Failure::new)?;
        let value = age_file::decrypt(file.reveal(), &identities).map_err(|error| at(error.to_string()))?;
        values.push((name(path).map_err(at)?, value));
    }
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
    let answer = Answer {
        lines: vec!["where the old files were shared more widely, have the values replaced".to_owned()],
        fields: vec![("names", json!(names))],
    };
    args.writing.finish(session.prepare(false)?, &answer, ui)
}

/// `Db-Password.age` is `db-password`.
fn name(path: &Path) -> Result<Label, String> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let bare = name.strip_suffix(".age").unwrap_or(&name);
    bare.parse().map_err(|error: aux_secrets::derive::LabelError| error.to_string())
}
