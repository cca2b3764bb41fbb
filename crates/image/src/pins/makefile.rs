//! Pins in makefiles: what the variables that name images are worth, and every line that decides it.

use std::ops::Range;

use aux_core::Problem;

use super::{Answer, Pin, PinKind, Pins, Snapshot};
use crate::catalog::is_uuid;
use crate::make::{Assignment, Makefile, Text, Worth};

const IMAGES: [(&str, PinKind); 2] =
    [("BASE_IMAGE_UUID", PinKind::BaseImage), ("NODE_PREBUILT_IMAGE", PinKind::NodePrebuilt)];
const PACKAGES: &str = "BUILDIMAGE_PKGSRC";
/// The names make looks for, in its order.
const NAMES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];

pub(super) fn find(snapshot: &Snapshot<'_>, system: &str, pins: &mut Pins) {
    let mut folders: Vec<&str> = snapshot
        .files
        .iter()
        .filter_map(|path| {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            NAMES.contains(&name).then_some(folder)
        })
        .collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        let place = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let Some(name) = NAMES.iter().find(|name| snapshot.files.contains(&place(name))) else { continue };
        let path = place(name);
        // A makefile that cannot be read says nothing; that is a problem.
        if super::text(snapshot, &path, pins).is_none() {
            continue;
        }
        let files = |name: &str| {
            let bytes = (snapshot.read)(&resolved(folder, name)?).ok()??;
            let text = Text::read(&bytes);
            text.line_of_nul().is_none().then_some(text)
        };
        let makefile = Makefile::evaluate(name, &files, system);
        in_makefile(&makefile, folder, &files, pins);
        for (file, line, message) in &makefile.problems {
            let file = resolved(folder, file).unwrap_or_else(|| file.clone());
            pins.notes.push(Problem { subject: format!("{file}:{line}"), message: message.clone() });
        }
        if folder.is_empty() {
            for (variable, _) in IMAGES {
                pins.answers.insert(variable, answer(&makefile, variable));
            }
        }
        for (variable, _) in IMAGES {
            if makefile.worth(variable) == Worth::Unknown {
                let message = format!("what {variable} is worth depends on what only make can know");
                pins.problems.push(Problem { subject: path.clone(), message });
            }
        }
    }
}

fn answer(makefile: &Makefile, variable: &str) -> Answer {
    match makefile.worth(variable) {
        Worth::Known(value) if !value.is_empty() => Answer::Known(value),
        Worth::Known(_) | Worth::Undefined => Answer::Undefined,
        Worth::Unknown => Answer::Unknown,
    }
}

fn in_makefile(makefile: &Makefile, folder: &str, files: &dyn Fn(&str) -> Option<Text>, pins: &mut Pins) {
    for (variable, kind) in IMAGES {
        let sources = makefile.sources(variable);
        for assignment in makefile.assignments.iter().filter(|assignment| sources.contains(&assignment.name)) {
            let Some(text) = files(&assignment.file) else { continue };
            let code = text.text.get(assignment.start..assignment.end).unwrap_or_default();
            let found = uuids(code);
            if found.is_empty() && assignment.name == variable {
                odd(assignment, folder, pins);
            }
            for span in found {
                let value = code.get(span.clone()).unwrap_or_default().to_owned();
                pins.pins.push(pin(kind, value, span, assignment, (folder, &text)));
            }
        }
    }
    for assignment in makefile.assignments.iter().filter(|assignment| assignment.name == PACKAGES) {
        let Some(text) = files(&assignment.file) else { continue };
        let code = text.text.get(assignment.start..assignment.end).unwrap_or_default();
        for span in exact_packages(code) {
            let value = code.get(span.clone()).unwrap_or_default().to_owned();
            pins.pins.push(pin(PinKind::Package, value, span, assignment, (folder, &text)));
        }
    }
}

/// A value that is neither a UUID nor made of other variables.
fn odd(assignment: &Assignment, folder: &str, pins: &mut Pins) {
    let value = assignment.value.trim();
    if !value.is_empty() && !value.contains('$') && assignment.is_active != Some(false) {
        let file = resolved(folder, &assignment.file).unwrap_or_default();
        let message = format!("{} is `{value}`, which is no UUID", assignment.name);
        pins.problems.push(Problem { subject: format!("{file}:{}", assignment.line), message });
    }
}

fn pin(kind: PinKind, value: String, span: Range<usize>, assignment: &Assignment, place: (&str, &Text)) -> Pin {
    let (folder, text) = place;
    let line = assignment.line
        + text.text.get(assignment.start..assignment.start + span.start).unwrap_or_default().matches('\n').count();
    Pin {
        kind,
        name: assignment.name.clone(),
        value,
        file: resolved(folder, &assignment.file).unwrap_or_default(),
        line,
        is_active: assignment.is_active,
        span: assignment.start + span.start..assignment.start + span.end,
        comments: comments(&text.text, assignment),
    }
}

/// The comment lines right above an assignment, and what stands behind it.
fn comments(text: &str, assignment: &Assignment) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = assignment.start;
    while let Some(above) = text.get(..start).and_then(|before| before.strip_suffix('\n')) {
        let line_start = above.rfind('\n').map_or(0, |end| end + 1);
        if !above.get(line_start..).is_some_and(|line| line.trim_start().starts_with('#')) {
            break;
        }
        found.push(line_start..start);
        start = line_start;
    }
    let rest = text.get(assignment.end..).unwrap_or_default();
    let length = rest.find('\n').unwrap_or(rest.len());
    if length > 0 {
        found.push(assignment.end..assignment.end + length);
    }
    found
}

/// Where UUIDs stand in a text, on their own.
fn uuids(code: &str) -> Vec<Range<usize>> {
    const LENGTH: usize = 36;
    let mut found = Vec::new();
    let mut start = 0;
    let is_joined = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    while start + LENGTH <= code.len() {
        let is_here = code.get(start..start + LENGTH).is_some_and(|part| is_uuid(&part.to_ascii_lowercase()))
            && !is_joined(start.checked_sub(1).and_then(|before| code.as_bytes().get(before)))
            && !is_joined(code.as_bytes().get(start + LENGTH));
        if is_here {
            found.push(start..start + LENGTH);
            start += LENGTH;
        } else {
            start += 1;
        }
    }
    found
}

/// Where words with a version stand behind the operator: `haproxy-1.6.2`, and not `gcc-runtime`.
fn exact_packages(code: &str) -> Vec<Range<usize>> {
    let Some(value) = code.find('=').map(|operator| operator + 1) else { return Vec::new() };
    let mut found = Vec::new();
    let mut start = value;
    for word in code.get(value..).unwrap_or_default().split([' ', '\t', '\n', '\r', '\\']) {
        let version = word.rsplit_once('-').map(|(_, version)| version);
        if version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
            && !word.contains('$')
        {
            found.push(start..start + word.len());
        }
        start += word.len() + 1;
    }
    found
}

/// A path as make sees it from a folder, from the root; `None` where it leads out.
fn resolved(folder: &str, name: &str) -> Option<String> {
    if name.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
