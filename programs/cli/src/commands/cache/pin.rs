//! `aux cache pin`: what is kept although no view needs it.

use aux_app::exit;
use clap::Subcommand;
use serde::Deserialize;

use super::server::{InCache, Server, moment, store_path};
use crate::failure::Failure;
use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub(crate) enum Pin {
    Add(Add),
    List(List),
    Remove(Remove),
}

/// Keep a path and everything it needs, whatever is collected. A pin of that name is moved.
#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// What to call the pin.
    #[arg(value_name = "NAME")]
    name: String,
    /// The store path, its last part, or a link to it such as ./result.
    #[arg(value_name = "PATH")]
    path: String,
    /// The cache it is in.
    #[arg(long = "in", value_name = "CACHE")]
    cache: String,
    #[command(flatten)]
    server: Server,
}

/// Say what is pinned.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    within: InCache,
}

/// Keep it no longer than others.
#[derive(Debug, clap::Args)]
pub(crate) struct Remove {
    /// What the pin is called.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    within: InCache,
}

#[derive(Deserialize)]
struct Answer {
    name: String,
    path: String,
    created: Option<String>,
    by: Option<String>,
}

#[derive(Deserialize)]
struct Answers {
    pins: Vec<Answer>,
}

pub(crate) fn run(verb: &Pin, ui: &mut Ui) -> Result<u8, Failure> {
    let failed = |error| Failure::cache(&error);
    match verb {
        Pin::Add(Add { name, path, cache, server }) => {
            let document = server.client()?.pin(cache, name, &store_path(path)).map_err(failed)?;
            server.answer(&document, ui, || {
                let pin: Answer = document.read()?;
                Ok(vec![format!("{} is pinned as {}", pin.path, pin.name)])
            })?;
        }
        Pin::List(List { within: InCache { cache, server } }) => {
            let document = server.client()?.pins(cache).map_err(failed)?;
            server.answer(&document, ui, || {
                let Answers { pins } = document.read()?;
                Ok(pins.iter().map(row).collect())
            })?;
        }
        Pin::Remove(Remove { name, within: InCache { cache, server } }) => {
            let document = server.client()?.unpin(cache, name).map_err(failed)?;
            server.answer(&document, ui, || {
                let pin: Answer = document.read()?;
                Ok(vec![format!("{} is not pinned as {} any more", pin.path, pin.name)])
            })?;
        }
    }
    Ok(exit::DONE)
}

fn row(pin: &Answer) -> String {
    let created = pin.created.as_deref().map(moment).unwrap_or_default();
    let by = pin.by.as_ref().map(|by| format!("by {by}")).unwrap_or_default();
    format!("{:<20} {} {created} {by}", pin.name, pin.path)
}
