//! An evaluated configuration: the `aux.configuration/1` document that `configuration.nix` makes, as facts.

use std::collections::BTreeMap;

use aux_core::configuration::{Builder, Release, SecureBoot, Service, Setting, Ssh};
use aux_core::limits::{CONFIGURATION_BYTES_MAX, FACT_ENTRIES_MAX};
use aux_core::{Configuration, ConfigurationSource, Fact};
use serde::Deserialize;
use serde_json::Value;

/// The key that tells such a document from others, with the number of its version.
pub(crate) const KEY: &str = "auxConfiguration";
const VERSION: u64 = 1;

/// Why a document is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    #[error("is no aux.configuration document: {0}")]
    Syntax(serde_json::Error),
    #[error("is aux.configuration/{0}, and only aux.configuration/{VERSION} is known; update aux")]
    Version(u64),
    #[error("has {bytes} bytes, more than the {CONFIGURATION_BYTES_MAX} of a configuration (CONFIGURATION_BYTES_MAX)")]
    TooLarge { bytes: usize },
    #[error("lists {number} {what}, more than {FACT_ENTRIES_MAX} (FACT_ENTRIES_MAX)")]
    TooMany { what: &'static str, number: usize },
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "auxConfiguration")]
    version: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    options: BTreeMap<String, Value>,
    #[serde(default)]
    unevaluated: Vec<String>,
    users: Option<Vec<Option<User>>>,
    services: Option<Vec<Option<Unit>>>,
    builders: Option<Vec<Machine>>,
    secrets_in_store: Option<Vec<String>>,
    password_free_rules: Option<Vec<String>>,
    #[serde(default)]
    secret_modes: BTreeMap<String, Option<Vec<Option<Mode>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the format")]
struct User {
    name: String,
    password: bool,
    initial_password: bool,
    hashed_password: String,
    initial_hashed_password: String,
    empty_password: bool,
    password_file_in_store: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unit {
    name: String,
    enabled: bool,
    #[serde(rename = "type")]
    kind: Option<Value>,
    user: Option<Value>,
    dynamic_user: bool,
    starts: bool,
    hardening: Vec<String>,
    #[serde(default)]
    secret_variables: Vec<String>,
}

#[derive(Deserialize)]
struct Machine {
    host: Option<Value>,
    user: Option<String>,
    key: Option<String>,
}

#[derive(Deserialize)]
struct Mode {
    name: String,
    mode: Option<Value>,
}

/// Reads the document. What it does not say is unseen.
pub fn read(document: &[u8]) -> Result<Configuration, ConfigurationError> {
    if document.len() as u64 > CONFIGURATION_BYTES_MAX {
        return Err(ConfigurationError::TooLarge { bytes: document.len() });
    }
    let Header { version } = serde_json::from_slice(document).map_err(ConfigurationError::Syntax)?;
    if version != VERSION {
        return Err(ConfigurationError::Version(version));
    }
    let document: Document = serde_json::from_slice(document).map_err(ConfigurationError::Syntax)?;
    for (what, number) in [
        ("users", document.users.as_ref().map_or(0, Vec::len)),
        ("services", document.services.as_ref().map_or(0, Vec::len)),
        ("builders", document.builders.as_ref().map_or(0, Vec::len)),
    ] {
        if number > FACT_ENTRIES_MAX {
            return Err(ConfigurationError::TooMany { what, number });
        }
    }
    Ok(document.facts())
}

/// The configuration of a machine of which nothing can be evaluated: every fact is unseen, for one reason.
pub fn unseen(why: &str) -> Configuration {
    let mut unseen = Configuration { source: ConfigurationSource::Evaluated, ..Configuration::default() };
    unseen.boot.secure_boot = Fact::unseen(why);
    unseen.boot.platform_key = Fact::unseen(why);
    unseen.kernel.app_armor = Fact::unseen(why);
    unseen.kernel.lockdown = Fact::unseen(why);
    unseen.kernel.sysctls =
        super::running::SYSCTLS.iter().map(|name| ((*name).to_owned(), Fact::unseen(why))).collect();
    unseen.network.firewall = Fact::unseen(why);
    unseen.network.ssh = Fact::unseen(why);
    unseen.nix.trusted_users = Fact::unseen(why);
    unseen.nix.allowed_users = Fact::unseen(why);
    unseen.nix.require_sigs = Fact::unseen(why);
    unseen.nix.substituters = Fact::unseen(why);
    unseen.nix.public_keys = Fact::unseen(why);
    unseen.nix.sandbox = Fact::unseen(why);
    unseen.nix.builders = Fact::unseen(why);
    unseen.secrets.in_store = Fact::unseen(why);
    unseen.secrets.readable = Fact::unseen(why);
    unseen.accounts.password_free_root = Fact::unseen(why);
    unseen.accounts.empty_passwords = Fact::unseen(why);
    unseen.services = Fact::unseen(why);
    unseen.releases = Fact::unseen(why);
    unseen.updates = Fact::unseen(why);
    unseen
}

impl Document {
    fn facts(&self) -> Configuration {
        let mut configuration = Configuration { source: ConfigurationSource::Evaluated, ..Configuration::default() };
        self.boot(&mut configuration);
        self.kernel(&mut configuration);
        configuration.network.firewall = self.firewall();
        configuration.network.ssh = self.ssh();
        self.nix(&mut configuration);
        self.accounts(&mut configuration);
        configuration.secrets.in_store = self.in_store();
        configuration.secrets.readable = self.readable();
        configuration.services = self.services();
        configuration.releases = self.release();
        configuration.updates = self.updates();
        configuration
    }

