//! `aux feed build`: compile advisory sources and a triage folder into one index.

use std::path::PathBuf;

use aux_app::exit;
use aux_feed::{BuildRequest, build};
use jiff::civil::Date;

use crate::failure::Failure;
use crate::ui::Ui;

/// PATH is a file, a folder or a tar, packed with gzip, zstd or xz or not at all.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// NVD 2.0 JSON: yearly files or API pages.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    nvd: Vec<PathBuf>,
    /// The security team's folder: identities, statements, classes, fixes.
    #[arg(long, value_name = "DIR")]
    triage: Option<PathBuf>,
    /// Leave out what was published after this day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Where to write the index.
    #[arg(long, short, value_name = "FILE.auxdb")]
    output: PathBuf,
    /// Say nothing but errors.
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.quiet;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let request = BuildRequest { nvd: args.nvd, triage: args.triage, as_of: args.as_of, threads };
    let bar = ui.progress("reading sources");
    let built = build(&request, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let built = built?;
    aux_io::file::replace(&args.output, &built.index)?;
    ui.remark(&format!(
        "{}: {} advisories from {} documents, {} bytes",
        args.output.display(),
        built.advisories,
        built.documents,
        built.index.len()
    ));
    Ok(exit::DONE)
}
