//! The evaluator beside the real `make`: whatever ours says, make says too.

use std::process::Command;

use super::*;

const UUIDS: [&str; 3] = [
    "a9368831-958e-432d-a031-f8ce6768d190",
    "59ba2e5e-976f-4e09-8aac-a4a7ef0395f5",
    "04a48d7d-6bb5-4e83-8c3b-e60a99e0f48f",
];

/// Makefiles of our own in the syntax that is met, with `%0`, `%1`, `%2` for images.
const CASES: &[(&str, &str)] = &[
    ("plain", "BASE_IMAGE_UUID = %0\n"),
    ("simple", "BASE_IMAGE_UUID := %0\nBASE_IMAGE_UUID::=%1\n"),
    ("if undefined", "BASE_IMAGE_UUID ?= %0\nBASE_IMAGE_UUID ?= %1\n"),
    ("no blanks", "BASE_IMAGE_UUID=%0\n"),
    ("tabs", "BASE_IMAGE_UUID\t\t=\t%0\t\n"),
    ("export and override", "override BASE_IMAGE_UUID = %0\nexport NAME = x\nBASE_IMAGE_UUID = %1\n"),
    ("exported", "export BASE_IMAGE_UUID := %0\n"),
    ("continued", "BASE_IMAGE_UUID = \\\n\t%0\n"),
    ("continued twice", "BASE_IMAGE_UUID = \\\n  \\\n    %0\nX = y\n"),
    ("trailing comment", "BASE_IMAGE_UUID = %0 # triton-origin-x86_64-18.4.0@master\n"),
    ("commented out", "#BASE_IMAGE_UUID = %1\n# BASE_IMAGE_UUID = %2\nBASE_IMAGE_UUID = %0\n#BASE_IMAGE_UUID = %1\n"),
    ("continued comment", "# was once \\\nBASE_IMAGE_UUID = %1\nBASE_IMAGE_UUID = %0\n"),
    ("escaped hash", "NOTE = a \\# BASE\nBASE_IMAGE_UUID = %0\n"),
    ("two backslashes", "NOTE = C:\\\\\nBASE_IMAGE_UUID = %0\n"),
    ("indirect", "ORIGIN = %0\nBASE_IMAGE_UUID = $(ORIGIN)\nORIGIN = %1\n"),
    ("indirect simple", "ORIGIN = %0\nBASE_IMAGE_UUID := ${ORIGIN}\nORIGIN = %1\n"),
    ("computed", "B = 19\nIMAGE_18 = %0\nIMAGE_19 = %1\nBASE_IMAGE_UUID = $(IMAGE_$(B))\n"),
    ("uname", "ifeq ($(shell uname -s),SunOS)\n\tBASE_IMAGE_UUID = %0\nelse\n\tBASE_IMAGE_UUID = %1\nendif\n"),
    ("quoted", "A = yes\nifneq \"$(A)\" 'yes'\nBASE_IMAGE_UUID = %0\nelse\nBASE_IMAGE_UUID = %1\nendif\n"),
    (
        "else if",
        "A=2\nifeq ($(A),1)\nBASE_IMAGE_UUID=%0\nelse ifeq ($(A),2)\nBASE_IMAGE_UUID=%1\nelse\nBASE_IMAGE_UUID=%2\nendif\n",
    ),
    (
        "nested",
        "ifdef NOTHING\nifeq (a,a)\nBASE_IMAGE_UUID=%0\nelse\nBASE_IMAGE_UUID=%1\nendif\nelse\nBASE_IMAGE_UUID=%2\nendif\n",
    ),
    ("ifdef empty", "E =\nifdef E\nBASE_IMAGE_UUID=%0\nelse\nBASE_IMAGE_UUID=%1\nendif\n"),
    (
        "ifndef",
        "ifndef BASE_IMAGE_UUID\nBASE_IMAGE_UUID = %0\nendif\nifndef BASE_IMAGE_UUID\nBASE_IMAGE_UUID = %1\nendif\n",
    ),
    ("recipe", "BASE_IMAGE_UUID = %0\nother:\n\tBASE_IMAGE_UUID=%1\n\n\tBASE_IMAGE_UUID=%2 true\n"),
    ("recipe in a condition", "BASE_IMAGE_UUID = %0\nother:\nifeq (a,a)\n\tBASE_IMAGE_UUID=%1 true\nendif\n"),
    ("of a target", "BASE_IMAGE_UUID = %0\nother: BASE_IMAGE_UUID = %1\n"),
    ("defined", "define TEXT\nBASE_IMAGE_UUID = %1\nendef\nBASE_IMAGE_UUID = %0\n"),
    ("appended", "BASE_IMAGE_UUID =\nBASE_IMAGE_UUID += %0\n"),
    ("substituted", "RAW = x%0x\nBASE_IMAGE_UUID = $(strip $(subst x,,$(RAW)) )\n"),
    ("chosen", "A =\nBASE_IMAGE_UUID = $(if $(A),%0,%1)\n"),
    ("first", "BASE_IMAGE_UUID = $(firstword %0 %1)\n"),
    ("or", "BASE_IMAGE_UUID = $(or $(NOTHING),%0)\n"),
    ("included", "include ./defs.mk\n-include missing.mk\nBASE_IMAGE_UUID ?= %0\n"),
    ("windows", "BASE_IMAGE_UUID = %0\r\nNAME = x\n"),
    ("last line", "BASE_IMAGE_UUID = %0"),
    ("undefined", "BASE_IMAGE_UUID = %0\nundefine BASE_IMAGE_UUID\n"),
    ("prefix of a name", "BASE_IMAGE_UUID_OLD = %0\nMY_BASE_IMAGE_UUID = %1\n"),
    ("latin", "# Andr\u{e9}\nBASE_IMAGE_UUID = %0\n"),
    ("unknown", "BASE_IMAGE_UUID = $(shell echo %0)\n"),
    ("unknown condition", "ifeq ($(shell echo a),a)\nBASE_IMAGE_UUID = %0\nendif\n"),
    ("itself", "BASE_IMAGE_UUID = %0\nOTHER = $(OTHER)\n"),
    ("filtered", "BASE_IMAGE_UUID = $(filter-out a b,a %0 b)\n"),
    ("suffix", "A = %0.x\nBASE_IMAGE_UUID = $(A:.x=)\n"),
];

