//! The CVE list: the newest release of its repository, the records at midnight and those that changed since.

use aux_core::limits::FETCH_RELEASE_BYTES_MAX;
use aux_io::http::{Request, Url};
use serde::Deserialize;

use super::files::{Files, Wanted, check};
use super::{Base, FetchError};

const ALL: &str = "cve5/all_CVEs.zip";
const CHANGES: &str = "cve5/delta_CVEs.zip";

#[derive(Deserialize)]
struct Release {
    #[serde(default)]
    assets: Vec<Asset>,
}

#[derive(Deserialize)]
struct Asset {
    name: String,
    browser_download_url: String,
    /// `sha256:` and 64 digits.
    digest: Option<String>,
}

pub(super) fn fetch(files: &mut Files<'_>) -> Result<bool, FetchError> {
    let url = files.base(Base::Cve5)?;
    let request = Request::get(url.clone(), FETCH_RELEASE_BYTES_MAX).header("Accept", "application/vnd.github+json");
    let answer = files.document(&request)?;
    let wrong = |cause: String| FetchError::Interface { url: url.clone(), cause };
    let release: Release = serde_json::from_slice(&answer).map_err(|error| wrong(error.to_string()))?;
    // Their dates do not always agree with the release's, so the names are looked for and not made.
    let named = |part: &str| release.assets.iter().find(|asset| asset.name.contains(part));
    let all = named("_all_CVEs_at_midnight.zip")
        .ok_or_else(|| wrong("the release has no archive `…_all_CVEs_at_midnight.zip`".to_owned()))?;
    let mut is_changed = asset(files, all, ALL)?;
    match named("_delta_CVEs_at_") {
        Some(delta) => match asset(files, delta, CHANGES) {
            Ok(changed) => is_changed |= changed,
            // In the first hour of a day nothing has changed yet, and the archive is empty.
            Err(FetchError::Unreadable { cause, .. }) if cause.contains(crate::sources::HOLDS_NOTHING) => {
                files.remove(CHANGES)?;
            }
            Err(error) => return Err(error),
        },
        None => files.remove(CHANGES)?,
    }
    files.save()?;
    Ok(is_changed)
}

fn asset(files: &mut Files<'_>, asset: &Asset, file: &str) -> Result<bool, FetchError> {
    let url = Url::parse(&asset.browser_download_url)?;
    let stated = asset.digest.as_deref().and_then(|digest| digest.strip_prefix("sha256:")).map(str::to_lowercase);
    let known = files.known(file).filter(|_| !files.request.is_full);
    // A release's files are never replaced under the same name; its digest says so where it is given.
    if known.is_some_and(|known| known.url == url.to_string() && stated.as_ref().is_none_or(|sum| *sum == known.sha256))
    {
        return Ok(false);
    }
    let source = files.source();
    files.download(&Wanted { url: &url, file, headers: &[] }, &mut |path, state| {
        if let Some(stated) = stated.as_ref().filter(|stated| **stated != state.sha256) {
            let found = state.sha256.clone();
            return Err(FetchError::Checksum { url: url.clone(), stated: stated.clone(), found });
        }
        check(source, path, &url).map(drop)
    })
}
