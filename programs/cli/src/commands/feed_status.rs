//! `aux feed status`: which feed is here, and whether it still speaks for the present.

use std::path::{Path, PathBuf};

use aux_app::{config, exit};
use jiff::civil::Date;
use serde_json::json;

use super::{environment, synced};
use crate::failure::Failure;
use crate::ui::Ui;

/// Say which feed was synced, how old it is, and whether it is stale: then nothing is called clean, and the exit is 2.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the feed is kept.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// How many days a feed speaks for the present.
    #[arg(long, value_name = "DAYS")]
    max_age_days: Option<u32>,
    /// Judge age as on this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let config =
        config::load(&environment::absolute(Path::new(".")), &environment::config_places()).map_err(Failure::new)?;
    let state = synced::state(args.state.clone(), &config);
    let max_age = synced::max_age(args.max_age_days, &config);
    let now = environment::now(args.as_of)?;
    let Some(current) = state.current().map_err(Failure::state)? else {
        if args.json {
            let answer = json!({ "schema": "aux.feed-status/1", "serial": null, "stale": true });
            ui.answer(&format!("{answer:#}\n"))?;
        }
        return Err(Failure::new(format!("{}: no feed was ever synced there", state.folder().display()))
            .hint("aux feed sync URL --root ROOT.json"));
    };
    let stale = synced::stale(&current, now, max_age);
    let code = if stale.is_some() { exit::UNKNOWN } else { exit::DONE };
    let age = now.duration_since(current.built);
    if args.json {
        let answer = json!({
            "schema": "aux.feed-status/1",
            "url": current.url,
            "serial": current.serial,
            "built": current.built.to_string(),
            "age_seconds": age.as_secs().max(0),
            "signed": current.signed.to_string(),
            "signed_age_seconds": now.duration_since(current.signed).as_secs().max(0),
            "synced": current.synced.to_string(),
            "expires": current.expires.to_string(),
            "max_age_seconds": max_age.as_secs(),
            "stale": stale.is_some(),
            "reason": stale,
            "index": state.index_path(&current).display().to_string(),
        });
        ui.answer(&format!("{answer:#}\n"))?;
        return Ok(code);
    }
    let signed = now.duration_since(current.signed);
    let mut lines = vec![
        format!("feed     {} from {}", current.serial, current.url),
        format!("built    {} ({} old)", current.built.strftime("%Y-%m-%d %H:%M UTC"), synced::words(age)),
        format!("signed   {} ({} ago)", current.signed.strftime("%Y-%m-%d %H:%M UTC"), synced::words(signed)),
        format!("synced   {}", current.synced.strftime("%Y-%m-%d %H:%M UTC")),
    ];
    lines.push(match stale {
        Some(reason) => format!("STALE    {reason}"),
        None => format!("fresh    speaks for the present for {} after it was signed", synced::words(max_age)),
    });
    ui.answer_rows(&lines)?;
    Ok(code)
}
