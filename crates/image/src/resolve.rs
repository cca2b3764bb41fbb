//! Names without versions become packages of a branch, with everything they need, to a fixed point.
//!
//! `pkgin upgrade` may stop after its own core tools and wants to be run again; here the choice is made anew until nothing
//! changes, so that what comes out does not depend on what was there before.

use std::collections::{BTreeMap, BTreeSet};

use aux_core::limits::{IMAGE_PACKAGES_MAX, PATTERN_ALTERNATIVES_MAX};
use pkgsrc::Pattern;

use crate::summary::{Package, Summary};

/// Rounds until nothing changes; each narrows at least one choice.
const ROUNDS_MAX: usize = 256;
/// Who asks for what the specification names.
const SPECIFICATION: &str = "the specification";

/// What an image is made of, what is needed before what needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution<'s> {
    pub packages: Vec<&'s Package>,
    /// Names that were asked for and are there under another, which supersedes them.
    pub superseded: Vec<(String, String)>,
}

impl Resolution<'_> {
    /// Who needs each package, as `+REQUIRED_BY` lists it.
    pub fn needed_by(&self) -> BTreeMap<String, Vec<String>> {
        let mut needed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for package in &self.packages {
            for pattern in package.depends.iter().filter_map(|pattern| Pattern::new(pattern).ok()) {
                let found = self.packages.iter().find(|other| pattern.matches(&other.full_name()));
                if let Some(found) = found {
                    needed.entry(found.full_name()).or_default().insert(package.full_name());
                }
            }
        }
        needed.into_iter().map(|(name, by)| (name, by.into_iter().collect())).collect()
    }
}

/// Why names do not become an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("the branch has no package `{0}`")]
    Missing(String),
    #[error("{package} needs `{pattern}`, and the branch has nothing of the kind")]
    Unsatisfied { package: String, pattern: String },
    #[error("no version of {name} is right for all that need it: {wanted}")]
    Contradiction { name: String, wanted: String },
    #[error("{one} conflicts with {other}: `{pattern}`")]
    Conflict { one: String, other: String, pattern: String },
    #[error("packages need each other in a circle: {0}")]
    Cycle(String),
    #[error("pattern `{pattern}` of {package} cannot be read: {message}")]
    Pattern { package: String, pattern: String, message: String },
    #[error("more than {IMAGE_PACKAGES_MAX} packages (IMAGE_PACKAGES_MAX)")]
    TooMany,
    #[error("after {ROUNDS_MAX} rounds the choice still changes")]
    Unsettled,
}

/// Resolves names, or patterns where somebody must have one, against a branch.
pub fn resolve<'s>(summary: &'s Summary, roots: &[String]) -> Result<Resolution<'s>, ResolveError> {
    let mut wanted: Wanted = BTreeMap::new();
    for _ in 0..ROUNDS_MAX {
        let mut round = Round { summary, wanted: wanted.clone(), chosen: BTreeMap::new(), superseded: Vec::new() };
        round.run(roots)?;
        round.forget();
        if round.wanted == wanted && round.is_right() {
            conflicts(&round.chosen)?;
            let packages = ordered(&round.chosen)?;
            return Ok(Resolution { packages, superseded: round.superseded });
        }
        wanted = round.wanted;
    }
    Err(ResolveError::Unsettled)
}

/// What is asked of each name: patterns, with who asks.
type Wanted = BTreeMap<String, BTreeSet<(String, String)>>;

struct Round<'s> {
    summary: &'s Summary,
    wanted: Wanted,
    chosen: BTreeMap<String, &'s Package>,
    superseded: Vec<(String, String)>,
}

impl<'s> Round<'s> {
    fn run(&mut self, roots: &[String]) -> Result<(), ResolveError> {
        let mut queue = Vec::new();
        for root in roots {
            queue.extend(self.root(root)?);
        }
        while let Some(package) = queue.pop() {
            for pattern in &package.depends {
                queue.extend(self.need(package, pattern)?);
            }
            if self.chosen.len() > IMAGE_PACKAGES_MAX {
                return Err(ResolveError::TooMany);
            }
        }
        Ok(())
    }

