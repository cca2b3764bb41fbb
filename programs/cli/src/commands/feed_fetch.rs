//! `aux feed fetch`: download what the sources publish.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aux_app::{config, exit};
use aux_core::limits::FETCH_META_BYTES_MAX;
use aux_feed::{Base, Bases, FetchRequest, Fetched, NvdInterface, OSV_ECOSYSTEMS, Outside, Source, fetch};
use aux_io::http::Url;
use jiff::Timestamp;
use serde_json::json;

use super::{environment, network};
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Without a key NVD lets everybody ask five times in thirty seconds, with one fifty times.
const NVD_PAUSE_SECONDS: f64 = 6.0;
const NVD_PAUSE_WITH_KEY_SECONDS: f64 = 0.6;

/// Download what the sources publish, where it changed, for `aux feed build` to read.
///
/// Raw files are kept below DIR, a folder a source: nvd, osv, kev, pkgsrc, cve5. What is here already is not asked for
/// again, a download that was cut is continued, and a source that fails keeps what it had. DIR/fetch.json says what is here.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Args {
    /// The folder to keep raw files in.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// Fetch only these: nvd, osv, kev, pkgsrc, cve5. All of them otherwise.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    source: Vec<Source>,
    /// Ask another address: nvd, nvd-api, osv, kev, pkgsrc or cve5. `[fetch.base]` of aux.toml otherwise.
    #[arg(long, value_name = "NAME=URL", num_args = 1.., value_parser = base)]
    base: Vec<(Base, Url)>,
    /// Ask NVD's API, page by page, instead of taking its yearly files.
    #[arg(long)]
    nvd_api: bool,
    /// A file that holds a key for NVD's API.
    #[arg(long, value_name = "FILE", requires = "nvd_api")]
    nvd_key: Option<PathBuf>,
    /// Seconds between two requests to NVD's API; 6, or 0.6 with a key, as NVD asks.
    #[arg(long, value_name = "SECONDS", requires = "nvd_api", value_parser = seconds)]
    nvd_pause: Option<f64>,
    /// OSV's ecosystems to keep, as OSV writes them.
    #[arg(long, value_name = "NAME", num_args = 1.., default_values = OSV_ECOSYSTEMS, hide_default_value = true)]
    osv_ecosystem: Vec<String>,
    /// Fetch everything again, whatever is here.
    #[arg(long)]
    full: bool,
    /// Allow plain http:// to other machines.
    #[arg(long)]
    allow_insecure: bool,
    /// Print the answer as one document.
    #[arg(long)]
    json: bool,
    /// Say nothing but errors.
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.quiet || args.json;
    let web = network::source(args.allow_insecure)?;
    let json = args.json;
    let request = request(args)?;
    let bar = ui.progress_of_bytes();
    let fetched = fetch(
        &request,
        &Outside {
            web: &web,
            wait: &|time| {
                bar.set_message(format!("waiting {} seconds, as the server asks", time.as_secs().max(1)));
                std::thread::sleep(time);
            },
            progress: &|progress| {
                bar.set_message(progress.file.to_owned());
                bar.set_length(progress.total_bytes.unwrap_or(0));
                bar.set_position(progress.bytes);
            },
        },
    );
    bar.finish_and_clear();
    let fetched = fetched.map_err(|error| Failure::fetch(&error))?;
    if json {
        ui.answer(&format!("{:#}\n", document(&request, &fetched)))?;
    } else {
        ui.answer_lines(&fetched.iter().map(line).collect::<Vec<_>>())?;
    }
    match failure(&fetched) {
        Some(failure) => Err(failure),
        None => Ok(exit::DONE),
    }
}

