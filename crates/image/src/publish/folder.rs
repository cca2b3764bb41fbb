//! Into a folder that somebody serves: copied beside its place, and put there by one rename.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aux_io::file;
use pkgsrc::digest::Digest;

use super::built::{Built, hash, hashes};
use super::{PublishError, Published, State};

/// Bytes copied at once.
const COPY_BYTES: usize = 1 << 20;

/// Publishes below `folder`, which is made where it is missing. A copy that was interrupted goes on file by file.
pub fn to_folder(
    built: &Built,
    folder: &Path,
    is_dry_run: bool,
    progress: &dyn Fn(u64),
) -> Result<Published, PublishError> {
    let name = built.full_name();
    let place = folder.join(&name);
    let mut published = Published {
        place: place.display().to_string(),
        state: State::Planned,
        uuid: built.uuid.clone(),
        digest: None,
        channels: Vec::new(),
        sent_bytes: 0,
        present_bytes: 0,
    };
    if place.symlink_metadata().is_ok() {
        let is_same = place.is_dir() && hashes(&place)? == built.files;
        return if is_same {
            let length = |path| place.join(path).metadata().map(|metadata| metadata.len()).unwrap_or_default();
            let present_bytes = built.files.keys().map(length).sum();
            Ok(Published { state: State::Present, present_bytes, ..published })
        } else {
            Err(PublishError::Exists { place: published.place })
        };
    }
    if is_dry_run {
        return Ok(published);
    }
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let lock = file::lock(folder.join(".publish.lock"))?;
    let _lock = lock.ok_or_else(|| PublishError::Locked { place: folder.display().to_string() })?;
    let part = folder.join(format!(".{name}.part"));
    keep_only(&part, built)?;
    for (path, wanted) in &built.files {
        let (from, to) = (built.folder.join(path), part.join(path));
        let parent = to.parent().unwrap_or(&part);
        fs::create_dir_all(parent).map_err(failed(parent))?;
        if to.is_file() && hash(&to, Digest::SHA256)? == *wanted {
            published.present_bytes += to.metadata().map(|metadata| metadata.len()).unwrap_or_default();
            continue;
        }
        published.sent_bytes += copy(&from, &to, progress)?;
    }
    // What is on the disk is what was built, or nothing is put in place.
    if hashes(&part)? != built.files {
        let cause = io::Error::other("the copy is not what was built; check the disk");
        return Err(PublishError::Io { path: part, cause });
    }
    reach_disk(&part)?;
    fs::rename(&part, &place).map_err(failed(&place))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))?;
    published.state = State::Published;
    Ok(published)
}

/// Removes what an earlier run left that is no part of this image.
fn keep_only(part: &Path, built: &Built) -> Result<(), PublishError> {
    if part.symlink_metadata().is_err() {
        return Ok(());
    }
    let is_ours = hashes(part).is_ok_and(|files| files.keys().all(|path| built.files.contains_key(path)));
    if is_ours { Ok(()) } else { fs::remove_dir_all(part).map_err(failed(part)) }
}

fn copy(from: &Path, to: &Path, progress: &dyn Fn(u64)) -> Result<u64, PublishError> {
    let mut source = File::open(from).map_err(failed(from))?;
    let mut target = File::create(to).map_err(failed(to))?;
    let mut buffer = vec![0; COPY_BYTES];
    let mut total = 0;
    loop {
        let length = source.read(&mut buffer).map_err(failed(from))?;
        let Some(part) = buffer.get(..length).filter(|part| !part.is_empty()) else { break };
        target.write_all(part).map_err(failed(to))?;
        total += length as u64;
        progress(length as u64);
    }
    target.sync_all().map_err(failed(to))?;
    Ok(total)
}

/// Folders are written down too, or a power failure takes the names of files whose bytes are safe.
fn reach_disk(folder: &Path) -> Result<(), PublishError> {
    let mut queue = vec![folder.to_owned()];
    while let Some(next) = queue.pop() {
        for entry in fs::read_dir(&next).map_err(failed(&next))? {
            let path = entry.map_err(failed(&next))?.path();
            if path.is_dir() {
                queue.push(path);
            }
        }
        File::open(&next).and_then(|folder| folder.sync_all()).map_err(failed(&next))?;
    }
    Ok(())
}

fn failed(path: &Path) -> impl Fn(io::Error) -> PublishError + use<> {
    let path: PathBuf = path.to_owned();
    move |cause| PublishError::Io { path: path.clone(), cause }
}
