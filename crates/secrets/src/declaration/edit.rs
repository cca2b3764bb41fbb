//! Changes to a declaration that leave everything else of it as it was written, comments too.

use jiff::civil::Date;
use serde_json::Value;
use toml_edit::{Array, DocumentMut, Item, Table, TableLike};

use super::{Holder, Scope};
use crate::derive::Label;
use crate::kinds::Parameters;

/// One change.
#[derive(Debug, Clone)]
pub enum Edit {
    AddMachine {
        name: Label,
        environment: Option<Label>,
        groups: Vec<Label>,
        recipients: Vec<String>,
    },
    AddSecret {
        name: Label,
        type_word: String,
        parameters: Box<Parameters>,
        scope: Scope,
        uses: Uses,
    },
    Version {
        secret: Label,
        version: u32,
    },
    /// A certificate's first day.
    NotBefore {
        secret: Label,
        day: Date,
    },
    Generation {
        holder: Holder,
        generation: u32,
    },
    EnvironmentGeneration {
        environment: Label,
        generation: u32,
    },
    Epoch {
        epoch: u32,
    },
    Signers {
        signers: Vec<String>,
    },
}

/// Who may use a secret on the machine.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    pub owner: Option<String>,
    pub mode: Option<String>,
    pub units: Vec<String>,
    /// Written to a file too, by `aux secret install`.
    pub is_file: bool,
    pub provider: Option<String>,
}

/// A declaration that cannot be changed here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("is JSON, which another program wrote: change what it is made from, then run `aux secret rekey`")]
    Json,
    #[error("{cause}")]
    Syntax { cause: String },
    #[error("{section}.{name} is there already")]
    Exists { section: &'static str, name: Label },
    #[error("{at} is no table")]
    Shape { at: String },
}

impl Edit {
    /// The text after this change.
    pub fn apply(&self, text: &str) -> Result<String, EditError> {
        if text.trim_start().starts_with('{') {
            return Err(EditError::Json);
        }
        let syntax = |error: toml_edit::TomlError| EditError::Syntax { cause: error.to_string() };
        let mut document: DocumentMut = text.parse().map_err(syntax)?;
        match self {
            Self::AddMachine { name, environment, groups, recipients } => {
                let entry = new_entry(&mut document, "machines", name)?;
                if let Some(environment) = environment {
                    entry.insert("environment", text_item(environment.as_str()));
                }
                if !groups.is_empty() {
                    entry.insert("groups", list(groups.iter().map(Label::as_str)));
                }
                entry.insert("recipients", list(recipients.iter().map(String::as_str)));
            }
            Self::AddSecret { name, type_word, parameters, scope, uses } => {
                let entry = new_entry(&mut document, "secrets", name)?;
                entry.insert("type", text_item(type_word));
                add_parameters(entry, parameters);
                entry.insert("scope", text_item(&scope.to_string()));
                if let Scope::Machines { groups } = scope
                    && !groups.is_empty()
                {
                    entry.insert("groups", list(groups.iter().map(Label::as_str)));
                }
                add_uses(entry, uses);
            }
            Self::Version { secret, version } => {
                put(table(&mut document, &["secrets", secret.as_str()])?, "version", number(*version));
            }
            Self::NotBefore { secret, day } => {
                put(table(&mut document, &["secrets", secret.as_str()])?, "not_before", text_item(&day.to_string()));
            }
            Self::Generation { holder, generation } => {
                let (path, key): (&[&str], _) = match holder {
                    Holder::Admin => (&["fleet"], "admin_generation"),
                    Holder::Group(label) => (&["groups", label.as_str()], "generation"),
                    Holder::Machine(label) => (&["machines", label.as_str()], "generation"),
                };
                put(table(&mut document, path)?, key, number(*generation));
            }
            Self::EnvironmentGeneration { environment, generation } => {
                put(table(&mut document, &["environments", environment.as_str()])?, "generation", number(*generation));
            }
            Self::Epoch { epoch } => {
                put(table(&mut document, &["fleet"])?, "epoch", number(*epoch));
            }
            Self::Signers { signers } => {
                put(table(&mut document, &["fleet"])?, "signers", list(signers.iter().map(String::as_str)));
            }
        }
        Ok(document.to_string())
    }
}

