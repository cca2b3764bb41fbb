//! `/etc/nix/nix.conf` and what it includes (Nix manual, nix.conf(5)), and `/etc/nix/machines`.

use std::collections::BTreeMap;

use aux_core::Fact;
use aux_core::configuration::{Builder, NixSettings};

use crate::configuration::system_root::{SystemRoot, Unread};

const FILE: &str = "/etc/nix/nix.conf";
/// Files that include files that include files.
const INCLUDES_MAX: usize = 64;

/// Nix's own defaults, for what no line sets.
const DEFAULTS: &[(&str, &str)] = &[
    ("trusted-users", "root"),
    ("allowed-users", "*"),
    ("require-sigs", "true"),
    ("sandbox", "true"),
    ("substituters", "https://cache.nixos.org/"),
    ("trusted-public-keys", "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="),
    ("trusted-substituters", ""),
    ("builders", "@/etc/nix/machines"),
];

/// Older names of the same settings.
const ALIASES: &[(&str, &str)] = &[
    ("binary-caches", "substituters"),
    ("binary-cache-public-keys", "trusted-public-keys"),
    ("trusted-binary-caches", "trusted-substituters"),
    ("build-use-sandbox", "sandbox"),
    ("build-use-chroot", "sandbox"),
];

pub(super) fn read(root: &SystemRoot) -> NixSettings {
    let mut lines = Lines::default();
    match lines.file(root, FILE) {
        Ok(()) => {}
        Err(Unread::Absent) if !root.exists("/nix/store") && !root.exists("/etc/nix") => return NixSettings::default(),
        Err(error) => return unseen(&error.why(FILE)),
    }
    if let Some(why) = &lines.hidden {
        return unseen(why);
    }
    let list = |name: &str| match lines.values.get(name) {
        Some((value, how)) => Fact::seen(words(value), how.clone()),
        None => Fact::seen(words(default(name)), format!("{FILE} does not set {name}: Nix's default")),
    };
    let mut substituters = list("substituters");
    if let (Fact::Seen { value, .. }, Some((more, _))) = (&mut substituters, lines.values.get("trusted-substituters")) {
        value.extend(words(more));
    }
    let one = |name: &str| match lines.values.get(name) {
        Some((value, how)) => (value.trim().to_owned(), how.clone()),
        None => (default(name).to_owned(), format!("{FILE} does not set {name}: Nix's default")),
    };
    let (signatures, how) = one("require-sigs");
    let (sandbox, sandbox_how) = one("sandbox");
    NixSettings {
        trusted_users: list("trusted-users"),
        allowed_users: list("allowed-users"),
        require_sigs: match signatures.as_str() {
            "true" => Fact::seen(true, how),
            "false" => Fact::seen(false, how),
            other => Fact::unseen(format!("require-sigs is `{other}` ({how})")),
        },
        substituters,
        public_keys: list("trusted-public-keys"),
        sandbox: Fact::seen(sandbox, sandbox_how),
        builders: builders(root, &one("builders").0),
    }
}

fn unseen(why: &str) -> NixSettings {
    NixSettings {
        trusted_users: Fact::unseen(why),
        allowed_users: Fact::unseen(why),
        require_sigs: Fact::unseen(why),
        substituters: Fact::unseen(why),
        public_keys: Fact::unseen(why),
        sandbox: Fact::unseen(why),
        builders: Fact::unseen(why),
    }
}

fn default(name: &str) -> &'static str {
    DEFAULTS.iter().find(|(other, _)| *other == name).map_or("", |(_, value)| value)
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// What the lines read so far set, each with its place.
#[derive(Default)]
struct Lines {
    values: BTreeMap<String, (String, String)>,
    included: usize,
    /// A file that is included and cannot be read: then anything may be set there.
    hidden: Option<String>,
}

impl Lines {
    fn file(&mut self, root: &SystemRoot, path: &str) -> Result<(), Unread> {
        let text = root.text(path)?;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split_once('#').map_or(line, |(before, _)| before).trim();
            if let Some(file) = line.strip_prefix("include ").or(line.strip_prefix("!include ")) {
                self.include(root, path, file.trim(), !line.starts_with('!'));
            } else if let Some((key, value)) = line.split_once('=') {
                self.set(key.trim(), value.trim(), format!("{path}:{number}"));
            }
        }
        Ok(())
    }

    fn include(&mut self, root: &SystemRoot, from: &str, file: &str, is_needed: bool) {
        self.included += 1;
        if self.included > INCLUDES_MAX {
            self.hidden = Some(format!("{from} includes more than {INCLUDES_MAX} files"));
            return;
        }
        let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = if file.starts_with('/') { file.to_owned() } else { format!("{folder}/{file}") };
        match self.file(root, &path) {
            Ok(()) => {}
            Err(Unread::Absent) if !is_needed => {}
            Err(error) => self.hidden = Some(error.why(&path)),
        }
    }

    /// A later line replaces an earlier one; `extra-` adds to it, or to the default.
    fn set(&mut self, key: &str, value: &str, place: String) {
        let (is_extra, key) = key.strip_prefix("extra-").map_or((false, key), |key| (true, key));
        let key = ALIASES.iter().find(|(old, _)| *old == key).map_or(key, |(_, new)| new);
        if !is_extra {
            self.values.insert(key.to_owned(), (value.to_owned(), place));
            return;
        }
        let (before, places) = match self.values.get(key) {
            Some((before, places)) => (before.clone(), format!("{places}, {place}")),
            None => (default(key).to_owned(), place),
        };
        self.values.insert(key.to_owned(), (format!("{before} {value}"), places));
    }
}

/// `builders` holds machines separated by `;` or lines, or `@` and a file of them.
fn builders(root: &SystemRoot, setting: &str) -> Fact<Vec<Builder>> {
    let (text, how) = match setting.strip_prefix('@') {
        Some(file) => match root.text(file.trim()) {
            Ok(text) => (text, file.trim().to_owned()),
            Err(Unread::Absent) => (String::new(), format!("there is no {}", file.trim())),
            Err(error) => return Fact::unseen(error.why(file.trim())),
        },
        None => (setting.to_owned(), format!("builders in {FILE}")),
    };
    let lines = text.lines().map(|line| line.split_once('#').map_or(line, |(before, _)| before));
    Fact::seen(lines.flat_map(|line| line.split(';')).filter_map(builder).collect(), how)
}

/// `ssh://user@host systems key …`, where `-` leaves a field out.
fn builder(line: &str) -> Option<Builder> {
    let mut fields = line.split_whitespace();
    let address = fields.next()?;
    let key = fields.nth(1).filter(|key| *key != "-").map(str::to_owned);
    let place = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (user, host) = match place.rsplit_once('@') {
        Some((user, host)) => (Some(user.to_owned()), host),
        None => (None, place),
    };
    Some(Builder { host: host.to_owned(), user, key })
}
