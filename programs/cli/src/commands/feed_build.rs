//! `aux feed build`: compile advisory sources and a triage folder into one index.

use std::path::{Path, PathBuf};

use aux_app::{config, exit};
use aux_feed::{BuildRequest, build};
use jiff::civil::Date;

use super::environment;
use crate::failure::Failure;
use crate::ui::{Ui, counted};

/// Compile advisory sources and a triage folder into one index.
///
/// PATH is a file, a folder, a zip or a tar, packed with gzip, zstd or xz or not at all. The same inputs give the same bytes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sources: Sources,
    /// Where to write the index.
    #[arg(long, short, value_name = "FILE.auxdb")]
    output: PathBuf,
    /// Also write titles and references, which reports show where the pack lies beside the index.
    #[arg(long, value_name = "FILE.auxdetails")]
    details: Option<PathBuf>,
    /// Say nothing but errors.
    #[arg(long, short)]
    quiet: bool,
}

/// Where advisories and decisions come from.
#[derive(Debug, clap::Args)]
pub(crate) struct Sources {
    /// NVD 2.0 JSON: yearly files or API pages.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    nvd: Vec<PathBuf>,
    /// OSV records.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    osv: Vec<PathBuf>,
    /// CVE JSON 5 records.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    cve5: Vec<PathBuf>,
    /// pkgsrc's pkg-vulnerabilities.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pkgsrc: Vec<PathBuf>,
    /// CISA's catalogue of known exploited vulnerabilities.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    kev: Vec<PathBuf>,
    /// The security team's folder: identities, vendors, statements, classes, fixes.
    #[arg(long, value_name = "DIR")]
    pub(crate) triage: Option<PathBuf>,
    /// Armored public keys; every pkgsrc list must be signed by one of them. `allowed_keys` of aux.toml otherwise.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pkgsrc_key: Vec<PathBuf>,
    /// Leave out what was published after this day (2021-02-28).
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
}

impl Sources {
    /// What was typed, as the feed room asks for it.
    pub(crate) fn request(self, keeps_prose: bool) -> Result<BuildRequest, Failure> {
        let config = config::load(&environment::absolute(Path::new(".")), &environment::config_places())
            .map_err(Failure::new)?;
        let allowed = config.allowed_keys.map(|set| set.value).unwrap_or_default();
        Ok(BuildRequest {
            nvd: self.nvd,
            osv: self.osv,
            cve5: self.cve5,
            pkgsrc: self.pkgsrc,
            kev: self.kev,
            triage: self.triage,
            pkgsrc_keys: if self.pkgsrc_key.is_empty() { allowed } else { self.pkgsrc_key },
            as_of: self.as_of,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            keeps_prose,
        })
    }
}

pub(crate) fn run(args: Args, ui: &mut Ui) -> Result<u8, Failure> {
    ui.is_quiet |= args.quiet;
    let request = args.sources.request(args.details.is_some())?;
    let bar = ui.progress("reading sources");
    let built = build(&request, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let built = built?;
    aux_io::file::replace(&args.output, &built.index)?;
    if let (Some(path), Some(details)) = (&args.details, &built.details) {
        aux_io::file::replace(path, details)?;
    }
    for remark in &built.remarks {
        ui.remark(remark);
    }
    let advisories = counted(built.advisories, "advisory", "advisories");
    let documents = counted(built.documents, "document", "documents");
    let bytes = built.index.len();
    ui.remark(&format!("{}: {advisories} from {documents}, {bytes} bytes", args.output.display()));
    Ok(exit::DONE)
}
