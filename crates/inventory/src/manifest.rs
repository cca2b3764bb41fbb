//! Package lists in JSON: Triton image manifests with a `"pkgsrc": […]` somewhere, bare lists, lists of lists.

use crate::{Gathered, list};
use aux_core::{Ecosystem, TargetKind};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Reads every name of a bare list, and of every list under a key `pkgsrc` however deep; a key that stands twice is
/// read twice, so nothing hides behind a repetition.
pub fn read(name: &str, bytes: &[u8], kind: TargetKind, ecosystem: &Ecosystem, into: &mut Gathered) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut found = Found::default();
    let inside = bytes.trim_ascii_start().first() == Some(&b'[');
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let outcome = Search { found: &mut found, inside }.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    if let Err(error) = outcome {
        return into.problem(name, format!("not readable as JSON: {error}"));
    }
    if found.others > 0 {
        into.problem(name, format!("{} entries of its package list are not text", found.others));
    }
    if !found.listed {
        return into.problem(name, "has no package list; a manifest lists its packages under the key pkgsrc");
    }
    into.recognise(kind);
    for text in &found.names {
        match list::component(text.trim(), ecosystem) {
            Ok(component) => into.add(component),
            Err(message) => into.problem(name, message),
        }
    }
}

#[derive(Default)]
struct Found {
    names: Vec<String>,
    /// Whether there was a list at all; an empty one is an answer.
    listed: bool,
    /// Numbers, booleans and the like where a name should stand.
    others: usize,
}

struct Search<'a> {
    found: &'a mut Found,
    /// Whether this value stands where names do.
    inside: bool,
}

impl Search<'_> {
    fn other(self) {
        self.found.others += usize::from(self.inside);
    }
}

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if self.inside {
            self.found.names.push(text.to_owned());
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let Self { found, inside } = self;
        found.listed |= inside;
        while values.next_element_seed(Search { found: &mut *found, inside })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Search { found: &mut *self.found, inside: key == "pkgsrc" })?;
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.other();
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.other();
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.other();
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.other();
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.other();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aux_core::Inventory;

    fn inventory(text: &str) -> Inventory {
        let mut gathered = Gathered::default();
        read("m.json", text.as_bytes(), TargetKind::TritonManifest, &Ecosystem::PKGSRC, &mut gathered);
        gathered.finish("m.json")
    }

    #[test]
    fn names_are_found_at_any_depth_and_twice_under_one_key() {
        for text in [
            r#"{"name": "base", "uuid": "x", "pkgsrc": ["curl-7.1nb2", "xz-5.2"]}"#,
            r#"{"spec": {"image": {"pkgsrc": [["curl-7.1nb2"], "xz-5.2"]}}, "other": ["no-1"]}"#,
            r#"{"pkgsrc": ["curl-7.1nb2"], "pkgsrc": ["xz-5.2"]}"#,
            r#"[["curl-7.1nb2"], ["xz-5.2", "curl-7.1nb2"]]"#,
            r#"[{"name": "a", "pkgsrc": ["curl-7.1nb2"]}, {"pkgsrc": ["xz-5.2"]}]"#,
        ] {
            let inventory = inventory(text);
            let names: Vec<_> = inventory.components.iter().map(|one| (&*one.name, &*one.version)).collect();
            assert_eq!(names, [("curl", "7.1nb2"), ("xz", "5.2")], "{text}");
            assert!(inventory.problems.is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_a_problem() {
        assert_eq!(inventory(r#"{"pkgsrc": ["a-1", 5, null, "b c"]}"#).problems.len(), 2);
        assert!(inventory(r#"{"uuid": "x", "v": 2}"#).problems[0].message.contains("pkgsrc"));
        assert!(inventory(r#"{"pkgsrc": {"a": "b-1"}}"#).problems[0].message.contains("no package list"));
        assert!(inventory(r#"{"pkgsrc": ["a-1""#).problems[0].message.contains("not readable as JSON"));
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        assert!(inventory(&deep).problems[0].message.contains("recursion limit"));
        assert!(inventory(r#"{"pkgsrc": []}"#).problems.is_empty());
    }
}