    /// The first of several names of one option, newest first, that the configuration has.
    fn first<T>(&self, names: &[&str], convert: impl Fn(&Value) -> Option<T>) -> Fact<T> {
        for name in names {
            if let Some(value) = self.options.get(*name) {
                return match convert(value) {
                    Some(value) => Fact::seen(value, *name),
                    None => Fact::unseen(format!("{name} is of a kind that is not known here")),
                };
            }
            if self.unevaluated.iter().any(|other| other == name) {
                return Fact::unseen(format!("{name} cannot be evaluated"));
            }
        }
        Fact::unseen(format!("the configuration has no option {}", names.join(" or ")))
    }

    fn flag(&self, names: &[&str]) -> Fact<bool> {
        self.first(names, Value::as_bool)
    }

    /// Whether an option is there and on; one of a module that is not there is off.
    fn is_on(&self, name: &str) -> Option<bool> {
        match self.flag(&[name]) {
            Fact::Seen { value, .. } => Some(value),
            _ if self.unevaluated.iter().any(|other| other == name) => None,
            _ => Some(false),
        }
    }

    fn boot(&self, into: &mut Configuration) {
        if self.is_on("boot.isContainer") == Some(true) {
            return;
        }
        let signers = ["boot.lanzaboote.enable", "boot.loader.limine.secureBoot.enable"];
        let on = signers.iter().find(|name| self.is_on(name) == Some(true));
        into.boot.secure_boot = match on {
            Some(name) => Fact::seen(SecureBoot::SignedOnly, *name),
            None if signers.iter().any(|name| self.is_on(name).is_none()) => {
                Fact::unseen(format!("{} cannot be evaluated", signers.join(" or ")))
            }
            None => Fact::seen(SecureBoot::Off, "nothing in the configuration signs what is booted"),
        };
        into.boot.platform_key = Fact::unseen("the firmware's keys are not in a configuration");
        if self.is_on("boot.loader.systemd-boot.enable") == Some(true) {
            into.boot.editor = self.flag(&["boot.loader.systemd-boot.editor"]);
        }
    }

    fn kernel(&self, into: &mut Configuration) {
        into.kernel.app_armor = self.flag(&["security.apparmor.enable"]);
        if self.is_on("boot.isContainer") == Some(true) {
            // A container runs under its host's kernel.
            return;
        }
        into.kernel.lockdown = self.first(&["boot.kernelParams"], |value| {
            let parameters = texts(value)?;
            let mut modes = parameters.iter().filter_map(|parameter| parameter.strip_prefix("lockdown="));
            Some(modes.next_back().unwrap_or("none").to_owned())
        });
        for name in super::running::SYSCTLS {
            let option = format!("boot.kernel.sysctl.{name}");
            let fact = match self.options.get(&option) {
                Some(Value::Null) | None if !self.unevaluated.contains(&option) => {
                    Fact::unseen(format!("{name} is left to the kernel's own default"))
                }
                _ => self.first(&[&option], number),
            };
            into.kernel.sysctls.insert((*name).to_owned(), fact);
        }
    }

