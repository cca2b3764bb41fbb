//! `aux cache policy`: the rules by which a view admits what is promoted into it.

use std::path::PathBuf;

use aux_app::exit;
use serde::Deserialize;

use super::create::text;
use super::server::Server;
use crate::failure::Failure;
use crate::ui::Ui;

/// Print a view's policy, or give it another one. What the view serves already stays, and is judged by the new one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The view.
    #[arg(value_name = "VIEW")]
    view: String,
    /// The new policy, TOML.
    #[arg(long, value_name = "FILE")]
    set: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct View {
    #[serde(default)]
    policy: String,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let client = args.server.client()?;
    let Some(file) = &args.set else {
        let document = client.view(&args.view).map_err(|error| Failure::cache(&error))?;
        args.server.answer(&document, ui, || {
            let View { policy } = document.read()?;
            Ok(policy.lines().map(str::to_owned).collect())
        })?;
        return Ok(exit::DONE);
    };
    let document = client.set_policy(&args.view, &text(file)?).map_err(|error| Failure::cache(&error))?;
    args.server.answer(&document, ui, || Ok(vec![format!("{} has the policy of {}", args.view, file.display())]))?;
    Ok(exit::DONE)
}
