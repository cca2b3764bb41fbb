//! `aux image history`: how many findings images had over time, and what could be done.

use std::path::PathBuf;

use aux_app::exit;
use aux_image::history::{History, HistoryError, json, svg, terminal};
use aux_io::file;
use jiff::civil::Date;

use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::Ui;

/// Show how findings came and went: a bar a day that `aux image watch` looked, by what could be done. A day on which nobody
/// could say is shown as unknown, never as a day without findings.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this image; all that were watched otherwise.
    #[arg(value_name = "IMAGE")]
    image: Option<String>,
    /// Only from this day on.
    #[arg(long, value_name = "DATE")]
    since: Option<Date>,
    /// Draw it into a file too, as an SVG without script, light and dark.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Where the history is kept.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print an aux.image-history/1 document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.json;
    let folder = args.state.clone().unwrap_or_else(environment::image_state_folder);
    let since = args.since.map(|day| environment::now(Some(day))).transpose()?;
    let history = History::open_existing(&folder).map_err(|error| failed(&error))?;
    let images = match history {
        Some(mut history) => history.images(args.image.as_deref(), since).map_err(|error| failed(&error))?,
        None => aux_image::history::Images::new(),
    };
    if images.is_empty() {
        let what = args.image.as_deref().map_or("no image".to_owned(), |image| format!("no image `{image}`"));
        return Err(Failure::new(format!(
            "{}: {what} was observed there{}",
            folder.display(),
            if since.is_some() { " since that day" } else { "" }
        ))
        .hint("`aux image watch SPEC --once` observes one, and --state DIR names another folder"));
    }
    if let Some(path) = &args.svg {
        file::replace(path, svg(&images).as_bytes())?;
    }
    if args.json {
        ui.answer(&json(&images))?;
    } else {
        ui.answer_rows(&terminal(&images, ui.width))?;
    }
    Ok(exit::DONE)
}

pub(super) fn failed(error: &HistoryError) -> Failure {
    Failure::new(error).hint("nothing was lost; --state DIR names another folder")
}