/// A table of a section that is not there yet; the section itself gets no header of its own.
fn new_entry<'d>(
    document: &'d mut DocumentMut,
    section: &'static str,
    name: &Label,
) -> Result<&'d mut dyn TableLike, EditError> {
    let entries = document.entry(section).or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let entries = entries.as_table_like_mut().ok_or_else(|| EditError::Shape { at: section.to_owned() })?;
    if entries.contains_key(name.as_str()) {
        return Err(EditError::Exists { section, name: name.clone() });
    }
    entries.insert(name.as_str(), Item::Table(Table::new()));
    let made = entries.get_mut(name.as_str()).and_then(Item::as_table_like_mut);
    made.ok_or_else(|| EditError::Shape { at: format!("{section}.{name}") })
}

fn table<'d>(document: &'d mut DocumentMut, path: &[&str]) -> Result<&'d mut dyn TableLike, EditError> {
    let shape = || EditError::Shape { at: path.join(".") };
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for name in path {
        table = table.get_mut(name).and_then(Item::as_table_like_mut).ok_or_else(shape)?;
    }
    Ok(table)
}

/// A value in place of one that may be there, with the comment behind that one.
fn put(table: &mut dyn TableLike, key: &str, item: Item) {
    let before = table.get(key).and_then(Item::as_value).map(|value| value.decor().clone());
    let mut item = item;
    if let (Some(value), Some(decor)) = (item.as_value_mut(), before) {
        *value.decor_mut() = decor;
    }
    table.insert(key, item);
}

fn add_parameters(entry: &mut dyn TableLike, parameters: &Parameters) {
    let Ok(Value::Object(given)) = serde_json::to_value(parameters) else { return };
    for (name, value) in given {
        let item = match value {
            Value::Bool(flag) => toml_edit::value(flag),
            Value::Number(count) => toml_edit::value(count.as_i64().unwrap_or_default()),
            Value::Array(items) => list(items.iter().filter_map(Value::as_str)),
            Value::String(text) => text_item(&text),
            Value::Null | Value::Object(_) => continue,
        };
        entry.insert(&name, item);
    }
}

fn add_uses(entry: &mut dyn TableLike, uses: &Uses) {
    for (name, given) in [("owner", &uses.owner), ("mode", &uses.mode), ("provider", &uses.provider)] {
        if let Some(text) = given {
            entry.insert(name, text_item(text));
        }
    }
    if !uses.units.is_empty() {
        entry.insert("units", list(uses.units.iter().map(String::as_str)));
    }
    if uses.is_file {
        entry.insert("file", toml_edit::value(true));
    }
}

fn text_item(text: &str) -> Item {
    toml_edit::value(text)
}

fn number(number: u32) -> Item {
    toml_edit::value(i64::from(number))
}

/// A list, one item a line where there are several.
fn list<'t>(items: impl Iterator<Item = &'t str>) -> Item {
    let mut array = Array::new();
    for item in items {
        array.push(item);
    }
    if array.len() > 1 {
        for item in array.iter_mut() {
            item.decor_mut().set_prefix("\n    ");
        }
        array.set_trailing("\n");
        array.set_trailing_comma(true);
    }
    toml_edit::value(array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_keeps_what_people_wrote() {
        let text = "# mine\n[fleet]\nid = \"x\" # its name\nepoch = 1\n\n[machines.a]\ngeneration = 1 # first\n";
        let holder = Holder::Machine("a".parse().unwrap());
        let changed = Edit::Generation { holder, generation: 2 }.apply(text).unwrap();
        assert_eq!(changed, text.replace("generation = 1", "generation = 2"));
        let name: Label = "web1".parse().unwrap();
        let edit =
            Edit::AddMachine { name, environment: None, groups: Vec::new(), recipients: vec!["age1x".to_owned()] };
        let added = edit.apply(text).unwrap();
        assert_eq!(added, format!("{text}\n[machines.web1]\nrecipients = [\"age1x\"]\n"));
        assert!(matches!(edit.apply(&added), Err(EditError::Exists { section: "machines", .. })));
        assert_eq!(edit.apply(" { }"), Err(EditError::Json));
        assert!(matches!(Edit::Epoch { epoch: 2 }.apply("fleet = 1"), Err(EditError::Shape { .. })));
    }
}
