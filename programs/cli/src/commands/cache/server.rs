//! Which server is asked, and with which token: what all commands of `aux cache` share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aux_app::config::load_own;
use aux_cache::client::{CacheClient, ClientError, Document};
use aux_core::limits::SECRET_FILE_BYTES_MAX;
use aux_io::http::{HttpClient, Url};
use aux_io::private::{self, PrivateError};
use aux_nix::StorePath;
use zeroize::Zeroizing;

use crate::commands::{environment, network};
use crate::failure::Failure;
use crate::ui::Ui;

/// Checking or collecting a large store, or sending a large NAR over a slow line.
const REQUEST_LIMIT: Duration = Duration::from_hours(12);

#[derive(Debug, clap::Args)]
pub(crate) struct Server {
    /// The server, such as `https://cache.example.org`, without the name of a cache; that of `[cache]` in aux.toml otherwise.
    #[arg(long = "server", value_name = "URL")]
    url: Option<String>,
    /// A file with the token and nothing else, which only you may read; for the server of aux.toml the one named there.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Allow plain http:// to other machines, which shows the token to everybody on the way.
    #[arg(long)]
    allow_insecure: bool,
    /// Print the answer as one document.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Server {
    /// A client; opens no connection.
    pub(crate) fn client(&self) -> Result<CacheClient, Failure> {
        let (url, token_file) = self.named()?;
        let token = token_file.as_deref().map(|path| private::text(path, SECRET_FILE_BYTES_MAX)).transpose();
        let token = token.map_err(|error| {
            let hint = match &error {
                PrivateError::Readable { .. } => "chmod 600 it; who reads it may do what the token may",
                _ => "the server writes the first one to DIR/admin-token; `aux cache token create` makes others",
            };
            let named = if self.token_file.is_some() { "--token-file" } else { "token_file of aux.toml" };
            Failure::new(format!("{named}: {error}")).hint(hint)
        })?;
        let token = token.map(|text| Zeroizing::new(text.trim().to_owned()));
        if let (Some(path), true) = (&token_file, token.as_ref().is_some_and(|token| token.is_empty())) {
            return Err(Failure::new(format!("{}: holds no token", path.display()))
                .hint("the server writes the first one to DIR/admin-token; `aux cache token create` makes others"));
        }
        let mut options = network::options(self.allow_insecure)?;
        options.total_limit = REQUEST_LIMIT;
        options.response_limit = REQUEST_LIMIT;
        let http = HttpClient::new(options).map_err(|error| Failure::http(&error))?;
        Ok(CacheClient::new(http, url, token))
    }

    /// The server and the file with the token. What aux.toml names is for the server that it names, and for no other.
    fn named(&self) -> Result<(Url, Option<PathBuf>), Failure> {
        let parsed = |text: &str, named: &str| {
            Url::parse(text).map_err(|error| {
                Failure::new(format!("{named}: {error}")).hint("for example https://cache.example.org")
            })
        };
        let own = || load_own(&environment::config_places()).map(|config| config.cache.map(|set| set.value));
        let (url, token_file) = match (&self.url, &self.token_file) {
            // Whoever types both needs no file, and a file that cannot be read has no token for the server that is typed.
            (Some(text), Some(_)) => (parsed(text, "--server")?, None),
            (Some(text), None) => {
                let url = parsed(text, "--server")?;
                let own = own().unwrap_or_default().filter(|own| Url::parse(&own.server).is_ok_and(|own| own == url));
                (url, own.and_then(|own| own.token_file))
            }
            (None, _) => {
                let own = own().map_err(Failure::new)?.ok_or_else(|| {
                    Failure::new("which server? --server URL names it")
                        .hint("or once, in ~/.config/aux/aux.toml: [cache] with `server` and `token_file`")
                })?;
                (parsed(&own.server, "server of aux.toml")?, own.token_file)
            }
        };
        Ok((url, self.token_file.clone().or(token_file)))
    }

    /// Prints the document as it came where that is wanted; else what `lines` says.
    pub(crate) fn answer(
        &self,
        document: &Document,
        ui: &mut Ui,
        lines: impl FnOnce() -> Result<Vec<String>, ClientError>,
    ) -> Result<(), Failure> {
        if self.json {
            return ui.answer(&format!("{:#}\n", document.value()));
        }
        let lines = lines().map_err(|error| Failure::cache(&error))?;
        ui.answer_rows(&lines)
    }
}

/// A cache of the server, and nothing more to say.
#[derive(Debug, clap::Args)]
pub(crate) struct InCache {
    /// The cache.
    #[arg(long = "in", value_name = "CACHE")]
    pub(crate) cache: String,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// A link is followed here, also one whose target is gone; all else is the server's to know.
pub(crate) fn store_path(typed: &str) -> String {
    let store = environment::read_options().store_dir;
    let path = Path::new(typed);
    if path.starts_with(&store) {
        return typed.to_owned();
    }
    let gone =
        || path.read_link().ok().filter(|target| target.starts_with(&store))?.into_os_string().into_string().ok();
    aux_inventory::store_path_of(path, &store).or_else(gone).unwrap_or_else(|| typed.to_owned())
}

/// What a person may type for a store path: whole, its last part, a link to it, or for questions its 32 characters alone.
pub(crate) fn digest_of(text: &str) -> Result<String, Failure> {
    const DIGEST_LENGTH: usize = 32;
    let text = store_path(text);
    let base = text.rsplit('/').next().unwrap_or_default();
    if base.len() == DIGEST_LENGTH {
        return Ok(base.to_owned());
    }
    let path = StorePath::parse_base(base)
        .map_err(|error| Failure::new(error).hint("name a store path, or a link to one such as ./result"))?;
    Ok(path.digest().to_owned())
}

/// Bytes as people read them.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut scale = 1;
    while bytes / scale >= 1_000 && unit + 1 < UNITS.len() {
        scale *= 1_000;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 {
        return format!("{bytes} {name}");
    }
    format!("{}.{} {name}", bytes / scale, bytes % scale / (scale / 10))
}

/// A size as people type it: bytes, or a whole number of units, decimal or binary.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 9] = [
        ("", 1),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];
    let (number, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()));
    let scale = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim())).map(|(_, scale)| *scale);
    let bytes = number.parse::<u64>().ok().zip(scale).and_then(|(number, scale)| number.checked_mul(scale));
    bytes.ok_or_else(|| {
        "a size is a number of bytes, or one with kB, MB, GB, TB, KiB, MiB, GiB or TiB behind it".to_owned()
    })
}

/// A moment without its fraction of a second.
pub(crate) fn moment(text: &str) -> String {
    text.parse::<jiff::Timestamp>()
        .map_or_else(|_| text.to_owned(), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_digit_after_the_point() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_050), "1.0 kB");
        assert_eq!(size(1_148_000_000), "1.1 GB");
        assert_eq!(size(u64::MAX), "18446744.0 TB");
    }

    #[test]
    fn a_size_is_typed_with_a_unit_or_without() {
        assert_eq!(
            ["7", "500GB", "2 tib", "0"].map(|text| parse_size(text).unwrap()),
            [7, 500_000_000_000, 2 << 40, 0]
        );
        for text in ["", "GB", "-1", "1.5GB", "99999999TB", "1 PB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_store_path_is_typed_in_three_ways() {
        let digest = "01rwx9dqpbp7r777v319h2acnmqqawp0";
        for text in [digest, &format!("{digest}-a"), &format!("/nix/store/{digest}-a")] {
            assert_eq!(digest_of(text).unwrap(), digest);
        }
        assert!(digest_of("hello").is_err());
    }
}
