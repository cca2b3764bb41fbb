//! The frozen vectors of `tests/vectors/derive`: what is derived today is what was derived when they were written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aux_core::hexadecimal;
use aux_secrets::kinds::{self, Issuer, Parameters, Rule, Source};
use aux_secrets::{FleetId, Label, Leaf, NodeKind, ScopeKey, SecretBytes, Seed};
use serde_json::{Value, json};
use zeroize::Zeroizing;

const FLEET: [u8; 16] = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
const SEED: [u8; 32] = [7; 32];

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/derive")
}

pub(crate) fn document() -> Value {
    serde_json::from_slice(&std::fs::read(folder().join("vectors.json")).unwrap()).unwrap()
}

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn kind(word: &str) -> NodeKind {
    let kinds = [NodeKind::Environment, NodeKind::Machine, NodeKind::Group, NodeKind::Admin, NodeKind::Pair];
    kinds.into_iter().find(|kind| kind.word() == word).unwrap()
}

fn scope(root: &ScopeKey, path: &Value) -> ScopeKey {
    path.as_array().unwrap().iter().fold(root.clone(), |key, node| {
        let generation = u32::try_from(node[2].as_u64().unwrap()).unwrap();
        key.node(kind(node[0].as_str().unwrap()), node[1].as_str().unwrap(), generation)
    })
}

fn leaf(root: &ScopeKey, case: &Value) -> Leaf {
    let version = u32::try_from(case["version"].as_u64().unwrap()).unwrap();
    scope(root, &case["path"]).leaf(&label(case["name"].as_str().unwrap()), case["type"].as_str().unwrap(), version)
}

fn rule(case: &Value) -> Rule {
    let parameters: Parameters = serde_json::from_value(case["parameters"].clone()).unwrap();
    Rule::of(case["type"].as_str().unwrap(), &parameters).unwrap()
}

/// What stands behind a question, computed here.
fn answered(root: &ScopeKey, case: &Value, cases: &[Value]) -> Value {
    let (name, rule, own) = (label(case["name"].as_str().unwrap()), rule(case), leaf(root, case));
    assert_eq!(rule.id(), case["type"].as_str().unwrap());
    let owner = case["owner"].as_str().map(label);
    let others = case["others"].as_object().into_iter().flatten();
    let others: BTreeMap<Label, SecretBytes> =
        others.map(|(name, value)| (label(name), SecretBytes::from(value.as_str().unwrap().to_owned()))).collect();
    let authority = cases.iter().find(|other| case["parameters"]["ca"] == other["name"]);
    let authority = authority.map(|case| (leaf(root, case), self::rule(case), label(case["name"].as_str().unwrap())));
    let issuer = authority.as_ref().and_then(|(leaf, rule, name)| match rule {
        Rule::TlsCa(rule) => Some(Issuer { leaf, rule, name }),
        _ => None,
    });
    let source = Source { name: &name, leaf: &own, owner: owner.as_ref(), others: &others, issuer };
    let value = kinds::value(&rule, &source).unwrap();
    let mut answer = case.clone();
    let is_text = !matches!(rule, Rule::Bytes { .. });
    answer["value"] = if is_text { json!(value.reveal_text().unwrap()) } else { json!(hexadecimal(value.reveal())) };
    answer["public"] = json!(kinds::public(&rule, &source).unwrap());
    answer["check"] = json!(own.check().to_string());
    answer
}