    fn root(&mut self, root: &str) -> Result<Option<&'s Package>, ResolveError> {
        let missing = || ResolveError::Missing(root.to_owned());
        if !self.summary.named(root).is_empty() {
            return if self.chosen.contains_key(root) { Ok(None) } else { self.choose(root).map(Some) };
        }
        if let Some(successor) = self.summary.superseding(root, "0").last().copied() {
            self.superseded.push((root.to_owned(), successor.full_name()));
            let name = successor.name.clone();
            return if self.chosen.contains_key(&name) { Ok(None) } else { self.choose(&name).map(Some) };
        }
        // `curl>=7` or `curl-7.61.1`, where somebody must have one.
        let compiled = compiled(SPECIFICATION, root)?;
        for name in self.names(&compiled) {
            if self.summary.named(&name).iter().any(|package| compiled.matches(&package.full_name())) {
                self.ask(&name, root, SPECIFICATION);
                return if self.chosen.contains_key(&name) { Ok(None) } else { self.choose(&name).map(Some) };
            }
        }
        Err(missing())
    }

    /// Sees that a pattern is satisfied; gives the package that came in for it.
    fn need(&mut self, package: &Package, pattern: &str) -> Result<Option<&'s Package>, ResolveError> {
        let by = package.full_name();
        let compiled = compiled(&by, pattern)?;
        let names = self.names(&compiled);
        let is_there =
            |name: &String| self.chosen.get(name).is_some_and(|chosen| compiled.matches(&chosen.full_name()));
        if let Some(name) = names.iter().find(|name| is_there(name)).cloned() {
            self.ask(&name, pattern, &by);
            return Ok(None);
        }
        let has =
            |name: &&String| self.summary.named(name).iter().any(|package| compiled.matches(&package.full_name()));
        // An alternative that is there in another version comes before one that is not there at all.
        let there = names.iter().filter(|name| self.chosen.contains_key(*name));
        let name = there.chain(&names).find(has).cloned();
        let name =
            name.ok_or_else(|| ResolveError::Unsatisfied { package: by.clone(), pattern: pattern.to_owned() })?;
        self.ask(&name, pattern, &by);
        // Where another version was chosen, the next round knows better.
        if self.chosen.contains_key(&name) { Ok(None) } else { self.choose(&name).map(Some) }
    }

    /// Drops what was asked by packages that are not there, or not in that version.
    fn forget(&mut self) {
        let is_there = |by: &str| {
            let name = by.rsplit_once('-').map_or(by, |(name, _)| name);
            by == SPECIFICATION || self.chosen.get(name).is_some_and(|package| package.full_name() == by)
        };
        for asked in self.wanted.values_mut() {
            asked.retain(|(_, by)| is_there(by));
        }
        self.wanted.retain(|_, asked| !asked.is_empty());
    }

    /// Whether each choice is right for all that ask.
    fn is_right(&self) -> bool {
        self.chosen.values().all(|package| {
            let asked = self.wanted.get(&package.name).into_iter().flatten();
            let mut patterns = asked.filter_map(|(pattern, by)| compiled(by, pattern).ok());
            patterns.all(|pattern| pattern.matches(&package.full_name()))
        })
    }

    /// Whether somebody asks who is there in another version by now.
    fn is_stale(&self, by: &str) -> bool {
        let name = by.rsplit_once('-').map_or(by, |(name, _)| name);
        self.chosen.get(name).is_some_and(|package| package.full_name() != by)
    }

    fn ask(&mut self, name: &str, pattern: &str, by: &str) {
        self.wanted.entry(name.to_owned()).or_default().insert((pattern.to_owned(), by.to_owned()));
    }

    /// The newest package of a name that is right for all that ask.
    fn choose(&mut self, name: &str) -> Result<&'s Package, ResolveError> {
        let wanted = self.wanted.get(name).into_iter().flatten().filter(|(_, by)| !self.is_stale(by));
        let patterns = wanted.map(|(pattern, by)| compiled(by, pattern)).collect::<Result<Vec<_>, _>>()?;
        let is_right = |package: &&Package| patterns.iter().all(|pattern| pattern.matches(&package.full_name()));
        let package = self.summary.named(name).iter().rev().find(is_right);
        let package = package.ok_or_else(|| {
            let asked = self.wanted.get(name).into_iter().flatten();
            let wanted: Vec<String> = asked.map(|(pattern, by)| format!("`{pattern}` by {by}")).collect();
            ResolveError::Contradiction { name: name.to_owned(), wanted: wanted.join(", ") }
        })?;
        self.chosen.insert(name.to_owned(), package);
        Ok(package)
    }

    /// The names a pattern may match on this branch, in the order it writes them.
    fn names(&self, pattern: &Pattern) -> Vec<String> {
        if let Some(bases) = pattern.pkgbases() {
            return bases.into_iter().map(str::to_owned).collect();
        }
        let matching = self.summary.packages().iter().filter(|package| pattern.matches(&package.full_name()));
        let mut names: Vec<String> = matching.map(|package| package.name.clone()).collect();
        names.dedup();
        names
    }
}

