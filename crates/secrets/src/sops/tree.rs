//! YAML and JSON as a tree that keeps the order of its keys, which the MAC of sops hangs on.

use std::borrow::Cow;
use std::fmt;

use aux_core::limits::{SOPS_DEPTH_MAX, SOPS_VALUES_MAX};
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::SopsError;

/// A value of a document.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    Map(Vec<(String, Self)>),
    List(Vec<Self>),
    Text(String),
    /// A number, a truth value or a time, as sops writes it into its MAC.
    Plain(String),
    Null,
}

impl Node {
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Both formats let a key stand twice, and programs differ in which one counts.
    fn of_entries(entries: Vec<(String, Self)>) -> Result<Self, String> {
        let mut names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair.first() == pair.last()) {
            Some(pair) => Err(format!("the key `{}` stands twice", pair.first().unwrap_or(&""))),
            None => Ok(Self::Map(entries)),
        }
    }
}

/// A truth value as sops writes it (Go's `strings.Title`).
fn truth(value: bool) -> Node {
    Node::Plain(if value { "True" } else { "False" }.to_owned())
}

/// A number as Go's `FormatFloat(…, 'f', -1, 64)` writes it: all its digits, and no exponent.
fn number(value: f64) -> Node {
    Node::Plain(format!("{value}"))
}

pub(super) fn of_json(text: &str) -> Result<Node, SopsError> {
    let syntax = |cause: String| SopsError::Syntax { cause };
    let node: Node = serde_json::from_str(text).map_err(|error| syntax(error.to_string()))?;
    if is_deeper(&node, SOPS_DEPTH_MAX) {
        return Err(syntax(format!("more than {SOPS_DEPTH_MAX} levels (SOPS_DEPTH_MAX)")));
    }
    Ok(node)
}

fn is_deeper(node: &Node, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else { return true };
    match node {
        Node::Map(entries) => entries.iter().any(|(_, node)| is_deeper(node, below)),
        Node::List(nodes) => nodes.iter().any(|node| is_deeper(node, below)),
        _ => false,
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(truth(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = items.next_entry()? {
            entries.push(entry);
        }
        Node::of_entries(entries).map_err(serde::de::Error::custom)
    }
}

/// A map or list whose end has not come yet.
enum Open {
    Map { entries: Vec<(String, Node)>, key: Option<String> },
    List(Vec<Node>),
}

pub(super) fn of_yaml(text: &str) -> Result<Node, SopsError> {
    let syntax = |cause: String| SopsError::Syntax { cause };
    let mut open: Vec<Open> = Vec::new();
    let (mut root, mut documents, mut count) = (None, 0_usize, 0_usize);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| syntax(error.to_string()))?;
        let line = span.start.line();
        let at = |what: &str| syntax(format!("line {line}: {what}"));
        count += 1;
        if count > 4 * SOPS_VALUES_MAX {
            return Err(SopsError::Values);
        }
        let node = match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(at("a second document; split the file, with `sops -d` and `sops -e`"));
                }
                continue;
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => continue,
            Event::Alias(_) => return Err(at("an alias, which sops does not write")),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= SOPS_DEPTH_MAX => {
                return Err(at(&format!("more than {SOPS_DEPTH_MAX} levels (SOPS_DEPTH_MAX)")));
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map { entries: Vec::new(), key: None });
                continue;
            }
            Event::Scalar(_, _, _, Some(_)) => return Err(at("a tag, which sops does not write")),
            Event::Scalar(text, style, ..) => scalar(text, style),
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(nodes)) => Node::List(nodes),
                Some(Open::Map { entries, .. }) => Node::of_entries(entries).map_err(|cause| at(&cause))?,
                None => return Err(at("an end without a beginning")),
            },
        };
        match open.last_mut() {
            None => root = Some(node),
            Some(Open::List(nodes)) => nodes.push(node),
            Some(Open::Map { entries, key }) => match (key.take(), node) {
                (Some(name), node) => entries.push((name, node)),
                (None, Node::Text(name)) => *key = Some(name),
                (None, _) => return Err(at("a key that is no text, which sops does not write")),
            },
        }
    }
    root.ok_or_else(|| syntax("an empty document".to_owned()))
}

/// What a scalar is, by the rules of YAML 1.2 (section 10.3.2).
fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Node {
    if style != ScalarStyle::Plain {
        return Node::Text(text.into_owned());
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(&text);
    let is_numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'-' | b'+'));
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Node::Null,
        "true" | "True" | "TRUE" => truth(true),
        "false" | "False" | "FALSE" => truth(false),
        _ if is_numeric => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(value), _) => Node::Plain(value.to_string()),
            (Err(_), Ok(value)) => number(value),
            // A time, such as 2001-12-14T00:00:00Z has letters, 2001-12-14 has not; sops writes both whole.
            _ => Node::Text(text.into_owned()),
        },
        _ => Node::Text(text.into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_give_the_same_tree_in_order() {
        let yaml = of_yaml("b: x\na:\n  - 1\n  - true\n  - null\n  - 1.50\nt: |\n  one\n  two\nq: \"05\"\n").unwrap();
        let json = of_json(r#"{"b": "x", "a": [1, true, null, 1.50], "t": "one\ntwo\n", "q": "05"}"#).unwrap();
        assert_eq!(yaml, json);
        let Node::Map(entries) = &yaml else { panic!("{yaml:?}") };
        assert_eq!(entries.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["b", "a", "t", "q"]);
        assert_eq!(yaml.get("q").and_then(Node::text), Some("05"));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in ["a: 1\na: 2\n", "a: &x 1\nb: *x\n", "--- 1\n--- 2\n", "1: x\n", "a: !!str 1\n", "a: [\n"] {
            assert!(of_yaml(text).is_err(), "{text}");
        }
        assert!(of_json("{\"a\": 1, \"a\": 2}").is_err() && of_json("{} {}").is_err());
        let deep = "[".repeat(SOPS_DEPTH_MAX + 1) + &"]".repeat(SOPS_DEPTH_MAX + 1);
        assert!(of_json(&deep).is_err() && of_yaml(&deep).is_err());
    }
}
