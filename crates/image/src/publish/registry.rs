//! Into an OCI registry (OCI distribution specification 1.1, "Push"): blobs that are missing, then the manifest by its tag.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use aux_core::limits::{IMAGE_CHUNK_BYTES, IMAGE_CHUNK_BYTES_MIN, IMAGE_PUBLISH_ATTEMPTS_MAX};
use aux_io::http::{HttpError, Method, Response, Url, UrlError};
use pkgsrc::digest::Digest;

use super::built::{Blob, Built, SHA256};
use super::connection::{Connection, refused, request};
use super::{PublishError, Published, State, Surroundings, Uploads};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCTETS: &str = "application/octet-stream";

/// A repository of a registry, and the tag that names the image there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryTarget {
    base: Url,
    repository: String,
    tag: Option<String>,
    /// Bytes sent at once of a larger blob.
    chunk_bytes: u64,
}

/// A place that cannot be published to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error("`{0}` is no name of a repository: small letters and digits in parts between slashes, such as team/origin")]
    Repository(String),
    #[error("`{0}` is no tag: letters, digits, dots, dashes and underscores, at most 128")]
    Tag(String),
    #[error("a URL with a password in it is not taken; name a file with --credentials")]
    Password,
}

impl RegistryTarget {
    /// Reads `https://registry.example/team/origin`, with `:TAG` behind it where it is not the image's version.
    pub fn read(text: &str) -> Result<Self, TargetError> {
        let url = Url::parse(text)?;
        if url.has_credentials() {
            return Err(TargetError::Password);
        }
        let base = url.join("/")?;
        let path = text.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
        let path = path.unwrap_or_default().trim_end_matches('/');
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        let is_part = |part: &str| {
            let is_plain = |one: u8| one.is_ascii_lowercase() || one.is_ascii_digit();
            !part.is_empty()
                && part.bytes().all(|one| is_plain(one) || b"._-".contains(&one))
                && part.bytes().next().is_some_and(is_plain)
                && part.bytes().last().is_some_and(is_plain)
        };
        if repository.len() > 255 || !repository.split('/').all(is_part) {
            return Err(TargetError::Repository(repository.to_owned()));
        }
        let tag = tag.map(str::to_owned);
        check_tag(tag.as_deref())?;
        Ok(Self { base, repository: repository.to_owned(), tag, chunk_bytes: IMAGE_CHUNK_BYTES })
    }

    /// Sends at most so many bytes at once.
    #[must_use]
    pub fn in_chunks(mut self, chunk_bytes: u64) -> Self {
        self.chunk_bytes = chunk_bytes.max(IMAGE_CHUNK_BYTES_MIN);
        self
    }

    /// The tag the image gets.
    fn tag(&self, built: &Built) -> Result<String, TargetError> {
        let tag = self.tag.clone().unwrap_or_else(|| built.version.clone());
        check_tag(Some(&tag))?;
        Ok(tag)
    }
}

fn check_tag(tag: Option<&str>) -> Result<(), TargetError> {
    let is_sound = |tag: &str| {
        tag.len() <= 128
            && tag.starts_with(|one: char| one.is_ascii_alphanumeric() || one == '_')
            && tag.bytes().all(|one| one.is_ascii_alphanumeric() || b"._-".contains(&one))
    };
    match tag.filter(|tag| !is_sound(tag)) {
        Some(tag) => Err(TargetError::Tag(tag.to_owned())),
        None => Ok(()),
    }
}

/// Publishes an image whose channel rules were checked. What an interrupted run sent is not sent again.
pub fn to_registry(
    built: &Built,
    target: &RegistryTarget,
    uploads: &mut Uploads,
    world: &Surroundings<'_>,
) -> Result<Published, PublishError> {
    let tag = target.tag(built).map_err(|error| PublishError::answer(&target.base, error.to_string()))?;
    let mut push = Push { target, connection: Connection::challenged(target.base.clone(), world), uploads };
    let place = push.url(&format!("manifests/{tag}"))?;
    let host = target.base.to_string();
    let host = host.split_once("://").map_or(host.as_str(), |(_, host)| host);
    let mut published = Published {
        place: format!("{host}{}:{tag}", target.repository),
        state: State::Planned,
        uuid: built.uuid.clone(),
        digest: Some(built.oci_digest.clone()),
        channels: Vec::new(),
        sent_bytes: 0,
        present_bytes: 0,
    };
    match push.tagged(&place)? {
        Some(digest) if digest != built.oci_digest => return Err(PublishError::Exists { place: published.place }),
        Some(_) => published.state = State::Present,
        None => {}
    }
    let mut missing = Vec::new();
    for blob in &built.blobs {
        if push.has(blob)? { published.present_bytes += blob.bytes } else { missing.push(blob) }
    }
    if world.is_dry_run || (published.state == State::Present && missing.is_empty()) {
        return Ok(published);
    }
    for blob in missing {
        published.sent_bytes += push.send(blob)?;
    }
    push.manifest(&place, built)?;
    push.verify(&place, built)?;
    published.state = State::Published;
    Ok(published)
}

