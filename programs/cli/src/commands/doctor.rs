//! `aux doctor`: whether everything is there that telling somebody needs, and what is wrong where it is not.

mod checks;

use std::path::PathBuf;

use aux_app::exit;
use jiff::civil::Date;
use serde::Serialize;

use super::environment;
use crate::failure::Failure;
use crate::ui::Ui;

/// Say whether feed, clock, state, nix, the buses and the agent are in order, and what would be told and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The feed to look at; the configured one otherwise.
    #[arg(long, value_name = "FILE.auxdb")]
    pub(crate) feed: Option<PathBuf>,
    /// Where the state is kept; /var/lib/aux for root, ~/.local/state/aux for others.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Where the agent's socket is.
    #[arg(long, value_name = "DIR", default_value = "/run/aux")]
    pub(crate) runtime: PathBuf,
    /// Judge age as on this day.
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Date>,
    /// Print the answer as an aux.doctor/1 document.
    #[arg(long)]
    json: bool,
}

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Health {
    /// In order.
    Fine,
    /// Not there, and not needed for everything.
    Absent,
    /// It could not be told.
    Unknown,
    /// Wrong: something will not be told.
    Wrong,
}

impl Health {
    fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
            Self::Wrong => "wrong",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Checked {
    pub(crate) subject: &'static str,
    pub(crate) health: Health,
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    health: Health,
    checks: &'a [Checked],
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let now = environment::now(args.as_of)?;
    let checks = checks::all(args, now);
    let worst = checks.iter().map(|checked| checked.health).max().unwrap_or(Health::Unknown);
    if args.json {
        let document = Document { schema: "aux.doctor/1", health: worst, checks: &checks };
        let text = serde_json::to_string_pretty(&document).map_err(Failure::new)?;
        ui.answer(&format!("{text}\n"))?;
    } else {
        let mut lines = Vec::new();
        for checked in &checks {
            lines.push(format!("{} is {}: {}", checked.subject, checked.health.as_str(), checked.message));
            lines.extend(checked.hint.iter().map(|hint| format!("  to do: {hint}")));
        }
        ui.answer_lines(&lines)?;
    }
    Ok(match worst {
        Health::Fine | Health::Absent => exit::DONE,
        Health::Wrong => exit::NO,
        Health::Unknown => exit::UNKNOWN,
    })
}
