//! Which images, packages and revisions a repository pins, found in every file that can say so.

pub mod dockerfile;
mod exposure;
pub mod flake;
pub mod jenkins;
mod json;
mod makefile;
pub mod tools;
pub mod work_tree;

use std::collections::BTreeMap;
use std::ops::Range;

use aux_core::Problem;

use crate::catalog::Catalog;
use crate::make::Text;

pub use exposure::{Exposure, Exposures, exposures};
pub use json::{SCHEMA, json};

/// Gives the bytes of a file by its path; `None` where there is no such file, an error where it cannot be read.
pub type ReadFile<'r> = dyn Fn(&str) -> Result<Option<Vec<u8>>, String> + 'r;

/// A repository's files as they are at one moment.
pub struct Snapshot<'s> {
    /// Paths from the root, with slashes, sorted.
    pub files: &'s [String],
    /// Submodules by their path, with the revision that is pinned.
    pub submodules: &'s BTreeMap<String, String>,
    /// The bytes of a file; `None` where there is no such file, an error where it cannot be read.
    pub read: &'s ReadFile<'s>,
}

/// Everything found in a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// By file and line.
    pub pins: Vec<Pin>,
    /// What make would print for the variables that name images, in the makefile at the root.
    pub answers: BTreeMap<&'static str, Answer>,
    /// Files of which nobody can say what they pin.
    pub problems: Vec<Problem>,
    /// What leaves a pin open that was told all the same.
    pub notes: Vec<Problem>,
}

/// What `make print-VARIABLE` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Known(String),
    /// The makefile gives it no value.
    Undefined,
    /// Only make can know.
    Unknown,
}

/// One pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    pub kind: PinKind,
    /// The variable, image, input or submodule that is pinned.
    pub name: String,
    pub value: String,
    pub file: String,
    /// Counted from 1; 0 for a submodule, which no file names.
    pub line: usize,
    /// Whether this line decides; `None` where only make can know.
    pub is_active: Option<bool>,
    /// Where the value stands in the file's text.
    pub span: Range<usize>,
    /// The comments beside it that may name the image too: the lines right above, and what stands behind it.
    pub comments: Vec<Range<usize>>,
}

/// What is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PinKind {
    /// `BASE_IMAGE_UUID`
    BaseImage,
    /// `NODE_PREBUILT_IMAGE`
    NodePrebuilt,
    /// A word of `BUILDIMAGE_PKGSRC` with a version.
    Package,
    /// `FROM` of a Dockerfile.
    Dockerfile,
    /// An input of a flake.lock.
    FlakeInput,
    /// `image_ver:` of a Jenkinsfile.
    JenkinsImage,
    /// `pi:` of a Jenkinsfile.
    JenkinsPlatform,
    /// The submodule of the build tools.
    Submodule,
    /// The newest entry of a map of the build tools.
    ToolsMap,
}

impl PinKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BaseImage => "base-image",
            Self::NodePrebuilt => "node-prebuilt",
            Self::Package => "package",
            Self::Dockerfile => "dockerfile-from",
            Self::FlakeInput => "flake-input",
            Self::JenkinsImage => "jenkins-image-ver",
            Self::JenkinsPlatform => "jenkins-pi",
            Self::Submodule => "submodule",
            Self::ToolsMap => "build-tools-map",
        }
    }
}

/// A repository and what was found in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// As it was named.
    pub path: String,
    pub pins: Pins,
}

/// A pin's image, as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'c> {
    pub image: Option<String>,
    pub branch: Option<&'c str>,
    /// Newer images of the same family; `None` where the image is not known.
    pub behind: Option<usize>,
}

impl Pin {
    /// How the pinned image stands in a catalog; `None` where the pin names no image.
    pub fn standing<'c>(&self, catalog: &'c Catalog) -> Option<Standing<'c>> {
        if !matches!(self.kind, PinKind::BaseImage | PinKind::NodePrebuilt) {
            return None;
        }
        let uuid = self.value.to_ascii_lowercase();
        let image = catalog.by_uuid(&uuid).map(crate::catalog::Image::whole_name);
        let image = image.or_else(|| catalog.maps.sdc.get(&uuid).cloned());
        Some(Standing { image, branch: catalog.branch_of(&uuid), behind: catalog.behind(&uuid) })
    }
}