const DEFS: &str = "BASE_IMAGE_UUID = %1\n";

fn filled(text: &str) -> String {
    UUIDS.iter().enumerate().fold(text.to_owned(), |text, (index, uuid)| text.replace(&format!("%{index}"), uuid))
}

fn worth(text: &str, system: &str) -> Worth {
    let defs = filled(DEFS);
    let files: BTreeMap<&str, &str> = [("Makefile", text), ("defs.mk", &defs)].into();
    let read = |path: &str| files.get(path).map(|text| Text::read(text.as_bytes()));
    Makefile::evaluate("Makefile", &read, system).worth("BASE_IMAGE_UUID")
}

/// What the real make says; `None` where there is none.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the reference is a program, and its absence is seen"
)]
fn made(folder: &std::path::Path, text: &str) -> Option<String> {
    let target = "\n\nprint-%:\n\t@echo '$*=$($*)'\n";
    aux_io::file::replace(folder.join("Makefile"), format!("{text}{target}").as_bytes()).unwrap();
    aux_io::file::replace(folder.join("defs.mk"), filled(DEFS).as_bytes()).unwrap();
    let mut command = Command::new("make");
    command.args(["-s", "--no-print-directory", "print-BASE_IMAGE_UUID"]).current_dir(folder).env_clear();
    let Ok(output) = command.env("PATH", "/usr/bin:/bin").output() else {
        assert!(std::env::var_os("CI").is_none(), "make is missing");
        eprintln!("skipped: no make here; `apt-get install -y make` brings it");
        return None;
    };
    assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Some(said.strip_prefix("BASE_IMAGE_UUID=").unwrap().trim().to_owned())
}

#[test]
fn whatever_is_known_is_what_make_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut unknown = Vec::new();
    for (name, text) in CASES {
        let text = filled(text);
        let Some(said) = made(folder.path(), &text) else { return };
        match worth(&text, "Linux") {
            Worth::Known(value) => assert_eq!(value, said, "{name}"),
            Worth::Undefined => assert_eq!(said, "", "{name}"),
            Worth::Unknown => unknown.push(*name),
        }
    }
    assert_eq!(unknown, ["unknown", "unknown condition"]);
}

#[test]
fn another_system_takes_the_other_branch() {
    let text = filled("ifeq ($(shell uname -s),SunOS)\n\tBASE_IMAGE_UUID = %0\nelse\n\tBASE_IMAGE_UUID = %1\nendif\n");
    assert_eq!(worth(&text, "SunOS"), Worth::Known(UUIDS[0].to_owned()));
    assert_eq!(worth(&text, "Linux"), Worth::Known(UUIDS[1].to_owned()));
}

#[test]
fn an_assignment_knows_its_place_without_its_comment() {
    let text = "X = 1\nY = a \\\n  b # c\n";
    let read = |_: &str| Some(Text::read(text.as_bytes()));
    let makefile = Makefile::evaluate("Makefile", &read, "SunOS");
    let last = makefile.assignments.last().unwrap();
    assert_eq!((last.line, last.value.trim(), &text[last.start..last.end]), (2, "a b", "Y = a \\\n  b "));
}

#[test]
fn what_doubles_with_each_step_and_what_includes_itself_ends() {
    let doubling: Vec<String> = (1..60).map(|step| format!("V{step} = $(V{0})$(V{0})\n", step - 1)).collect();
    let doubling = doubling.concat();
    let text = format!("V0 = aaaa\n{doubling}BASE_IMAGE_UUID = $(V59)\n");
    assert_eq!(worth(&text, "SunOS"), Worth::Unknown);
    let read = |_: &str| Some(Text::read(b"include Makefile\n"));
    assert!(!Makefile::evaluate("Makefile", &read, "SunOS").problems.is_empty());
}
