//! Prints a derivation in its file form.

use super::{Derivation, Form, Output, Text, Wanted};

impl Derivation<'_> {
    /// The file form. What [`Derivation::parse`] read comes out unchanged.
    pub fn print(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4_096);
        out.extend_from_slice(match self.form {
            Form::Derive => b"Derive(".as_slice(),
            Form::DynamicDerivations => b"DrvWithVersion(\"xp-dyn-drv\",",
        });
        list(&mut out, &self.outputs, output);
        out.push(b',');
        list(&mut out, &self.input_derivations, |out, input| {
            out.push(b'(');
            text(out, &input.path);
            out.push(b',');
            wanted(out, &input.wanted);
            out.push(b')');
        });
        out.push(b',');
        list(&mut out, &self.input_sources, text);
        out.push(b',');
        text(&mut out, &self.system);
        out.push(b',');
        text(&mut out, &self.builder);
        out.push(b',');
        list(&mut out, &self.arguments, text);
        out.push(b',');
        list(&mut out, &self.environment, |out, (name, value)| {
            out.push(b'(');
            text(out, name);
            out.push(b',');
            text(out, value);
            out.push(b')');
        });
        out.push(b')');
        out
    }
}

fn output(out: &mut Vec<u8>, output: &Output<'_>) {
    for (opening, part) in
        [(b'(', &output.name), (b',', &output.path), (b',', &output.hash_algorithm), (b',', &output.hash)]
    {
        out.push(opening);
        text(out, part);
    }
    out.push(b')');
}

fn wanted(out: &mut Vec<u8>, node: &Wanted<'_>) {
    if node.dynamic.is_empty() {
        list(out, &node.outputs, text);
        return;
    }
    out.push(b'(');
    list(out, &node.outputs, text);
    out.push(b',');
    list(out, &node.dynamic, |out, (name, child)| {
        out.push(b'(');
        text(out, name);
        out.push(b',');
        wanted(out, child);
        out.push(b')');
    });
    out.push(b')');
}

fn list<T>(out: &mut Vec<u8>, items: &[T], print: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        print(out, item);
    }
    out.push(b']');
}

fn text(out: &mut Vec<u8>, text: &Text<'_>) {
    out.push(b'"');
    out.extend_from_slice(text.spelling());
    out.push(b'"');
}
