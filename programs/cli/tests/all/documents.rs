//! The documents' examples: every console block of README.md and docs/ is run in a checkout, and says what is printed.
//!
//! A block is a transcript. A line after `$ ` is given to `sh`, the lines below it are its output, standard error
//! included; a line that is `…` stands for any lines. `feed.auxdb` is there, compiled as `make demo` does. A block that
//! begins with `# needs ` is not run. `DOCUMENTS=write` puts the real output into the documents.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::world::{World, write};

/// The day after the newest example advisory, as in `scripts/demo.sh`.
const DAY: &str = "2024-08-15";
/// Blocks that are shown and not run, in all documents.
const UNRUN_MAX: usize = 8;
/// What a reader's checkout is called in the documents.
const CHECKOUT: &str = "/home/me/checkout";
const ELISION: &str = "…";

/// A line of a document that is run, and where in it the output stands.
struct Example {
    command: String,
    /// Lines of the document, from 0: behind the command up to the next command or the block's end.
    output: std::ops::Range<usize>,
}

#[test]
fn console_blocks_print_what_the_documents_say() {
    let mut lies = String::new();
    let mut unrun = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let (examples, left_out) = examples(&text);
        unrun += left_out;
        if !examples.is_empty() {
            lies += &check(&document, &text, &examples);
        }
    }
    assert!(lies.is_empty(), "{lies}run with DOCUMENTS=write to write down what is printed, and read it");
    assert!(unrun <= UNRUN_MAX, "{unrun} console blocks are not run, and {UNRUN_MAX} may be");
}

#[test]
fn an_elision_stands_for_any_lines_and_for_nothing_else() {
    for (expected, real, holds) in [
        ("a\nb", "a\nb", true),
        ("a", "a\nb", false),
        ("a\n…", "a\nb\nc", true),
        ("a\n…\nd", "a\nb\nc\nd", true),
        ("…\nb\n…", "a\nb\nb\nc", true),
        ("…\nb\n…\nb", "a\nb\nc", false),
        ("a\n  …\nb", "a\nb", true),
        ("a …", "a b", false),
        ("", "a", false),
    ] {
        let lines = |text: &'static str| text.lines().collect::<Vec<_>>();
        assert_eq!(agrees(&lines(expected), &lines(real)), holds, "{expected:?} and {real:?}");
    }
}

#[test]
fn a_block_is_a_transcript_of_commands_that_may_span_lines() {
    let text =
        "x\n```console\n$ one \\\n    two\nout\n$ three\n```\n```console\n# needs a moon\n$ no\n```\n```\n$ no\n```\n";
    let (found, unrun) = examples(text);
    let found: Vec<_> = found.iter().map(|example| (example.command.as_str(), example.output.clone())).collect();
    assert_eq!(found, [("one \\\n    two", 4..5), ("three", 6..6)]);
    assert_eq!(unrun, 1);
}

/// Runs a document's examples in order, in one checkout; where they lie, says so or mends the document.
fn check(document: &Path, text: &str, examples: &[Example]) -> String {
    let checkout = checkout();
    let name = document.strip_prefix(root()).unwrap().display();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (mut lies, mut mended) = (String::new(), Vec::new());
    let mut code = 0;
    for example in examples {
        let (printed, ended) = run(&checkout, &example.command, code);
        code = ended;
        let expected: Vec<&str> = lines[example.output.clone()].iter().map(String::as_str).collect();
        let real: Vec<&str> = printed.lines().map(str::trim_end).collect();
        if !agrees(&expected, &real) {
            let line = example.output.start;
            let _ = write!(lies, "{name}:{line}: $ {}\n--- written\n{}\n", example.command, expected.join("\n"));
            let _ = write!(lies, "--- printed\n{}\n\n", real.join("\n"));
            mended.push((example.output.clone(), real.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()));
        }
    }
    if lies.is_empty() || !is_writing() {
        return lies;
    }
    // From the end, so that earlier places stay where they are.
    for (output, real) in mended.into_iter().rev() {
        lines.splice(output, real);
    }
    write(document, (lines.join("\n") + "\n").as_bytes());
    String::new()
}

