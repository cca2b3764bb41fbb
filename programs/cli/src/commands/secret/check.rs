//! `aux secret check`: is what is committed what was declared, signed and derived.

use std::path::PathBuf;

use aux_app::exit;
use aux_secrets::acts::{CheckReport, CheckRequest, check};
use aux_secrets::{Repository, Signer};
use serde_json::json;

use super::common::{Keys, Signers, change_line, changes_json};
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Check a repository of secrets: the signature, the declaration, every file; with --identity every check value and public
/// half too, by deriving them again. Exits 1 on drift, 2 where it cannot be told.
///
/// Who signed is believed as far as --signers names them; without it, the repository's own list is what counts.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder with aux-secrets.toml.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// The declaration, where it is another file: TOML, or JSON out of Nix.
    #[arg(long, value_name = "FILE")]
    declaration: Option<PathBuf>,
    #[command(flatten)]
    signers: Signers,
    #[command(flatten)]
    keys: Keys,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    aux_secrets::memory::protect();
    let request = CheckRequest { signers: args.signers.read()?, identities: args.keys.read(ui)? };
    let repository = Repository::open(&args.dir, args.declaration.as_deref())?;
    let report = check(repository, request)?;
    if args.json {
        ui.answer(&format!("{:#}\n", document(&report)))?;
    } else {
        ui.answer_lines(&lines(&report))?;
    }
    Ok(if report.is_content() { exit::DONE } else { exit::NO })
}

fn document(report: &CheckReport) -> serde_json::Value {
    json!({
        "schema": "aux.secret-check/1",
        "result": if report.is_content() { "good" } else { "drift" },
        "serial": report.serial, "machines": report.machines, "values": report.values,
        "signature": { "signer": report.signer.as_str(), "pinned": report.is_signer_pinned, "follows_from_seed": report.computed.as_ref().map(|_| !report.is_signer_strange) },
        "declared": changes_json(&report.declared),
        "files": report.files,
        "computed": report.computed.as_ref().map(|changes| changes_json(changes)),
        "empty": report.empty,
    })
}

fn lines(report: &CheckReport) -> Vec<String> {
    let mut lines = Vec::new();
    let values = counted(report.values, "value", "values");
    lines.push(format!("manifest {}: {}, {values}", report.serial, counted(report.machines, "machine", "machines")));
    let by = if report.is_signer_pinned { "named by --signers" } else { "named by the repository itself" };
    lines.push(format!("signature: good, by {} ({by})", short(&report.signer)));
    if report.is_signer_strange {
        lines.push("signature: no signer is the one that follows from the seed".to_owned());
    }
    lines.push(tell("declaration", "as committed", report.declared.len()));
    lines.extend(report.declared.iter().map(|change| format!("  {}", change_line(change))));
    lines.push(tell("files", "as signed", report.files.len()));
    lines.extend(report.files.iter().map(|file| format!("  {file}")));
    match &report.computed {
        None => lines.push(
            "check values and public halves: as signed; not derived again, which takes --identity FILE".to_owned(),
        ),
        Some(_) if !report.declared.is_empty() => {
            lines.push("check values and public halves: not compared while the declaration differs".to_owned());
        }
        Some(changes) => {
            lines.push(tell("check values and public halves", "as derived", changes.len()));
            lines.extend(changes.iter().map(|change| format!("  {}", change_line(change))));
        }
    }
    if !report.empty.is_empty() {
        lines.push(format!("without a value yet: {}", report.empty.join(", ")));
    }
    lines
}

fn tell(what: &str, good: &str, differences: usize) -> String {
    match differences {
        0 => format!("{what}: {good}"),
        _ => format!("{what}: {}", counted(differences, "difference", "differences")),
    }
}

/// The end of a key tells it from others; its start is the same for all.
fn short(signer: &Signer) -> String {
    let text = signer.as_str();
    let start = text.len().saturating_sub(12);
    format!("ssh-ed25519 …{}", text.get(start..).unwrap_or(text))
}