impl Pin {
    /// What the image of this pin exposes; `None` where it names no image, or nobody asked.
    pub fn exposure<'e>(&self, exposures: &'e Exposures) -> Option<&'e Result<Exposure, String>> {
        let names_image = matches!(self.kind, PinKind::BaseImage | PinKind::NodePrebuilt);
        exposures.get(&self.value.to_ascii_lowercase()).filter(|_| names_image)
    }
}

/// Finds every pin. `system` is what `uname -s` says where make would run.
pub fn find(snapshot: &Snapshot<'_>, system: &str) -> Pins {
    let mut pins = Pins::default();
    makefile::find(snapshot, system, &mut pins);
    for path in snapshot.files {
        let name = path.rsplit('/').next().unwrap_or(path);
        let reader: fn(&str, &str, &mut Pins) = match name {
            "flake.lock" => flake::find,
            "validate-buildenv.sh" => tools::find,
            _ if name.starts_with("Jenkinsfile") => jenkins::find,
            _ if is_dockerfile(name) => dockerfile::find,
            _ => continue,
        };
        if let Some(text) = text(snapshot, path, &mut pins) {
            reader(path, &text.text, &mut pins);
        }
    }
    for (path, revision) in snapshot.submodules {
        if is_tools(snapshot, path) {
            pins.pins.push(Pin {
                kind: PinKind::Submodule,
                name: path.clone(),
                value: revision.clone(),
                file: path.clone(),
                line: 0,
                is_active: Some(true),
                span: 0..0,
                comments: Vec::new(),
            });
        }
    }
    pins.pins.sort_by(|one, other| {
        (&one.file, one.line, one.span.start, one.kind).cmp(&(&other.file, other.line, other.span.start, other.kind))
    });
    pins.pins.dedup();
    pins
}

/// The text of a file, where it is one; what cannot be read is a problem.
fn text(snapshot: &Snapshot<'_>, path: &str, pins: &mut Pins) -> Option<Text> {
    let mut problem = |message: String| pins.problems.push(Problem { subject: path.to_owned(), message });
    match (snapshot.read)(path) {
        Ok(bytes) => {
            let text = Text::read(&bytes?);
            match text.line_of_nul() {
                None => Some(text),
                Some(line) => {
                    problem(format!("line {line} holds a NUL, so nobody can say what the file means"));
                    None
                }
            }
        }
        Err(message) => {
            problem(message);
            None
        }
    }
}

fn is_dockerfile(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower == "dockerfile"
        || lower == "containerfile"
        || lower.starts_with("dockerfile.")
        || lower.starts_with("containerfile.")
        || lower.rsplit_once('.').is_some_and(|(_, end)| end == "dockerfile")
}

/// Whether a submodule is the build tools: by its path, or by where it comes from.
fn is_tools(snapshot: &Snapshot<'_>, path: &str) -> bool {
    path == "deps/eng" || submodule_url(snapshot, path).is_some_and(|url| is_tools_url(&url))
}

fn is_tools_url(url: &str) -> bool {
    let url = url.trim_end_matches('/');
    let name = url.rsplit(['/', ':']).next().unwrap_or(url);
    matches!(name, "eng" | "eng.git")
}

/// What `.gitmodules` says of a submodule.
fn submodule_url(snapshot: &Snapshot<'_>, path: &str) -> Option<String> {
    let bytes = (snapshot.read)(".gitmodules").ok()??;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut sections = text.split("[submodule ").skip(1);
    let value = |section: &str, key: &str| {
        let mut pairs = section.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned())
    };
    sections.find(|section| value(section, "path").as_deref() == Some(path)).and_then(|section| value(section, "url"))
}

#[cfg(test)]
mod tests;
