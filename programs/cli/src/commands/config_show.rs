//! `aux config show`: every setting and the file it came from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aux_app::config::{CacheServer, Config, Set, load};
use aux_app::exit;
use aux_audit::formats::visible;
use aux_io::http::Url;
use serde_json::json;

use super::environment;
use crate::failure::Failure;
use crate::ui::Ui;

/// Say every setting in force for a folder or target, and where it came from.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder or target; the current folder otherwise.
    #[arg(value_name = "TARGET", default_value = ".")]
    target: PathBuf,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let config = load(&environment::absolute(&args.target), &environment::config_places()).map_err(Failure::new)?;
    let mut rows = vec![
        row("feed", config.feed.as_ref(), |path| path.display().to_string()),
        row("feed_url", config.feed_url.as_ref(), |url| shown_url(url)),
        row("feed_root", config.feed_root.as_ref(), |path| path.display().to_string()),
        row("feed_state", config.feed_state.as_ref(), |path| path.display().to_string()),
        row("feed_max_age_days", config.feed_max_age_days.as_ref(), ToString::to_string),
        row("fail_on", config.fail_on.as_ref(), Clone::clone),
        row("waivers", config.waivers.as_ref(), |paths| joined(paths)),
        row("strict_waivers", config.strict_waivers.as_ref(), ToString::to_string),
        row("runtime_only", config.runtime_only.as_ref(), ToString::to_string),
        row("allowed_keys", config.allowed_keys.as_ref(), |paths| joined(paths)),
        row("allowed_substituters", config.allowed_substituters.as_ref(), |names| names.join(" ")),
        row("allowed_cache_keys", config.allowed_cache_keys.as_ref(), |names| names.join(" ")),
        row("input_age_days", config.input_age_days.as_ref(), ToString::to_string),
        row("agent", config.agent.as_ref(), ToString::to_string),
        row("fetch.base", config.fetch_bases.as_ref(), bases_shown),
    ];
    rows.extend(cache_rows(config.cache.as_ref()));
    rows.extend(alert_rows(&config)?);
    if args.json {
        let settings: serde_json::Map<String, serde_json::Value> =
            rows.iter().map(|(name, value, file)| (name.clone(), json!({ "value": value, "file": file }))).collect();
        ui.answer(&format!("{:#}\n", json!({ "schema": "aux.config/1", "settings": settings })))?;
    } else {
        let text: String = rows
            .iter()
            .map(|(name, value, file)| match (value, file) {
                (Some(value), Some(file)) => format!("{name:<20} {}   ({})\n", visible(value), visible(file)),
                _ => format!("{name:<20} not set: the built-in default holds\n"),
            })
            .collect();
        ui.answer(&text)?;
    }
    Ok(exit::DONE)
}

type Row = (String, Option<String>, Option<String>);

fn cache_rows(cache: Option<&Set<CacheServer>>) -> [Row; 2] {
    let server = row("cache.server", cache, |cache| shown_url(&cache.server));
    let token = cache.and_then(|set| set.value.token_file.as_ref().map(|path| (path, &set.file)));
    let shown = |(path, file): (&PathBuf, &PathBuf)| (path.display().to_string(), file.display().to_string());
    let (path, file) = token.map(shown).unzip();
    [server, ("cache.token_file".to_owned(), path, file)]
}

/// The channels of alerts as they may be seen: what holds a secret is named, and nothing of what it holds.
fn alert_rows(config: &Config) -> Result<Vec<Row>, Failure> {
    let (settings, folder) = config.alert_settings::<aux_alert::Settings>().map_err(Failure::new)?;
    let Some(set) = &config.alert else { return Ok(vec![("alert".to_owned(), None, None)]) };
    let file = set.file.display().to_string();
    let shown = settings.in_folder(&folder).shown();
    if shown.is_empty() {
        return Ok(vec![("alert".to_owned(), Some("empty".to_owned()), Some(file))]);
    }
    Ok(shown.into_iter().map(|(key, value)| (format!("alert.{key}"), Some(value), Some(file.clone()))).collect())
}

fn row<T>(name: &str, set: Option<&Set<T>>, show: impl Fn(&T) -> String) -> Row {
    (name.to_owned(), set.map(|set| show(&set.value)), set.map(|set| set.file.display().to_string()))
}

/// Addresses as they are shown everywhere: without their passwords.
fn bases_shown(bases: &BTreeMap<String, String>) -> String {
    bases.iter().map(|(name, address)| format!("{name}={}", shown_url(address))).collect::<Vec<_>>().join(", ")
}

fn shown_url(url: &str) -> String {
    Url::parse(url).map_or_else(|error| error.to_string(), |url| url.to_string())
}

fn joined(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
