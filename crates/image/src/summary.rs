//! `pkg_summary(5)`: which packages a branch has, one block of `VARIABLE=VALUE` lines each.
//!
//! The crate `pkgsrc` has a reader too. It holds every field of every package as its own text and ends at the first
//! byte that is not UTF-8; a branch has twenty thousand packages, and descriptions are in whatever encoding.

use std::collections::BTreeMap;
use std::str;

use aux_core::limits::{IMAGE_SUMMARY_PACKAGES_MAX, NAME_BYTES_MAX};
use aux_core::version::{Scheme, sort};
use pkgsrc::Pattern;

/// What a branch has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Sorted by name, then by version, the newest last.
    packages: Vec<Package>,
    /// Names whose packages take the place of others, by the name they replace.
    superseding: BTreeMap<String, Vec<usize>>,
    /// What could not be read, with the line.
    problems: Vec<(usize, String)>,
}

/// One package of a branch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    pub version: String,
    /// `DEPENDS`: patterns, each of which some package must satisfy.
    pub depends: Vec<String>,
    /// `CONFLICTS`: patterns of what may not be there too.
    pub conflicts: Vec<String>,
    /// `SUPERSEDES`: patterns of what it takes the place of.
    pub supersedes: Vec<String>,
    /// `PKGPATH`: `security/openssl`.
    pub path: String,
    pub comment: String,
    pub license: String,
    pub homepage: String,
    /// `FILE_NAME`; `name-version.tgz` where it is left out.
    pub file_name: Option<String>,
    /// `FILE_CKSUM`: an algorithm and a sum, as `sha1 da39a3ee…`.
    pub file_checksum: Option<String>,
    /// `FILE_SIZE`, bytes.
    pub file_size_bytes: Option<u64>,
}

impl Package {
    /// `openssl-1.0.2q`.
    pub fn full_name(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

/// Why a document is no summary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SummaryError {
    #[error("names no package: it was cut short, or is no pkg_summary")]
    Empty,
    #[error("more than {IMAGE_SUMMARY_PACKAGES_MAX} packages (IMAGE_SUMMARY_PACKAGES_MAX)")]
    TooMany,
}

/// Variables every entry of a whole summary has (`pkg_summary(5)`).
const REQUIRED: [&str; 11] = [
    "BUILD_DATE",
    "CATEGORIES",
    "COMMENT",
    "DESCRIPTION",
    "MACHINE_ARCH",
    "OPSYS",
    "OS_VERSION",
    "PKGNAME",
    "PKGPATH",
    "PKGTOOLS_VERSION",
    "SIZE_PKG",
];

/// One entry while its lines are read.
#[derive(Default)]
struct Block {
    package: Package,
    /// A bit for each of [`REQUIRED`] that stood there.
    present: u16,
    line: usize,
}

impl Summary {
    /// Reads a summary, unpacked.
    pub fn read(document: &[u8]) -> Result<Self, SummaryError> {
        let mut reading = Reading::default();
        for (index, line) in document.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                reading.end_of_block()?;
            } else {
                reading.line(index + 1, line);
            }
        }
        reading.end_of_block()?;
        reading.whole(document)
    }

    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// What could not be read, with the line.
    pub fn problems(&self) -> &[(usize, String)] {
        &self.problems
    }

    /// The packages of a name, the newest last.
    pub fn named(&self, name: &str) -> &[Package] {
        let start = self.packages.partition_point(|package| package.name.as_str() < name);
        let rest = self.packages.get(start..).unwrap_or_default();
        let count = rest.partition_point(|package| package.name.as_str() == name);
        rest.get(..count).unwrap_or_default()
    }

    /// The packages that say they take the place of `name-version`.
    pub fn superseding(&self, name: &str, version: &str) -> Vec<&Package> {
        let whole = format!("{name}-{version}");
        let indexes = self.superseding.get(name).into_iter().flatten();
        let packages = indexes.filter_map(|index| self.packages.get(*index));
        let takes = |package: &&Package| {
            let patterns = package.supersedes.iter().filter_map(|pattern| Pattern::new(pattern).ok());
            patterns.into_iter().any(|pattern| pattern.matches(&whole) || pattern.pattern() == name)
        };
        packages.filter(takes).collect()
    }
}

