//! Which feed a round audits against: a file that somebody puts there, or the one that is synced here.

use std::path::{Path, PathBuf};

use aux_app::config::Config;
use aux_core::limits::FEED_METADATA_BYTES_MAX;
use aux_io::http::{HttpClient, HttpOptions, Proxy, Url};
use aux_io::source::Source;
use aux_sync::{Progress, State, SyncRequest, sync};
use jiff::Timestamp;

/// Where the feed comes from.
#[derive(Debug, Clone)]
pub(crate) enum Feed {
    /// Taken as given; only its own date is known.
    File(PathBuf),
    /// Synced into a folder, from a URL where one is configured.
    Synced { folder: PathBuf, url: Option<String>, root: Option<PathBuf> },
}

#[expect(clippy::disallowed_methods, reason = "where the proxy stands is a fact about the surroundings")]
pub(crate) fn proxy() -> Result<Option<Proxy>, String> {
    aux_app::proxy(|name| std::env::var(name).ok()).map_err(|error| format!("{error}; {}", error.advice()))
}

impl Feed {
    /// What was typed, else the configured file, else what is synced: into `feed` of the agent's own state.
    pub(crate) fn chosen(typed: Option<&Path>, config: &Config, state: &Path) -> Self {
        let file = typed.map(Path::to_path_buf).or_else(|| config.feed.as_ref().map(|set| set.value.clone()));
        match file {
            Some(file) => Self::File(file),
            None => Self::Synced {
                folder: config.feed_state.as_ref().map_or_else(|| state.join("feed"), |set| set.value.clone()),
                url: config.feed_url.as_ref().map(|set| set.value.clone()),
                root: config.feed_root.as_ref().map(|set| set.value.clone()),
            },
        }
    }

    /// The file that changes with the feed.
    pub(crate) fn place(&self) -> PathBuf {
        match self {
            Self::File(file) => file.clone(),
            Self::Synced { folder, .. } => folder.join("feed.json"),
        }
    }

    /// Makes the folder that is synced into. Where that is not possible, the sync will say so.
    pub(crate) fn prepare(&self) {
        if let Self::Synced { folder, .. } = self {
            std::fs::create_dir_all(folder).ok();
        }
    }

    /// When the publisher last vouched for it, where it is synced.
    pub(crate) fn signed(&self) -> Option<Timestamp> {
        match self {
            Self::File(_) => None,
            Self::Synced { folder, .. } => State::new(folder).current().ok().flatten().map(|current| current.signed),
        }
    }

    /// Brings it up to date. The error is a sentence; the feed that was here stays, and its age is judged as ever.
    pub(crate) fn sync(&self, now: Timestamp) -> Result<(), String> {
        let Self::Synced { folder, url: Some(url), root } = self else { return Ok(()) };
        let state = State::new(folder);
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        // A configured root starts the first sync only: a newer root that was followed from it is not forgotten.
        let is_first = state.current().map_err(|error| error.to_string())?.is_none();
        let root = root.as_ref().filter(|_| is_first);
        let root = root.map(|path| aux_io::input::read(path, FEED_METADATA_BYTES_MAX)).transpose();
        let root = root.map_err(|error| error.to_string())?;
        let mut options = HttpOptions::new(concat!("auxd/", env!("CARGO_PKG_VERSION")));
        options.proxy = proxy()?;
        let client = HttpClient::new(options).map_err(|error| error.to_string())?;
        let request = SyncRequest { url: &url, root: root.as_deref(), now, progress: Progress::silent() };
        sync(&state, &Source::new(client), &request).map(drop).map_err(|error| format!("{error}; {}", error.advice()))
    }

    /// The index to audit against.
    pub(crate) fn index(&self) -> Result<PathBuf, String> {
        match self {
            Self::File(file) => Ok(file.clone()),
            Self::Synced { folder, .. } => {
                let state = State::new(folder);
                let current = state.current().map_err(|error| error.to_string())?;
                current.map(|current| state.index_path(&current)).ok_or_else(|| {
                    "no feed to audit against; set `feed_url` and `feed_root`, or `feed`, in the configuration"
                        .to_owned()
                })
            }
        }
    }
}