    fn firewall(&self) -> Fact<bool> {
        for name in ["services.firewalld.enable", "networking.firewall.enable"] {
            if self.is_on(name) == Some(true) {
                return Fact::seen(true, name);
            }
        }
        let ruleset = self.options.get("networking.nftables.ruleset").and_then(Value::as_str);
        if self.is_on("networking.nftables.enable") == Some(true) && ruleset.is_some_and(|text| !text.trim().is_empty())
        {
            return Fact::seen(true, "networking.nftables.ruleset");
        }
        self.flag(&["networking.firewall.enable"])
    }

    fn ssh(&self) -> Fact<Option<Ssh>> {
        let name = "services.openssh.enable";
        match self.flag(&[name]) {
            Fact::Seen { value: false, how } => Fact::seen(None, how),
            Fact::Seen { value: true, how } => {
                let ours = |names: &[&str]| self.settings(names);
                let root_login =
                    ours(&["services.openssh.settings.PermitRootLogin", "services.openssh.permitRootLogin"]);
                let password = ours(&[
                    "services.openssh.settings.PasswordAuthentication",
                    "services.openssh.passwordAuthentication",
                ]);
                let keyboard = ours(&[
                    "services.openssh.settings.KbdInteractiveAuthentication",
                    "services.openssh.kbdInteractiveAuthentication",
                    "services.openssh.challengeResponseAuthentication",
                ]);
                match (root_login, password, keyboard) {
                    (Ok(root_login), Ok(password), Ok(keyboard)) => {
                        Fact::seen(Some(Ssh { root_login, password, keyboard }), how)
                    }
                    (Err(why), ..) | (_, Err(why), _) | (.., Err(why)) => Fact::unseen(why),
                }
            }
            Fact::Unseen { why } => Fact::unseen(why),
            Fact::NotAsked => Fact::NotAsked,
        }
    }

    /// A word of the server's configuration; `null` and what is not there leave it to the server.
    fn settings(&self, names: &[&str]) -> Result<Vec<Setting>, String> {
        for name in names {
            if self.unevaluated.iter().any(|other| other == name) {
                return Err(format!("{name} cannot be evaluated"));
            }
            let value = match self.options.get(*name) {
                None => continue,
                Some(Value::Null) => return Ok(Vec::new()),
                Some(Value::Bool(value)) => if *value { "yes" } else { "no" }.to_owned(),
                Some(Value::String(value)) => value.to_ascii_lowercase(),
                Some(_) => return Err(format!("{name} is of a kind that is not known here")),
            };
            return Ok(vec![Setting { value, how: (*name).to_owned() }]);
        }
        Ok(Vec::new())
    }

    fn nix(&self, into: &mut Configuration) {
        if self.is_on("nix.enable") == Some(false) && self.options.contains_key("nix.enable") {
            return;
        }
        let nix = &mut into.nix;
        nix.trusted_users = self.first(&["nix.settings.trusted-users", "nix.trustedUsers"], texts);
        nix.allowed_users = self.first(&["nix.settings.allowed-users", "nix.allowedUsers"], texts);
        nix.require_sigs = self.flag(&["nix.settings.require-sigs", "nix.requireSignedBinaryCaches"]);
        nix.sandbox = self.first(&["nix.settings.sandbox", "nix.useSandbox"], |value| match value {
            Value::Bool(value) => Some(value.to_string()),
            Value::String(value) => Some(value.clone()),
            _ => None,
        });
        nix.substituters = self.joined(
            &["nix.settings.substituters", "nix.binaryCaches"],
            &["nix.settings.extra-substituters", "nix.settings.trusted-substituters", "nix.trustedBinaryCaches"],
        );
        nix.public_keys = self.joined(
            &["nix.settings.trusted-public-keys", "nix.binaryCachePublicKeys"],
            &["nix.settings.extra-trusted-public-keys"],
        );
        nix.builders = match (self.flag(&["nix.distributedBuilds"]), &self.builders) {
            (Fact::Seen { value: false, how }, _) => Fact::seen(Vec::new(), how),
            (Fact::Seen { .. }, Some(builders)) => {
                let builder = |machine: &Machine| Builder {
                    host: machine.host.as_ref().and_then(Value::as_str).unwrap_or("a builder").to_owned(),
                    user: machine.user.clone(),
                    key: machine.key.clone(),
                };
                Fact::seen(builders.iter().map(builder).collect(), "nix.buildMachines")
            }
            (Fact::Seen { .. }, None) => Fact::unseen("nix.buildMachines cannot be evaluated"),
            (Fact::Unseen { why }, _) => Fact::Unseen { why },
            (Fact::NotAsked, _) => Fact::NotAsked,
        };
    }

