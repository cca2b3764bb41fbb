//! Upstreams: other caches that a cache asks for what it lacks.

use aux_io::database::DatabaseError;
use aux_io::http::Url;
use aux_io::sqlite::rusqlite::{self, Row, params};
use jiff::Timestamp;

use super::{Actor, Records, SpaceRow, moment, optional, trail};
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
    pub(crate) fn upstreams(&self) -> Result<Vec<UpstreamRow>, DatabaseError> {
        self.read(|transaction| {
            let mut statement = transaction.prepare(&format!("{SELECT} ORDER BY space, priority, name"))?;
            statement.query_map([], upstream)?.collect()
        })
    }

    /// Gives a cache an upstream, or the one of that name other terms.
    pub(crate) fn put_upstream(
        &self,
        space: &SpaceRow,
        terms: &UpstreamTerms,
        actor: &Actor,
    ) -> Result<UpstreamRow, DatabaseError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO upstream (space, name, url, keys, priority, names, names_not, redirects, budget_milliseconds, \
                 created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (space, name) DO UPDATE SET \
                 url = excluded.url, keys = excluded.keys, priority = excluded.priority, names = excluded.names, \
                 names_not = excluded.names_not, redirects = excluded.redirects, \
                 budget_milliseconds = excluded.budget_milliseconds",
                params![
                    space.number,
                    terms.name.as_str(),
                    terms.url.to_string(),
                    terms.keys.join(" "),
                    terms.priority,
                    patterns_text(&terms.names),
                    patterns_text(&terms.names_not),
                    terms.redirects.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
                    terms.budget_milliseconds,
                    actor.now.as_second()
                ],
            )?;
            let own = params![space.number, terms.name.as_str()];
            let row = transaction.query_row(&format!("{SELECT} WHERE space = ?1 AND name = ?2"), own, upstream)?;
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
    ) -> Result<Option<UpstreamRow>, DatabaseError> {
        self.write(|transaction| {
            let own = params![space.number, name.as_str()];
            let found =
                optional(transaction.query_row(&format!("{SELECT} WHERE space = ?1 AND name = ?2"), own, upstream))?;
            if found.is_some() {
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

fn upstream(row: &Row<'_>) -> Result<UpstreamRow, rusqlite::Error> {
    let wrong = rusqlite::Error::InvalidColumnName;
    let words = |column: usize| {
        let text: String = row.get(column)?;
        Ok::<_, rusqlite::Error>(text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    };
    let patterns = |column: usize| {
        let parsed = words(column)?.into_iter().map(|text| Pattern::parse(&text).ok_or(wrong(text)));
        parsed.collect::<Result<Vec<_>, _>>()
    };
    let url = |text: String| Url::parse(&text).map_err(|_| wrong(text));
    let name: String = row.get(2)?;
    let terms = UpstreamTerms {
        name: SpaceName::parse(&name).ok_or(wrong(name))?,
        url: url(row.get(3)?)?,
        keys: words(4)?,
        priority: row.get(5)?,
        names: patterns(6)?,
        names_not: patterns(7)?,
        redirects: words(8)?.into_iter().map(url).collect::<Result<_, _>>()?,
        budget_milliseconds: row.get(9)?,
    };
    Ok(UpstreamRow { number: row.get(0)?, space: row.get(1)?, terms, created: moment(row.get(10)?) })
}
