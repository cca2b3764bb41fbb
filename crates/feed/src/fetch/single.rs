//! Sources that are one file: KEV and pkgsrc's pkg-vulnerabilities.

use super::files::{Files, Wanted};
use super::{Base, FetchError};

pub(super) fn fetch(files: &mut Files<'_>, base: Base, file: &str) -> Result<bool, FetchError> {
    let url = files.base(base)?;
    let source = files.source();
    files.download(&Wanted { url: &url, file, headers: &[] }, &mut |path, _| {
        super::files::check(source, path, &url).map(drop)
    })
}