    /// A list and what other options add to it.
    fn joined(&self, names: &[&str], more: &[&str]) -> Fact<Vec<String>> {
        let mut fact = self.first(names, texts);
        for name in more {
            if self.unevaluated.iter().any(|other| other == name) {
                return Fact::unseen(format!("{name} cannot be evaluated"));
            }
            if let (Fact::Seen { value, how }, Some(added)) = (&mut fact, self.options.get(*name).and_then(texts)) {
                value.extend(added);
                *how = format!("{how}, {name}");
            }
        }
        fact
    }

    fn accounts(&self, into: &mut Configuration) {
        into.accounts.empty_passwords = self.of_users(|user| {
            let is_empty =
                user.empty_password || user.hashed_password == "empty" || user.initial_hashed_password == "empty";
            is_empty.then(|| user.name.clone()).into_iter().collect()
        });
        let mut free = Vec::new();
        for name in ["security.sudo", "security.sudo-rs", "security.doas"] {
            let (on, asks) = (self.is_on(&format!("{name}.enable")), self.is_on(&format!("{name}.wheelNeedsPassword")));
            let option = format!("{name}.wheelNeedsPassword");
            match (on, asks) {
                (Some(true), Some(false)) if self.options.contains_key(&option) => free.push(option),
                (None, _) | (Some(true), None) => {
                    into.accounts.password_free_root = Fact::unseen(format!("{name} cannot be evaluated"));
                    return;
                }
                _ => {}
            }
        }
        into.accounts.password_free_root = match &self.password_free_rules {
            Some(rules) => {
                free.extend(rules.iter().cloned());
                Fact::seen(free, "security.sudo, security.sudo-rs, security.doas")
            }
            None if !free.is_empty() => Fact::seen(free, "security.sudo, security.sudo-rs, security.doas"),
            None => Fact::unseen("the rules of sudo and doas cannot be evaluated"),
        };
    }

    /// Something of every user. Where one cannot be evaluated, an empty answer would say too much.
    fn of_users(&self, of: impl Fn(&User) -> Vec<String>) -> Fact<Vec<String>> {
        let Some(users) = &self.users else { return Fact::unseen("the configuration has no option users.users") };
        let found: Vec<String> = users.iter().flatten().flat_map(of).collect();
        if found.is_empty() && users.iter().any(Option::is_none) {
            return Fact::unseen("some users of users.users cannot be evaluated");
        }
        Fact::seen(found, "users.users")
    }

    fn in_store(&self) -> Fact<Vec<String>> {
        let of = |user: &User| {
            let name = format!("users.users.{}", user.name);
            let hashed = |hash: &str| hash == "set";
            [
                (user.password, "password"),
                (user.initial_password, "initialPassword"),
                (hashed(&user.hashed_password), "hashedPassword (a hash)"),
                (hashed(&user.initial_hashed_password), "initialHashedPassword (a hash)"),
                (user.password_file_in_store, "hashedPasswordFile (a file of the store)"),
            ]
            .into_iter()
            .filter(|(is_set, _)| *is_set)
            .map(|(_, option)| format!("{name}.{option}"))
            .collect()
        };
        let users = self.of_users(of);
        let mut found: Vec<String> = self.secrets_in_store.iter().flatten().cloned().collect();
        for unit in self.services.iter().flatten().flatten() {
            let variables = unit.secret_variables.iter();
            found.extend(variables.map(|key| format!("systemd.services.{}.environment.{key}", unit.name)));
        }
        let is_whole = self.secrets_in_store.is_some()
            && self.services.as_ref().is_some_and(|all| all.iter().all(Option::is_some));
        match users {
            Fact::Seen { value, .. } => {
                found.extend(value);
                if found.is_empty() && !is_whole {
                    return Fact::unseen("part of the options that may hold secrets cannot be evaluated");
                }
                Fact::seen(found, "users, networks and services")
            }
            _ if !found.is_empty() => Fact::seen(found, "networks and services"),
            other => other,
        }
    }

