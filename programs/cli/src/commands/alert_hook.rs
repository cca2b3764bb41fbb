//! `aux alert hook`: a snippet that a shell evaluates when it starts.

use std::path::PathBuf;

use aux_alert::hook::Shell;
use aux_app::exit;

use super::environment;
use crate::failure::Failure;
use crate::ui::Ui;

/// Print the snippet that shows security news before a prompt, for a shell to evaluate.
///
/// In `~/.bashrc`: `eval "$(aux alert hook bash)"`; in `~/.zshrc` the same with zsh; in `config.fish`:
/// `aux alert hook fish | source`. For the message of the day, write the output of `aux alert hook motd` to
/// `/etc/update-motd.d/60-aux` and make it executable.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// bash, zsh, fish or motd.
    #[arg(value_name = "SHELL")]
    shell: Shell,
    /// The line to show, where it is not the one that the configuration names.
    #[arg(long, value_name = "FILE")]
    line: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let line = match &args.line {
        Some(line) => environment::absolute(line),
        None => environment::alert_settings()?.line_file().to_owned(),
    };
    let Some(line) = line.to_str().filter(|line| !line.chars().any(char::is_control)) else {
        return Err(Failure::new(format!("{}: a shell cannot be told this name", line.display()))
            .hint("keep the line in a file with a plain name, such as /run/aux/motd"));
    };
    ui.answer(&args.shell.snippet(line))?;
    Ok(exit::DONE)
}
