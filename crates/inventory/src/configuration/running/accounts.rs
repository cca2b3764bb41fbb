//! Who gets in, and who becomes root, without a password: `/etc/shadow`, sudoers(5), doas.conf(5).

use aux_core::Fact;

use crate::configuration::system_root::{SystemRoot, Unread};

pub(super) fn empty_passwords(root: &SystemRoot) -> Fact<Vec<String>> {
    let file = "/etc/shadow";
    match root.text(file) {
        Ok(text) => {
            let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
            let empty = fields.filter_map(|fields| match fields.as_slice() {
                [name, "", ..] if !name.is_empty() => Some((*name).to_owned()),
                _ => None,
            });
            Fact::seen(empty.collect(), file)
        }
        Err(error) => Fact::unseen(error.why(file)),
    }
}

pub(super) fn password_free_root(root: &SystemRoot) -> Fact<Vec<String>> {
    let mut files = vec!["/etc/sudoers".to_owned(), "/etc/doas.conf".to_owned()];
    let mut hidden = None;
    match root.entries("/etc/sudoers.d") {
        // sudo passes over names with a dot or a final tilde.
        Ok(names) => files.extend(
            names
                .iter()
                .filter(|name| !name.contains('.') && !name.ends_with('~'))
                .map(|name| format!("/etc/sudoers.d/{name}")),
        ),
        Err(Unread::Absent) => {}
        Err(Unread::Hidden(why)) => hidden = Some(why),
    }
    let (mut found, mut read) = (Vec::new(), Vec::new());
    for file in files {
        match root.text(&file) {
            Ok(text) => {
                found.extend(rules(&file, &text));
                read.push(file);
            }
            Err(Unread::Absent) => {}
            Err(Unread::Hidden(why)) => hidden = hidden.or(Some(why)),
        }
    }
    match hidden {
        Some(why) if found.is_empty() => Fact::unseen(why),
        None if read.is_empty() && !root.exists("/etc") => Fact::unseen("there is no /etc"),
        _ if read.is_empty() => Fact::seen(found, "there is neither /etc/sudoers nor /etc/doas.conf"),
        _ => Fact::seen(found, read.join(", ")),
    }
}

/// `who … NOPASSWD:` of sudo and `permit nopass who` of doas. For which commands is left to who reads the line.
fn rules(file: &str, text: &str) -> Vec<String> {
    let is_doas = file.ends_with("doas.conf");
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split_once('#').map_or(line, |(before, _)| before).trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        let to_other = words.windows(2).any(|pair| matches!(pair, ["as", user] if *user != "root"));
        let is_free = if is_doas {
            words.first() == Some(&"permit") && words.contains(&"nopass") && !to_other
        } else {
            line.contains("NOPASSWD") || (words.first() == Some(&"Defaults") && words.contains(&"!authenticate"))
        };
        if is_free {
            let options = ["permit", "nopass", "persist", "keepenv", "nolog"];
            let who = words.iter().find(|word| !is_doas || !options.contains(word)).copied().unwrap_or("everybody");
            found.push(format!("{who} ({file}:{number})"));
        }
    }
    found
}