fn compiled(by: &str, pattern: &str) -> Result<Pattern, ResolveError> {
    let refused =
        |message: String| ResolveError::Pattern { package: by.to_owned(), pattern: pattern.to_owned(), message };
    if pattern.matches([',', '{']).count() > PATTERN_ALTERNATIVES_MAX.ilog2() as usize * 4 {
        return Err(refused("it has too many alternatives".to_owned()));
    }
    Pattern::new(pattern).map_err(|error| refused(error.to_string()))
}

fn conflicts(chosen: &BTreeMap<String, &Package>) -> Result<(), ResolveError> {
    for package in chosen.values() {
        for pattern in &package.conflicts {
            let compiled = compiled(&package.full_name(), pattern)?;
            let other =
                chosen.values().find(|other| other.name != package.name && compiled.matches(&other.full_name()));
            if let Some(other) = other {
                let (one, other) = (package.full_name(), other.full_name());
                return Err(ResolveError::Conflict { one, other, pattern: pattern.clone() });
            }
        }
    }
    Ok(())
}

/// What is needed stands before what needs it; among equals by name.
fn ordered<'s>(chosen: &BTreeMap<String, &'s Package>) -> Result<Vec<&'s Package>, ResolveError> {
    let mut needs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in chosen.values() {
        let mut of = BTreeSet::new();
        for pattern in &package.depends {
            let compiled = compiled(&package.full_name(), pattern)?;
            let found = chosen.values().find(|other| compiled.matches(&other.full_name()));
            of.extend(found.map(|other| other.name.as_str()));
        }
        needs.insert(&package.name, of);
    }
    let mut order = Vec::new();
    while !needs.is_empty() {
        let ready: Vec<&str> = needs.iter().filter(|(_, of)| of.is_empty()).map(|(name, _)| *name).collect();
        if ready.is_empty() {
            return Err(ResolveError::Cycle(circle(&needs)));
        }
        for name in &ready {
            needs.remove(name);
            order.extend(chosen.get(*name).copied());
        }
        for of in needs.values_mut() {
            of.retain(|name| !ready.contains(name));
        }
    }
    Ok(order)
}

