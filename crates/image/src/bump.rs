//! One image bumped everywhere: a coupled change in its order, as a branch or a patch for each repository.
//!
//! The order is that of the build: the build tools must know an image before anything may point at them, and a component
//! whose precondition is missing is left as it is, with the reason.

mod edits;
mod json;
mod run;

use crate::catalog::{Catalog, Image};
use crate::pins::PinKind;
use crate::summary::Summary;

pub use edits::plan;
pub use json::{SCHEMA, json};
pub use run::{Mode, bump};

/// What every repository is bumped to, and what is known of it.
#[derive(Debug)]
pub struct Goal<'c> {
    pub image: &'c Image,
    pub catalog: &'c Catalog,
    /// What the image's branch has, where somebody said.
    pub summary: Option<&'c Summary>,
    /// The channel that it and every image it is made from must be in, where somebody said.
    pub channel: Option<&'c str>,
}

/// A step of the coupled change, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The build tools' maps learn the image.
    Maps,
    /// A component's submodule points at build tools that know it.
    Tools,
    /// `BASE_IMAGE_UUID` and `NODE_PREBUILT_IMAGE`, and the comments that name them.
    Images,
    /// Exact packages that the new branch does not have.
    Packages,
    /// `image_ver:` and `pi:`.
    Jenkins,
    /// The digest of a Dockerfile's `FROM`.
    Dockerfile,
    /// The revision of a flake.lock's input.
    Flake,
}

impl Step {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Maps => "maps",
            Self::Tools => "tools",
            Self::Images => "images",
            Self::Packages => "packages",
            Self::Jenkins => "jenkins",
            Self::Dockerfile => "dockerfile",
            Self::Flake => "flake",
        }
    }

    fn of(kind: PinKind) -> Self {
        match kind {
            PinKind::BaseImage | PinKind::NodePrebuilt => Self::Images,
            PinKind::Package => Self::Packages,
            PinKind::JenkinsImage | PinKind::JenkinsPlatform => Self::Jenkins,
            PinKind::Dockerfile => Self::Dockerfile,
            PinKind::FlakeInput => Self::Flake,
            PinKind::Submodule => Self::Tools,
            PinKind::ToolsMap => Self::Maps,
        }
    }
}

/// One thing that is changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    pub step: Step,
    pub file: String,
    /// `None` for a submodule.
    pub line: Option<usize>,
    /// What is changed: a variable, a map, a comment.
    pub name: String,
    /// `None` where it is added.
    pub from: Option<String>,
    pub to: String,
}

/// A repository and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bumped {
    /// As it was named.
    pub path: String,
    pub state: State,
    pub edits: Vec<Edit>,
    /// What somebody should know, and what stopped nothing.
    pub notes: Vec<String>,
}

/// What became of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// A branch holds the change; `is_new` where this run put it there.
    Branch { name: String, commit: String, is_new: bool },
    /// A file holds the change; `is_new` where this run wrote it.
    Patch { file: String, is_new: bool },
    /// The change is known, and nothing was to be written.
    Planned,
    /// It pins nothing that is not there already.
    Current,
    /// A precondition is missing; nothing was touched.
    Stopped { reason: String },
    /// Nobody can say what it pins; nothing was touched.
    Unread { reason: String },
}

impl State {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Branch { .. } | Self::Patch { .. } => "bumped",
            Self::Planned => "planned",
            Self::Current => "current",
            Self::Stopped { .. } => "stopped",
            Self::Unread { .. } => "unread",
        }
    }
}

/// Why an image may not be used anywhere: it and everything it is made from must be in one channel (imgapi's rule).
pub fn channel_refusal(goal: &Goal<'_>) -> Option<String> {
    let is_meant = |channel: &&String| goal.channel.is_none_or(|meant| meant == *channel);
    let mut shared: Vec<&String> = goal.image.channels.iter().filter(is_meant).collect();
    if let (Some(meant), true) = (goal.channel, shared.is_empty()) {
        return Some(format!("{} is in {}, and not in channel {meant}", goal.image.whole_name(), channels(goal.image)));
    }
    let mut image = goal.image;
    let mut seen = vec![image.uuid.as_str()];
    while let Some(uuid) = image.origin.as_deref() {
        let Some(origin) = goal.catalog.by_uuid(uuid) else {
            let image = image.whole_name();
            return goal.channel.map(|meant| {
                format!("{image} is made from {uuid}, and nobody says whether that is in channel {meant}")
            });
        };
        if seen.contains(&origin.uuid.as_str()) {
            return Some(format!("{} is made from itself, by way of its origins", image.whole_name()));
        }
        let is_told = !goal.image.channels.is_empty() && !origin.channels.is_empty();
        if is_told || goal.channel.is_some() {
            shared.retain(|channel| origin.channels.contains(channel));
            if shared.is_empty() {
                return Some(format!(
                    "{} is in {}, and its origin {} in {}: an image and its origins must share one",
                    goal.image.whole_name(),
                    channels(goal.image),
                    origin.whole_name(),
                    channels(origin)
                ));
            }
        }
        seen.push(&origin.uuid);
        image = origin;
    }
    None
}

fn channels(image: &Image) -> String {
    if image.channels.is_empty() { "no channel".to_owned() } else { format!("channel {}", image.channels.join(", ")) }
}

#[cfg(test)]
mod tests;