#[expect(clippy::disallowed_methods, reason = "whether documents are checked or written is said when the test is run")]
fn is_writing() -> bool {
    std::env::var("DOCUMENTS").is_ok_and(|word| word == "write")
}

fn examples(text: &str) -> (Vec<Example>, usize) {
    let lines: Vec<&str> = text.lines().collect();
    let (mut examples, mut unrun) = (Vec::<Example>::new(), 0);
    let mut place = 0;
    while let Some(start) = lines[place..].iter().position(|line| *line == "```console").map(|found| place + found + 1)
    {
        let length = lines[start..].iter().position(|line| *line == "```").expect("a block that ends");
        let block = &lines[start..start + length];
        place = start + length + 1;
        if block.first().is_some_and(|line| line.starts_with("# needs ")) {
            unrun += 1;
            continue;
        }
        let mut at = 0;
        while at < block.len() {
            let mut command = block[at].strip_prefix("$ ").expect("a block that begins with a command").to_owned();
            at += 1;
            while command.ends_with('\\') {
                command = format!("{command}\n{}", block[at]);
                at += 1;
            }
            let output = block[at..].iter().position(|line| line.starts_with("$ ")).unwrap_or(block.len() - at);
            examples.push(Example { command, output: start + at..start + at + output });
            at += output;
        }
    }
    (examples, unrun)
}

fn agrees(expected: &[&str], real: &[&str]) -> bool {
    match expected.split_first() {
        None => real.is_empty(),
        Some((first, rest)) if first.trim() == ELISION => (0..=real.len()).any(|skip| agrees(rest, &real[skip..])),
        Some((first, rest)) => real.first() == Some(first) && agrees(rest, &real[1..]),
    }
}

/// What a stranger has after cloning and `make demo`: the files, the feed, and `aux` on the path. The command's day is
/// pinned where the example does not name one.
fn checkout() -> World {
    let world = World::empty();
    for name in ["examples", "triage", "docs", "README.md", "flake.nix"] {
        symlink(root().join(name), world.path(name)).unwrap();
    }
    let program = format!(
        "#!/bin/sh\ncase \"$*\" in *--as-of*|*--help*) ;; audit*) set -- \"$@\" --as-of {DAY} ;; esac\nexec '{}' \"$@\"\n",
        env!("CARGO_BIN_EXE_aux")
    );
    let place = world.outside("bin/aux");
    write(&place, program.as_bytes());
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    let advisories = "--nvd examples/advisories/nvd --osv examples/advisories/osv --kev examples/advisories/kev.json";
    let pkgsrc = "--pkgsrc examples/advisories/pkg-vulnerabilities";
    let said = world.run(&format!("feed build {advisories} {pkgsrc} --triage triage --output feed.auxdb"));
    assert_eq!(said.code, Some(0), "{}", said.shown());
    world
}

/// What a command prints, and its exit code. `$?` is that of the command before.
#[expect(clippy::disallowed_methods, reason = "an example is run as its readers run it, in a shell")]
fn run(checkout: &World, command: &str, code_before: i32) -> (String, i32) {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(format!("exec 2>&1\n(exit {code_before})\n{command}\n"));
    shell.current_dir(checkout.path("")).env_clear().stdin(Stdio::null());
    shell.env("HOME", checkout.outside("home"));
    shell.env("PATH", format!("{}:/usr/bin:/bin", checkout.outside("bin").display()));
    let output = shell.output().unwrap();
    let folder = checkout.path("");
    let folder = folder.display().to_string();
    let printed = String::from_utf8(output.stdout).unwrap().replace(folder.trim_end_matches('/'), CHECKOUT);
    (printed, output.status.code().expect("an end without a signal"))
}

/// README.md, and every page under docs/.
fn documents() -> Vec<PathBuf> {
    let mut documents = vec![root().join("README.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                documents.push(path);
            }
        }
    }
    documents.sort();
    documents
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