fn request(args: Args) -> Result<FetchRequest, Failure> {
    let config =
        config::load(&environment::absolute(Path::new(".")), &environment::config_places()).map_err(Failure::new)?;
    let mut bases = Bases::default();
    if let Some(set) = &config.fetch_bases {
        for (name, address) in &set.value {
            let (base, url) = base(&format!("{name}={address}"))
                .map_err(|error| Failure::new(format!("{}: [fetch.base] {error}", set.file.display())))?;
            bases.replace(base, url);
        }
    }
    for (base, url) in args.base {
        bases.replace(base, url);
    }
    let key = args.nvd_key.as_deref().map(key).transpose()?;
    let pause = args.nvd_pause.unwrap_or(if key.is_some() { NVD_PAUSE_WITH_KEY_SECONDS } else { NVD_PAUSE_SECONDS });
    let mut sources = if args.source.is_empty() { Source::ALL.to_vec() } else { args.source };
    sources.sort_unstable();
    sources.dedup();
    Ok(FetchRequest {
        output: args.output,
        sources,
        bases,
        nvd: if args.nvd_api {
            NvdInterface::Api { key, pause: Duration::from_secs_f64(pause) }
        } else {
            NvdInterface::Feeds
        },
        osv_ecosystems: args.osv_ecosystem,
        is_full: args.full,
        now: Timestamp::now(),
    })
}

fn base(text: &str) -> Result<(Base, Url), String> {
    let (name, address) = text.split_once('=').ok_or("write NAME=URL, such as kev=https://mirror.example/kev.json")?;
    Ok((name.trim().parse()?, Url::parse(address.trim()).map_err(|error| error.to_string())?))
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is wanted".to_owned())?;
    if (0.0..=3_600.0).contains(&seconds) { Ok(seconds) } else { Err("from 0 to 3600 seconds".to_owned()) }
}

/// A key stands alone in its file; its text is shown to nobody.
fn key(path: &Path) -> Result<String, Failure> {
    let bytes = aux_io::input::read(path, FETCH_META_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&bytes);
    let key = text.trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::new(format!("{}: holds no key", path.display()))
            .hint("the file holds the key that NVD sent you, and nothing else"));
    }
    Ok(key.to_owned())
}

fn line(fetched: &Fetched) -> String {
    let name = fetched.source.as_str();
    let requests = counted(usize::try_from(fetched.requests).unwrap_or(usize::MAX), "request", "requests");
    match &fetched.outcome {
        Ok(kept) => {
            let news = if kept.is_changed { "new" } else { "unchanged" };
            let files = counted(kept.files, "file", "files");
            format!(
                "{name}: {news}; {files}, {} bytes; {requests}, {} bytes received",
                kept.bytes, fetched.received_bytes
            )
        }
        Err(_) => {
            format!("{name}: failed; what was here is kept; {requests}, {} bytes received", fetched.received_bytes)
        }
    }
}

fn document(request: &FetchRequest, fetched: &[Fetched]) -> serde_json::Value {
    let sources: Vec<_> = fetched
        .iter()
        .map(|fetched| {
            let (state, kept, error) = match &fetched.outcome {
                Ok(kept) => (if kept.is_changed { "new" } else { "unchanged" }, Some(kept), None),
                Err(error) => ("failed", None, Some(error)),
            };
            json!({
                "source": fetched.source.as_str(),
                "state": state,
                "files": kept.map(|kept| kept.files),
                "bytes": kept.map(|kept| kept.bytes),
                "requests": fetched.requests,
                "received_bytes": fetched.received_bytes,
                "error": error.map(ToString::to_string),
                "hint": error.map(aux_feed::FetchError::advice),
            })
        })
        .collect();
    json!({ "schema": "aux.feed.fetch/1", "folder": request.output.display().to_string(), "sources": sources })
}

/// The sources that failed, with what to do about the first.
fn failure(fetched: &[Fetched]) -> Option<Failure> {
    let errors: Vec<_> =
        fetched.iter().filter_map(|fetched| Some((fetched.source, fetched.outcome.as_ref().err()?))).collect();
    let (_, first) = errors.first()?;
    let failed = errors.iter().map(|(source, _)| source.as_str()).collect::<Vec<_>>().join(", ");
    let details = errors.iter().map(|(source, error)| format!("{}: {error}", source.as_str())).collect();
    Some(Failure::new(format!("not fetched: {failed}")).details(details).hint(first.advice()))
}
