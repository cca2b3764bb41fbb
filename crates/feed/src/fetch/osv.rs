//! OSV's exports: an archive an ecosystem, and a list of what changed when, newest first.

use aux_core::limits::{FETCH_FILE_BYTES_MAX, FETCH_OSV_RECORD_BYTES_MAX};
use aux_io::http::Request;

use super::door::Manners;
use super::files::{Files, Wanted, check};
use super::{Base, FetchError, time};

/// Up to so many changed records are fetched one by one; beyond, the archive costs less.
const SINGLE_RECORDS_MAX: usize = 300;
/// After so many days the archive is fetched anew: a record that was removed is in no list of changes.
const ARCHIVE_DAYS_MAX: i64 = 30;

pub(super) fn fetch(files: &mut Files<'_>, ecosystems: &[String]) -> Result<bool, FetchError> {
    let mut is_changed = false;
    for ecosystem in ecosystems {
        is_changed |= one(files, ecosystem)?;
    }
    Ok(is_changed)
}

fn one(files: &mut Files<'_>, ecosystem: &str) -> Result<bool, FetchError> {
    let archive = format!("osv/{}.zip", file_name(ecosystem));
    let changes = changes(files, ecosystem)?;
    let known = files.known(&archive).filter(|_| !files.request.is_full);
    let age = known.and_then(|known| known.fetched).map(|fetched| time::days_between(fetched, files.now()));
    let since = files.state().newest.get(ecosystem).cloned();
    if let (Some(changes), Some(since), Some(0..ARCHIVE_DAYS_MAX)) = (&changes, since, age) {
        let ids: Vec<&str> =
            changes.iter().filter(|change| change.modified > since).map(|change| change.id.as_str()).collect();
        if ids.is_empty() {
            return Ok(false);
        }
        if ids.len() <= SINGLE_RECORDS_MAX {
            singles(files, ecosystem, &ids)?;
            return remember(files, ecosystem, &changes[..]).map(|()| true);
        }
    }
    let url = files.base(Base::Osv)?.below(&format!("{ecosystem}/all.zip"))?;
    let source = files.source();
    let is_changed = files.download(&Wanted { url: &url, file: &archive, headers: &[] }, &mut |path, _| {
        check(source, path, &url).map(drop)
    })?;
    let prefix = format!("osv/{}+", file_name(ecosystem));
    let superseded: Vec<String> =
        files.state().files.keys().filter(|file| file.starts_with(&prefix)).cloned().collect();
    for file in superseded {
        files.remove(&file)?;
    }
    // The list was read before the archive: what changed in between is fetched once more, and never missed.
    remember(files, ecosystem, changes.as_deref().unwrap_or_default())?;
    Ok(is_changed)
}

struct Change {
    modified: String,
    id: String,
}

/// What changed when; `None` where a mirror has no such list.
fn changes(files: &Files<'_>, ecosystem: &str) -> Result<Option<Vec<Change>>, FetchError> {
    let url = files.base(Base::Osv)?.below(&format!("{ecosystem}/modified_id.csv"))?;
    let request = Request::get(url.clone(), FETCH_FILE_BYTES_MAX);
    let (response, bytes) = files.door.document(&request, Manners::Ordinary, files.request.now)?;
    if response.is_missing() {
        return Ok(None);
    }
    if !response.is_success() {
        return Err(response.unexpected().into());
    }
    let wrong = |line: &str| FetchError::Interface {
        url: url.clone(),
        cause: format!("`{}` is not a moment and an id", line.chars().take(80).collect::<String>()),
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut changes = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (modified, id) = line.split_once(',').ok_or_else(|| wrong(line))?;
        let id = id.trim();
        let is_name = !id.is_empty() && !id.contains(['/', '\\', ',']) && !id.starts_with('.');
        // Moments of one export are written alike, so that text order is their order; this is checked here.
        let modified: jiff::Timestamp = modified.trim().parse().map_err(|_| wrong(line))?;
        if !is_name {
            return Err(wrong(line));
        }
        changes.push(Change { modified: format!("{modified:.9}"), id: id.to_owned() });
    }
    Ok(Some(changes))
}

/// Fetches the changed records, as one list.
fn singles(files: &mut Files<'_>, ecosystem: &str, ids: &[&str]) -> Result<(), FetchError> {
    let base = files.base(Base::Osv)?;
    let file = format!("osv/{}+{}.json", file_name(ecosystem), time::stamp(files.now()));
    let mut records: Vec<Vec<u8>> = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        let url = base.below(&format!("{ecosystem}/{id}.json"))?;
        let request = Request::get(url.clone(), FETCH_OSV_RECORD_BYTES_MAX);
        let (response, bytes) = files.door.document(&request, Manners::Ordinary, files.request.now)?;
        files.door.progress(&file, index as u64 + 1, Some(ids.len() as u64));
        if response.is_missing() {
            continue; // Removed since the list was written.
        }
        if !response.is_success() {
            return Err(response.unexpected().into());
        }
        aux_advisory::osv::read(&bytes, &mut |record| drop(record))
            .map_err(|error| FetchError::Unreadable { url, cause: error.to_string() })?;
        records.push(bytes);
    }
    if records.is_empty() {
        return Ok(());
    }
    let list = [b"[".as_slice(), &records.join(&b",\n"[..]), b"]\n"].concat();
    let state = files.keep(&file, &list, &base.below(ecosystem)?)?;
    files.state().files.insert(file, state);
    Ok(())
}

fn remember(files: &mut Files<'_>, ecosystem: &str, changes: &[Change]) -> Result<(), FetchError> {
    if let Some(newest) = changes.iter().map(|change| &change.modified).max() {
        files.state().newest.insert(ecosystem.to_owned(), newest.clone());
    }
    files.save()
}

/// An ecosystem's name where it cannot leave its folder.
fn file_name(ecosystem: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = ecosystem.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    name.trim_start_matches('.').to_owned()
}
