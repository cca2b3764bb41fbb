//! `aux feed show`: what an index holds, about one advisory, or about one package.

use std::path::PathBuf;

use aux_advisory::index::{Block, Damaged, Index};
use aux_app::exit;
use aux_core::Ecosystem;
use aux_core::naming::fold;
use serde_json::json;

use crate::failure::Failure;
use crate::ui::Ui;

/// Say what an index holds, about one advisory, or about one package.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_name = "FILE.auxdb")]
    feed: PathBuf,
    /// An advisory: a CVE id or any alias.
    #[arg(value_name = "CVE-ID", conflicts_with = "package")]
    id: Option<String>,
    /// Every product a package of this name may be, and how many advisories each has.
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
    /// The ecosystem of `--package`.
    #[arg(long, value_name = "NAME", default_value = "nix", value_parser = super::ecosystem::ecosystem)]
    ecosystem: Ecosystem,
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let mapped = aux_io::file::map(&args.feed).map_err(|error| Failure::feed_file(&error))?;
    let index = Index::open(&mapped).map_err(|error| Failure::feed(&args.feed, &error))?;
    let document = match (&args.id, &args.package) {
        (Some(id), _) => {
            if let Some(document) = advisory(&index, id).map_err(Failure::new)? {
                document
            } else {
                ui.remark(&format!("{id} is not in this feed"));
                return Ok(exit::NO);
            }
        }
        (None, Some(name)) => package(&index, &args.ecosystem, name).map_err(Failure::new)?,
        (None, None) => json!({
            "schema": "aux.feed/1",
            "serial": index.facts().serial,
            "built": index.facts().built.to_string(),
            "advisories": index.advisories_count(),
            "bytes": mapped.len(),
        }),
    };
    if args.json {
        ui.answer(&format!("{document:#}\n"))?;
    } else {
        ui.answer_lines(&lines(&document))?;
    }
    Ok(exit::DONE)
}

fn advisory(index: &Index<'_>, id: &str) -> Result<Option<serde_json::Value>, Damaged> {
    let Some(key) = index.key_of(id)? else { return Ok(None) };
    let advisory = index.advisory(key)?.ok_or(Damaged)?;
    let affected: Vec<_> = index
        .products_of(key)?
        .into_iter()
        .map(|(product, entry)| {
            let versions: Vec<String> = entry.versions.iter().map(ToString::to_string).collect();
            json!({
                "product": product,
                "versions": entry.pattern.map_or(versions, |pattern| vec![pattern.to_owned()]),
                "platform": entry.platform.as_str(),
                "together_with": entry.together_with,
                "fixed": entry.fixed,
            })
        })
        .collect();
    Ok(Some(json!({
        "schema": "aux.feed.advisory/1",
        "id": advisory.id,
        "aliases": advisory.aliases,
        "published": advisory.published.map(|date| date.to_string()),
        "score": advisory.score.map(aux_core::Score::number),
        "class": advisory.class.as_str(),
        "kev": advisory.kev,
        "withdrawn": advisory.withdrawn,
        "affected": affected,
    })))
}

fn package(index: &Index<'_>, ecosystem: &Ecosystem, name: &str) -> Result<serde_json::Value, Damaged> {
    let folded = fold(name);
    let decisions: Vec<_> = index
        .names(ecosystem, &folded)?
        .into_iter()
        .map(|known| json!({ "product": known.product, "stance": known.stance.as_str(), "reason": known.reason }))
        .collect();
    let products = index.products_named(&folded)?.into_iter().chain(index.package(ecosystem, &folded)?);
    let products: Vec<_> = products.map(|block: Block<'_>| {
        json!({ "product": block.product, "by_rule": block.stance.as_str(), "advisories": block.entries().count() })
    }).collect();
    let package = format!("{ecosystem}/{name}");
    Ok(json!({ "schema": "aux.feed.package/1", "package": package, "decided": decisions, "same_name": products }))
}

/// The document as indented lines, for people.
fn lines(document: &serde_json::Value) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, value) in document.as_object().into_iter().flatten().filter(|(key, _)| *key != "schema") {
        match value {
            serde_json::Value::Array(items) if !items.is_empty() && items.iter().all(serde_json::Value::is_object) => {
                lines.push(format!("{key}:"));
                lines.extend(items.iter().map(|item| format!("  {}", fields(item))));
            }
            _ => lines.push(format!("{key}: {}", word(value))),
        }
    }
    lines
}

fn fields(item: &serde_json::Value) -> String {
    let fields = item.as_object().into_iter().flatten().map(|(key, value)| format!("{key} {}", word(value)));
    fields.collect::<Vec<_>>().join(", ")
}

fn word(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "none".to_owned(),
        serde_json::Value::Array(items) if items.is_empty() => "none".to_owned(),
        serde_json::Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(" | "),
        other => other.to_string(),
    }
}
