//! systemd's units: which services stay and how far they are shut in, and whether a firewall and updates are on.

use std::collections::BTreeMap;

use aux_core::Fact;
use aux_core::configuration::Service;
use aux_core::limits::FACT_ENTRIES_MAX;

use crate::configuration::system_root::{SystemRoot, Unread};

const FOLDER: &str = "/etc/systemd/system";
/// systemd keeps a link `invocation:UNIT` here for each unit it holds for active.
const ACTIVE: &str = "/run/systemd/units";

/// Directives that shut a service in.
const HARDENING: &[&str] = &[
    "AmbientCapabilities",
    "CapabilityBoundingSet",
    "NoNewPrivileges",
    "PrivateDevices",
    "PrivateTmp",
    "ProtectHome",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectSystem",
    "RestrictAddressFamilies",
    "RootDirectory",
    "RootImage",
    "SystemCallFilter",
];

/// The units that are active; `None` where systemd does not show them.
fn active(root: &SystemRoot) -> Option<Vec<String>> {
    let names = root.entries(ACTIVE).ok()?;
    Some(names.iter().filter_map(|name| name.strip_prefix("invocation:").map(str::to_owned)).collect())
}

pub(super) fn firewall(root: &SystemRoot) -> Fact<bool> {
    const UNITS: [&str; 4] = ["firewall.service", "nftables.service", "firewalld.service", "ufw.service"];
    let Some(active) = active(root) else {
        return Fact::unseen(format!(
            "{ACTIVE} does not show which units are active, and rules are for root alone to read"
        ));
    };
    match UNITS.iter().find(|unit| active.iter().any(|name| name == *unit)) {
        Some(unit) => Fact::seen(true, format!("{unit} is active; its rules were not read")),
        // Elsewhere rules may come from another place; here they come from these units.
        None if root.exists("/etc/NIXOS") => {
            Fact::seen(false, format!("systemd has none of {} active", UNITS.get(..3).unwrap_or_default().join(", ")))
        }
        None => Fact::unseen(
            "no firewall's unit is active, and rules that something else has set are for root alone to read",
        ),
    }
}

pub(super) fn updates(root: &SystemRoot) -> Fact<Option<String>> {
    if !root.exists(FOLDER) {
        return Fact::unseen(format!("there is no {FOLDER}"));
    }
    let wanted = [
        ("timers.target.wants/nixos-upgrade.timer", "nixos-upgrade.timer"),
        ("multi-user.target.wants/comin.service", "comin.service"),
        ("timers.target.wants/apt-daily-upgrade.timer", "apt-daily-upgrade.timer"),
    ];
    let found = wanted.iter().find(|(path, _)| root.exists(&format!("{FOLDER}/{path}")));
    match found {
        Some((_, unit)) => Fact::seen(Some((*unit).to_owned()), FOLDER),
        None => Fact::seen(None, format!("{FOLDER} wants none of nixos-upgrade.timer, comin.service")),
    }
}

pub(super) fn services(root: &SystemRoot) -> Fact<Vec<Service>> {
    let names = match root.entries(FOLDER) {
        Ok(names) => names,
        Err(error) => return Fact::unseen(error.why(FOLDER)),
    };
    let active = active(root);
    let is_wanted = |name: &String| {
        // A template runs only under names of its own, which have units here only if something is set for them.
        name.ends_with(".service")
            && !name.ends_with("@.service")
            && active.as_ref().is_none_or(|active| active.contains(name))
    };
    let (mut services, mut hidden) = (Vec::new(), None);
    for name in names.iter().filter(|name| is_wanted(name)).take(FACT_ENTRIES_MAX) {
        match service(root, name) {
            Ok(Some(service)) => services.push(service),
            Ok(None) => {}
            Err(why) => hidden = hidden.or(Some(why)),
        }
    }
    let is_clean = services.iter().all(|service| !service.is_root || !service.hardening.is_empty());
    match hidden {
        Some(why) if is_clean => Fact::unseen(why),
        _ => {
            let which = if active.is_some() { "active units of" } else { "units of" };
            Fact::seen(services, format!("{which} {FOLDER}"))
        }
    }
}

/// A unit and its drop-ins; `None` where it does not stay, is masked, or starts nothing.
fn service(root: &SystemRoot, name: &str) -> Result<Option<Service>, String> {
    let path = format!("{FOLDER}/{name}");
    let mut fields = BTreeMap::new();
    match root.text(&path) {
        Ok(text) => section(&text, &mut fields),
        // A link to /dev/null masks a unit; one that leads nowhere starts nothing.
        Err(Unread::Absent) => return Ok(None),
        Err(Unread::Hidden(_)) if root.resolve(&path).is_ok_and(|real| real.ends_with("dev/null")) => return Ok(None),
        Err(Unread::Hidden(why)) => return Err(why),
    }
    let folder = format!("{path}.d");
    if let Ok(names) = root.entries(&folder) {
        for drop_in in names.iter().filter(|name| name.rsplit_once('.').is_some_and(|(_, ending)| ending == "conf")) {
            let text = root.text(&format!("{folder}/{drop_in}")).map_err(|error| error.why(drop_in))?;
            section(&text, &mut fields);
        }
    }
    let field = |key: &str| fields.get(key).map_or("", String::as_str);
    if field("ExecStart").is_empty() || field("Type") == "oneshot" {
        return Ok(None);
    }
    let off = ["no", "false", "0", "off"];
    let hardening =
        HARDENING.iter().filter(|key| fields.get(**key).is_some_and(|value| !off.contains(&value.as_str())));
    Ok(Some(Service {
        name: name.trim_end_matches(".service").to_owned(),
        is_root: ["", "root", "0"].contains(&field("User"))
            && !["yes", "true", "1", "on"].contains(&field("DynamicUser")),
        hardening: hardening.map(|&key| key.to_owned()).collect(),
    }))
}

/// The lines of `[Service]`; a later one replaces an earlier one.
fn section(text: &str, into: &mut BTreeMap<String, String>) {
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            is_inside = line == "[Service]";
        } else if let (true, Some((key, value))) = (is_inside, line.split_once('=')) {
            into.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
}
