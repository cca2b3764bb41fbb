//! pkgsrc's `pkg-vulnerabilities` (`pkg_admin(1)`, `pkg_install.conf(5)`): clear-signed lines of pattern, kind and URL.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::str;

use aux_core::version::Scheme;
use aux_core::{Ecosystem, limits};
use jiff::Timestamp;
use pkgsrc::Pattern;
use pkgsrc::digest::Digest;

use crate::cve_ids;
use crate::record::{Affected, Product, Record, Source};
use crate::signed_text::{FramingError, SignedText, unframe};

/// What a list says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PkgVulnerabilities {
    /// The CVS revision, `1.3823`, where the list names it.
    pub revision: Option<String>,
    /// When that revision was committed.
    pub committed: Option<Timestamp>,
    /// `1.1.0`.
    pub format: String,
    /// Algorithms of the `#CHECKSUM` lines, all of which hold.
    pub checksums: Vec<String>,
    /// The text and its signature, not yet verified.
    pub signature: Option<SignedText>,
    /// Entries read into records.
    pub entries: usize,
    /// Lines that could not be read, with their number in the file.
    pub problems: Vec<(usize, String)>,
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its number in the file.
    pub line: usize,
    /// As it stands there: `foo{,-gtk2}<1.2nb3`.
    pub pattern: &'a str,
    /// `remote-code-execution`, `eol`.
    pub kind: &'a str,
    pub url: &'a str,
    /// Every package name the pattern can match, with the pattern to match it by.
    pub names: Vec<(String, Cow<'a, str>)>,
}

impl Entry<'_> {
    /// The CVE ids in its URL, however they were typed.
    pub fn cve_ids(&self) -> BTreeSet<String> {
        cve_ids::in_text(self.url)
    }
}