struct Push<'p> {
    target: &'p RegistryTarget,
    connection: Connection<'p>,
    uploads: &'p mut Uploads,
}

impl Push<'_> {
    fn url(&self, below: &str) -> Result<Url, PublishError> {
        Ok(self.target.base.below(&format!("v2/{}/{below}", self.target.repository))?)
    }

    /// The digest that a tag names; `None` where there is no such tag.
    fn tagged(&self, place: &Url) -> Result<Option<String>, PublishError> {
        let request = request(place.clone(), Method::Get).header("Accept", MANIFEST);
        let response = self.connection.send(&request)?;
        match response.status {
            404 => Ok(None),
            200 => Ok(Some(digest_of(&response.body.into_bytes()?))),
            _ => Err(refused(response)),
        }
    }

    /// Whether a blob is there, as long as it should be.
    fn has(&self, blob: &Blob) -> Result<bool, PublishError> {
        let url = self.url(&format!("blobs/{}", blob.digest))?;
        let response = self.connection.send(&request(url.clone(), Method::Head))?;
        match response.status {
            404 => Ok(false),
            200 => {
                let length = response.header("content-length").and_then(|length| length.parse::<u64>().ok());
                match length.filter(|length| *length != blob.bytes) {
                    // A HEAD may leave the length out (RFC 9110, section 9.3.2), and some libraries make that zero.
                    Some(length) if length != 0 => Err(PublishError::Digest {
                        url,
                        wanted: format!("{} bytes", blob.bytes),
                        found: format!("{length} bytes"),
                    }),
                    _ => Ok(true),
                }
            }
            // Many servers say no more to a HEAD than that.
            _ => Err(refused(response)),
        }
    }

    /// Sends a blob, going on where it was interrupted; gives the bytes that went out.
    fn send(&mut self, blob: &Blob) -> Result<u64, PublishError> {
        let key = format!("{}{} {}", self.target.base, self.target.repository, blob.digest);
        let (mut attempt, mut sent, mut reached) = (1, 0, 0);
        loop {
            let before = reached;
            let error = match self.try_send(blob, &key, &mut sent, &mut reached) {
                Ok(()) => {
                    self.uploads.note(&key, None)?;
                    return Ok(sent);
                }
                Err(error) => error,
            };
            if !error.is_passing() && !is_over(&error) {
                return Err(error);
            }
            // What came further than ever may fail as often again; a registry that forgets each time is given up.
            attempt = if reached > before { 1 } else { attempt + 1 };
            if attempt > IMAGE_PUBLISH_ATTEMPTS_MAX {
                return Err(error);
            }
            self.connection.pause(attempt);
        }
    }

    fn try_send(&mut self, blob: &Blob, key: &str, sent: &mut u64, reached: &mut u64) -> Result<(), PublishError> {
        let begun = self.uploads.place(key).map(str::to_owned);
        let begun = match begun {
            Some(place) => self.going_on(&place, blob)?,
            None => None,
        };
        let (mut place, mut offset) = match begun {
            Some(begun) => begun,
            None => (self.begin()?, 0),
        };
        self.uploads.note(key, Some(place.to_url().as_str()))?;
        while blob.bytes - offset > self.target.chunk_bytes {
            let length = self.target.chunk_bytes;
            let response = self.part(&place, blob, (offset, length), Method::Patch { body: Vec::new() })?;
            if response.status != 202 {
                // A session that is over or elsewhere is no use; the next attempt begins anew.
                self.uploads.note(key, None)?;
                return Err(refused(response));
            }
            place = location(&response)?;
            self.uploads.note(key, Some(place.to_url().as_str()))?;
            (offset, *sent) = (offset + length, *sent + length);
            if offset > *reached {
                (self.connection.world.progress)(length);
                *reached = offset;
            }
        }
        let length = blob.bytes - offset;
        let end = place.with_parameter("digest", &blob.digest);
        let response = self.part(&end, blob, (offset, length), Method::Put { body: Vec::new() })?;
        if response.status != 201 {
            self.uploads.note(key, None)?;
            return Err(refused(response));
        }
        *sent += length;
        (self.connection.world.progress)(length);
        check_digest(&response, &blob.digest)
    }

    /// Begins an upload.
    fn begin(&self) -> Result<Url, PublishError> {
        let url = self.url("blobs/uploads/")?;
        let response = self.connection.once(&request(url, Method::Post { body: Vec::new() }))?;
        if response.status == 202 { location(&response) } else { Err(refused(response)) }
    }

    /// Where an upload that was begun goes on; `None` where the registry knows nothing of it.
    fn going_on(&self, place: &str, blob: &Blob) -> Result<Option<(Url, u64)>, PublishError> {
        let Ok(place) = Url::parse(place) else { return Ok(None) };
        let response = self.connection.once(&request(place.clone(), Method::Get))?;
        if response.status != 204 {
            return Ok(None);
        }
        let next = if response.location.is_some() { location(&response)? } else { place };
        let last = response.header("range").and_then(|range| range.rsplit('-').next()?.trim().parse::<u64>().ok());
        // `0-0` is what many say of nothing at all; a single byte is not worth telling apart.
        let offset = last.filter(|last| *last > 0).map_or(0, |last| last + 1);
        Ok((offset <= blob.bytes).then_some((next, offset)))
    }

    fn part(
        &self,
        place: &Url,
        blob: &Blob,
        (offset, length): (u64, u64),
        method: Method,
    ) -> Result<Response, PublishError> {
        let mut request = request(place.clone(), method).header("Content-Type", OCTETS);
        if length > 0 && length < blob.bytes {
            request = request.header("Content-Range", format!("{offset}-{}", offset + length - 1));
        }
        self.connection.upload(&request, &|| reader(&blob.path, offset, length), length)
    }

    fn manifest(&self, place: &Url, built: &Built) -> Result<(), PublishError> {
        let method = Method::Put { body: built.oci_manifest.clone() };
        let response = self.connection.send(&request(place.clone(), method).header("Content-Type", MANIFEST))?;
        if response.status == 201 { check_digest(&response, &built.oci_digest) } else { Err(refused(response)) }
    }

    /// What is there now is what was built: the manifest byte for byte, and every blob it names.
    fn verify(&self, place: &Url, built: &Built) -> Result<(), PublishError> {
        let found = self.tagged(place)?.unwrap_or_else(|| "nothing".to_owned());
        if found != built.oci_digest {
            return Err(PublishError::Digest { url: place.clone(), wanted: built.oci_digest.clone(), found });
        }
        for blob in &built.blobs {
            if !self.has(blob)? {
                let (wanted, found) = (blob.digest.clone(), "nothing".to_owned());
                return Err(PublishError::Digest { url: place.clone(), wanted, found });
            }
        }
        Ok(())
    }
}

