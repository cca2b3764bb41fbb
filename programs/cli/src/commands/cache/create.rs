//! `aux cache create`: a cache to push to, or a view of one that shows what was promoted.

use std::path::{Path, PathBuf};

use aux_app::exit;
use aux_cache::client::{NewCache, NewView};
use aux_core::limits::{CACHE_REQUEST_BYTES_MAX, SECRET_FILE_BYTES_MAX};

use super::server::Server;
use crate::failure::Failure;
use crate::ui::Ui;

/// Make a cache that can be pushed to, or with --view-of a view that shows what was promoted into it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name: lower-case letters, digits and dashes.
    #[arg(value_name = "NAME")]
    name: String,
    /// Make a view of this cache.
    #[arg(long, value_name = "CACHE")]
    view_of: Option<String>,
    /// With --view-of: a file with the policy that decides what may be promoted, TOML.
    #[arg(long, value_name = "FILE", requires = "view_of")]
    policy: Option<PathBuf>,
    /// Let everybody read it, without a token.
    #[arg(long)]
    anonymous: bool,
    /// Add the server's own signature to what is pushed. A view always does.
    #[arg(long, conflicts_with = "view_of")]
    signs: bool,
    /// Take only what one of these public keys signed, name:base64; may be given several times.
    #[arg(long = "key", value_name = "KEY", conflicts_with = "view_of")]
    keys: Vec<String>,
    /// What Nix asks first: lower numbers before higher ones.
    #[arg(long, value_name = "NUMBER")]
    priority: Option<u32>,
    #[command(flatten)]
    server: Server,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let client = args.server.client()?;
    let name = args.name.clone();
    let (document, line) = if let Some(source) = &args.view_of {
        let policy = args.policy.as_deref().map(text).transpose()?;
        let view = NewView { name, source: source.clone(), anonymous: args.anonymous, policy, priority: args.priority };
        let line = format!("view {} of {source} made; what is promoted into it is served", args.name);
        (client.create_view(&view), line)
    } else {
        for key in &args.keys {
            aux_nix::signature::PublicKey::parse(key).map_err(|error| {
                Failure::new(format!("--key {key}: {error}")).hint("a public key is one line of trusted-public-keys")
            })?;
        }
        let keys = args.keys.clone();
        let cache = NewCache { name, anonymous: args.anonymous, signs: args.signs, keys, priority: args.priority };
        let line = format!("cache {} made; push with: aux cache push PATH --to {}", args.name, args.name);
        (client.create_cache(&cache), line)
    };
    let document = document.map_err(|error| Failure::cache(&error))?;
    args.server.answer(&document, ui, || Ok(vec![line]))?;
    Ok(exit::DONE)
}

/// A small file of text.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    text_within(path, SECRET_FILE_BYTES_MAX)
}

/// An SBOM, as large as a request may be.
pub(super) fn sbom(path: &Path) -> Result<String, Failure> {
    text_within(path, CACHE_REQUEST_BYTES_MAX as u64)
}

fn text_within(path: &Path, limit_bytes: u64) -> Result<String, Failure> {
    let bytes = aux_io::input::read(path, limit_bytes)?;
    String::from_utf8(bytes).map_err(|_| Failure::new(format!("{}: is not UTF-8", path.display())))
}
