//! NVD's CVE API 2.0: pages of everything, then pages of what changed since, in windows of at most 120 days.

use std::collections::BTreeMap;
use std::time::Duration;

use aux_advisory::nvd;
use aux_core::limits::DOCUMENT_BYTES_MAX;
use aux_io::http::{Request, Response, Url};
use aux_io::input;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::door::Manners;
use super::files::Files;
use super::state::Paging;
use super::{Base, FetchError, time};

/// As many as the API gives at once ("resultsPerPage").
const PAGE_RECORDS: u64 = 2_000;
/// Dates of one request lie at most so far apart ("lastModStartDate").
const WINDOW_DAYS_MAX: i64 = 120;
/// After so many files of changes everything is fetched anew, so that a build does not read ever more of them.
const CHANGE_FILES_MAX: usize = 120;

pub(super) fn fetch(files: &mut Files<'_>, key: Option<&str>, pause: Duration) -> Result<bool, FetchError> {
    let now = files.now();
    let api = Api { url: files.base(Base::NvdApi)?, key, pause };
    let changes = files.state().files.keys().filter(|file| file.contains("/changes-")).count();
    let is_full = files.request.is_full || changes >= CHANGE_FILES_MAX;
    if let Some(paging) = files.state().paging.clone()
        && !(files.request.is_full && paging.until.is_some())
    {
        pages(files, &api, paging)?;
    } else if is_full || files.state().changes_until.is_none() {
        let paging = Paging { started: Some(now), from: None, until: None, next_index: 0, files: BTreeMap::new() };
        pages(files, &api, paging)?;
    }
    let mut is_changed = false;
    while let Some(from) = files.state().changes_until.filter(|from| *from < now) {
        let until = window_end(from, now);
        let (from, until) = (Some(from), Some(until));
        let paging = Paging { started: Some(now), from, until, next_index: 0, files: BTreeMap::new() };
        is_changed |= pages(files, &api, paging)?;
    }
    Ok(is_changed || files.state().full == Some(now))
}

fn window_end(from: Timestamp, now: Timestamp) -> Timestamp {
    let longest = from.checked_add(SignedDuration::from_hours(24 * WINDOW_DAYS_MAX - 1)).unwrap_or(now);
    longest.min(now)
}

struct Api<'k> {
    url: Url,
    key: Option<&'k str>,
    pause: Duration,
}

impl Api<'_> {
    fn request(&self, paging: &Paging) -> Request {
        let mut url = self.url.clone();
        for (name, date) in [("lastModStartDate", paging.from), ("lastModEndDate", paging.until)] {
            if let Some(date) = date {
                url = url.with_parameter(name, &time::for_nvd(date));
            }
        }
        let url = url
            .with_parameter("resultsPerPage", &PAGE_RECORDS.to_string())
            .with_parameter("startIndex", &paging.next_index.to_string());
        let request = Request::get(url, DOCUMENT_BYTES_MAX).header("Accept-Encoding", "gzip");
        match self.key {
            Some(key) => request.header("apiKey", key),
            None => request,
        }
    }
}

/// Fetches page after page, each kept before the next is asked for; says whether anything came.
fn pages(files: &mut Files<'_>, api: &Api<'_>, mut paging: Paging) -> Result<bool, FetchError> {
    let kind = if paging.until.is_some() { "changes" } else { "cves" };
    // Two windows of one fetch start at different moments; what they are called must differ.
    let stamp = time::stamp(paging.until.or(paging.started).unwrap_or_else(|| files.now()));
    loop {
        if files.door.requests() > 0 {
            files.door.wait(api.pause);
        }
        let request = api.request(&paging);
        let (response, bytes) = files.door.document(&request, Manners::Nvd, files.request.now)?;
        if !response.is_success() {
            return Err(response.unexpected().into());
        }
        let page = page(&response, &bytes, paging.next_index)?;
        if page.count > 0 {
            let packing = if bytes.starts_with(&[0x1f, 0x8b]) { ".gz" } else { "" };
            let file = format!("nvd/{kind}-{stamp}-{:07}.json{packing}", paging.next_index);
            let state = files.keep(&file, &bytes, &response.url)?;
            paging.files.insert(file.clone(), state);
            files.door.progress(&file, paging.next_index + page.count, Some(page.total));
        }
        paging.next_index += page.count;
        files.state().paging = Some(paging.clone());
        if paging.next_index >= page.total {
            return finish(files, paging);
        }
        files.save()?;
    }
}

fn finish(files: &mut Files<'_>, paging: Paging) -> Result<bool, FetchError> {
    let is_changed = !paging.files.is_empty();
    let is_full = paging.until.is_none();
    if is_full {
        let earlier: Vec<String> = files.state().files.keys().cloned().collect();
        for file in earlier.iter().filter(|file| !paging.files.contains_key(*file)) {
            files.remove(file)?;
        }
    }
    let now = files.now();
    let state = files.state();
    state.changes_until = if is_full { paging.started } else { paging.until };
    if is_full {
        state.full = Some(now);
    }
    state.files.extend(paging.files);
    state.paging = None;
    files.save()?;
    Ok(is_changed)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(rename = "resultsPerPage")]
    count: u64,
    start_index: u64,
    #[serde(rename = "totalResults")]
    total: u64,
}

/// The page's own numbers, once the parser that a build uses has read it.
fn page(response: &Response, bytes: &[u8], wanted_index: u64) -> Result<Page, FetchError> {
    let url = &response.url;
    let unreadable = |cause: String| FetchError::Unreadable { url: url.clone(), cause };
    let wrong = |cause: String| FetchError::Interface { url: url.clone(), cause };
    let unpacked =
        input::unpack(&url.to_string(), bytes, DOCUMENT_BYTES_MAX).map_err(|error| unreadable(error.message()))?;
    let document = unpacked.as_deref().unwrap_or(bytes);
    let page: Page = serde_json::from_slice(document).map_err(|error| unreadable(error.to_string()))?;
    nvd::read(document, &mut |record| drop(record)).map_err(|error| unreadable(error.to_string()))?;
    if page.start_index != wanted_index {
        return Err(wrong(format!("the page from {wanted_index} was asked for, and {} came", page.start_index)));
    }
    if page.count == 0 && wanted_index < page.total {
        return Err(wrong(format!("an empty page at {wanted_index} of {} records", page.total)));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_is_longer_than_the_interface_allows() {
        let from: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let now: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        let mut start = from;
        let mut windows = 0;
        while start < now {
            let end = window_end(start, now);
            assert!(end.as_second() - start.as_second() <= 120 * 86_400);
            (start, windows) = (end, windows + 1);
        }
        assert_eq!((start, windows), (now, 3));
    }
}
