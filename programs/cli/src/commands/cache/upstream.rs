//! `aux cache upstream`: which other caches a cache asks for what it lacks, and how they have been answering.

use aux_app::exit;
use aux_cache::client::NewUpstream;
use clap::Subcommand;
use serde::Deserialize;

use super::server::{InCache, Server, moment, size};
use crate::failure::Failure;
use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub(crate) enum Upstream {
    Add(Add),
    List(List),
    Remove(Remove),
}

/// Let a cache ask another for what it lacks. An upstream of that name gets these terms instead of its own.
///
/// What comes must be signed by one of the keys, and is checked whole before any of it is passed on.
#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// What to call the upstream: lower-case letters, digits and dashes.
    #[arg(value_name = "NAME")]
    name: String,
    /// Where it is, such as `https://cache.nixos.org`.
    #[arg(value_name = "URL")]
    address: String,
    /// The cache that asks it.
    #[arg(long = "in", value_name = "CACHE")]
    cache: String,
    /// A public key it signs with, name:base64; may be given several times.
    #[arg(long = "key", value_name = "KEY", required = true)]
    keys: Vec<String>,
    /// Which upstream is believed where several have a path: lower numbers before higher ones.
    #[arg(long, value_name = "NUMBER")]
    priority: Option<u32>,
    /// Take only store paths whose name fits, such as `hello-*`; may be given several times.
    #[arg(long = "name", value_name = "PATTERN")]
    names: Vec<String>,
    /// Take no store path whose name fits; may be given several times.
    #[arg(long = "name-not", value_name = "PATTERN")]
    names_not: Vec<String>,
    /// Another server that it may redirect to; may be given several times.
    #[arg(long = "redirect", value_name = "URL")]
    redirects: Vec<String>,
    /// How long a path that the cache lacks may wait for this upstream, 2000 at most.
    #[arg(long, value_name = "MILLISECONDS")]
    budget: Option<u64>,
    #[command(flatten)]
    server: Server,
}

/// Say which upstreams a cache has, and how they have been answering since the server started.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    within: InCache,
}

/// Ask it no more. What came from it stays.
#[derive(Debug, clap::Args)]
pub(crate) struct Remove {
    /// What the upstream is called.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    within: InCache,
}

#[derive(Deserialize)]
struct Changed {
    name: String,
    url: String,
}

#[derive(Deserialize)]
struct Answers {
    upstreams: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    name: String,
    url: String,
    priority: u32,
    breaker: String,
    open_for_seconds: Option<u64>,
    answers: Counts,
    pulled: Pulled,
    last_failure: Option<Event>,
    last_refusal: Option<Event>,
}

#[derive(Deserialize)]
struct Counts {
    offered: u64,
    absent: u64,
    excluded: u64,
    refused: u64,
    failed: u64,
    skipped: u64,
}

#[derive(Deserialize)]
struct Pulled {
    paths: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct Event {
    at: String,
    path: String,
    what: String,
}

pub(crate) fn run(verb: &Upstream, ui: &mut Ui) -> Result<u8, Failure> {
    let failed = |error| Failure::cache(&error);
    match verb {
        Upstream::Add(args) => add(args, ui)?,
        Upstream::List(List { within: InCache { cache, server } }) => {
            let document = server.client()?.upstreams(cache).map_err(failed)?;
            server.answer(&document, ui, || {
                let Answers { upstreams } = document.read()?;
                Ok(upstreams.iter().flat_map(rows).collect())
            })?;
        }
        Upstream::Remove(Remove { name, within: InCache { cache, server } }) => {
            let document = server.client()?.remove_upstream(cache, name).map_err(failed)?;
            server.answer(&document, ui, || {
                let Changed { name, url } = document.read()?;
                Ok(vec![format!("{cache} does not ask {name} ({url}) any more; what came from it stays")])
            })?;
        }
    }
    Ok(exit::DONE)
}

fn add(args: &Add, ui: &mut Ui) -> Result<(), Failure> {
    for key in &args.keys {
        aux_nix::signature::PublicKey::parse(key).map_err(|error| {
            Failure::new(format!("--key {key}: {error}")).hint("a public key is one line of trusted-public-keys")
        })?;
    }
    let upstream = NewUpstream {
        url: args.address.clone(),
        keys: args.keys.clone(),
        priority: args.priority,
        names: args.names.clone(),
        names_not: args.names_not.clone(),
        redirects: args.redirects.clone(),
        budget_milliseconds: args.budget,
    };
    let client = args.server.client()?;
    let document = client.put_upstream(&args.cache, &args.name, &upstream).map_err(|error| Failure::cache(&error))?;
    args.server.answer(&document, ui, || {
        let Changed { name, url } = document.read()?;
        Ok(vec![format!("{} asks {name} ({url}) for what it lacks", args.cache)])
    })
}

/// What it is, how it answers, and what went wrong last, each on its line.
fn rows(upstream: &Answer) -> Vec<String> {
    let Answer { name, url, priority, answers, pulled, .. } = upstream;
    let state = match (upstream.breaker.as_str(), upstream.open_for_seconds) {
        ("closed", _) => "asked".to_owned(),
        ("open", Some(seconds)) => format!("left alone for {seconds} s more, after failures in a row"),
        ("half-open", _) => "on trial, after failures in a row".to_owned(),
        (other, _) => other.to_owned(),
    };
    let mut rows = vec![
        format!("{name:<16} {url}"),
        format!("    {state}; priority {priority}; pulled {} paths, {}", pulled.paths, size(pulled.bytes)),
        format!(
            "    answers: {} offered, {} absent, {} excluded, {} refused, {} failed, {} skipped",
            answers.offered, answers.absent, answers.excluded, answers.refused, answers.failed, answers.skipped
        ),
    ];
    for (word, event) in [("failure", &upstream.last_failure), ("refusal", &upstream.last_refusal)] {
        if let Some(Event { at, path, what }) = event {
            rows.push(format!("    last {word}, {}, {path}:", moment(at)));
            rows.push(format!("        {what}"));
        }
    }
    rows
}