/// Why a file is not a list that can be believed.
#[derive(Debug, thiserror::Error)]
pub enum PkgVulnerabilitiesError {
    #[error("not a clear-signed list: {0}")]
    Framing(#[from] FramingError),
    #[error("the list has no `#FORMAT` line")]
    NoFormat,
    #[error("`#FORMAT` stands twice, on line {0} too")]
    FormatTwice(usize),
    #[error("format `{0}` is not 1.x")]
    Format(String),
    #[error("the {0} checksum does not hold: the file was cut short or changed")]
    Checksum(String),
}

/// Hands every record of the list to `each`, sorted by id; entries about one CVE are one record.
pub fn read(document: &[u8], each: &mut dyn FnMut(Record)) -> Result<PkgVulnerabilities, PkgVulnerabilitiesError> {
    let mut records = BTreeMap::new();
    let list = read_entries(document, &mut |entry| record(&entry, &mut records))?;
    records.into_values().for_each(each);
    Ok(list)
}

/// Hands every entry of the list to `each`, in the order of the file.
pub fn read_entries(
    document: &[u8],
    each: &mut dyn FnMut(Entry<'_>),
) -> Result<PkgVulnerabilities, PkgVulnerabilitiesError> {
    let framed = unframe(document)?;
    let mut list = PkgVulnerabilities {
        revision: None,
        committed: None,
        format: String::new(),
        checksums: Vec::new(),
        signature: framed.signed,
        entries: 0,
        problems: Vec::new(),
    };
    let mut sums = Vec::new();
    for (number, line) in &framed.lines {
        if let Some(comment) = line.strip_prefix(b"#") {
            header(*number, &String::from_utf8_lossy(comment), &mut list, &mut sums)?;
        } else if !line.is_empty() {
            match entry(*number, line) {
                Ok(entry) => {
                    list.entries += 1;
                    each(entry);
                }
                Err(message) => list.problems.push((*number, message)),
            }
        }
    }
    if list.format.is_empty() {
        return Err(PkgVulnerabilitiesError::NoFormat);
    }
    list.checksums = verify(&framed.lines, sums, &mut list.problems)?;
    Ok(list)
}

/// A `#CHECKSUM` line: where it stands, the algorithm, the sum.
type Sum = (usize, String, String);

fn header(
    number: usize,
    comment: &str,
    list: &mut PkgVulnerabilities,
    sums: &mut Vec<Sum>,
) -> Result<(), PkgVulnerabilitiesError> {
    let mut words = comment.split_whitespace();
    match (words.next(), comment.starts_with(char::is_whitespace)) {
        (Some("FORMAT"), false) if !list.format.is_empty() => {
            return Err(PkgVulnerabilitiesError::FormatTwice(number));
        }
        (Some("FORMAT"), false) => {
            let format = words.next().unwrap_or_default();
            if !crate::document::is_major(format, "1") {
                return Err(PkgVulnerabilitiesError::Format(format.to_owned()));
            }
            format.clone_into(&mut list.format);
        }
        (Some("CHECKSUM"), false) => match (words.next(), words.next()) {
            (Some(algorithm), Some(sum)) => sums.push((number, algorithm.to_owned(), sum.to_ascii_lowercase())),
            _ => list.problems.push((number, "a checksum line without algorithm or sum".to_owned())),
        },
        (Some("$NetBSD:"), _) if list.revision.is_none() => {
            // `$NetBSD: pkg-vulnerabilities,v 1.3823 2011/04/08 20:57:53 tez Exp $`
            list.revision = words.nth(1).map(str::to_owned);
            list.committed = committed(words.next(), words.next());
        }
        _ => {}
    }
    Ok(())
}

/// Checks the sums, which cover every line of the body but those with the CVS keyword, which CVS changes on its own, and
/// the sums themselves.
fn verify(
    lines: &[(usize, Cow<'_, [u8]>)],
    sums: Vec<Sum>,
    problems: &mut Vec<(usize, String)>,
) -> Result<Vec<String>, PkgVulnerabilitiesError> {
    let mut held = Vec::new();
    if sums.is_empty() {
        return Ok(held);
    }
    let mut covered = Vec::new();
    for (index, (_, line)) in lines.iter().enumerate() {
        let is_end = index + 1 == lines.len() && line.is_empty();
        if !is_end && !line.starts_with(b"#CHECKSUM") && !line.windows(7).any(|window| window == b"$NetBSD") {
            covered.extend_from_slice(line);
            covered.push(b'\n');
        }
    }
    for (number, algorithm, sum) in sums {
        let digest = match algorithm.as_str() {
            "SHA1" => Digest::SHA1,
            "SHA256" => Digest::SHA256,
            "SHA512" => Digest::SHA512,
            _ => {
                problems.push((number, format!("checksum algorithm `{algorithm}` is not known")));
                continue;
            }
        };
        if digest.hash_file(&mut covered.as_slice()).ok().as_ref() != Some(&sum) {
            return Err(PkgVulnerabilitiesError::Checksum(algorithm));
        }
        held.push(algorithm);
    }
    Ok(held)
}

/// CVS writes `2011/04/08 20:57:53`, in UTC.
fn committed(day: Option<&str>, time: Option<&str>) -> Option<Timestamp> {
    let time = time.filter(|time| time.contains(':')).unwrap_or("00:00:00");
    format!("{}T{time}Z", day?.replace('/', "-")).parse().ok()
}

fn entry(number: usize, line: &[u8]) -> Result<Entry<'_>, String> {
    if line.len() > limits::LINE_BYTES_MAX {
        return Err(format!("the line is longer than {} bytes", limits::LINE_BYTES_MAX));
    }
    let line = str::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned())?;
    let mut fields = line.split_whitespace();
    let (Some(pattern), Some(kind), Some(url), None) = (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        let count = line.split_whitespace().count();
        return Err(format!("an entry has a pattern, a kind and a URL, not {count} fields"));
    };
    Ok(Entry { line: number, pattern, kind, url, names: names(pattern)? })
}

fn record(entry: &Entry<'_>, records: &mut BTreeMap<String, Record>) {
    let Entry { pattern, kind, url, .. } = entry;
    let title = if *kind == "eol" { "end of life".to_owned() } else { kind.replace('-', " ") };
    let mut ids = entry.cve_ids();
    if ids.is_empty() {
        let hash = blake3::hash(format!("{pattern}\t{kind}\t{url}").as_bytes()).to_hex();
        ids.insert(format!("PKGSRC-{}", hash.get(..16).unwrap_or_default()));
    }
    let affected: Vec<Affected> = entry.names.iter().map(|(base, pattern)| about(base, pattern)).collect();
    for id in ids {
        let record = records.entry(id).or_insert_with_key(|id| {
            let mut record = Record::new(id.clone());
            record.source = Source::Pkgsrc;
            record
        });
        for entry in &affected {
            if !record.affected.contains(entry) {
                record.affected.push(entry.clone());
            }
        }
        if !record.references.iter().any(|known| known == url) {
            record.references.push((*url).to_owned());
        }
        if !record.title.split(", ").any(|known| known == title) {
            let comma = if record.title.is_empty() { "" } else { ", " };
            record.title = format!("{}{comma}{title}", record.title);
        }
    }
}

/// One pair for each package name the pattern can match.
fn names(text: &str) -> Result<Vec<(String, Cow<'_, str>)>, String> {
    if text.len() > limits::NAME_BYTES_MAX {
        return Err(format!("the pattern is longer than {} bytes", limits::NAME_BYTES_MAX));
    }
    if alternatives(text) > limits::PATTERN_ALTERNATIVES_MAX {
        return Err(format!("the pattern stands for more than {} names", limits::PATTERN_ALTERNATIVES_MAX));
    }
    if let Ok(pattern) = Pattern::new(text)
        && let Some(bases) = pattern.pkgbases()
        && bases.iter().all(|base| !base.is_empty())
    {
        return Ok(bases.into_iter().map(|base| (base.to_owned(), Cow::Borrowed(text))).collect());
    }
    // What the crate leaves open or refuses as a whole may be clear name by name.
    let each = expanded(text.to_owned()).into_iter().map(|name| {
        let pattern = Pattern::new(&name).map_err(|error| error.to_string())?;
        let known = pattern.pkgbases().and_then(|bases| bases.first().copied());
        let base = known.or_else(|| base_before_glob(&name)).map(str::to_owned);
        base.map_or_else(
            || Err(format!("pattern `{name}` leaves the package's name open")),
            |base| Ok((base, Cow::Owned(name.clone()))),
        )
    });
    let mut pairs = each.collect::<Result<Vec<_>, _>>()?;
    pairs.dedup();
    Ok(pairs)
}

fn about(base: &str, pattern: &str) -> Affected {
    let product = Product::Package { ecosystem: Ecosystem::PKGSRC, name: base.to_owned() };
    let mut entry = Affected::new(product, Scheme::Dewey);
    entry.pattern = Some(pattern.to_owned());
    entry.fixed.extend(fixed(pattern).map(str::to_owned));
    entry
}

/// The patterns the braces stand for, innermost first; `**`, which braces can leave behind, is `*` to `csh` and to us.
fn expanded(pattern: String) -> Vec<String> {
    let mut open = vec![pattern];
    let mut plain = Vec::new();
    while let Some(pattern) = open.pop() {
        let group = pattern.rfind('{').and_then(|start| Some((start, start + pattern.get(start..)?.find('}')?)));
        if let Some((start, end)) = group
            && let (Some(before), Some(inside), Some(after)) =
                (pattern.get(..start), pattern.get(start + 1..end), pattern.get(end + 1..))
        {
            open.extend(inside.split(',').rev().map(|one| format!("{before}{one}{after}")));
        } else {
            let mut last = ' ';
            plain.push(pattern.chars().filter(|c| (last, last = *c).0 != '*' || *c != '*').collect());
        }
    }
    plain
}

/// `xine-lib` of `xine-lib-1rc[0-2]*`: what stands before the last dash that a digit follows, ahead of any glob.
fn base_before_glob(pattern: &str) -> Option<&str> {
    let literal = pattern.get(..pattern.find(['*', '?', '['])?)?;
    let (base, version) = literal
        .rsplit_once('-')
        .filter(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()))
        .or_else(|| literal.rsplit_once('-')?.0.rsplit_once('-'))?;
    (!base.is_empty() && version.starts_with(|c: char| c.is_ascii_digit())).then_some(base)
}

/// At most how many names the braces stand for: the product of their alternatives.
fn alternatives(pattern: &str) -> usize {
    let mut total: usize = 1;
    let mut open: Vec<usize> = Vec::new();
    for byte in pattern.bytes() {
        match byte {
            b'{' => open.push(1),
            b',' => {
                if let Some(count) = open.last_mut() {
                    *count += 1;
                }
            }
            b'}' => total = total.saturating_mul(open.pop().unwrap_or(1)),
            _ => {}
        }
    }
    total
}

/// The version a pattern ends before, `1.2` of `name>=1<1.2`: the one that fixed it.
fn fixed(pattern: &str) -> Option<&str> {
    let (_, version) = pattern.rsplit_once('<')?;
    let is_plain = !version.is_empty() && !version.contains(['=', '{', '}', ',', '*', '?', '[', '>']);
    is_plain.then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> (PkgVulnerabilities, Vec<Record>) {
        let mut records = Vec::new();
        let list = read(text.as_bytes(), &mut |record| records.push(record)).unwrap();
        (list, records)
    }

    #[test]
    fn entries_about_one_cve_are_one_record() {
        let (list, records) = listed(
            "# $NetBSD: pkg-vulnerabilities,v 1.7 2011/04/08 20:57:53 x Exp $\n#FORMAT 1.1.0\n# free text\n\
             foo{,-gtk2}<1.2nb3\tdenial-of-service\thttp://x/CVE-2010-0001\n\
             bar-[0-9]*\t\tremote-code-execution http://x/CVE-2010-0001\n\
             old-[0-9]*  eol  http://x/eol\n",
        );
        assert_eq!((list.revision.as_deref(), list.format.as_str(), list.entries), (Some("1.7"), "1.1.0", 3));
        assert_eq!(list.committed, Some("2011-04-08T20:57:53Z".parse().unwrap()));
        assert_eq!(list.problems, []);
        let products: Vec<String> = records[0].affected.iter().map(|entry| entry.product.to_string()).collect();
        assert_eq!(products, ["pkgsrc/foo", "pkgsrc/foo-gtk2", "pkgsrc/bar"]);
        assert_eq!(records[0].affected[1].pattern.as_deref(), Some("foo{,-gtk2}<1.2nb3"));
        assert_eq!(
            (&records[0].affected[0].fixed[..], &records[0].affected[2].fixed[..]),
            (&["1.2nb3".to_owned()][..], &[][..])
        );
        assert_eq!(records[0].title, "denial of service, remote code execution");
        assert_eq!(records[1].title, "end of life");
        assert!(records[1].id.starts_with("PKGSRC-") && records[1].id.len() == 23, "{}", records[1].id);
    }

    #[test]
    fn a_checksum_covers_everything_but_its_own_lines_and_the_revision() {
        let body = "#FORMAT 1.0.0\n#\na<1\tx\thttp://x\n";
        let sum = Digest::SHA512.hash_str(body);
        let text = format!("# $NetBSD: p,v 1.1 $\n{body}#CHECKSUM SHA512 {sum}\n");
        assert_eq!(listed(&text).0.checksums, ["SHA512"]);
        let error = read(text.replace("a<1", "a<2").as_bytes(), &mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "the SHA512 checksum does not hold: the file was cut short or changed");
    }

    #[test]
    fn patterns_the_crate_leaves_open_are_read_name_by_name() {
        for (pattern, expected) in [
            ("xine-lib-1rc[0-2]*", "xine-lib:xine-lib-1rc[0-2]*"),
            ("phpmyadmin-2.6.0-pl*", "phpmyadmin:phpmyadmin-2.6.0-pl*"),
            (
                "perl{,-thread}-5.8.[0-4]{,nb*}*",
                "perl:perl-5.8.[0-4]* perl-thread:perl-thread-5.8.[0-4]* perl:perl-5.8.[0-4]nb* perl-thread:perl-thread-5.8.[0-4]nb*",
            ),
        ] {
            let shown: Vec<String> =
                names(pattern).unwrap().iter().map(|(base, pattern)| format!("{base}:{pattern}")).collect();
            assert_eq!(shown.join(" "), expected, "{pattern}");
        }
        assert!(names("foo*-1.0").is_err() && names("*").is_err());
    }

    #[test]
    fn lines_that_cannot_be_read_are_listed_and_the_rest_stays() {
        let braces = "{a,b}".repeat(12);
        let (list, records) = listed(&format!(
            "#FORMAT 1.1.0\na<1 x\n{{a<1 x u\nfoo*-1.0 x u\n{braces}<1 x u\nb<1 x u\n#CHECKSUM MD7 00\n"
        ));
        let lines: Vec<usize> = list.problems.iter().map(|(line, _)| *line).collect();
        assert_eq!((lines, list.entries, records.len()), (vec![2, 3, 4, 5, 7], 1, 1));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for (text, says) in [
            ("", "no `#FORMAT`"),
            ("#FORMAT 2.0.0\n", "`2.0.0` is not 1.x"),
            ("#FORMAT 1.0.0\n#FORMAT 1.1.0\n", "line 2 too"),
            ("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA1\n\n#FORMAT 1.0.0\n", "cut short"),
            ("-----BEGIN PGP SIGNED MESSAGE-----\nComment: x\n\n", "line 2 of the armor header"),
        ] {
            let error = read(text.as_bytes(), &mut |_| {}).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
