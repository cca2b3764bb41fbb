//! The maps of the build tools' `validate-buildenv.sh`: which images a build machine knows.

use std::collections::BTreeMap;
use std::ops::Range;

use aux_core::line_of;

use super::{Pin, PinKind, Pins};

/// A bash associative array of the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    pub name: String,
    pub entries: BTreeMap<String, String>,
    /// Where the last entry's key stands; empty where there is none.
    pub last_key: Range<usize>,
    /// Where the next entry goes: at the start of the line with the closing bracket.
    pub end: usize,
    /// What stands in front of an entry.
    pub indent: String,
}

/// The names of the maps that an image must be in.
pub const NAMES: [&str; 3] = ["PKGSRC_MAP", "SDC_MAP", "JENKINS_AGENT_MAP"];

/// Finds the newest image of each map.
pub fn find(file: &str, text: &str, pins: &mut Pins) {
    for map in maps(text) {
        let value = text.get(map.last_key.clone()).unwrap_or_default().to_owned();
        pins.pins.push(Pin {
            kind: PinKind::ToolsMap,
            name: map.name,
            value,
            file: file.to_owned(),
            line: line_of(text, map.last_key.start),
            is_active: Some(true),
            span: map.last_key,
            comments: Vec::new(),
        });
    }
}

/// Reads the maps; `declare -A NAME=(` opens one, entries are `[key]=value`, one a line or several.
pub fn maps(text: &str) -> Vec<Map> {
    let mut found: Vec<Map> = Vec::new();
    let mut open: Option<Map> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let code = line.trim();
        if let Some(map) = &mut open {
            if code.starts_with(')') {
                map.end = start;
                found.extend(open.take());
            } else if !code.starts_with('#') {
                entries(line, start, map);
            }
        } else if let Some(name) = opening(code) {
            let map = Map {
                name: name.to_owned(),
                entries: BTreeMap::new(),
                last_key: start..start,
                end: start + line.len(),
                indent: "    ".to_owned(),
            };
            open = Some(map);
        }
        start += line.len();
    }
    found
}

fn opening(code: &str) -> Option<&str> {
    let name = code.strip_suffix("=(")?.rsplit([' ', '\t']).next()?;
    NAMES.contains(&name).then_some(name)
}

fn entries(line: &str, start: usize, map: &mut Map) {
    let indent: String = line.chars().take_while(|one| matches!(one, ' ' | '\t')).collect();
    for (index, _) in line.match_indices('[') {
        let rest = line.get(index + 1..).unwrap_or_default();
        let Some((key, after)) = rest.split_once("]=") else { continue };
        let value = after.split_whitespace().next().unwrap_or_default().trim_matches(['"', '\'']);
        map.entries.insert(key.trim_matches(['"', '\'']).to_ascii_lowercase(), value.to_owned());
        map.last_key = start + index + 1..start + index + 1 + key.len();
        map.indent.clone_from(&indent);
    }
}