/// One circle of what is left, where everything needs something else of it.
fn circle(needs: &BTreeMap<&str, BTreeSet<&str>>) -> String {
    let mut path: Vec<&str> = needs.keys().take(1).copied().collect();
    while let Some(next) = path.last().and_then(|last| needs.get(last)).and_then(|of| of.first()) {
        if let Some(start) = path.iter().position(|name| name == next) {
            let names: Vec<&str> = path.iter().skip(start).chain([next]).copied().collect();
            return names.join(" → ");
        }
        path.push(next);
    }
    path.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name-version needs,needs !conflict ^superseded`, one package a line.
    fn summary(text: &str) -> Summary {
        let block = |line: &str| {
            let mut words = line.split_whitespace();
            let mut block = format!("PKGNAME={}\n", words.next().unwrap_or_default());
            for word in words {
                let (variable, value) = match (word.strip_prefix('!'), word.strip_prefix('^')) {
                    (Some(conflict), _) => ("CONFLICTS", conflict),
                    (_, Some(superseded)) => ("SUPERSEDES", superseded),
                    _ => ("DEPENDS", word),
                };
                block.extend([variable, "=", value, "\n"]);
            }
            block + "\n"
        };
        Summary::read(text.lines().map(block).collect::<String>().as_bytes()).unwrap()
    }

    fn resolved(text: &str, roots: &str) -> Result<String, String> {
        let roots: Vec<String> = roots.split_whitespace().map(str::to_owned).collect();
        let summary = summary(text);
        let resolution = resolve(&summary, &roots).map_err(|error| error.to_string())?;
        Ok(resolution.packages.iter().map(|package| package.full_name()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_newest_comes_with_all_it_needs_and_needs_come_first() {
        let branch = "curl-7.60 openssl>=1.0\ncurl-7.61nb1 openssl>=1.0 {zlib,zlib-ng}-[0-9]*\nopenssl-1.0.2p\nzlib-1.2.11\nunused-1";
        assert_eq!(resolved(branch, "curl").unwrap(), "openssl-1.0.2p zlib-1.2.11 curl-7.61nb1");
        assert_eq!(resolved(branch, "curl<7.61 zlib").unwrap(), "openssl-1.0.2p zlib-1.2.11 curl-7.60");
    }

    #[test]
    fn a_choice_is_made_anew_when_somebody_needs_another() {
        let branch = "app-1 nodejs<9\nnodejs-10.1 ssl>=2\nnodejs-8.9 ssl>=1\nssl-1.5\nssl-2.0";
        assert_eq!(resolved(branch, "nodejs app").unwrap(), "ssl-2.0 nodejs-8.9 app-1");
        let narrow = "app-1 nodejs<9\nnodejs-10.1 ssl>=2\nnodejs-8.9 ssl<2\nssl-1.5\nssl-2.0";
        assert_eq!(resolved(narrow, "nodejs app").unwrap(), "ssl-1.5 nodejs-8.9 app-1");
    }

    #[test]
    fn alternatives_take_what_is_there() {
        let branch = "app-1 {mysql,mariadb}-client-[0-9]*\nmysql-client-5\nmariadb-client-10";
        assert_eq!(resolved(branch, "app").unwrap(), "mysql-client-5 app-1");
        assert_eq!(resolved(branch, "mariadb-client app").unwrap(), "mariadb-client-10 app-1");
    }

    #[test]
    fn a_name_that_is_gone_is_taken_from_what_supersedes_it() {
        let summary = summary("new-2 ^old-[0-9]*");
        let resolution = resolve(&summary, &["old".to_owned()]).unwrap();
        assert_eq!(resolution.superseded, [("old".to_owned(), "new-2".to_owned())]);
        assert_eq!(resolution.packages[0].full_name(), "new-2");
    }

    #[test]
    fn what_cannot_be_is_said() {
        for (branch, roots, says) in [
            ("a-1", "b", "no package `b`"),
            ("a-1 b>=2\nb-1", "a", "a-1 needs `b>=2`"),
            ("a-1 c<2\nb-1 c>=2\nc-1\nc-2", "a b", "right for all that need it: `c<2` by a-1, `c>=2` by b-1"),
            ("a-1 !b-[0-9]*\nb-1", "a b", "a-1 conflicts with b-1"),
            ("a-1 b-[0-9]*\nb-1 c-[0-9]*\nc-1 b-[0-9]*", "a", "in a circle: b → c → b"),
            ("a-1 {b", "a", "cannot be read"),
        ] {
            let error = resolved(branch, roots).unwrap_err();
            assert!(error.contains(says), "{branch}: {error}");
        }
    }
}