#[derive(Default)]
struct Reading {
    summary: Summary,
    block: Block,
    /// What every block so far had.
    common: Option<u16>,
    /// What the last block had, and its line.
    last: (u16, usize),
}

impl Reading {
    fn line(&mut self, number: usize, line: &[u8]) {
        if self.block.line == 0 {
            self.block.line = number;
        }
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else {
            let message = "the line is not VARIABLE=VALUE: the summary is cut short or damaged";
            return self.summary.problems.push((number, message.to_owned()));
        };
        let (variable, value) = (line.get(..equals).unwrap_or_default(), line.get(equals + 1..).unwrap_or_default());
        if let Some(bit) = REQUIRED.iter().position(|name| name.as_bytes() == variable) {
            self.block.present |= 1 << bit;
        }
        let text = || String::from_utf8_lossy(value).into_owned();
        let package = &mut self.block.package;
        match variable {
            b"PKGNAME" => {
                if let Some((name, version)) = name_and_version(value) {
                    package.name = name.to_owned();
                    package.version = version.to_owned();
                } else {
                    let message = format!("`{}` is no name of a package", String::from_utf8_lossy(value));
                    self.summary.problems.push((number, message));
                }
            }
            b"DEPENDS" => package.depends.push(text()),
            b"CONFLICTS" => package.conflicts.push(text()),
            b"SUPERSEDES" => package.supersedes.push(text()),
            b"PKGPATH" => package.path = text(),
            b"COMMENT" => package.comment = text(),
            b"LICENSE" => package.license = text(),
            b"HOMEPAGE" => package.homepage = text(),
            b"FILE_NAME" => package.file_name = Some(text()),
            b"FILE_CKSUM" => package.file_checksum = Some(text()),
            b"FILE_SIZE" => match text().trim().parse() {
                Ok(bytes) => package.file_size_bytes = Some(bytes),
                Err(_) => self.summary.problems.push((number, "FILE_SIZE is no number".to_owned())),
            },
            _ => {}
        }
    }

    fn end_of_block(&mut self) -> Result<(), SummaryError> {
        let Block { package, present, line } = std::mem::take(&mut self.block);
        if line == 0 {
            return Ok(());
        }
        if package.name.is_empty() {
            self.summary.problems.push((line, "the entry has no PKGNAME".to_owned()));
        } else {
            self.summary.packages.push(package);
        }
        let (last, _) = self.last;
        if self.last.1 > 0 {
            self.common = Some(self.common.map_or(last, |common| common & last));
        }
        self.last = (present, line);
        if self.summary.packages.len() > IMAGE_SUMMARY_PACKAGES_MAX { Err(SummaryError::TooMany) } else { Ok(()) }
    }

    /// Looks whether the document ended as it should, and sorts what it had.
    fn whole(mut self, document: &[u8]) -> Result<Summary, SummaryError> {
        let (last, line) = self.last;
        let missing = self.common.unwrap_or(last) & !last;
        if let Some(bit) = (0..REQUIRED.len()).find(|bit| missing >> bit & 1 == 1) {
            let name = REQUIRED.get(bit).copied().unwrap_or_default();
            let message = format!("the last entry has no {name}, which all others have: the summary is cut short");
            self.summary.problems.push((line, message));
        } else if !document.ends_with(b"\n") {
            self.summary.problems.push((line, "the last line has no end: the summary is cut short".to_owned()));
        }
        let mut summary = self.summary;
        if summary.packages.is_empty() {
            return Err(SummaryError::Empty);
        }
        summary.packages.sort_by(|one, other| {
            one.name.cmp(&other.name).then_with(|| sort(Scheme::Dewey, &one.version, &other.version))
        });
        for (index, package) in summary.packages.iter().enumerate() {
            for pattern in &package.supersedes {
                let bases = Pattern::new(pattern).ok().and_then(|pattern| {
                    pattern.pkgbases().map(|bases| bases.into_iter().map(str::to_owned).collect::<Vec<_>>())
                });
                // A bare name is how some packages write it.
                for base in bases.unwrap_or_else(|| vec![pattern.clone()]) {
                    summary.superseding.entry(base).or_default().push(index);
                }
            }
        }
        Ok(summary)
    }
}

