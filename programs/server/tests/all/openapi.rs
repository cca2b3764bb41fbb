//! The `OpenAPI` document says what the server answers, and the server answers all that it says.

use std::path::Path;

use serde_json::{Value, json};

use crate::foreign::key;
use crate::pushing::Made;
use crate::world::World;

fn document() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/cache-api.openapi.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A request's body that does what the operation is for.
fn body(path: &str, method: &str, made: &Made) -> Value {
    let last = path.rsplit('/').next().unwrap();
    match (last, method) {
        ("caches", "post") => json!({ "name": "new" }),
        ("views", "post") => json!({ "name": "newer", "source": "staging" }),
        ("tokens", "post") => json!({ "label": "x", "cache": "*", "rights": ["read"] }),
        ("missing" | "promote", _) => json!({ "paths": [made.base] }),
        ("chunks", _) => json!({ "digests": ["0".repeat(64)] }),
        ("withdraw" | "restore", _) => json!({ "path": made.base, "reason": "x" }),
        ("{upstream}", "put") => {
            json!({ "url": "https://cache.example.org", "keys": [key("upstream-1", 1).public().to_string()] })
        }
        ("{pin}", "put") => json!({ "path": made.base }),
        ("policy" | "test", _) => json!({ "policy": "" }),
        ("rollback", _) => json!({ "to": 0, "reason": "x" }),
        _ => json!({}),
    }
}

#[test]
fn every_operation_is_answered_as_it_is_written_down() {
    let world = World::new();
    let made = Made::new("hello-1.0", "hello");
    made.push(&world, &world.token("staging", &["push"]));
    let document = document();
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        // A pin is put before it is taken away, a path hidden before it is shown.
        for method in ["get", "post", "patch", "put", "delete"] {
            let Some(operation) = item.get(method) else { continue };
            let space = if path.contains("/views") { "vetted" } else { "staging" };
            let names = [("name", space), ("path", &made.hash), ("pin", "p"), ("id", "t2"), ("upstream", "far")];
            let real =
                names.into_iter().fold(path.clone(), |path, (name, real)| path.replace(&format!("{{{name}}}"), real));
            if path.ends_with("/restore") {
                let wish = json!({ "path": made.base, "reason": "x" });
                world.api("POST", "caches/staging/withdraw", &wish);
            }
            let text = body(path, method, &made).to_string();
            let answer = world.ask(&format!("{} {real}", method.to_uppercase()), &world.admin, text.as_bytes());
            let responses = operation["responses"].as_object().unwrap();
            let status = responses.keys().find(|status| *status != "default").unwrap();
            assert_eq!(answer.status.to_string(), *status, "{method} {real}: {}", answer.text());
            let schema = &responses[status]["content"]["application/json"]["schema"]["properties"]["schema"]["const"];
            assert_eq!(answer.json()["schema"], *schema, "{method} {real}");
            // A wish that is not in the document is refused, and so never ignored.
            if operation.get("requestBody").is_some() {
                let mut wish = body(path, method, &made);
                wish["never"] = json!(true);
                let refused =
                    world.ask(&format!("{} {real}", method.to_uppercase()), &world.admin, wish.to_string().as_bytes());
                assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("malformed")), "{method} {real}");
            }
            if path.ends_with("/withdraw") {
                world.api("POST", "caches/staging/restore", &json!({ "path": made.base, "reason": "x" }));
            }
            asked += 1;
        }
    }
    assert_eq!(asked, 30);
}
