//! Upstreams: other caches that a cache asks for what it lacks.

use aux_io::http::Url;
use jiff::Timestamp;

use super::driver::{Problem, Row, values};
use super::error::RecordsError;
use super::{Actor, Change, Records, SpaceRow, changes, moment, trail};
use crate::names::{Pattern, SpaceName};

/// What an administrator says of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpstreamTerms {
    pub name: SpaceName,
    pub url: Url,
    /// Public keys, one of which must have signed what comes; never none.
    pub keys: Vec<String>,
    /// Lower is believed before higher.
    pub priority: u32,
    /// Names of store paths that are taken; all where there are none.
    pub names: Vec<Pattern>,
    /// Names that are not taken all the same.
    pub names_not: Vec<Pattern>,
    /// Where its redirects may lead besides its own origin.
    pub redirects: Vec<Url>,
    /// How long a miss waits for it.
    pub budget_milliseconds: u32,
}

/// An upstream of a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpstreamRow {
    pub number: i64,
    pub space: i64,
    pub terms: UpstreamTerms,
    pub created: Timestamp,
}

const SELECT: &str = "SELECT number, space, name, url, keys, priority, names, names_not, redirects, budget_milliseconds, \
                      created FROM upstream";

impl Records {
    /// Those of all caches, in the order in which they are believed.
    pub(crate) fn upstreams(&self) -> Result<Vec<UpstreamRow>, RecordsError> {
        self.read(|transaction| transaction.rows(&format!("{SELECT} ORDER BY space, priority, name"), &[], upstream))
    }

    /// Gives a cache an upstream, or the one of that name other terms.
    pub(crate) fn put_upstream(
        &self,
        space: &SpaceRow,
        terms: &UpstreamTerms,
        actor: &Actor,
    ) -> Result<UpstreamRow, RecordsError> {
        let (url, keys) = (terms.url.to_string(), terms.keys.join(" "));
        let (names, names_not) = (patterns_text(&terms.names), patterns_text(&terms.names_not));
        let redirects = terms.redirects.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO upstream (space, name, url, keys, priority, names, names_not, redirects, budget_milliseconds, \
                 created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (space, name) DO UPDATE SET \
                 url = excluded.url, keys = excluded.keys, priority = excluded.priority, names = excluded.names, \
                 names_not = excluded.names_not, redirects = excluded.redirects, \
                 budget_milliseconds = excluded.budget_milliseconds",
                values![
                    space.number,
                    terms.name.as_str(),
                    &url,
                    &keys,
                    terms.priority,
                    &names,
                    &names_not,
                    &redirects,
                    terms.budget_milliseconds,
                    actor.now.as_second()
                ],
            )?;
            let own = values![space.number, terms.name.as_str()];
            let row = transaction.one(&format!("{SELECT} WHERE space = ?1 AND name = ?2"), own, upstream)?;
            changes::write(transaction, Change::Upstreams)?;
            let detail = format!("{} {}", terms.url, terms.keys.join(" "));
            let subject = (Some(terms.name.as_str()), Some(&*detail));
            trail::write(transaction, actor, ("upstream", Some(&space.name)), subject)?;
            Ok(row)
        })
    }

    /// Takes an upstream away; what it was, `None` where there was none.
    pub(crate) fn remove_upstream(
        &self,
        space: &SpaceRow,
        name: &SpaceName,
        actor: &Actor,
    ) -> Result<Option<UpstreamRow>, RecordsError> {
        self.write(|transaction| {
            let own = values![space.number, name.as_str()];
            let found = transaction.row(&format!("{SELECT} WHERE space = ?1 AND name = ?2"), own, upstream)?;
            if found.is_some() {
                changes::write(transaction, Change::Upstreams)?;
                transaction.execute("DELETE FROM upstream WHERE space = ?1 AND name = ?2", own)?;
                let subject = (Some(name.as_str()), None);
                trail::write(transaction, actor, ("upstream-remove", Some(&space.name)), subject)?;
            }
            Ok(found)
        })
    }
}

/// Patterns hold no blanks.
fn patterns_text(patterns: &[Pattern]) -> String {
    patterns.iter().map(Pattern::as_str).collect::<Vec<_>>().join(" ")
}

fn upstream(row: &Row<'_>) -> Result<UpstreamRow, Problem> {
    let wrong = |text: String| Problem::Unreadable(format!("an upstream with {text}"));
    let words = |column: usize| {
        let text: String = row.get(column)?;
        Ok::<_, Problem>(text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    };
    let patterns = |column: usize| {
        let parsed = words(column)?.into_iter().map(|text| Pattern::parse(&text).ok_or_else(|| wrong(text.clone())));
        parsed.collect::<Result<Vec<_>, _>>()
    };
    let url = |text: String| Url::parse(&text).map_err(|_| wrong(text));
    let number = |column: usize| Ok::<_, Problem>(u32::try_from(row.get::<i64>(column)?).unwrap_or(u32::MAX));
    let name: String = row.get(2)?;
    let terms = UpstreamTerms {
        name: SpaceName::parse(&name).ok_or_else(|| wrong(name))?,
        url: url(row.get(3)?)?,
        keys: words(4)?,
        priority: number(5)?,
        names: patterns(6)?,
        names_not: patterns(7)?,
        redirects: words(8)?.into_iter().map(url).collect::<Result<_, _>>()?,
        budget_milliseconds: number(9)?,
    };
    Ok(UpstreamRow { number: row.get(0)?, space: row.get(1)?, terms, created: moment(row.get(10)?) })
}
