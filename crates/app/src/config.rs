//! Configuration files: `aux.toml` upward from the target, then the user's, then the system's. The nearest wins, key by
//! key; what was typed wins over all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_core::line_of;
use aux_io::input::{self, InputError};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::agent::Agent;

/// The name of the file upward from a target.
pub const FILE_NAME: &str = "aux.toml";

/// A setting and the file it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set<T> {
    pub value: T,
    pub file: PathBuf,
}

/// Every setting there is; `None` where no file says anything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// The index to audit against.
    pub feed: Option<Set<PathBuf>>,
    /// Where the feed is published, for `feed sync`.
    pub feed_url: Option<Set<String>>,
    /// The publisher's root metadata, for the first sync.
    pub feed_root: Option<Set<PathBuf>>,
    /// The folder a synced feed is kept in.
    pub feed_state: Option<Set<PathBuf>>,
    /// How many days a synced feed speaks for the present.
    pub feed_max_age_days: Option<Set<u32>>,
    /// The words of the gate.
    pub fail_on: Option<Set<String>>,
    /// Waiver files.
    pub waivers: Option<Set<Vec<PathBuf>>>,
    pub strict_waivers: Option<Set<bool>>,
    pub runtime_only: Option<Set<bool>>,
    /// Files of armored public keys that may sign a pkgsrc list.
    pub allowed_keys: Option<Set<Vec<PathBuf>>>,
    /// Caches that a configuration may name beside the distribution's own.
    pub allowed_substituters: Option<Set<Vec<String>>>,
    /// Their keys, whole.
    pub allowed_cache_keys: Option<Set<Vec<String>>>,
    /// Days after which a locked input is old.
    pub input_age_days: Option<Set<u32>>,
    /// The `[agent]` table, taken whole from the nearest file that has one.
    pub agent: Option<Set<Agent>>,
    /// Addresses that `feed fetch` asks in place of the published ones, by the source's name.
    pub fetch_bases: Option<Set<BTreeMap<String, String>>>,
    /// The `[alert]` table, taken whole, and only from the user's file or the system's: it says where findings go and
    /// which files hold secrets, which a checkout from a stranger has no say in.
    pub alert: Option<Set<toml::Table>>,
    /// The `[cache]` table, likewise: a checkout that named the server would be sent the token.
    pub cache: Option<Set<CacheServer>>,
    /// The files read, nearest first.
    pub files: Vec<PathBuf>,
}

/// The cache server that `aux cache` asks where none is typed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheServer {
    /// Its address, without the name of a cache.
    pub server: String,
    /// The file with the token for it.
    pub token_file: Option<PathBuf>,
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration cannot be read: {0}")]
    Input(#[from] InputError),
    #[error("{}:{line}: {message}", file.display())]
    Syntax { file: PathBuf, line: usize, message: String },
    #[error("{}: [{table}]: {message}", file.display())]
    Table { file: PathBuf, table: &'static str, message: String },
    #[error("{}: [{table}] is heeded in the user's file and the system's only, not in files beside a target", file.display())]
    Misplaced { file: PathBuf, table: &'static str },
}

/// Where to look beside the target's own folders.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// `$XDG_CONFIG_HOME/aux/aux.toml`, or `~/.config/aux/aux.toml`.
    pub user: Option<PathBuf>,
    /// `/etc/aux/aux.toml`.
    pub system: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    feed: Option<PathBuf>,
    feed_url: Option<String>,
    feed_root: Option<PathBuf>,
    feed_state: Option<PathBuf>,
    feed_max_age_days: Option<u32>,
    fail_on: Option<String>,
    waivers: Option<Vec<PathBuf>>,
    strict_waivers: Option<bool>,
    runtime_only: Option<bool>,
    allowed_keys: Option<Vec<PathBuf>>,
    allowed_substituters: Option<Vec<String>>,
    allowed_cache_keys: Option<Vec<String>>,
    input_age_days: Option<u32>,
    agent: Option<Agent>,
    fetch: Option<FetchTable>,
    alert: Option<toml::Table>,
    cache: Option<CacheServer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FetchTable {
    base: BTreeMap<String, String>,
}

/// Reads one file and no other, as a program does that was told which.
pub fn load_file(file: &Path) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    config.add(file)?;
    Ok(config)
}

/// Reads every configuration file that concerns `start`, a target or a folder.
pub fn load(start: &Path, places: &Places) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    let above = start.ancestors().map(|folder| folder.join(FILE_NAME));
    for file in above.chain(places.user.clone()).chain(places.system.clone()) {
        if file.is_file() && !config.files.contains(&file) {
            config.add(&file)?;
            let is_own = [&places.user, &places.system].into_iter().flatten().any(|own| *own == file);
            let alert = config.alert.as_ref().map(|set| ("alert", &set.file));
            let cache = config.cache.as_ref().map(|set| ("cache", &set.file));
            let mut set_here = [alert, cache].into_iter().flatten().filter(|(_, from)| **from == file);
            if let (false, Some((table, _))) = (is_own, set_here.next()) {
                return Err(ConfigError::Misplaced { file, table });
            }
        }
    }
    Ok(config)
}

/// Reads the user's file and the system's, and none beside a target.
pub fn load_own(places: &Places) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    for file in places.user.iter().chain(&places.system).filter(|file| file.is_file()) {
        config.add(file)?;
    }
    Ok(config)
}

impl Config {
    /// The `[alert]` table as the room of alerts reads it, and the folder that its paths are meant from.
    pub fn alert_settings<T: DeserializeOwned + Default>(&self) -> Result<(T, PathBuf), ConfigError> {
        let Some(Set { value, file }) = &self.alert else { return Ok((T::default(), PathBuf::from("."))) };
        let settings = value.clone().try_into().map_err(|error: toml::de::Error| {
            let message = error.to_string().trim_end().replace('\n', " ");
            ConfigError::Table { file: file.clone(), table: "alert", message }
        })?;
        Ok((settings, file.parent().unwrap_or(Path::new(".")).to_owned()))
    }

