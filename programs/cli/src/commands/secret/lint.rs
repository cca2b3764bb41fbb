//! `aux secret lint`: what is unwise, and what lies in the open.

use std::path::PathBuf;

use aux_app::exit;
use aux_core::limits::SECRET_DECLARATION_BYTES_MAX;
use aux_secrets::acts::{View, lint};
use aux_secrets::{Declaration, Repository};
use serde_json::json;

use super::common::Keys;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Look for what is unwise in a declaration, and through files for private keys; with --identity for every value too.
/// Exits 1 where something is found, 2 where something could not be read.
///
/// The repository is searched, and what --path names: a store path, a closure, an image.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder with aux-secrets.toml.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// The declaration, where it is another file: TOML, or JSON out of Nix.
    #[arg(long, value_name = "FILE")]
    declaration: Option<PathBuf>,
    /// Search this file or folder too; may be given several times.
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    keys: Keys,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    aux_secrets::memory::protect();
    let repository = Repository::open(&args.dir, args.declaration.as_deref())?;
    let path = repository.declaration_path().display().to_string();
    let bytes = repository.declaration(SECRET_DECLARATION_BYTES_MAX)?;
    let bytes = bytes.ok_or_else(|| Failure::new(format!("{path}: is missing")))?;
    let declaration = Declaration::read(&bytes).map_err(|error| Failure::new(format!("{path}: {error}")))?;
    let identities = args.keys.read(ui)?;
    let view = if identities.is_empty() {
        None
    } else {
        let mut view = View::open(repository, None)?;
        view.unlock_seed(&identities)?;
        Some(view)
    };
    let paths: Vec<PathBuf> = std::iter::once(&args.dir).chain(&args.paths).cloned().collect();
    let report = lint(&declaration, &paths, view.as_ref());
    if args.json {
        let findings = report.findings.iter().map(|finding| json!({ "at": finding.at, "what": finding.what }));
        let answer = json!({
            "schema": "aux.secret-lint/1", "findings": findings.collect::<Vec<_>>(), "unread": report.unread, "files": report.files,
            "values": report.values,
        });
        ui.answer(&format!("{answer:#}\n"))?;
    } else {
        let mut lines: Vec<String> =
            report.findings.iter().map(|finding| format!("{}: {}", finding.at, finding.what)).collect();
        lines.extend(report.unread.iter().map(|unread| format!("not read: {unread}")));
        let files = counted(report.files, "file", "files");
        lines.push(match report.values {
            Some(values) => format!("searched {files} for private keys and {}", counted(values, "value", "values")),
            None => format!("searched {files} for private keys; for the values themselves, name an --identity"),
        });
        ui.answer_lines(&lines)?;
    }
    Ok(match (report.findings.is_empty(), report.unread.is_empty()) {
        (false, _) => exit::NO,
        (true, false) => exit::UNKNOWN,
        (true, true) => exit::DONE,
    })
}
