//! `aux secret add`: declare a secret.

use aux_secrets::Label;
use aux_secrets::declaration::{Edit, Scope, Uses};
use aux_secrets::kinds::{Parameters, Rule};
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::common::{Answer, Writing, today};
use crate::failure::Failure;
use crate::ui::Ui;

/// Declare a secret and derive it: what it is, whose it is, and who uses it.
///
/// Types: bytes, hex, base64, base64url, uuid, password, passphrase, ssh-ed25519, wireguard, wireguard-psk, age-x25519,
/// p256, tls-ca, tls-leaf, bcrypt, sha512crypt, yescrypt, argon2id, htpasswd, gokey; and envelope, for a value that
/// somebody else gives out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The secret's name.
    #[arg(value_name = "NAME")]
    name: Label,
    /// What it is, such as password.
    #[arg(long = "type", short = 't', value_name = "TYPE")]
    type_word: String,
    /// A parameter of its type, such as length=24; may be given several times. Lists are joined with commas.
    #[arg(long = "with", value_name = "KEY=VALUE")]
    parameters: Vec<String>,
    /// Whose it is: machine (each its own), machine:NAME, group:NAME or admin.
    #[arg(long, value_name = "SCOPE", default_value = "machine")]
    scope: String,
    /// With scope machine: only those of this group; may be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<Label>,
    /// The user who may read its file.
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// The mode of its file, such as 0400.
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// A unit of systemd that uses it; may be given several times.
    #[arg(long = "unit", value_name = "UNIT")]
    units: Vec<String>,
    /// It becomes a file on the machine too (`aux secret install`), beside being handed to its units.
    #[arg(long)]
    file: bool,
    /// Where it is replaced, for an envelope: the page or person that issues it.
    #[arg(long, value_name = "TEXT")]
    provider: Option<String>,
    /// A certificate begins on this day; today where nothing is said.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    #[command(flatten)]
    writing: Writing,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let mut scope: Scope = args.scope.parse().map_err(Failure::new)?;
    match &mut scope {
        Scope::Machines { groups } => groups.clone_from(&args.groups),
        _ if !args.groups.is_empty() => {
            let hint = format!("for a value that the group shares, say --scope group:{}", joined(&args.groups));
            return Err(Failure::new("--group goes with scope machine").hint(hint));
        }
        _ => {}
    }
    let mut parameters = parameters(&args.parameters)?;
    if args.type_word.starts_with("tls-") && parameters.not_before.is_none() {
        parameters.not_before = Some(today(args.as_of)?);
    }
    // Here, where nothing was opened yet, it is told soonest.
    let rule = Rule::of(&args.type_word, &parameters).map_err(Failure::new)?;
    let mut session = args.writing.session(ui)?;
    session.edit(&[Edit::AddSecret {
        name: args.name.clone(),
        type_word: rule.word().to_owned(),
        parameters: Box::new(parameters),
        scope,
        uses: Uses {
            owner: args.owner.clone(),
            mode: args.mode.clone(),
            units: args.units.clone(),
            is_file: args.file,
            provider: args.provider.clone(),
        },
    }])?;
    let secret = session.declaration().secrets.get(&args.name);
    let holders = secret.map(|secret| session.declaration().holders(secret).len()).unwrap_or_default();
    let mut lines = Vec::new();
    match (rule == Rule::Envelope, holders) {
        (true, _) => lines.push(format!("{} has no value yet: aux secret set {}", args.name, args.name)),
        (false, 0) => lines.push(format!("{} belongs to no machine yet; each gets one when it is enrolled", args.name)),
        (false, _) => {}
    }
    let answer = Answer { lines, fields: vec![("name", json!(args.name.as_str())), ("values", json!(holders))] };
    args.writing.finish(session.prepare(false)?, &answer, ui)
}

fn joined(groups: &[Label]) -> String {
    groups.iter().map(Label::as_str).collect::<Vec<_>>().join(",")
}

/// `length=24`, `dns=a.example,b.example`, `weak=true`.
fn parameters(given: &[String]) -> Result<Parameters, Failure> {
    let mut map = Map::new();
    for text in given {
        let wrong = || {
            Failure::new(format!("`{text}` is no parameter")).hint("write it as KEY=VALUE, such as --with length=24")
        };
        let (key, value) = text.split_once('=').ok_or_else(wrong)?;
        let value = match (key, value) {
            ("dns" | "ip", list) => list.split(',').map(|item| Value::from(item.trim())).collect(),
            ("weak" | "publish", "true") => Value::Bool(true),
            ("weak" | "publish", "false") => Value::Bool(false),
            ("length" | "words" | "cost" | "rounds" | "days", number) => {
                number.parse::<u32>().map_err(|_| wrong())?.into()
            }
            (key, number) if key.starts_with("min_") => number.parse::<u32>().map_err(|_| wrong())?.into(),
            (_, text) => Value::from(text),
        };
        if map.insert(key.to_owned(), value).is_some() {
            return Err(Failure::new(format!("`{key}` is given twice")));
        }
    }
    serde_json::from_value(Value::Object(map)).map_err(|error| Failure::new(format!("--with: {error}")))
}