    fn readable(&self) -> Fact<Vec<String>> {
        let (mut open, mut number, mut unseen) = (Vec::new(), 0_usize, false);
        for (module, secrets) in &self.secret_modes {
            for secret in secrets.iter().flatten() {
                number += 1;
                match secret.as_ref().and_then(|secret| Some((secret, secret.mode.as_ref()?.as_str()?))) {
                    Some((secret, mode)) if mode.ends_with(['4', '5', '6', '7']) => {
                        open.push(format!("{module}.secrets.{} (mode {mode})", secret.name));
                    }
                    Some((_, mode)) if mode.ends_with(['0', '1', '2', '3']) => {}
                    _ => unseen = true,
                }
            }
        }
        match (open.is_empty(), number, unseen) {
            (false, ..) => Fact::seen(open, "modes of agenix and sops-nix"),
            (_, 0, _) => Fact::unseen(
                "no secret of agenix or sops-nix is declared, and other files' modes are not in a configuration",
            ),
            (_, _, true) => Fact::unseen("the modes of some secrets cannot be evaluated"),
            (true, number, false) => Fact::seen(open, format!("modes of {number} secrets of agenix and sops-nix")),
        }
    }

    fn services(&self) -> Fact<Vec<Service>> {
        let Some(units) = &self.services else {
            return Fact::unseen("the configuration has no option systemd.services");
        };
        let unread = units.iter().filter(|unit| unit.is_none()).count();
        let stays = |unit: &&Unit| unit.enabled && unit.starts && !is_text(unit.kind.as_ref(), "oneshot");
        let services: Vec<Service> = units
            .iter()
            .flatten()
            .filter(stays)
            .map(|unit| Service {
                name: unit.name.clone(),
                is_root: !unit.dynamic_user
                    && unit.user.as_ref().is_none_or(|user| user.is_null() || is_text(Some(user), "root")),
                hardening: unit.hardening.clone(),
            })
            .collect();
        let is_clean = services.iter().all(|service| !service.is_root || !service.hardening.is_empty());
        if unread > 0 && is_clean {
            return Fact::unseen("some services of systemd.services cannot be evaluated");
        }
        Fact::seen(services, "systemd.services")
    }

    fn release(&self) -> Fact<Vec<Release>> {
        let names = ["system.nixos.release", "system.nixosRelease"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match self.first(&names, text) {
            Fact::Seen { value, how } => {
                let suffix = ["system.nixos.versionSuffix", "system.nixosVersionSuffix"]
                    .iter()
                    .find_map(|name| self.options.get(*name)?.as_str());
                // `pre-git` is any checkout without a number; `pre123.abc` is a version of the unstable channel.
                let is_unstable = suffix.is_some_and(|suffix| suffix.starts_with("pre") && suffix != "pre-git");
                let name = if is_unstable { "unstable".to_owned() } else { value };
                Fact::seen(vec![Release { name, of: "the system".to_owned() }], how)
            }
            Fact::Unseen { why } => Fact::Unseen { why },
            Fact::NotAsked => Fact::NotAsked,
        }
    }

    fn updates(&self) -> Fact<Option<String>> {
        for (option, name) in [("system.autoUpgrade.enable", "system.autoUpgrade"), ("services.comin.enable", "comin")]
        {
            match self.is_on(option) {
                Some(true) => return Fact::seen(Some(name.to_owned()), option),
                None => return Fact::unseen(format!("{option} cannot be evaluated")),
                Some(false) => {}
            }
        }
        match self.flag(&["system.autoUpgrade.enable"]) {
            Fact::Seen { how, .. } => Fact::seen(None, how),
            _ => Fact::unseen("the configuration has no option system.autoUpgrade.enable"),
        }
    }
}

fn is_text(value: Option<&Value>, wanted: &str) -> bool {
    value.and_then(Value::as_str) == Some(wanted)
}

/// A list of texts, or one text with blanks between, as older releases had it. Another kind of entry spoils the list.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        Value::String(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
        _ => None,
    }
}

/// Kernel parameters are numbers, switches or texts.
fn number(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(u8::from(*value).to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}
