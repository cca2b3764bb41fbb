//! The SSH server's configuration (`sshd_config(5)`): the first value of a word holds, and a `Match` may change it.

use aux_core::Fact;
use aux_core::configuration::{Setting, Ssh};

use crate::configuration::system_root::{SystemRoot, Unread};

const FILE: &str = "/etc/ssh/sshd_config";
/// Files that include files that include files.
const INCLUDES_MAX: usize = 64;

pub(super) fn read(root: &SystemRoot) -> Fact<Option<Ssh>> {
    let mut reader = Reader { ssh: Ssh::default(), included: 0, in_match: false, hidden: None };
    match reader.file(root, FILE) {
        Ok(()) => {}
        Err(Unread::Absent) if root.exists("/etc") => return Fact::seen(None, format!("there is no {FILE}")),
        Err(error) => return Fact::unseen(error.why(FILE)),
    }
    match reader.hidden {
        Some(why) => Fact::unseen(why),
        None => Fact::seen(Some(reader.ssh), FILE),
    }
}

struct Reader {
    ssh: Ssh,
    included: usize,
    in_match: bool,
    hidden: Option<String>,
}

impl Reader {
    fn file(&mut self, root: &SystemRoot, path: &str) -> Result<(), Unread> {
        let text = root.text(path)?;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.starts_with('#') {
                continue;
            }
            let Some((word, value)) = line.split_once(|c: char| c.is_whitespace() || c == '=') else { continue };
            let value = value.trim_start_matches(|c: char| c.is_whitespace() || c == '=').trim_matches('"').trim();
            self.set(root, (word, value), &format!("{path}:{number}"));
        }
        Ok(())
    }

    fn set(&mut self, root: &SystemRoot, (word, value): (&str, &str), place: &str) {
        let in_match = self.in_match;
        let note = |settings: &mut Vec<Setting>| {
            // Below a Match a value holds for somebody, whatever stands above; elsewhere only the first one does.
            if in_match || settings.is_empty() {
                let value = value.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
                settings.push(Setting { value, how: place.to_owned() });
            }
        };
        match word.to_ascii_lowercase().as_str() {
            "match" => self.in_match = !value.eq_ignore_ascii_case("all"),
            "include" => value.split_whitespace().for_each(|pattern| self.include(root, pattern, place)),
            "permitrootlogin" => note(&mut self.ssh.root_login),
            "passwordauthentication" => note(&mut self.ssh.password),
            "kbdinteractiveauthentication" | "challengeresponseauthentication" => note(&mut self.ssh.keyboard),
            _ => {}
        }
    }

    fn include(&mut self, root: &SystemRoot, pattern: &str, place: &str) {
        self.included += 1;
        if self.included > INCLUDES_MAX {
            self.hidden = Some(format!("{place} includes more than {INCLUDES_MAX} files"));
            return;
        }
        let pattern = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/ssh/{pattern}") };
        let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", &pattern));
        let (before, after) = match name.split_once('*') {
            None => return self.one(root, &pattern),
            Some((before, after)) if !after.contains(['*', '?', '[']) => (before, after),
            Some(_) => {
                self.hidden = Some(format!("{place} includes {pattern}, a pattern that is not read here"));
                return;
            }
        };
        match root.entries(folder) {
            Ok(names) => {
                for name in names.iter().filter(|name| name.starts_with(before) && name.ends_with(after)) {
                    self.one(root, &format!("{folder}/{name}"));
                }
            }
            Err(Unread::Absent) => {}
            Err(error) => self.hidden = Some(error.why(folder)),
        }
    }

    fn one(&mut self, root: &SystemRoot, path: &str) {
        // A Match of an included file ends with that file.
        let in_match = self.in_match;
        match self.file(root, path) {
            Ok(()) | Err(Unread::Absent) => {}
            Err(error) => self.hidden = Some(error.why(path)),
        }
        self.in_match = in_match;
    }
}
