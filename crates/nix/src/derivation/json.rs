//! `nix derivation show` JSON: a map from store path to derivation, in every form Nix has printed.
//!
//! | form | document | store paths | inputs |
//! |---|---|---|---|
//! | 1, 2 | `{path: derivation}` | whole | `inputSrcs`, `inputDrvs` |
//! | 3 | `{path: derivation}`, each with `"version": 3` | without the store directory | `inputSrcs`, `inputDrvs` |
//! | 4, 5 | `{"version": 4, "derivations": {path: derivation}}`, each with its version | without | `inputs.srcs`, `inputs.drvs` |
//!
//! (Nix manual, "Derivation JSON format", version history.) From form 4 on hashes are in Base64. Form 5 lets an environment value be an object with `value`.

use super::{Derivation, Form, InputDerivation, Output, Text, Wanted};
use aux_core::limits::DYNAMIC_OUTPUT_DEPTH_MAX;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

/// A derivation of a document, with its store path.
pub type Named = (String, Derivation<'static>);

/// Why a document is not a graph of derivations.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    #[error("not the JSON of `nix derivation show`")]
    Syntax(#[source] serde_json::Error),
    #[error("derivation `{path}`")]
    Derivation { path: String, source: serde_json::Error },
    #[error("derivation `{path}`: {problem}")]
    Shape { path: String, problem: &'static str },
    #[error("version {0} of the derivation format is not known; versions up to {VERSION_MAX} are")]
    UnknownVersion(u64),
    #[error("a versioned document must have `derivations`")]
    NoDerivations,
    #[error("derivation `{0}` stands twice")]
    Duplicate(String),
}

/// The newest form read here.
const VERSION_MAX: u64 = 5;
/// Where stores are when a document without store directories gives no hint.
const STORE_DIRECTORY: &str = "/nix/store";

/// Reads a document, sorted by store path.
pub fn parse(document: &[u8]) -> Result<Vec<Named>, JsonError> {
    let Graph { version, wrapped, bare } = serde_json::from_slice(document).map_err(JsonError::Syntax)?;
    let entries = match (version, wrapped) {
        (Some(version), _) if check_version(version).is_err() => return Err(JsonError::UnknownVersion(version)),
        (Some(_), Some(Entries(entries))) => entries,
        (Some(_), None) => return Err(JsonError::NoDerivations),
        (None, _) => bare,
    };
    let mut graph: BTreeMap<String, Derivation<'static>> = BTreeMap::new();
    for (path, value) in entries {
        let (path, derivation) = read(path, value)?;
        if graph.insert(path.clone(), derivation).is_some() {
            return Err(JsonError::Duplicate(path));
        }
    }
    Ok(graph.into_iter().collect())
}

fn check_version(version: u64) -> Result<(), JsonError> {
    if (1..=VERSION_MAX).contains(&version) { Ok(()) } else { Err(JsonError::UnknownVersion(version)) }
}

/// One derivation as any form writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    version: Option<u64>,
    outputs: BTreeMap<String, OutputDocument>,
    input_srcs: Option<Vec<String>>,
    input_drvs: Option<BTreeMap<String, WantedDocument>>,
    inputs: Option<Inputs>,
    #[serde(alias = "platform")]
    system: String,
    builder: String,
    args: Vec<String>,
    env: BTreeMap<String, Variable>,
    structured_attrs: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OutputDocument {
    path: Option<String>,
    hash_algo: Option<String>,
    method: Option<String>,
    /// A text, or from form 4 on an object or a text with its algorithm.
    hash: Option<Value>,
    #[serde(default)]
    impure: bool,
}

#[derive(Deserialize)]
struct Inputs {
    srcs: Vec<String>,
    drvs: BTreeMap<String, WantedDocument>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WantedDocument {
    Outputs(Vec<String>),
    #[serde(rename_all = "camelCase")]
    Dynamic {
        #[serde(default)]
        outputs: Vec<String>,
        #[serde(default)]
        dynamic_outputs: BTreeMap<String, Self>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Variable {
    Plain(String),
    Flagged { value: String },
}

impl Variable {
    fn value(&self) -> &str {
        match self {
            Self::Plain(value) | Self::Flagged { value } => value,
        }
    }
}

fn read(path: String, value: Value) -> Result<Named, JsonError> {
    let document: Document = match serde_json::from_value(value) {
        Ok(document) => document,
        Err(source) => return Err(JsonError::Derivation { path, source }),
    };
    if let Some(version) = document.version {
        check_version(version)?;
    }
    let directory = store_directory(&path, &document);
    let whole = |path: &str| if path.starts_with('/') { path.to_owned() } else { format!("{directory}/{path}") };
    let apart = || Some(Inputs { srcs: document.input_srcs?, drvs: document.input_drvs? });
    let Some(Inputs { srcs: sources, drvs: derivations }) = document.inputs.or_else(apart) else {
        return Err(JsonError::Shape { path, problem: "its inputs are missing" });
    };
    let mut inputs = Vec::new();
    for (input, outputs) in derivations {
        let Some(wanted) = wanted(outputs, 0) else {
            return Err(JsonError::Shape { path, problem: "outputs of outputs nest too deep" });
        };
        inputs.push(InputDerivation { path: Text::owned(&whole(&input)), wanted });
    }
    // A name may stand with its store directory and without: those are one derivation.
    inputs.sort_by(|left, right| left.path.cmp(&right.path));
    if inputs.windows(2).any(|pair| matches!(pair, [left, right] if left.path == right.path)) {
        return Err(JsonError::Shape { path, problem: "the same input stands twice" });
    }
    let form = if inputs.iter().any(|input| !input.wanted.dynamic.is_empty()) {
        Form::DynamicDerivations
    } else {
        Form::Derive
    };
    let outputs = document.outputs.iter().map(|(name, output)| self::output(name, output, &document.env, &whole));
    let outputs = outputs.collect();
    let mut environment: BTreeMap<String, Text<'static>> =
        document.env.iter().map(|(name, value)| (name.clone(), Text::owned(value.value()))).collect();
    if let Some(attributes) = document.structured_attrs {
        // The file form keeps structured attributes in this variable.
        environment.insert("__json".to_owned(), Text::owned(&Value::Object(attributes).to_string()));
    }
    let derivation = Derivation {
        form,
        outputs,
        input_derivations: inputs,
        input_sources: sources.iter().map(|source| Text::owned(&whole(source))).collect(),
        system: Text::owned(&document.system),
        builder: Text::owned(&document.builder),
        arguments: document.args.iter().map(|argument| Text::owned(argument)).collect(),
        environment: environment.into_iter().map(|(name, value)| (Text::owned(&name), value)).collect(),
    };
    Ok((whole(&path), derivation))
}

fn output(
    name: &str,
    output: &OutputDocument,
    environment: &BTreeMap<String, Variable>,
    whole: &impl Fn(&str) -> String,
) -> Output<'static> {
    let (mut algorithm, mut hash) = match &output.hash {
        Some(Value::String(text)) => match text.split_once([':', '-']) {
            Some((algorithm, hash)) => (Some(algorithm), hash),
            None => (None, text.as_str()),
        },
        Some(Value::Object(parts)) => {
            let part = |name: &str| parts.get(name).and_then(Value::as_str);
            (part("algorithm"), part("hash").unwrap_or("?"))
        }
        _ => (None, ""),
    };
    algorithm = output.hash_algo.as_deref().or(algorithm);
    if output.impure {
        hash = "impure";
    }
    // The file form marks a recursive (NAR) hash by `r:` before the algorithm.
    let recursive = match output.method.as_deref() {
        Some("nar") => "r:",
        Some("text") => "text:",
        Some("git") => "git:",
        _ => "",
    };
    // A fixed output's path follows from its hash; the newest forms leave it to the environment.
    let path = output.path.as_deref().map(whole);
    let path = path.or_else(|| {
        let named = environment.get(name).map(Variable::value)?;
        named.starts_with('/').then(|| named.to_owned())
    });
    Output {
        name: Text::owned(name),
        path: Text::owned(&path.unwrap_or_default()),
        hash_algorithm: Text::owned(&algorithm.map(|name| format!("{recursive}{name}")).unwrap_or_default()),
        hash: Text::owned(&hexadecimal(hash).unwrap_or_else(|| hash.to_owned())),
    }
}

/// The file form writes hashes in hexadecimal, form 4 on in padded Base64 (RFC 4648, section 4), whose length no
/// hexadecimal hash has: `None` for one of those.
fn hexadecimal(hash: &str) -> Option<String> {
    const DIGEST_BYTES: [usize; 4] = [16, 20, 32, 64];
    let digits = hash.trim_end_matches('=');
    let bytes = digits.len() * 3 / 4;
    if !hash.len().is_multiple_of(4) || hash.len() != bytes.div_ceil(3) * 4 || !DIGEST_BYTES.contains(&bytes) {
        return None;
    }
    let (mut text, mut bits, mut count) = (String::new(), 0_u32, 0_u32);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = ((bits << 6) | u32::from(value)) & 0xfff;
        count += 6;
        if count >= 8 {
            count -= 8;
            let _ = write!(text, "{:02x}", (bits >> count) & 0xff);
        }
    }
    Some(text)
}

/// The wanted outputs; nothing where they nest too deep.
fn wanted(document: WantedDocument, depth: usize) -> Option<Wanted<'static>> {
    let texts = |names: Vec<String>| names.iter().map(|name| Text::owned(name)).collect();
    match document {
        WantedDocument::Outputs(outputs) => Some(Wanted { outputs: texts(outputs), dynamic: Vec::new() }),
        WantedDocument::Dynamic { .. } if depth >= DYNAMIC_OUTPUT_DEPTH_MAX => None,
        WantedDocument::Dynamic { outputs, dynamic_outputs } => {
            let children = dynamic_outputs.into_iter();
            let dynamic = children.map(|(name, child)| Some((Text::owned(&name), wanted(child, depth + 1)?)));
            Some(Wanted { outputs: texts(outputs), dynamic: dynamic.collect::<Option<_>>()? })
        }
    }
}

/// The store directory of a derivation: before its own path, else before an output's path in its environment.
fn store_directory(path: &str, document: &Document) -> String {
    let outputs = document.outputs.keys().filter_map(|name| document.env.get(name)).map(Variable::value);
    let whole = std::iter::once(path).chain(outputs).find(|text| text.starts_with('/'));
    whole.and_then(|text| text.rsplit_once('/')).map_or(STORE_DIRECTORY, |(directory, _)| directory).to_owned()
}

/// The outermost object. Read by hand, so that a name that stands twice is seen.
struct Graph {
    version: Option<u64>,
    /// What stands in `derivations`, in the newer forms.
    wrapped: Option<Entries>,
    /// What stands beside them; in the older forms, the derivations.
    bare: Vec<(String, Value)>,
}

/// A JSON object as pairs in their order.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct GraphVisitor;
        impl<'de> Visitor<'de> for GraphVisitor {
            type Value = Graph;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map from store path to derivation")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Graph, A::Error> {
                let mut graph = Graph { version: None, wrapped: None, bare: Vec::new() };
                while let Some(name) = access.next_key::<String>()? {
                    match name.as_str() {
                        "version" => graph.version = Some(access.next_value()?),
                        "derivations" => graph.wrapped = Some(access.next_value()?),
                        _ => graph.bare.push((name, access.next_value()?)),
                    }
                }
                Ok(graph)
            }
        }
        deserializer.deserialize_map(GraphVisitor)
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map from store path to derivation")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = access.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "01rwx9dqpbp7r777v319h2acnmqqawp0";

    fn body(version: &str, inputs: &str) -> String {
        format!(
            r#"{{{version}"name":"a","outputs":{{"out":{{"path":"{DIGEST}-a"}}}},{inputs},
            "system":"s","builder":"b","args":["-e"],"env":{{"out":"/gnu/store/{DIGEST}-a","n":"1\n2"}},
            "structuredAttrs":{{"pname":"a"}}}}"#
        )
    }

    #[test]
    fn the_newer_forms_say_the_same() {
        let three =
            body(r#""version":3,"#, &format!(r#""inputSrcs":["{DIGEST}-s"],"inputDrvs":{{"{DIGEST}-d.drv":["out"]}}"#));
        let four = body(
            r#""version":4,"#,
            &format!(r#""inputs":{{"srcs":["{DIGEST}-s"],"drvs":{{"{DIGEST}-d.drv":["out"]}}}}"#),
        );
        let five = four
            .replace(r#""version":4"#, r#""version":5"#)
            .replace(r#""1\n2""#, r#"{"value":"1\n2","passAsFile":true}"#);
        let bare = parse(format!(r#"{{"{DIGEST}-a.drv":{three}}}"#).as_bytes()).unwrap();
        for (version, derivation) in [(3, &three), (4, &four), (5, &five)] {
            let document = format!(r#"{{"version":{version},"derivations":{{"{DIGEST}-a.drv":{derivation}}}}}"#);
            assert_eq!(parse(document.as_bytes()).unwrap(), bare);
        }
        let [(path, derivation)] = bare.as_slice() else { panic!("one derivation") };
        assert_eq!(*path, format!("/gnu/store/{DIGEST}-a.drv"));
        assert_eq!(derivation.outputs[0].path.lossy(), format!("/gnu/store/{DIGEST}-a"));
        assert_eq!(derivation.input_derivations[0].path.lossy(), format!("/gnu/store/{DIGEST}-d.drv"));
        assert_eq!(derivation.input_sources[0].lossy(), format!("/gnu/store/{DIGEST}-s"));
        assert_eq!(derivation.variable_text("__json").unwrap(), r#"{"pname":"a"}"#);
        assert_eq!(derivation.variable_text("n").unwrap(), "1\n2");
    }

    #[test]
    fn fixed_outputs_are_seen_in_every_form() {
        for (output, fixed, algorithm) in [
            (r#"{"path":"/nix/store/x","hashAlgo":"r:sha256","hash":"00"}"#, true, "r:sha256"),
            (r#"{"method":"nar","hashAlgo":"sha256","hash":"00"}"#, true, "r:sha256"),
            (r#"{"method":"flat","hash":"sha256-AAAA="}"#, true, "sha256"),
            (r#"{"method":"nar","hash":{"algorithm":"sha256","format":"base64","hash":"AAAA="}}"#, true, "r:sha256"),
            (r#"{"method":"nar","hashAlgo":"sha256"}"#, false, "r:sha256"),
            (r#"{"method":"nar","hashAlgo":"sha256","impure":true}"#, false, "r:sha256"),
            (r#"{"path":null}"#, false, ""),
        ] {
            let document = format!(
                r#"{{"/nix/store/{DIGEST}-a.drv":{{"outputs":{{"out":{output}}},"inputSrcs":[],"inputDrvs":{{}},"platform":"s","builder":"b","args":[],"env":{{}}}}}}"#
            );
            let graph = parse(document.as_bytes()).unwrap();
            assert_eq!(graph[0].1.is_fixed_output(), fixed, "{output}");
            assert_eq!(graph[0].1.outputs[0].hash_algorithm.lossy(), algorithm, "{output}");
        }
    }

    #[test]
    fn outputs_of_outputs_are_read() {
        let inputs = format!(
            r#""inputs":{{"srcs":[],"drvs":{{"{DIGEST}-d.drv":{{"outputs":[],"dynamicOutputs":{{"out":{{"outputs":["lib"],"dynamicOutputs":{{}}}}}}}}}}}}"#
        );
        let graph = parse(format!(r#"{{"{DIGEST}-a.drv":{}}}"#, body("", &inputs)).as_bytes()).unwrap();
        assert_eq!(graph[0].1.form, Form::DynamicDerivations);
        assert!(Derivation::parse(&graph[0].1.print()).is_ok());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let unknown = parse(br#"{"version":6,"derivations":{}}"#).unwrap_err();
        assert_eq!(unknown.to_string(), "version 6 of the derivation format is not known; versions up to 5 are");
        let inner = body(r#""version":9,"#, r#""inputs":{"srcs":[],"drvs":{}}"#);
        assert!(matches!(parse(format!(r#"{{"a.drv":{inner}}}"#).as_bytes()), Err(JsonError::UnknownVersion(9))));
        assert!(matches!(parse(br#"{"version":4}"#), Err(JsonError::NoDerivations)));
        assert!(matches!(parse(br#"{"a.drv":{}}"#), Err(JsonError::Derivation { .. })));
        assert!(matches!(parse(b"[]"), Err(JsonError::Syntax(_))));
        let twice = body("", r#""inputSrcs":[],"inputDrvs":{}"#);
        let document = format!(r#"{{"a.drv":{twice},"a.drv":{twice}}}"#);
        assert!(matches!(parse(document.as_bytes()), Err(JsonError::Duplicate(_))));
        let twice = body("", r#""inputSrcs":[],"inputDrvs":{"/gnu/store/d.drv":["out"],"d.drv":["out"]}"#);
        let document_of_twice = format!(r#"{{"a.drv":{twice}}}"#);
        assert!(matches!(parse(document_of_twice.as_bytes()), Err(JsonError::Shape { .. })));
        let wrapped = format!(r#"{{"derivations":{document},"version":3}}"#);
        assert!(matches!(parse(wrapped.as_bytes()), Err(JsonError::Duplicate(_))));
    }
}