/// pkgsrc splits at the last dash.
fn name_and_version(value: &[u8]) -> Option<(&str, &str)> {
    let text = str::from_utf8(value).ok().filter(|text| text.len() <= NAME_BYTES_MAX)?;
    let (name, version) = text.rsplit_once('-')?;
    let is_sound = |part: &str| !part.is_empty() && !part.contains(|one: char| one.is_whitespace() || one.is_control());
    // A name becomes the name of a file on its way into an image.
    (is_sound(name) && is_sound(version) && !text.contains('/')).then_some((name, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "PKGNAME=foo-1.0nb2\nCOMMENT=a\nSIZE_PKG=1\nDEPENDS=bar>=1\nDEPENDS={a,b}-[0-9]*\n\n\
        PKGNAME=foo-1.0\nDESCRIPTION=caf\u{e9}\nCOMMENT=a=b\nSIZE_PKG=1\nSUPERSEDES=old<2\n\n";

    #[test]
    fn packages_stand_by_name_and_age() {
        let summary = Summary::read(TWO.as_bytes()).unwrap();
        let versions: Vec<&str> = summary.named("foo").iter().map(|package| package.version.as_str()).collect();
        assert_eq!(versions, ["1.0", "1.0nb2"]);
        assert_eq!(summary.named("foo")[1].depends, ["bar>=1", "{a,b}-[0-9]*"]);
        assert_eq!(summary.superseding("old", "1.9")[0].full_name(), "foo-1.0");
        assert!(summary.superseding("old", "2.0").is_empty() && summary.named("fo").is_empty());
        assert_eq!(summary.problems(), []);
    }

    #[test]
    fn a_description_in_another_encoding_is_no_obstacle() {
        let mut text = TWO.as_bytes().to_vec();
        text.extend(b"PKGNAME=x-1\nCOMMENT=\xe9\nSIZE_PKG=1\n\n");
        assert_eq!(Summary::read(&text).unwrap().packages().len(), 3);
    }

    #[test]
    fn a_summary_cut_anywhere_within_an_entry_says_so() {
        let second = TWO.find("PKGNAME=foo-1.0\n").unwrap();
        for end in (second + 1..TWO.len() - 2).filter(|end| TWO.is_char_boundary(*end)) {
            // Behind the last variable that all entries have, nothing tells the rest from an entry without it.
            let is_told = !TWO[..end].ends_with("SIZE_PKG=1\n");
            let read = Summary::read(&TWO.as_bytes()[..end]);
            let told = read.is_err() || !read.unwrap().problems().is_empty();
            assert_eq!(told, is_told, "{}", &TWO[second..end]);
        }
    }

    #[test]
    fn what_is_no_summary_is_refused_and_bad_names_are_named() {
        assert_eq!(Summary::read(b""), Err(SummaryError::Empty));
        assert_eq!(Summary::read(b"<html>\n\n"), Err(SummaryError::Empty));
        let summary = Summary::read(b"PKGNAME=a-1\n\nPKGNAME=../b-1\n\nPKGNAME=c\n\n").unwrap();
        assert_eq!((summary.packages().len(), summary.problems().len()), (1, 4));
    }
}
