//! `aux audit`: which components of a target are vulnerable, why, and what fixes them.

use std::path::PathBuf;

use aux_advisory::index::Index;
use aux_app::exit;
use aux_audit::formats::{Format, Options, render};
use aux_audit::{DEFAULT_GATE, Gate, Policy, Verdict, Waivers, audit, explain};
use aux_core::{Component, Ecosystem, Inventory, TargetKind};
use jiff::Timestamp;

use crate::failure::Failure;
use crate::ui::Ui;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    target: Vec<String>,
    #[arg(long, value_name = "FILE.auxdb")]
    feed: PathBuf,
    #[arg(long)]
    ecosystem: Option<String>,
    #[arg(long)]
    json: bool,
    #[arg(long)]
    allow_incomplete: bool,
    #[arg(long)]
    explain: Option<String>,
}

pub(crate) fn run(args: Args, ui: &mut Ui) -> Result<u8, Failure> {
    let mapped = aux_io::file::map(&args.feed)?;
    let index = Index::open(&mapped).map_err(|error| Failure::new(format!("{}: {error}", args.feed.display())))?;
    let mut inventories = Vec::new();
    for target in &args.target {
        let mut inventory = Inventory::new(target.clone(), TargetKind::NameList);
        let text = String::from_utf8_lossy(&aux_io::input::read(target, 1 << 30)?).into_owned();
        for line in text.lines() {
            let (name, version) = aux_core::naming::split_nix_name(line);
            inventory.components.push(Component::named(Ecosystem::NIX, name, version, line));
        }
        inventories.push(inventory);
    }
    if let Some(id) = args.explain {
        ui.answer(&(explain(&index, &inventories, &id).join("\n") + "\n"))?;
        return Ok(exit::DONE);
    }
    let policy = Policy {
        gate: Gate::read(DEFAULT_GATE).map_err(Failure::new)?,
        waivers: Waivers::default(),
        runtime_only: false,
        allow_incomplete: args.allow_incomplete,
    };
    let report = audit(&index, &inventories, &policy, Timestamp::now());
    let options = Options { tool_version: env!("CARGO_PKG_VERSION"), width: ui.width, colour: ui.has_color };
    ui.answer(&render(if args.json { Format::Json } else { Format::Table }, &report, options))?;
    Ok(match report.verdict {
        Verdict::Pass => exit::DONE,
        Verdict::Fail => exit::NO,
        Verdict::Unknown => exit::UNKNOWN,
    })
}
