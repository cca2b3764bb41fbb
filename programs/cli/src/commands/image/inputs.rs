//! What `aux image plan` and `build` are told in common: the branch's packages, the vulnerability list, the image before.

use std::path::{Path, PathBuf};

use aux_advisory::index::Index;
use aux_core::limits::{IMAGE_CATALOG_BYTES_MAX, IMAGE_LIST_BYTES_MAX};
use aux_core::{Ecosystem, Inventory};
use aux_image::audit::{Branch, Question, Report, audit};
use aux_image::{Gate, Spec, Summary};
use aux_io::http::{Request, Url};
use aux_io::input;
use aux_io::source::Source;
use jiff::Timestamp;
use jiff::civil::Date;

use super::audit::{list, refusals};
use crate::commands::{environment, network};
use crate::failure::Failure;
use crate::ui::Ui;

/// Names of a summary beside the packages of a repository, the best packed first.
const SUMMARIES: [&str; 5] = ["pkg_summary.zst", "pkg_summary.xz", "pkg_summary.gz", "pkg_summary.bz2", "pkg_summary"];

#[derive(Debug, clap::Args)]
pub(crate) struct Inputs {
    /// What a branch has, its `pkg_summary`; that of the specification's branch is fetched from its repository where it is
    /// not named.
    #[arg(long = "summary", value_name = "BRANCH=FILE", num_args = 1..)]
    summaries: Vec<String>,
    /// The vulnerability list of pkgsrc.
    #[arg(long, value_name = "FILE")]
    vulnerabilities: Option<PathBuf>,
    /// What the image holds today: its `.pkgs.json`, or any list.
    #[arg(long, value_name = "LIST")]
    current: Option<String>,
    /// The index that knows severity, known exploitation and the team's class.
    #[arg(long, value_name = "FILE.auxdb")]
    feed: Option<PathBuf>,
    /// Armored public keys, one of which must have signed the vulnerability list.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Judge age as on this day.
    #[arg(long, value_name = "DATE")]
    pub(super) as_of: Option<Date>,
    /// Where it is remembered which revisions of the list were seen.
    #[arg(long, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
    /// Allow packages over plain http:// from other machines; their checksums come the same way.
    #[arg(long)]
    allow_insecure: bool,
}

/// A specification from its file.
pub(super) fn spec(path: &Path) -> Result<Spec, Failure> {
    let bytes = input::read(path, IMAGE_CATALOG_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::new(format!("{}: is not UTF-8", path.display())))?;
    Spec::read(&text).map_err(|error| {
        Failure::new(format!("{}: {error}", path.display())).hint("docs/formats/image-spec.md shows one")
    })
}

impl Inputs {
    /// The way to packages and summaries.
    pub(super) fn source(&self) -> Result<Source, Failure> {
        network::source(self.allow_insecure)
    }

    pub(super) fn has_list(&self) -> bool {
        self.vulnerabilities.is_some()
    }

    /// The branches, the specification's own first. Whatever is wrong with that one ends it here.
    pub(super) fn branches(&self, spec: &Spec) -> Result<Vec<Branch>, Failure> {
        let mut branches = Vec::new();
        for word in &self.summaries {
            let (name, file) = word.split_once('=').ok_or_else(|| {
                Failure::new(format!("--summary `{word}` names no branch"))
                    .hint("--summary BRANCH=FILE, for example --summary 2018Q4=pkg_summary.gz")
            })?;
            branches.push(super::audit::branch((name, file)));
        }
        match branches.iter().position(|branch| branch.name == spec.branch) {
            Some(own) => {
                let own = branches.remove(own);
                branches.insert(0, own);
            }
            None => branches.insert(0, self.fetched(spec)?),
        }
        if let Some(Branch { file, summary, .. }) = branches.first() {
            match summary {
                Err(message) => return Err(Failure::new(format!("{file}: {message}")).hint("fetch it again")),
                Ok(summary) => {
                    if let Some((line, message)) = summary.problems().first() {
                        return Err(Failure::new(format!("{file}:{line}: {message}")).hint("fetch it again"));
                    }
                }
            }
        }
        Ok(branches)
    }