/// Whether a registry says that it knows nothing of an upload, or of so much of it.
fn is_over(error: &PublishError) -> bool {
    match error {
        PublishError::Refused { status, .. } | PublishError::Http(HttpError::Status { status, .. }) => {
            matches!(status, 404 | 416)
        }
        _ => false,
    }
}

fn digest_of(mut bytes: &[u8]) -> String {
    // Reading from memory does not fail.
    format!("{SHA256}{}", Digest::SHA256.hash_file(&mut bytes).unwrap_or_default())
}

fn check_digest(response: &Response, wanted: &str) -> Result<(), PublishError> {
    match response.header("docker-content-digest").filter(|found| *found != wanted) {
        Some(found) => {
            let (wanted, found) = (wanted.to_owned(), aux_core::visible::visible(found).into_owned());
            Err(PublishError::Digest { url: response.url.clone(), wanted, found })
        }
        None => Ok(()),
    }
}

/// Where an upload goes on. Another origin is the registry's own choice, but never one in the clear.
fn location(response: &Response) -> Result<Url, PublishError> {
    let url = &response.url;
    let text =
        response.location.as_deref().ok_or_else(|| PublishError::answer(url, "does not say where to upload to"))?;
    let place = url.join(text)?;
    if place.is_file() || (!place.is_same_origin(url) && !place.is_https()) {
        return Err(PublishError::answer(url, format!("wants the upload at {place}, which is not encrypted")));
    }
    Ok(place)
}

fn reader(path: &Path, offset: u64, length: u64) -> Result<Box<dyn Read>, PublishError> {
    let failed = |cause| PublishError::Io { path: path.to_owned(), cause };
    let mut file = File::open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    Ok(Box::new(file.take(length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_server_a_repository_and_perhaps_a_tag() {
        let target = RegistryTarget::read("https://registry.example:5000/team/origin:18.4").unwrap();
        assert_eq!(target.base.to_string(), "https://registry.example:5000/");
        assert_eq!((target.repository.as_str(), target.tag.as_deref()), ("team/origin", Some("18.4")));
        let plain = RegistryTarget::read("http://127.0.0.1:5000/origin/").unwrap();
        assert_eq!((plain.repository.as_str(), plain.tag), ("origin", None));
        for wrong in [
            "https://h",
            "https://h/",
            "https://h/A",
            "https://h/a//b",
            "https://h/a/../b",
            "https://h/a:b/c",
            "https://h/a:",
            "https://user:password@h/a",
            "h/a",
            "ftp://h/a",
            "https://h/-a",
            "https://h/a?b",
            "https://h/a@sha256:00",
        ] {
            let error = RegistryTarget::read(wrong).unwrap_err().to_string();
            assert!(!error.contains("password@"), "{error}");
        }
    }
}
