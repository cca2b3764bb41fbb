//! The shape of the code itself: who may know whom, how long a file may be, what it must say.
//!
//! These run with every `cargo nextest run`; there is no other check to remember.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The rooms from the ground up, and what each may know; a row names only rows above it.
const KNOWS: &[(&str, &[&str])] = &[
    ("aux-core", &[]),
    ("aux-nix", &["aux-core"]),
    ("aux-tlog", &["aux-core"]),
    ("aux-io", &["aux-core"]),
    ("aux-advisory", &["aux-core"]),
    ("aux-app", &["aux-core", "aux-io"]),
    ("aux-sync", &["aux-core", "aux-io", "aux-advisory"]),
    ("aux-inventory", &["aux-core", "aux-nix", "aux-io"]),
    ("aux-repo", &["aux-core", "aux-nix", "aux-io"]),
    ("aux-alert", &["aux-core", "aux-io"]),
    ("aux-unlock", &["aux-core", "aux-io"]),
    ("aux-secrets", &["aux-core", "aux-nix", "aux-io", "aux-unlock"]),
    ("aux-provenance", &["aux-core", "aux-nix", "aux-tlog", "aux-io"]),
    ("aux-audit", &["aux-core", "aux-advisory"]),
    ("aux-build", &["aux-core", "aux-nix", "aux-io", "aux-provenance"]),
    ("aux-boot", &["aux-core", "aux-io", "aux-secrets"]),
    ("aux-feed", &["aux-core", "aux-io", "aux-advisory", "aux-audit", "aux-inventory"]),
    (
        "aux-watch",
        &["aux-core", "aux-io", "aux-advisory", "aux-sync", "aux-inventory", "aux-repo", "aux-audit", "aux-alert"],
    ),
    ("aux-cache", &["aux-core", "aux-nix", "aux-io", "aux-advisory", "aux-inventory", "aux-audit", "aux-provenance"]),
    ("aux-image", &["aux-core", "aux-io", "aux-advisory", "aux-audit", "aux-repo", "aux-alert"]),
    (
        "aux-update",
        &["aux-core", "aux-nix", "aux-io", "aux-advisory", "aux-inventory", "aux-audit", "aux-build", "aux-cache"],
    ),
    ("aux-fleet", &["aux-core", "aux-audit", "aux-watch", "aux-provenance"]),
];

/// The programs: thin, on top of everything.
const PROGRAMS: &[&str] = &["aux-agent", "aux-cli", "aux-server"];

/// External crates that only the named packages may use.
const RESERVED: &[(&str, &[&str])] = &[
    ("reqwest", &["aux-io"]),
    ("axum", &["aux-cache", "aux-fleet", "aux-server"]),
    ("clap", &["aux-agent", "aux-cli", "aux-server"]),
    ("indicatif", &["aux-cli"]),
    ("tracing-subscriber", &["aux-app"]),
    ("aux-app", &["aux-agent", "aux-cli", "aux-server"]),
];

/// Rooms that compute and never touch the world.
const PURE: &[&str] = &["aux-core", "aux-nix", "aux-tlog", "aux-advisory", "aux-audit"];
const EFFECTS: &[&str] = &["tokio", "reqwest", "axum", "rusqlite", "rustix"];

const LINES_MAX: usize = 800;

#[test]
fn packages_know_only_what_their_row_says() {
    let mut wrong = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let own = KNOWS.iter().find(|(room, _)| *room == name);
        if own.is_none() && !PROGRAMS.contains(&name) {
            wrong.push(format!("{name} has no row in KNOWS; the table is the architecture"));
            continue;
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            let target = dependency["name"].as_str().unwrap();
            let shipped = dependency["kind"].is_null();
            let ours = target.starts_with("aux-");
            if ours && own.is_some_and(|(_, known)| !known.contains(&target)) {
                wrong.push(format!("{name} may not know {target}; its row in KNOWS does not say so"));
            }
            if shipped && PURE.contains(&name) && EFFECTS.contains(&target) {
                wrong.push(format!("{name} is pure and may not know {target}"));
            }
            for (reserved, owners) in RESERVED {
                if shipped && target == *reserved && !owners.contains(&name) {
                    wrong.push(format!("{name} may not use {target}; ask {}", owners.join(" or ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_are_tidy() {
    let mut wrong = Vec::new();
    for path in rust_files(root()) {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.strip_prefix(root()).unwrap().display();
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{shown}: {lines} lines, at most {LINES_MAX}; split it by subject"));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{shown}: must open with a //! line saying what it is for"));
        }
        if text.contains(concat!("FIX", "ME")) {
            wrong.push(format!("{shown}: has a leftover {}", concat!("FIX", "ME")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn rows_name_only_rows_above() {
    for (index, (room, known)) in KNOWS.iter().enumerate() {
        for name in *known {
            let below = KNOWS[..index].iter().any(|(earlier, _)| earlier == name);
            assert!(below, "{room} knows {name}, which does not stand above it in the table");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test about the workspace asks cargo itself")]
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn rust_files(root: &Path) -> Vec<PathBuf> {
    let mut queue = vec![root.join("crates"), root.join("programs")];
    let mut files = Vec::new();
    while let Some(directory) = queue.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                queue.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
