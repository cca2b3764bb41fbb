//! `aux feed sync`: follow a published feed, in kilobytes a day.

use std::path::{Path, PathBuf};

use aux_app::{config, exit};
use aux_core::limits::FEED_METADATA_BYTES_MAX;
use aux_io::http::Url;
use aux_sync::{Means, Progress, SyncRequest, Synced, sync};
use serde_json::json;

use super::{environment, network, synced};
use crate::failure::Failure;
use crate::ui::Ui;

/// Bring the feed kept here to what its publisher signed last. Everything is verified before it is used; whatever goes
/// wrong, the feed that was here stays.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where it is published: https://, file://, or http:// on this machine; `feed_url` of aux.toml otherwise.
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// The publisher's root.json, obtained by a way you trust. Needed once; `feed_root` of aux.toml otherwise.
    #[arg(long, value_name = "ROOT.json")]
    root: Option<PathBuf>,
    /// Where to keep the feed.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Allow plain http:// to other machines: what is fetched stays verified, but who looks on sees that you fetch it.
    #[arg(long)]
    allow_insecure: bool,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
    /// Say nothing but the answer and errors.
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.quiet || args.json;
    let config =
        config::load(&environment::absolute(Path::new(".")), &environment::config_places()).map_err(Failure::new)?;
    let configured = || config.feed_url.as_ref().map(|set| set.value.clone());
    let url = args.url.clone().or_else(configured).ok_or_else(|| {
        Failure::new("no feed to sync").hint("aux feed sync URL --root ROOT.json, or `feed_url` in aux.toml")
    })?;
    let url = Url::parse(&url).map_err(|error| {
        Failure::new(error).hint("for example https://feeds.example.org/aux or file:///media/feed/public")
    })?;
    let state = synced::state(args.state.clone(), &config);
    // A configured root starts the first sync only: a newer root that was followed from it is not forgotten.
    let is_first = state.current().map_err(Failure::state)?.is_none();
    let configured = || config.feed_root.as_ref().filter(|_| is_first).map(|set| set.value.clone());
    let root = args.root.clone().or_else(configured);
    let root = root.map(|path| aux_io::input::read(&path, FEED_METADATA_BYTES_MAX)).transpose()?;
    let source = network::source(args.allow_insecure)?;
    let bar = ui.bytes("syncing the feed");
    let told = bar.clone();
    let request = SyncRequest {
        url: &url,
        root: root.as_deref(),
        now: environment::now(None)?,
        progress: Progress::new(move |bytes| told.inc(bytes)),
    };
    let done = sync(&state, &source, &request);
    bar.finish_and_clear();
    let done = done.map_err(|error| Failure::sync(&error))?;
    say(&done, args.json, ui)?;
    Ok(exit::DONE)
}

fn say(done: &Synced, is_json: bool, ui: &mut Ui) -> Result<(), Failure> {
    let current = &done.current;
    let means = match done.means {
        Means::Kept => "kept",
        Means::Delta => "delta",
        Means::Whole => "whole",
    };
    if is_json {
        let answer = json!({
            "schema": "aux.feed-sync/1",
            "serial": current.serial,
            "built": current.built.to_string(),
            "signed": current.signed.to_string(),
            "means": means,
            "bytes": done.bytes,
            "requests": done.requests,
        });
        return ui.answer(&format!("{answer:#}\n"));
    }
    let how = match done.means {
        Means::Kept => "was here already",
        Means::Delta => "came as a delta",
        Means::Whole => "came whole",
    };
    let built = current.built.strftime("%Y-%m-%d");
    ui.answer_rows(&[
        format!("serial {} of {built} {how}", current.serial),
        format!("{} bytes in {} requests", done.bytes, done.requests),
    ])
}
