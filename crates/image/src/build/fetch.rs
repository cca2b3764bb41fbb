//! A package's file, from a repository to bytes that are what the branch's summary says.

use std::io::Read;

use aux_core::limits::IMAGE_PACKAGE_BYTES_MAX;
use aux_io::http::{HttpError, Request, Url};
use aux_io::source::Source;
use pkgsrc::digest::Digest;

use crate::summary::Package;

/// Attempts at one package; each goes on from its beginning.
const ATTEMPTS_MAX: u32 = 3;

/// Why a package is not here, or not what it should be. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{package}: {cause}")]
    Http { package: String, cause: HttpError },
    #[error("{package}: `{name}` is no name of a file in a repository")]
    Name { package: String, name: String },
    #[error("{package}: the branch's summary has no checksum that can be trusted for it (FILE_CKSUM)")]
    Unchecked { package: String },
    #[error("{package}: its {algorithm} checksum is {found}, and the summary says {wanted}")]
    Checksum { package: String, algorithm: String, found: String, wanted: String },
    #[error("{package}: it has {found} bytes, and the summary says {wanted}")]
    Size { package: String, found: u64, wanted: u64 },
}

/// Fetches one package from `repository`, whose path ends with a slash, and checks it.
pub fn fetch(source: &Source, repository: &Url, package: &Package) -> Result<Vec<u8>, FetchError> {
    let full_name = package.full_name();
    let name = package.file_name.clone().unwrap_or_else(|| format!("{full_name}.tgz"));
    let wrong = || FetchError::Name { package: full_name.clone(), name: name.clone() };
    if name.contains(['/', '\\', '?', '#', '%']) || name.starts_with('.') {
        return Err(wrong());
    }
    let url = repository.join(&name).map_err(|_| wrong())?;
    let mut attempt = 1;
    let bytes = loop {
        match once(source, &url) {
            Ok(bytes) => break bytes,
            Err(_) if attempt < ATTEMPTS_MAX => attempt += 1,
            Err(cause) => return Err(FetchError::Http { package: full_name, cause }),
        }
    };
    check(package, &bytes)?;
    Ok(bytes)
}

fn once(source: &Source, url: &Url) -> Result<Vec<u8>, HttpError> {
    source.fetch(&Request::get(url.clone(), IMAGE_PACKAGE_BYTES_MAX))?.success()?.bytes()
}

/// Checks size and checksum. SHA-1 is what most repositories publish, and is taken only with the size.
pub(super) fn check(package: &Package, bytes: &[u8]) -> Result<(), FetchError> {
    let full_name = package.full_name();
    let found = bytes.len() as u64;
    if let Some(wanted) = package.file_size_bytes.filter(|wanted| *wanted != found) {
        return Err(FetchError::Size { package: full_name, found, wanted });
    }
    let words: Vec<&str> = package.file_checksum.as_deref().unwrap_or_default().split_whitespace().collect();
    let (digest, algorithm, wanted) = match words[..] {
        [algorithm, sum] => match algorithm.to_ascii_lowercase().as_str() {
            "sha512" => (Digest::SHA512, algorithm, sum),
            "sha256" => (Digest::SHA256, algorithm, sum),
            "sha1" if package.file_size_bytes.is_some() => (Digest::SHA1, algorithm, sum),
            _ => return Err(FetchError::Unchecked { package: full_name }),
        },
        _ => return Err(FetchError::Unchecked { package: full_name }),
    };
    let found = digest.hash_file(&mut bytes.take(found)).unwrap_or_default();
    if !found.eq_ignore_ascii_case(wanted) {
        let (algorithm, wanted) = (algorithm.to_owned(), wanted.to_owned());
        return Err(FetchError::Checksum { package: full_name, algorithm, found, wanted });
    }
    Ok(())
}
