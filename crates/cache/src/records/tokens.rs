//! Tokens, as hashes of their secrets.

use super::driver::{Problem, Row, values};
use super::error::RecordsError;
use super::{Actor, Change, Records, changes, moment, trail};
use crate::access::{Right, Token, TokenHash};
use crate::names::{Pattern, SpaceName};

const SELECT: &str = "SELECT token.number, token.hash, token.label, space.name, token.rights, token.names, token.created, \
                      token.expires, token.revoked FROM token LEFT JOIN space ON space.number = token.space";

impl Records {
    pub(crate) fn tokens(&self) -> Result<Vec<(TokenHash, Token)>, RecordsError> {
        self.read(|transaction| transaction.rows(&format!("{SELECT} ORDER BY token.number"), &[], token))
    }

    /// Keeps a new token; its number is given here.
    pub(crate) fn create_token(&self, hash: TokenHash, token: &Token, actor: &Actor) -> Result<Token, RecordsError> {
        self.write(|transaction| {
            let rights: Vec<&str> = token.rights.iter().map(|right| right.as_str()).collect();
            let rights = rights.join(" ");
            let number = transaction.one(
                "INSERT INTO token (hash, label, space, rights, names, created, expires) \
                 VALUES (?1, ?2, (SELECT number FROM space WHERE name = ?3), ?4, ?5, ?6, ?7) RETURNING number",
                values![
                    &hash.0,
                    &token.label,
                    token.space.as_ref().map(SpaceName::as_str),
                    &rights,
                    token.names.as_ref().map(Pattern::as_str),
                    actor.now.as_second(),
                    token.expires.map(jiff::Timestamp::as_second),
                ],
                |row| row.get(0),
            )?;
            changes::write(transaction, Change::Tokens)?;
            let made = Token { number, created: actor.now, ..token.clone() };
            let subject = (Some(made.id()), Some(made.label.clone()));
            trail::write(
                transaction,
                actor,
                ("token create", made.space.as_ref()),
                (subject.0.as_deref(), subject.1.as_deref()),
            )?;
            Ok(made)
        })
    }

    /// Ends a token, once and for all; `None` where there is none of this number.
    pub(crate) fn revoke_token(&self, number: i64, actor: &Actor) -> Result<Option<Token>, RecordsError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE token SET revoked = coalesce(revoked, ?2) WHERE number = ?1",
                values![number, actor.now.as_second()],
            )?;
            let found = transaction.row(&format!("{SELECT} WHERE token.number = ?1"), values![number], token)?;
            if let Some((_, token)) = &found {
                trail::write(transaction, actor, ("token revoke", token.space.as_ref()), (Some(&token.id()), None))?;
                changes::write(transaction, Change::Tokens)?;
            }
            Ok(found.map(|(_, token)| token))
        })
    }
}

fn token(row: &Row<'_>) -> Result<(TokenHash, Token), Problem> {
    let (space, rights, names): (Option<String>, String, Option<String>) = (row.get(3)?, row.get(4)?, row.get(5)?);
    let token = Token {
        number: row.get(0)?,
        label: row.get(2)?,
        space: space.as_deref().and_then(SpaceName::parse),
        rights: rights.split_whitespace().filter_map(Right::parse).collect(),
        names: names.as_deref().and_then(Pattern::parse),
        created: moment(row.get(6)?),
        expires: row.get::<Option<i64>>(7)?.map(moment),
        revoked: row.get::<Option<i64>>(8)?.map(moment),
    };
    Ok((TokenHash(row.get(1)?), token))
}
