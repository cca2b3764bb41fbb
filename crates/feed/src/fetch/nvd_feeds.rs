//! NVD's yearly files (NVD "Data Feeds", JSON 2.0): each beside a `.meta` that states its checksum.

use aux_core::hexadecimal;
use aux_core::limits::{DOCUMENT_BYTES_MAX, FETCH_META_BYTES_MAX};
use aux_io::http::Request;
use aux_io::input;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::files::{Files, Wanted, check};
use super::{Base, FetchError, time};

/// The first file holds all earlier years too.
const FIRST_YEAR: i16 = 2002;
/// `modified` holds what changed in the last eight days; a fetch within these takes it alone.
const MODIFIED_DAYS: i64 = 6;

pub(super) fn fetch(files: &mut Files<'_>) -> Result<bool, FetchError> {
    let now = files.now();
    let last_year = now.to_zoned(TimeZone::UTC).year();
    let is_full = files.request.is_full;
    let full = files.state().full;
    let mut is_changed = false;
    if is_full || full.is_none_or(|full| time::days_between(full, now) >= MODIFIED_DAYS) {
        for year in FIRST_YEAR..=last_year {
            match one(files, &year.to_string()) {
                Ok(changed) => is_changed |= changed,
                // A year's first file appears some time after the year began.
                Err(FetchError::Http(aux_io::http::HttpError::Status { status: 404, .. })) if year == last_year => {}
                Err(error) => return Err(error),
            }
        }
        files.state().full = Some(now);
        files.state().changes_until = None;
        let pages: Vec<String> =
            files.state().files.keys().filter(|file| !file.contains("/nvdcve-")).cloned().collect();
        for page in pages {
            files.remove(&page)?;
        }
    }
    Ok(one(files, "modified")? || is_changed)
}

/// A year, or `modified`. The checksum is asked for again once: both files are replaced while they are fetched.
fn one(files: &mut Files<'_>, name: &str) -> Result<bool, FetchError> {
    match attempt(files, name) {
        Err(FetchError::Checksum { .. }) => attempt(files, name),
        other => other,
    }
}

fn attempt(files: &mut Files<'_>, name: &str) -> Result<bool, FetchError> {
    let base = files.base(Base::Nvd)?;
    let meta_url = base.below(&format!("nvdcve-2.0-{name}.meta"))?;
    let meta = files.document(&Request::get(meta_url.clone(), FETCH_META_BYTES_MAX))?;
    let stated = stated_checksum(&meta).ok_or_else(|| {
        let cause = "it states no sha256 of 64 digits".to_owned();
        FetchError::Interface { url: meta_url, cause }
    })?;
    let file = format!("nvd/nvdcve-2.0-{name}.json.gz");
    let known = files.known(&file).filter(|_| !files.request.is_full);
    if known.and_then(|known| known.stated_sha256).as_ref() == Some(&stated) {
        return Ok(false);
    }
    let url = base.below(&format!("nvdcve-2.0-{name}.json.gz"))?;
    let source = files.source();
    // A server that answers "unchanged" although the checksum changed would hold us for ever: no tag is sent.
    files.forget_tags(&file);
    files.download(&Wanted { url: &url, file: &file, headers: &[] }, &mut |path, state| {
        let unreadable = |cause: String| FetchError::Unreadable { url: url.clone(), cause };
        let document = input::read(path, DOCUMENT_BYTES_MAX).map_err(|error| unreadable(error.message()))?;
        let found = hexadecimal(&Sha256::digest(&document));
        if found != stated {
            return Err(FetchError::Checksum { url: url.clone(), stated: stated.clone(), found });
        }
        drop(document);
        check(source, path, &url)?;
        state.stated_sha256 = Some(stated.clone());
        Ok(())
    })
}

/// Lines of `name:value`; the checksum is of the unpacked document, in capitals.
fn stated_checksum(meta: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(meta).ok()?;
    let sum = text.lines().find_map(|line| line.trim().strip_prefix("sha256:"))?.trim();
    (sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| sum.to_ascii_lowercase())
}
