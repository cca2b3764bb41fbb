//! The documents against their published schemas, by scripts/validate.py; and broken ones, which it must refuse.

use std::path::{Path, PathBuf};
use std::process::Output;

use super::{Format, Options, render, sample};

const OPTIONS: Options<'static> = Options { tool_version: "0.1.0", width: 80, colour: false };
/// Formats with a schema or rules of their own, by the name of their format.
const CHECKED: [Format; 4] = [Format::CycloneDx, Format::Sarif, Format::OpenVex, Format::Junit];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The validator's Python, or nothing where scripts/schemas.sh was not run.
#[expect(clippy::disallowed_methods, reason = "a missing peer is a failure in CI, and a visible skip elsewhere")]
fn python() -> Option<PathBuf> {
    let python = root().join("target/peers/venv/bin/python");
    if python.exists() && root().join("target/peers/schemas/sarif-2.1.0.schema.json").exists() {
        return Some(python);
    }
    assert!(std::env::var("CI").is_err(), "the schemas are missing: run scripts/schemas.sh");
    #[expect(clippy::print_stderr, reason = "a skip nobody sees would be a lie")]
    {
        eprintln!("skipped: the schemas are missing; run scripts/schemas.sh");
    }
    None
}

#[expect(clippy::disallowed_methods, reason = "a test has no door to the world but its own")]
fn validate(python: &Path, documents: &[(Format, &Path)]) -> Output {
    let mut command = std::process::Command::new(python);
    command.arg(root().join("scripts/validate.py"));
    for (format, path) in documents {
        command.arg(format.as_str()).arg(path);
    }
    command.output().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a temporary folder needs no atomic writes")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[test]
fn documents_obey_their_schemas() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (number, report) in [sample::report(), sample::quiet_report(), sample::clean_report()].iter().enumerate() {
        for format in CHECKED {
            let path = folder.path().join(format!("{number}.{}", format.as_str()));
            write(&path, &render(format, report, OPTIONS));
            paths.push((format, path));
        }
    }
    let documents: Vec<_> = paths.iter().map(|(format, path)| (*format, path.as_path())).collect();
    let output = validate(&python, &documents);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn broken_documents_are_refused() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let broken = [
        (Format::CycloneDx, "\"exploitable\"", "\"dangerous\""),
        (Format::CycloneDx, "\"bomFormat\"", "\"bomformat\""),
        (Format::CycloneDx, "\"ref\": \"package-", "\"ref\": \"nothing-"),
        (Format::CycloneDx, "\"timestamp\": \"2024-07", "\"timestamp\": \"2024-77"),
        (Format::Sarif, "\"level\": \"error\"", "\"level\": \"fatal\""),
        (Format::Sarif, "\"informationUri\": \"https:", "\"informationUri\": \"no address:"),
        (Format::Sarif, "\"ruleId\"", "\"rule\""),
        (Format::OpenVex, "\"status\": \"affected\"", "\"status\": \"afflicted\""),
        (Format::OpenVex, "\"action_statement\"", "\"action\""),
        (Format::Junit, "failures=\"3\"", "failures=\"2\""),
        (Format::Junit, "</testsuite>", ""),
    ];
    let mut paths = Vec::new();
    for (number, (format, from, to)) in broken.into_iter().enumerate() {
        let whole = render(format, &sample::report(), OPTIONS);
        assert!(whole.contains(from), "{format:?} {from}");
        let path = folder.path().join(number.to_string());
        write(&path, &whole.replace(from, to));
        paths.push((format, path));
    }
    let documents: Vec<_> = paths.iter().map(|(format, path)| (*format, path.as_path())).collect();
    let output = validate(&python, &documents);
    let answers = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{answers}");
    assert_eq!(answers.matches(": not valid ").count(), documents.len(), "{answers}");
}