    fn fetched(&self, spec: &Spec) -> Result<Branch, Failure> {
        let repository = repository(spec)?;
        let source = self.source()?;
        let mut missing = None;
        for name in SUMMARIES {
            let url = repository.join(name).map_err(Failure::new)?;
            let response = source
                .fetch(&Request::get(url.clone(), IMAGE_LIST_BYTES_MAX))
                .map_err(|error| Failure::http(&error))?;
            if response.is_missing() {
                missing = Some(response.unexpected());
                continue;
            }
            let bytes = response.success().and_then(aux_io::http::Response::bytes);
            let bytes = bytes.map_err(|error| Failure::http(&error))?;
            let file = url.to_string();
            let unpacked = input::unpack(&file, &bytes, IMAGE_LIST_BYTES_MAX)?.unwrap_or(bytes);
            let summary = Summary::read(&unpacked).map_err(|error| error.to_string());
            return Ok(Branch { name: spec.branch.clone(), file, summary });
        }
        Err(missing.map_or_else(|| Failure::new("no summary"), |error| Failure::http(&error)))
    }

    /// What the image holds today; an empty image where nobody says, and when it was built.
    pub(super) fn current(&self) -> (Inventory, Option<Timestamp>) {
        let Some(current) = &self.current else {
            return (Inventory::new("nothing", aux_core::TargetKind::PkgsrcList), None);
        };
        let mut options = environment::read_options();
        options.ecosystem = Some(Ecosystem::PKGSRC);
        let built = input::read(current, IMAGE_CATALOG_BYTES_MAX).ok().and_then(|bytes| {
            let document: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
            document.get("built")?.as_str()?.parse().ok()
        });
        (aux_inventory::read(current, &options), built)
    }

    /// Whether there is an image to compare with.
    pub(super) fn has_current(&self) -> bool {
        self.current.is_some()
    }

    /// Audits images one by one, by the same list and branches; nothing where no list was named.
    pub(super) fn audits(
        &self,
        images: &[&Inventory],
        branches: &[Branch],
        gate: &Gate,
        ui: &mut Ui,
    ) -> Result<Option<Vec<Report>>, Failure> {
        let Some(path) = &self.vulnerabilities else { return Ok(None) };
        let now = environment::now(self.as_of)?;
        let mapped =
            self.feed.as_ref().map(aux_io::file::map).transpose().map_err(|error| Failure::feed_file(&error))?;
        let index = match (&mapped, &self.feed) {
            (Some(mapped), Some(path)) => Some(Index::open(mapped).map_err(|error| Failure::feed(path, &error))?),
            _ => None,
        };
        let list = list(path, self.key.as_deref())?;
        let refusals = match &list {
            Ok(list) => refusals(list, self.key.is_some(), (self.as_of, now), self.state.as_deref(), ui)?,
            Err(_) => Vec::new(),
        };
        let list_file = path.display().to_string();
        let mut reports = Vec::new();
        for image in images {
            let images = [(*image).clone()];
            let question = Question {
                images: &images,
                list_file: &list_file,
                list: list.as_ref().map_err(String::as_str),
                refusals: &refusals,
                branches,
                index: index.as_ref(),
                gate,
                now,
            };
            reports.push(audit(&question).map_err(|error| Failure::new(format!("the feed: {error}")))?);
        }
        Ok(Some(reports))
    }
}

/// Where a specification's packages are, with a slash at its end.
pub(super) fn repository(spec: &Spec) -> Result<Url, Failure> {
    let text = spec.repository.as_ref().ok_or_else(|| {
        Failure::new("the specification names no repository of packages").hint("repository = \"https://…/All/\"")
    })?;
    let text = if text.ends_with('/') { text.clone() } else { format!("{text}/") };
    Url::parse(&text).map_err(|error| Failure::new(format!("repository: {error}")))
}
