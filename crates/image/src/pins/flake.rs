//! Pins in a flake.lock: the revisions of a flake's own inputs.

use aux_core::{Problem, line_of};
use serde_json::Value;

use super::{Pin, PinKind, Pins};

/// Finds the inputs of the root; what follows another input is pinned there.
pub fn find(file: &str, text: &str, pins: &mut Pins) {
    let mut problem = |message: String| pins.problems.push(Problem { subject: file.to_owned(), message });
    let document: Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(error) => return problem(format!("not readable as JSON: {error}")),
    };
    let root = document.get("root").and_then(Value::as_str).unwrap_or("root");
    let Some(nodes) = document.get("nodes").and_then(Value::as_object) else {
        return problem("has no nodes, so it is no flake.lock".to_owned());
    };
    let inputs = nodes.get(root).and_then(|node| node.get("inputs")).and_then(Value::as_object);
    for (name, node) in inputs.into_iter().flatten() {
        let Some(locked) = node.as_str().and_then(|node| nodes.get(node)).and_then(|node| node.get("locked")) else {
            continue;
        };
        let field = |name: &str| locked.get(name).and_then(Value::as_str);
        let Some(value) = field("rev").or_else(|| field("narHash")) else { continue };
        let start = text.find(&format!("\"{value}\"")).map_or(0, |quote| quote + 1);
        pins.pins.push(Pin {
            kind: PinKind::FlakeInput,
            name: name.clone(),
            value: value.to_owned(),
            file: file.to_owned(),
            line: line_of(text, start),
            is_active: Some(true),
            span: start..start + value.len(),
            comments: Vec::new(),
        });
    }
}
