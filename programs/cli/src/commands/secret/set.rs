//! `aux secret set`: a value for an envelope.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use aux_secrets::{Label, SecretBytes, secret_file};
use serde_json::json;

use super::common::{Answer, Writing};
use crate::failure::Failure;
use crate::ui::Ui;

/// Put a value that somebody gave you into an envelope: from a file, from standard input, or typed unseen.
///
/// A value never stands on the command line, where every user could read it. A line feed at the end of what is typed or
/// piped is no part of it; that of a file is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The envelope's name, as declared.
    #[arg(value_name = "NAME")]
    name: Label,
    /// The machine whose value it is, where each has its own.
    #[arg(long, short = 'm', value_name = "MACHINE")]
    machine: Option<Label>,
    /// Take the value from this file, byte for byte; `-` is standard input, byte for byte.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    writing: Writing,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let mut session = args.writing.session(ui)?;
    let value = value(args, ui)?;
    if value.reveal().is_empty() {
        return Err(Failure::new("the value is empty").hint("type it, pipe it in, or name a file with --file"));
    }
    let holder = session.fill(&args.name, args.machine.as_ref(), value)?;
    let answer = Answer {
        lines: vec![format!("{} of {holder} has a new value", args.name)],
        fields: vec![("name", json!(args.name.as_str())), ("scope", json!(holder.to_string()))],
    };
    args.writing.finish(session.prepare(false)?, &answer, ui)
}

fn value(args: &Args, ui: &mut Ui) -> Result<SecretBytes, Failure> {
    let stdin = Path::new("standard input");
    match &args.file {
        Some(path) if path == Path::new("-") => {
            secret_file::read_from(&mut io::stdin().lock(), stdin).map_err(Failure::new)
        }
        Some(path) => secret_file::read(path).map_err(Failure::new),
        None if io::stdin().is_terminal() => {
            let prompt = format!("value of {} (unseen):", args.name);
            ui.ask_unseen(&prompt).ok_or_else(|| Failure::new("nothing was typed"))
        }
        None => {
            let value = secret_file::read_from(&mut io::stdin().lock(), stdin).map_err(Failure::new)?;
            let bytes = value.reveal();
            let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            Ok(SecretBytes::from(line.strip_suffix(b"\r").unwrap_or(line)))
        }
    }
}
