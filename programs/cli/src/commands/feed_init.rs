//! `aux feed init`: a security team's own feed repository, keys and all.

use std::path::PathBuf;

use aux_app::exit;
use aux_feed::repository::{InitRequest, Repository, RoleType, Signers};
use jiff::civil::Date;
use serde_json::json;

use super::environment;
use super::feed_key::role;
use crate::failure::Failure;
use crate::ui::Ui;

/// Make a feed repository: keys under DIR/keys, static files for any web server under DIR/public.
///
/// Asks nothing. Clients need DIR/public/root.json once, by a way they trust; move the root keys offline, for they are
/// needed to change keys only.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder to make it in.
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// How many keys of a role must sign, and how many to make: root=2/3, targets=1/1, snapshot=1/1, timestamp=1/1.
    #[arg(long, value_name = "ROLE=THRESHOLD/KEYS", value_parser = signers)]
    signers: Vec<(RoleType, Signers)>,
    /// Sign as on this day, for publications that can be made again.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

fn signers(text: &str) -> Result<(RoleType, Signers), String> {
    let wrong = || format!("`{text}` is not such as root=2/3");
    let (name, numbers) = text.split_once('=').ok_or_else(wrong)?;
    let (threshold, keys) = numbers.split_once('/').ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    Ok((role(name)?, Signers { threshold: number(threshold)?, keys: number(keys)?.min(KEYS_MAX) }))
}

/// More keys than this nobody keeps apart.
const KEYS_MAX: u64 = 64;

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let mut request = InitRequest::new(environment::now(args.as_of)?);
    request.signers.extend(args.signers.iter().copied());
    let (repository, made) = Repository::init(&args.repo, &request)?;
    let keys: Vec<String> = made.keys.iter().map(|path| path.display().to_string()).collect();
    let (root, public) = (made.root.display().to_string(), repository.public().display().to_string());
    if args.json {
        let answer = json!({ "schema": "aux.feed-init/1", "root": root, "public": public, "keys": keys });
        ui.answer(&format!("{answer:#}\n"))?;
        return Ok(exit::DONE);
    }
    ui.answer_rows(&[
        format!("root for clients   {root}"),
        format!("to be served       {public}"),
        format!("keys               {}", args.repo.join("keys").display()),
        String::new(),
        format!("Move the root keys offline. Then: aux feed publish FILE.auxdb --repo {}", args.repo.display()),
    ])?;
    Ok(exit::DONE)
}
