//! The running system, or a disk that one would run from: files below a root folder, read and nothing else.

mod accounts;
mod firmware;
mod nix_conf;
mod secrets;
mod sshd;
mod units;

use std::path::Path;

use aux_core::configuration::Release;
use aux_core::{Configuration, ConfigurationSource, Fact};

use super::system_root::{SystemRoot, Unread};

/// Kernel parameters that checks ask for.
pub(super) const SYSCTLS: &[&str] = &[
    "fs.protected_fifos",
    "fs.protected_hardlinks",
    "fs.protected_regular",
    "fs.protected_symlinks",
    "kernel.dmesg_restrict",
    "kernel.kexec_load_disabled",
    "kernel.kptr_restrict",
    "kernel.unprivileged_bpf_disabled",
    "kernel.yama.ptrace_scope",
    "net.core.bpf_jit_harden",
];

/// Reads the system whose root folder is `root`. What cannot be seen says why.
pub fn read(root: &Path) -> Configuration {
    let root = SystemRoot::new(root);
    let mut configuration = Configuration { source: ConfigurationSource::Running, ..Configuration::default() };
    configuration.boot.secure_boot = firmware::secure_boot(&root);
    configuration.boot.platform_key = firmware::platform_key(&root);
    configuration.boot.editor = boot_editor(&root);
    configuration.kernel.app_armor = app_armor(&root);
    configuration.kernel.lockdown = lockdown(&root);
    for name in SYSCTLS {
        configuration.kernel.sysctls.insert((*name).to_owned(), sysctl(&root, name));
    }
    configuration.network.firewall = units::firewall(&root);
    configuration.network.ssh = sshd::read(&root);
    configuration.nix = nix_conf::read(&root);
    configuration.secrets.in_store = secrets::in_store(&root);
    configuration.secrets.readable = secrets::readable(&root);
    configuration.accounts.password_free_root = accounts::password_free_root(&root);
    configuration.accounts.empty_passwords = accounts::empty_passwords(&root);
    configuration.services = units::services(&root);
    configuration.releases = releases(&root);
    configuration.updates = units::updates(&root);
    configuration
}

fn app_armor(root: &SystemRoot) -> Fact<bool> {
    let parameter = "/sys/module/apparmor/parameters/enabled";
    match root.text(parameter) {
        Ok(text) => match text.trim() {
            "Y" => Fact::seen(true, parameter),
            "N" => Fact::seen(false, parameter),
            other => Fact::unseen(format!("{parameter} says `{other}`, which is not known here")),
        },
        // The kernel's list of security modules tells it too, and that one says nothing is missing.
        Err(Unread::Absent) => match root.text("/sys/kernel/security/lsm") {
            Ok(list) => Fact::seen(list.trim().split(',').any(|name| name == "apparmor"), "/sys/kernel/security/lsm"),
            Err(_) if root.exists("/sys/module/kernel") => Fact::seen(false, format!("there is no {parameter}")),
            Err(error) => Fact::unseen(error.why("/sys/kernel/security/lsm")),
        },
        Err(error) => Fact::unseen(error.why(parameter)),
    }
}

fn lockdown(root: &SystemRoot) -> Fact<String> {
    let file = "/sys/kernel/security/lockdown";
    match root.text(file) {
        Ok(text) => {
            let mode = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(mode, _)| mode.to_owned());
            match mode {
                Some(mode) => Fact::seen(mode, file),
                None => Fact::unseen(format!("{file} names no mode")),
            }
        }
        // Where the file system is mounted, its other files are there.
        Err(Unread::Absent) if root.exists("/sys/kernel/security/lsm") => {
            Fact::seen("none".to_owned(), format!("the kernel has no {file}"))
        }
        Err(error) => Fact::unseen(error.why(file)),
    }
}

fn sysctl(root: &SystemRoot, name: &str) -> Fact<String> {
    let file = format!("/proc/sys/{}", name.replace('.', "/"));
    match root.text(&file) {
        Ok(text) => Fact::seen(text.trim().to_owned(), file),
        Err(error) => Fact::unseen(error.why(&file)),
    }
}

/// `editor` of systemd-boot (loader.conf(5)); its default is on.
fn boot_editor(root: &SystemRoot) -> Fact<bool> {
    let mut hidden = None;
    for file in ["/boot/loader/loader.conf", "/efi/loader/loader.conf", "/boot/efi/loader/loader.conf"] {
        match root.text(file) {
            Ok(text) => {
                let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
                let mut set = words.filter_map(|words| match words.as_slice() {
                    ["editor", value, ..] => Some((*value).to_owned()),
                    _ => None,
                });
                let off = ["no", "false", "0", "n", "f", "off"];
                let value = set.next_back();
                return Fact::seen(value.as_deref().is_none_or(|value| !off.contains(&value)), file);
            }
            Err(Unread::Absent) => {}
            Err(Unread::Hidden(why)) => hidden = hidden.or(Some(why)),
        }
    }
    match hidden {
        Some(why) => Fact::unseen(why),
        // Another boot loader, or a container: nothing this is about.
        None => Fact::NotAsked,
    }
}

fn releases(root: &SystemRoot) -> Fact<Vec<Release>> {
    let file = "/etc/os-release";
    let text = match root.text(file) {
        Ok(text) => text,
        Err(error) => return Fact::unseen(error.why(file)),
    };
    let field = |key: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('=')).rev();
        // As in a shell, the last one holds.
        let last = lines.find(|(name, _)| *name == key);
        last.map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_owned())
    };
    let id = field("ID").unwrap_or_default();
    if id != "nixos" {
        return Fact::unseen(format!("{file} names `{id}`, whose releases are not known here"));
    }
    let is_unstable = field("BUILD_ID").is_some_and(|build| build.contains("pre"));
    match field("VERSION_ID") {
        _ if is_unstable => {
            Fact::seen(vec![Release { name: "unstable".to_owned(), of: "the system".to_owned() }], file)
        }
        Some(name) => Fact::seen(vec![Release { name, of: "the system".to_owned() }], file),
        None => Fact::unseen(format!("{file} has no VERSION_ID")),
    }
}
