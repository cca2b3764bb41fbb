//! Reading a declaration: TOML by people, JSON by Nix, the same meaning.

use std::collections::BTreeMap;

use aux_core::limits::{SECRET_DECLARATION_BYTES_MAX, SECRET_MACHINES_MAX};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Declaration, Environment, Fleet, Group, Machine, Scope, Secret};
use crate::age_file::Recipient;
use crate::derive::Label;
use crate::kinds::{Parameters, Rule, RuleError};
use crate::sshsig::Signer;

/// Why a declaration is refused; `at` is where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeclarationError {
    #[error("{bytes} bytes, more than the {SECRET_DECLARATION_BYTES_MAX} allowed (SECRET_DECLARATION_BYTES_MAX)")]
    Large { bytes: usize },
    #[error("is not UTF-8 text")]
    Text,
    #[error("{cause}")]
    Syntax { cause: String },
    #[error("{at}: {cause}")]
    Value { at: String, cause: String },
    #[error("secrets.{name}: {cause}")]
    Rule { name: Label, cause: RuleError },
    #[error("{at}: there is no {what} `{name}`; declare it, or take it out here")]
    Unknown { at: String, what: &'static str, name: String },
    #[error("{count} machines, more than the {SECRET_MACHINES_MAX} allowed (SECRET_MACHINES_MAX)")]
    Machines { count: usize },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    fleet: Value,
    #[serde(default)]
    environments: Map<String, Value>,
    #[serde(default)]
    groups: Map<String, Value>,
    #[serde(default)]
    machines: Map<String, Value>,
    #[serde(default)]
    secrets: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FleetTable {
    id: String,
    #[serde(default = "one")]
    epoch: u32,
    #[serde(default = "one")]
    admin_generation: u32,
    recovery: Vec<Recipient>,
    #[serde(default)]
    signers: Vec<Signer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvironmentTable {
    #[serde(default = "one")]
    generation: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupTable {
    environment: Option<Label>,
    #[serde(default = "one")]
    generation: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MachineTable {
    environment: Option<Label>,
    #[serde(default)]
    groups: Vec<Label>,
    #[serde(default = "one")]
    generation: u32,
    #[serde(default)]
    recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
struct SecretTable {
    #[serde(rename = "type")]
    type_word: String,
    #[serde(default = "machine")]
    scope: String,
    #[serde(default)]
    groups: Vec<Label>,
    #[serde(default = "one")]
    version: u32,
    #[serde(default = "root")]
    owner: String,
    #[serde(default = "root")]
    group: String,
    #[serde(default = "closed")]
    mode: String,
    #[serde(default)]
    units: Vec<String>,
    #[serde(default)]
    file: bool,
    #[serde(default, alias = "keepPrevious")]
    keep_previous: u32,
    provider: Option<String>,
    note: Option<String>,
    #[serde(flatten)]
    parameters: Map<String, Value>,
}

fn one() -> u32 {
    1
}

fn machine() -> String {
    "machine".to_owned()
}

fn root() -> String {
    "root".to_owned()
}

fn closed() -> String {
    "0400".to_owned()
}

impl Declaration {
    /// A declaration in TOML, or in JSON where it begins with a brace.
    pub fn read(bytes: &[u8]) -> Result<Self, DeclarationError> {
        if bytes.len() > SECRET_DECLARATION_BYTES_MAX {
            return Err(DeclarationError::Large { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| DeclarationError::Text)?;
        let syntax = |cause: String| DeclarationError::Syntax { cause: cause.trim().to_owned() };
        let value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| syntax(error.to_string()))?
        } else {
            let table: toml::Table = toml::from_str(text).map_err(|error| syntax(described(&error, text)))?;
            plain(toml::Value::Table(table))
        };
        let document: Document = serde_json::from_value(value).map_err(|error| syntax(error.to_string()))?;
        Self::of_document(document)
    }

    fn of_document(document: Document) -> Result<Self, DeclarationError> {
        if document.machines.len() > SECRET_MACHINES_MAX {
            return Err(DeclarationError::Machines { count: document.machines.len() });
        }
        let fleet: FleetTable = table("fleet", document.fleet)?;
        let wrong = |at: &str, cause: String| DeclarationError::Value { at: at.to_owned(), cause };
        let fleet = Fleet {
            id: fleet.id.parse().map_err(|cause| wrong("fleet.id", cause))?,
            epoch: fleet.epoch,
            admin_generation: fleet.admin_generation,
            recovery: fleet.recovery,
            signers: fleet.signers,
        };
        let environments = tables("environments", document.environments, |_, table: EnvironmentTable| {
            Ok(Environment { generation: table.generation })
        })?;
        let groups = tables("groups", document.groups, |_, table: GroupTable| {
            Ok(Group { environment: table.environment, generation: table.generation })
        })?;
        let machines = tables("machines", document.machines, |_, table: MachineTable| {
            let MachineTable { environment, groups, generation, recipients } = table;
            Ok(Machine { environment, groups, generation, recipients })
        })?;
        let secrets = tables("secrets", document.secrets, secret)?;
        let declaration = Self { fleet, environments, groups, machines, secrets };
        declaration.hold_together()?;
        Ok(declaration)
    }

    /// Names that are used are declared, numbers begin with one, and a secret's ingredients lie where it lies.
    fn hold_together(&self) -> Result<(), DeclarationError> {
        let unknown = |at: String, what, name: &Label| DeclarationError::Unknown { at, what, name: name.to_string() };
        let numbers = std::iter::once(("fleet.epoch".to_owned(), self.fleet.epoch))
            .chain(
                self.environments.iter().map(|(name, one)| (format!("environments.{name}.generation"), one.generation)),
            )
            .chain(self.groups.iter().map(|(name, one)| (format!("groups.{name}.generation"), one.generation)))
            .chain(self.machines.iter().map(|(name, one)| (format!("machines.{name}.generation"), one.generation)))
            .chain(self.secrets.iter().map(|(name, one)| (format!("secrets.{name}.version"), one.version)));
        for (at, number) in numbers {
            if number == 0 {
                return Err(DeclarationError::Value {
                    at,
                    cause: "is 0; generations and versions begin with 1".to_owned(),
                });
            }
        }
        let used = self.machines.iter().map(|(name, one)| (format!("machines.{name}"), &one.environment));
        for (at, environment) in
            used.chain(self.groups.iter().map(|(name, one)| (format!("groups.{name}"), &one.environment)))
        {
            if let Some(name) = environment.as_ref().filter(|name| !self.environments.contains_key(*name)) {
                return Err(unknown(at, "environment", name));
            }
        }
        for (name, machine) in &self.machines {
            if let Some(group) = machine.groups.iter().find(|group| !self.groups.contains_key(*group)) {
                return Err(unknown(format!("machines.{name}"), "group", group));
            }
        }
        for (name, secret) in &self.secrets {
            self.hold_secret(name, secret)?;
        }
        Ok(())
    }

    fn hold_secret(&self, name: &Label, secret: &Secret) -> Result<(), DeclarationError> {
        let at = || format!("secrets.{name}");
        let wrong = |cause: String| DeclarationError::Value { at: at(), cause };
        let unknown = |what, name: &Label| DeclarationError::Unknown { at: at(), what, name: name.to_string() };
        match &secret.scope {
            Scope::Machine(machine) if !self.machines.contains_key(machine) => return Err(unknown("machine", machine)),
            Scope::Group(group) if !self.groups.contains_key(group) => return Err(unknown("group", group)),
            Scope::Machines { groups } => {
                if let Some(group) = groups.iter().find(|group| !self.groups.contains_key(*group)) {
                    return Err(unknown("group", group));
                }
            }
            _ => {}
        }
        for other in secret.rule.others() {
            let ingredient = self.secrets.get(other).ok_or_else(|| unknown("secret", other))?;
            if ingredient.scope != secret.scope {
                return Err(wrong(format!("`{other}` has another scope; a secret is made of those of its own scope")));
            }
            hold_ingredient(name, secret, other, ingredient)?;
        }
        match &secret.rule {
            Rule::TlsLeaf { ca, .. } => {
                let authority = self.secrets.get(ca).ok_or_else(|| unknown("secret", ca))?;
                if !matches!(authority.rule, Rule::TlsCa(_)) {
                    return Err(wrong(format!("`{ca}` signs nothing; `ca` names a secret of type tls-ca")));
                }
            }
            Rule::TlsCa(_) if secret.scope != Scope::Admin => {
                return Err(wrong("an authority's key stays with the admins; say `scope = \"admin\"`".to_owned()));
            }
            Rule::WireguardPsk if !matches!(secret.scope, Scope::Group(_)) => {
                return Err(wrong("is shared by pairs of a group's machines; say `scope = \"group:NAME\"`".to_owned()));
            }
            _ => {}
        }
        Ok(())
    }
}

fn hold_ingredient(name: &Label, secret: &Secret, other: &Label, ingredient: &Secret) -> Result<(), DeclarationError> {
    let wrong = |cause: String| DeclarationError::Value { at: format!("secrets.{name}"), cause };
    match &secret.rule {
        Rule::Gokey(_) if ingredient.rule != Rule::Envelope => {
            Err(wrong(format!("`{other}` must be an envelope: gokey's password and seed were chosen elsewhere")))
        }
        Rule::Hash { .. }
            if !matches!(
                ingredient.rule,
                Rule::Password(_)
                    | Rule::Passphrase { .. }
                    | Rule::Hex { .. }
                    | Rule::Base64 { .. }
                    | Rule::Base64Url { .. }
            ) =>
        {
            Err(wrong(format!("`{other}` is no password; hashes are made of password, passphrase, hex and base64")))
        }
        Rule::Hash { is_public: true, .. } if ingredient.parameters.weak == Some(true) => {
            Err(wrong(format!("`{other}` is weak, so its hash must not be published")))
        }
        _ => Ok(()),
    }
}

fn secret(name: &Label, table: SecretTable) -> Result<Secret, DeclarationError> {
    let wrong = |key: &str, cause: String| DeclarationError::Value { at: format!("secrets.{name}.{key}"), cause };
    let mut scope: Scope = table.scope.parse().map_err(|error: super::ScopeError| wrong("scope", error.to_string()))?;
    match &mut scope {
        Scope::Machines { groups } => groups.extend(table.groups),
        _ if !table.groups.is_empty() => {
            return Err(wrong("groups", "goes with `scope = \"machine\"` only".to_owned()));
        }
        _ => {}
    }
    let is_mode = matches!(table.mode.len(), 3 | 4) && table.mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    if !is_mode || table.mode.ends_with(['1', '2', '3', '4', '5', '6', '7']) {
        return Err(wrong(
            "mode",
            format!("`{}` is no mode of a secret: 3 or 4 octal digits, of which the last is 0", table.mode),
        ));
    }
    for (key, user) in [("owner", &table.owner), ("group", &table.group)] {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if user.is_empty() || user.len() > 64 || !user.chars().all(is_plain) || user.starts_with(['-', '.']) {
            return Err(wrong(key, format!("`{user}` is no name of a user or group")));
        }
    }
    if let Some(unit) = table.units.iter().find(|unit| !is_unit(unit)) {
        return Err(wrong("units", format!("`{unit}` is no unit of systemd, such as nginx.service")));
    }
    if table.keep_previous > 1 {
        return Err(wrong("keep_previous", "is 0 or 1".to_owned()));
    }
    let parameters = serde_json::from_value::<Parameters>(Value::Object(table.parameters));
    let parameters = parameters
        .map_err(|error| DeclarationError::Value { at: format!("secrets.{name}"), cause: error.to_string() })?;
    let rule = Rule::of(&table.type_word, &parameters)
        .map_err(|cause| DeclarationError::Rule { name: name.clone(), cause })?;
    Ok(Secret {
        rule,
        parameters,
        scope,
        version: table.version,
        owner: table.owner,
        group: table.group,
        mode: table.mode,
        units: table.units,
        is_file: table.file,
        keep_previous: table.keep_previous,
        provider: table.provider,
        note: table.note,
    })
}

fn is_unit(unit: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | ':' | '\\');
    unit.len() <= 255 && unit.contains('.') && unit.chars().all(is_plain)
}

/// One table, with where it stands in what is wrong with it.
fn table<T: DeserializeOwned>(at: &str, value: Value) -> Result<T, DeclarationError> {
    serde_json::from_value(value)
        .map_err(|error| DeclarationError::Value { at: at.to_owned(), cause: error.to_string() })
}

fn tables<T: DeserializeOwned, U>(
    section: &str,
    map: Map<String, Value>,
    made: impl Fn(&Label, T) -> Result<U, DeclarationError>,
) -> Result<BTreeMap<Label, U>, DeclarationError> {
    let mut all = BTreeMap::new();
    for (name, value) in map {
        let wrong = |cause: String| DeclarationError::Value { at: section.to_owned(), cause };
        let label: Label = name.parse().map_err(|error: crate::derive::LabelError| wrong(error.to_string()))?;
        let one = made(&label, table(&format!("{section}.{name}"), value)?)?;
        all.insert(label, one);
    }
    Ok(all)
}

/// TOML as JSON; a date becomes its text.
fn plain(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(moment) => moment.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(plain).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(name, value)| (name, plain(value))).collect(),
    }
}

fn described(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| aux_core::line_of(text, span.start));
    match line {
        Some(line) => format!("line {line}: {}", error.message()),
        None => error.message().to_owned(),
    }
}
