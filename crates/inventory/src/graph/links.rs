//! The derivations of a graph in a fixed order, and which needs which.

use super::role::{is_file_name, is_source_name};
use aux_core::Problem;
use aux_core::limits::MISSING_DERIVATIONS_NAMED_MAX;
use aux_nix::Derivation;
use std::borrow::Borrow;
use std::collections::BTreeSet;

/// One derivation of the graph.
#[derive(Debug)]
pub(super) struct Entry<'g> {
    /// Its store path, or the file name where only that is known.
    pub path: &'g str,
    pub derivation: &'g Derivation<'g>,
    /// Positions of the derivations it needs, ascending.
    pub inputs: Vec<u32>,
    /// Names of derivations it needs that the graph lacks.
    pub missing: Vec<&'g str>,
}

impl Entry<'_> {
    /// The name in the store path, without digest and `.drv`.
    pub(super) fn store_name(&self) -> &str {
        store_name(self.path)
    }
}

/// The derivations, sorted by file name, linked; and what is wrong with them.
pub(super) struct Links<'g> {
    pub entries: Vec<Entry<'g>>,
    pub problems: Vec<Problem>,
}

/// What a derivation is found by: its file name, with the first eight bytes as a number, because digests differ there
/// and a number compares faster than a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'g> {
    start: u64,
    base: &'g [u8],
}

impl<'g> Key<'g> {
    fn of(path: &'g [u8]) -> Self {
        let base = path.iter().rposition(|&byte| byte == b'/').and_then(|slash| path.get(slash + 1..)).unwrap_or(path);
        let start = base.first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
        Self { start, base }
    }
}

impl<'g> Links<'g> {
    /// Links derivations by the last part of their paths, so that a folder of files and a store give one graph.
    pub(super) fn new<P: AsRef<str>, D: Borrow<Derivation<'g>>>(derivations: &'g [(P, D)]) -> Self {
        let mut sorted: Vec<_> = derivations
            .iter()
            .map(|(path, derivation)| (Key::of(path.as_ref().as_bytes()), path.as_ref(), derivation.borrow()))
            .collect();
        sorted.sort_by(|left, right| {
            // Only what is wrong with a graph gets past the name.
            left.0.cmp(&right.0).then_with(|| left.1.cmp(right.1)).then_with(|| left.2.print().cmp(&right.2.print()))
        });
        let mut problems = Vec::new();
        sorted.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same && later.2 != earlier.2 {
                problems.push(Problem::new(later.1, "two different derivations bear this name; one was not read"));
            }
            same
        });
        let mut missing = BTreeSet::new();
        let keys: Vec<Key<'_>> = sorted.iter().map(|(key, _, _)| *key).collect();
        let entries = sorted
            .iter()
            .map(|&(_, path, derivation)| {
                let mut entry = Entry { path, derivation, inputs: Vec::new(), missing: Vec::new() };
                for wanted in derivation.input_derivations.iter().map(|input| &input.path) {
                    if let Ok(position) = keys.binary_search(&Key::of(wanted.spelling())) {
                        entry.inputs.extend(u32::try_from(position));
                    } else if let Some(wanted) = wanted.plain() {
                        entry.missing.push(store_name(wanted));
                        missing.insert((wanted, path));
                    } else {
                        problems.push(Problem::new(path, "it needs a derivation whose path is no text"));
                    }
                }
                entry.inputs.sort_unstable();
                entry
            })
            .collect();
        problems.extend(missing_problems(&missing));
        Self { entries, problems }
    }
}

/// One problem for each derivation that is needed and absent, and a count where there are too many to name.
///
/// Where the name says that the derivation makes a source, a patch or a script, its absence leaves no component unread:
/// it is no problem.
fn missing_problems(missing: &BTreeSet<(&str, &str)>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut unnamed = 0_usize;
    let mut last = "";
    for &(wanted, by) in missing {
        let name = store_name(wanted);
        if wanted == last || is_file_name(name) || is_source_name(name) {
            continue;
        }
        last = wanted;
        if problems.len() < MISSING_DERIVATIONS_NAMED_MAX {
            problems.push(Problem::new(wanted, format!("needed by {} and not in the graph", store_name(by))));
        } else {
            unnamed += 1;
        }
    }
    if unnamed > 0 {
        problems.push(Problem::new("derivation graph", format!("{unnamed} more derivations are needed and missing")));
    }
    problems
}

/// The last part of a path.
pub(super) fn base(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, base)| base)
}

/// The name in a derivation's path, without digest and `.drv`; the file name where it is no store path.
pub(super) fn store_name(path: &str) -> &str {
    let base = base(path);
    let bare = base.strip_suffix(".drv").unwrap_or(base);
    match bare.split_at_checked(33) {
        Some((digest, name)) if digest.ends_with('-') && !name.is_empty() => name,
        _ => bare,
    }
}