    fn add(&mut self, file: &Path) -> Result<(), ConfigError> {
        let bytes = input::read(file, DOCUMENT_BYTES_MAX)?;
        let syntax =
            |line, message: &str| ConfigError::Syntax { file: file.to_owned(), line, message: message.to_owned() };
        let text = std::str::from_utf8(&bytes).map_err(|_| syntax(1, "it is not UTF-8 text"))?;
        let document: Document = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            syntax(line_of(text, start), error.message())
        })?;
        // Paths are meant from the file that names them.
        let folder = file.parent().unwrap_or(Path::new("."));
        let from_here = |paths: Vec<PathBuf>| paths.into_iter().map(|path| folder.join(path)).collect();
        set(&mut self.feed, document.feed.map(|path| folder.join(path)), file);
        set(&mut self.feed_url, document.feed_url, file);
        set(&mut self.feed_root, document.feed_root.map(|path| folder.join(path)), file);
        set(&mut self.feed_state, document.feed_state.map(|path| folder.join(path)), file);
        set(&mut self.feed_max_age_days, document.feed_max_age_days, file);
        set(&mut self.fail_on, document.fail_on, file);
        set(&mut self.waivers, document.waivers.map(from_here), file);
        set(&mut self.strict_waivers, document.strict_waivers, file);
        set(&mut self.runtime_only, document.runtime_only, file);
        set(&mut self.allowed_keys, document.allowed_keys.map(from_here), file);
        set(&mut self.allowed_substituters, document.allowed_substituters, file);
        set(&mut self.allowed_cache_keys, document.allowed_cache_keys, file);
        set(&mut self.input_age_days, document.input_age_days, file);
        set(&mut self.agent, document.agent.map(|agent| agent.in_folder(folder)), file);
        set(&mut self.fetch_bases, document.fetch.map(|table| table.base), file);
        set(&mut self.alert, document.alert, file);
        let in_folder =
            |cache: CacheServer| CacheServer { token_file: cache.token_file.map(|path| folder.join(path)), ..cache };
        set(&mut self.cache, document.cache.map(in_folder), file);
        self.files.push(file.to_owned());
        Ok(())
    }
}

/// A nearer file has already spoken where a value stands.
fn set<T>(slot: &mut Option<Set<T>>, value: Option<T>, file: &Path) {
    if let (None, Some(value)) = (&slot, value) {
        *slot = Some(Set { value, file: file.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_wins_key_by_key_and_paths_are_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        let write = |name: &str, text: &str| aux_io::file::replace(folder.path().join(name), text.as_bytes()).unwrap();
        write("aux.toml", "feed = \"feed.auxdb\"\nfail_on = \"any\"\n");
        write("a/b/aux.toml", "fail_on = \"kev\"\n");
        write("user.toml", "feed = \"/else\"\nruntime_only = true\n");
        let places = Places { user: Some(folder.path().join("user.toml")), system: None };
        let config = load(&inner, &places).unwrap();
        assert_eq!(config.feed.unwrap().value, folder.path().join("feed.auxdb"));
        assert_eq!(config.fail_on.as_ref().unwrap().value, "kev");
        assert_eq!(config.fail_on.unwrap().file, inner.join("aux.toml"));
        assert!(config.runtime_only.unwrap().value);
        assert_eq!(config.files.len(), 3);
    }

    #[test]
    fn alerts_are_set_up_by_the_users_file_and_never_by_a_checkout() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("aux.toml");
        aux_io::file::replace(&file, b"[alert.webhook.evil]\nurl = \"https://evil.example\"\n").unwrap();
        let error = load(folder.path(), &Places::default()).unwrap_err();
        assert!(matches!(error, ConfigError::Misplaced { .. }), "{error}");
        let places = Places { user: Some(file), system: None };
        let config = load(Path::new("/nonexistent"), &places).unwrap();
        let (table, own): (toml::Table, _) = config.alert_settings().unwrap();
        assert!(table.contains_key("webhook"));
        assert_eq!(own, folder.path());
    }

    #[test]
    fn the_cache_server_is_named_by_the_users_file_and_never_by_a_checkout() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("aux.toml");
        aux_io::file::replace(&file, b"[cache]\nserver = \"https://c.example\"\ntoken_file = \"token\"\n").unwrap();
        let error = load(folder.path(), &Places::default()).unwrap_err();
        assert!(matches!(error, ConfigError::Misplaced { table: "cache", .. }), "{error}");
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let own = inner.join("aux.toml");
        std::fs::rename(&file, &own).unwrap();
        aux_io::file::replace(&file, b"fail_on = \"any\"\n").unwrap();
        // A file above the user's own has nothing of it.
        assert!(load(&inner, &Places { user: Some(own.clone()), system: None }).is_ok());
        std::fs::rename(&own, &file).unwrap();
        let places = Places { user: Some(file), system: Some(folder.path().join("none")) };
        for config in [load_own(&places), load(Path::new("/nonexistent"), &places)] {
            let cache = config.unwrap().cache.unwrap().value;
            let token_file = Some(folder.path().join("token"));
            assert_eq!(cache, CacheServer { server: "https://c.example".to_owned(), token_file });
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        aux_io::file::replace(folder.path().join("aux.toml"), b"\nfeeds = 1\n").unwrap();
        let error = load(folder.path(), &Places::default()).unwrap_err().to_string();
        assert!(error.contains("aux.toml:2: unknown field `feeds`"), "{error}");
    }
}
