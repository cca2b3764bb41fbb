//! `aux cache token`: who may do what, and until when.

use aux_app::exit;
use aux_cache::client::NewToken;
use clap::{Subcommand, ValueEnum};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::server::{Server, moment};
use crate::failure::Failure;
use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Make a token. It is shown this once: the server keeps only a hash of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// What it is for, as the audit trail will call it.
    #[arg(value_name = "LABEL")]
    label: String,
    /// The cache or view it is for; `*` for all.
    #[arg(long, value_name = "CACHE")]
    cache: String,
    /// What it may do; may be given several times.
    #[arg(long = "may", value_name = "RIGHT", required = true)]
    rights: Vec<Right>,
    /// Limit it to store paths whose name fits, such as `hello-*`.
    #[arg(long, value_name = "PATTERN")]
    names: Option<String>,
    /// The day from which on it is worth nothing.
    #[arg(long, value_name = "DATE", value_parser = day)]
    expires: Option<Date>,
    #[command(flatten)]
    server: Server,
}

/// Say which tokens there are; what they are is shown nowhere.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    server: Server,
}

/// Revoke a token, at once.
#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    /// Its id, as `aux cache token list` shows it.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Right {
    Read,
    Push,
    Promote,
    Admin,
}

#[derive(Deserialize)]
struct Answer {
    id: String,
    label: String,
    cache: String,
    rights: Vec<String>,
    expires: Option<String>,
    revoked: Option<String>,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Answers {
    tokens: Vec<Answer>,
}

fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "is no day such as 2027-12-31".to_owned())
}

pub(crate) fn run(verb: &Token, ui: &mut Ui) -> Result<u8, Failure> {
    match verb {
        Token::Create(args) => create(args, ui),
        Token::List(args) => list(args, ui),
        Token::Revoke(args) => revoke(args, ui),
    }
}

fn create(args: &Create, ui: &mut Ui) -> Result<u8, Failure> {
    let expires = args.expires.map(|day| day.to_zoned(TimeZone::UTC)).transpose().map_err(Failure::new)?;
    let token = NewToken {
        label: args.label.clone(),
        cache: args.cache.clone(),
        rights: args.rights.iter().map(|right| format!("{right:?}").to_lowercase()).collect(),
        names: args.names.clone(),
        expires: expires.map(|day| day.timestamp().to_string()),
    };
    let document = args.server.client()?.create_token(&token).map_err(|error| Failure::cache(&error))?;
    // The token alone goes to standard output, so that `> FILE` makes a token file.
    args.server.answer(&document, ui, || {
        let answer: Answer = document.read()?;
        Ok(vec![answer.token.unwrap_or_default()])
    })?;
    if !args.server.json {
        ui.remark("keep it in a file of mode 600; it is not shown again");
    }
    Ok(exit::DONE)
}

fn list(args: &List, ui: &mut Ui) -> Result<u8, Failure> {
    let document = args.server.client()?.tokens().map_err(|error| Failure::cache(&error))?;
    args.server.answer(&document, ui, || {
        let answers: Answers = document.read()?;
        Ok(answers.tokens.iter().map(row).collect())
    })?;
    Ok(exit::DONE)
}

fn revoke(args: &Revoke, ui: &mut Ui) -> Result<u8, Failure> {
    let document = args.server.client()?.revoke_token(&args.id).map_err(|error| Failure::cache(&error))?;
    args.server.answer(&document, ui, || {
        let answer: Answer = document.read()?;
        Ok(vec![format!("token {} ({}) is revoked", answer.id, answer.label)])
    })?;
    Ok(exit::DONE)
}

fn row(token: &Answer) -> String {
    let Answer { id, label, cache, rights, expires, revoked, .. } = token;
    let state = match (revoked, expires) {
        (Some(time), _) => format!("revoked {}", moment(time)),
        (None, Some(time)) => format!("until {}", moment(time)),
        (None, None) => String::new(),
    };
    format!("{id:<6} {cache:<16} {:<20} {label:<20} {state}", rights.join(","))
}