fn questions() -> Vec<Value> {
    let machine = json!([["env", "prod", 1], ["machine", "web1", 2]]);
    let ask = |name: &str, type_id: &str, parameters: Value| json!({ "name": name, "type": type_id, "version": 1, "path": machine, "owner": "web1", "parameters": parameters });
    let with = |mut case: Value, key: &str, value: Value| {
        case[key] = value;
        case
    };
    let password = "Tr0ub4dor-and-three-more-words";
    let hashed = |name: &str, type_id: &str, parameters: Value| {
        with(ask(name, type_id, parameters), "others", json!({ "login": password }))
    };
    let pair = json!([["group", "mesh", 3], ["pair", "web1|web2", 1]]);
    let mut cases = vec![
        ask("raw", "bytes@1", json!({ "length": 100 })),
        with(ask("raw", "bytes@1", json!({ "length": 100 })), "version", json!(2)),
        with(ask("raw", "bytes@1", json!({})), "path", json!([["group", "web", 1]])),
        with(ask("raw", "bytes@1", json!({})), "path", json!([["admin", "admin", 1]])),
        ask("token", "hex@1", json!({})),
        ask("cookie", "base64@1", json!({ "length": 48 })),
        ask("short", "base64url@1", json!({ "length": 16 })),
        ask("installation", "uuid@1", json!({})),
        ask("login", "password@1", json!({})),
        ask(
            "login-strict",
            "password@1",
            json!({
                "length": 16, "alphabet": "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!#%+:=?@", "min_lower": 2, "min_upper": 2,
                "min_digit": 4, "min_symbol": 3
            }),
        ),
        ask("pin", "password@1", json!({ "length": 6, "alphabet": "0123456789", "weak": true })),
        ask("disk", "passphrase@1", json!({ "words": 8 })),
        ask("ssh-host", "ssh-ed25519@1", json!({})),
        ask("tunnel", "wireguard@1", json!({})),
        with(ask("tunnel-psk", "wireguard-psk@1", json!({})), "path", pair),
        ask("scope", "age-x25519@1", json!({})),
        ask("token-signing", "p256@1", json!({})),
        hashed("login-bcrypt", "bcrypt@1", json!({ "of": "login", "cost": 5 })),
        hashed("login-htpasswd", "htpasswd@1", json!({ "of": "login", "user": "admin", "cost": 5, "publish": true })),
        hashed("login-sha512", "sha512crypt@1", json!({ "of": "login" })),
        hashed("login-sha512-more", "sha512crypt@1", json!({ "of": "login", "rounds": 10_000 })),
        hashed("login-yescrypt", "yescrypt@1", json!({ "of": "login" })),
        hashed("login-argon2id", "argon2id@1", json!({ "of": "login" })),
    ];
    for algorithm in ["p256", "ed25519"] {
        let ca = format!("ca-{algorithm}");
        let parameters = json!({ "algorithm": algorithm, "common_name": "Example CA", "not_before": "2026-01-01" });
        let authority = with(ask(&ca, "tls-ca@1", parameters), "path", json!([["admin", "admin", 1]]));
        cases.push(with(authority, "owner", Value::Null));
        cases.push(ask(
            &format!("tls-{algorithm}"),
            "tls-leaf@1",
            json!({
                "algorithm": algorithm, "ca": ca, "common_name": "{machine}.example.org", "not_before": "2026-02-03",
                "dns": ["{machine}.example.org", "*.example.org"], "ip": ["192.0.2.7", "2001:db8::7"], "days": 10_000
            }),
        ));
    }
    cases
}

/// `AUX_VECTORS=write` writes them; a change of what is there already is a change of a frozen format.
#[test]
#[expect(clippy::disallowed_methods, reason = "writing the vectors is asked for by a variable")]
fn derived_values_are_those_of_the_vectors() {
    let root = Seed::new(Zeroizing::new(SEED)).root(FleetId(FLEET), 1);
    if std::env::var("AUX_VECTORS").is_ok_and(|what| what == "write") {
        let questions = questions();
        let cases: Vec<Value> = questions.iter().map(|case| answered(&root, case, &questions)).collect();
        let document = json!({
            "schema": "aux.derive-vectors/1", "seed": hexadecimal(&SEED), "fleet": hexadecimal(&FLEET), "epoch": 1,
            "root": hexadecimal(root.reveal()), "cases": cases,
        });
        std::fs::write(folder().join("vectors.json"), format!("{document:#}\n")).unwrap();
    }
    let document = document();
    assert_eq!(document["root"], hexadecimal(root.reveal()));
    let cases = document["cases"].as_array().unwrap();
    assert_eq!(cases.len(), questions().len());
    for case in cases {
        assert_eq!(&answered(&root, case, cases), case);
    }
}

#[test]
fn a_pair_of_machines_is_the_same_from_both_sides() {
    let root = Seed::new(Zeroizing::new(SEED)).root(FleetId(FLEET), 1);
    let group = root.node(NodeKind::Group, "mesh", 3);
    let (one, other) = (label("web1"), label("web2"));
    assert_eq!(group.pair(&one, &other).reveal(), group.pair(&other, &one).reveal());
    assert_ne!(group.pair(&one, &one).reveal(), group.pair(&other, &one).reveal());
}
