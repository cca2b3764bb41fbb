//! How a system is configured, as far as it could be seen: facts with where each was seen, for checks to judge.

use std::collections::BTreeMap;

use crate::FlakeInput;

/// One thing that a check asks about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fact<T> {
    /// It makes no sense for this source: a repository has no firmware. No check speaks of it.
    #[default]
    NotAsked,
    /// Seen, and where: an option, a file and line.
    Seen { value: T, how: String },
    /// It could not be seen, and why; neither good nor bad.
    Unseen { why: String },
}

impl<T> Fact<T> {
    pub fn seen(value: T, how: impl Into<String>) -> Self {
        Self::Seen { value, how: how.into() }
    }

    pub fn unseen(why: impl Into<String>) -> Self {
        Self::Unseen { why: why.into() }
    }
}

/// What facts were read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ConfigurationSource {
    /// A NixOS configuration, evaluated: what will be, on whatever machine.
    #[default]
    Evaluated,
    /// The files of a running system: what is.
    Running,
    /// A folder of sources: what lies in it.
    Repository,
}

/// Everything that checks ask about. Each reader fills what its source can tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Configuration {
    pub source: ConfigurationSource,
    pub boot: Boot,
    pub kernel: Kernel,
    pub network: Network,
    pub nix: NixSettings,
    pub secrets: Secrets,
    pub accounts: Accounts,
    pub services: Fact<Vec<Service>>,
    pub inputs: Inputs,
    /// Releases the system or its inputs belong to.
    pub releases: Fact<Vec<Release>>,
    /// What installs updates by itself; `None` where nothing does.
    pub updates: Fact<Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Boot {
    pub secure_boot: Fact<SecureBoot>,
    pub platform_key: Fact<PlatformKey>,
    /// Whether the boot menu lets anybody at the keyboard change the kernel's command line.
    pub editor: Fact<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecureBoot {
    /// The firmware refuses what is not signed.
    Enforced,
    Off,
    /// The configuration signs what it boots; whether the firmware asks for it is not in it.
    SignedOnly,
}

/// Who may change which keys the firmware trusts (UEFI specification, section 32.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformKey {
    /// Setup mode: there is none, so anybody may enrol one.
    Absent,
    /// A maker's example key, whose private half is public.
    Test(String),
    /// The very certificate that lies among this machine's own keys, at this path.
    Own(String),
    /// A certificate of this name. Who holds its private half cannot be seen.
    Named(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kernel {
    pub app_armor: Fact<bool>,
    /// `none`, `integrity` or `confidentiality`.
    pub lockdown: Fact<String>,
    pub sysctls: BTreeMap<String, Fact<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    pub firewall: Fact<bool>,
    /// `None` where no SSH server is configured.
    pub ssh: Fact<Option<Ssh>>,
}

/// How people may log in over SSH. What no line sets is the server's own default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ssh {
    /// Values of `PermitRootLogin`, in lower case, with where each stands; those under a `Match` too.
    pub root_login: Vec<Setting>,
    pub password: Vec<Setting>,
    pub keyboard: Vec<Setting>,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    pub value: String,
    pub how: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NixSettings {
    pub trusted_users: Fact<Vec<String>>,
    pub allowed_users: Fact<Vec<String>>,
    pub require_sigs: Fact<bool>,
    pub substituters: Fact<Vec<String>>,
    pub public_keys: Fact<Vec<String>>,
    /// `true`, `false` or `relaxed`.
    pub sandbox: Fact<String>,
    /// Machines that build for this one.
    pub builders: Fact<Vec<Builder>>,
}

/// A remote builder, and how the daemon, which is root, logs in there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Builder {
    pub host: String,
    /// `None`: whatever root's own SSH configuration says.
    pub user: Option<String>,
    /// `None`: whatever key root has.
    pub key: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    /// Where secrets stand in the store, which every user and every build can read. Never the secrets themselves.
    pub in_store: Fact<Vec<String>>,
    /// Files of the repository that hold a private key as it is.
    pub in_repository: Fact<Vec<String>>,
    /// Files of secrets that every user can read.
    pub readable: Fact<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accounts {
    /// Rules by which somebody becomes root without a password.
    pub password_free_root: Fact<Vec<String>>,
    /// Accounts that need no password at all.
    pub empty_passwords: Fact<Vec<String>>,
}

/// A service that stays, and how far it is shut in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    pub name: String,
    pub is_root: bool,
    /// The directives of `systemd.exec` that shut it in.
    pub hardening: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inputs {
    /// Inputs that may be something else tomorrow.
    pub unlocked: Fact<Vec<String>>,
    pub locked: Fact<Vec<FlakeInput>>,
}

/// A release of the distribution, and what said so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    /// `24.05`, or `unstable`.
    pub name: String,
    pub of: String,
}
