//! Units of systemd for a machine without the NixOS module: the socket that serves credentials, its server, what installs files,
//! and for each service that a secret names a drop-in that asks for its credentials.

use std::collections::BTreeMap;

use crate::derive::{Check, Label};
use crate::manifest::Manifest;

/// What each of these files begins with; a drop-in that does not is somebody else's.
pub const MARK: &str = "# Written by `aux secret units`, which writes it again; changes belong elsewhere.\n";
pub const SOCKET: &str = "aux-secrets.socket";
pub const SERVER: &str = "aux-secrets.service";
pub const INSTALLER: &str = "aux-secrets-install.service";
/// Below the folder `UNIT.d`.
pub const DROP_IN: &str = "50-aux-secrets.conf";

/// What the units are to say.
pub struct UnitsRequest<'a> {
    pub manifest: &'a Manifest,
    pub machine: &'a Label,
    /// The program, from the root.
    pub program: &'a str,
    /// What `serve` and `install` are told alike: where the repository is, which machine this is, what opens its keys.
    pub options: &'a [String],
    /// Where the server listens.
    pub socket: &'a str,
    /// Whether a TPM may be asked, whose device belongs to a user of its own.
    pub has_tpm: bool,
}

/// Files by their path below the folder of units.
pub fn units(request: &UnitsRequest<'_>) -> BTreeMap<String, String> {
    let uses = uses(request.manifest, request.machine);
    let has_files = uses.iter().any(|one| one.is_file);
    let mut files = BTreeMap::from([(SOCKET.to_owned(), socket(request.socket)), (SERVER.to_owned(), server(request))]);
    if has_files {
        let checks: String = uses.iter().filter(|one| one.is_file).map(Use::line).collect();
        files.insert(INSTALLER.to_owned(), installer(request, &checks));
    }
    let mut services: BTreeMap<&str, Vec<&Use<'_>>> = BTreeMap::new();
    for one in &uses {
        // Other units have no credentials; those that have files are told by `aux secret install`.
        for unit in one.units.iter().filter(|unit| unit.ends_with(".service")) {
            services.entry(unit).or_default().push(one);
        }
    }
    for (unit, uses) in services {
        files.insert(format!("{unit}.d/{DROP_IN}"), drop_in(&uses, request.socket, has_files));
    }
    files
}

/// One secret that the machine reads.
struct Use<'m> {
    name: &'m Label,
    check: Check,
    units: &'m [String],
    is_file: bool,
}

impl Use<'_> {
    /// Stands in a unit so that it is another file when a value is another.
    fn line(&self) -> String {
        format!("# {} {}\n", self.name, self.check)
    }
}

/// An envelope without a value has no check, and nobody can be given it.
fn uses<'m>(manifest: &'m Manifest, machine: &Label) -> Vec<Use<'m>> {
    let one = |(name, secret): (&'m Label, &'m crate::manifest::SecretEntry)| {
        let holder = manifest.holder_of(machine, name)?;
        let check = manifest.values(&holder)?.get(name)?.check?;
        Some(Use { name, check, units: &secret.units, is_file: secret.file })
    };
    manifest.secrets.iter().filter_map(one).collect()
}

fn socket(path: &str) -> String {
    format!(
        "{MARK}[Unit]\nDescription=Secrets for services\n\n[Socket]\nListenStream={path}\nSocketMode=0600\n\
         DirectoryMode=0711\n\n[Install]\nWantedBy=sockets.target\n",
    )
}

/// As nix/secrets.nix has them.
const HARDENED: &str = "LimitCORE=0\nLockPersonality=yes\nMemoryDenyWriteExecute=yes\nMemorySwapMax=0\nNoNewPrivileges=yes\n\
    PrivateTmp=yes\nProtectClock=yes\nProtectControlGroups=yes\nProtectHome=read-only\nProtectKernelLogs=yes\n\
    ProtectKernelModules=yes\nProtectKernelTunables=yes\nProtectSystem=strict\n\
    RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\nRestrictNamespaces=yes\nRestrictRealtime=yes\n\
    SystemCallArchitectures=native\n";

fn server(request: &UnitsRequest<'_>) -> String {
    let capabilities = if request.has_tpm { "CAP_DAC_OVERRIDE" } else { "CAP_DAC_READ_SEARCH" };
    let started = command(request, "serve");
    format!(
        "{MARK}[Unit]\nDescription=Secrets for services\nRequires={SOCKET}\n\n[Service]\nExecStart={started}\n\
         CapabilityBoundingSet={capabilities}\n{HARDENED}",
    )
}

fn installer(request: &UnitsRequest<'_>, checks: &str) -> String {
    let started = command(request, "install");
    format!(
        "{MARK}{checks}[Unit]\nDescription=Secrets as files\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart={started}\n\
         CapabilityBoundingSet=CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE\nRuntimeDirectory=aux\nRuntimeDirectoryMode=0711\n\
         RuntimeDirectoryPreserve=yes\n{HARDENED}\n[Install]\nWantedBy=multi-user.target\n",
    )
}

fn command(request: &UnitsRequest<'_>, verb: &str) -> String {
    let words = [request.program, "secret", verb].into_iter().chain(request.options.iter().map(String::as_str));
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

/// A word of a command line as systemd reads it (systemd.service(5), "Command lines").
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:,@=".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{}\"", escaped.replace('\n', "\\n"))
}

fn drop_in(uses: &[&Use<'_>], socket: &str, has_files: bool) -> String {
    let needed = if has_files { format!("{SOCKET} {INSTALLER}") } else { SOCKET.to_owned() };
    let checks: String = uses.iter().map(|one| one.line()).collect();
    let credentials: Vec<String> = uses.iter().map(|one| format!("LoadCredential={}:{socket}\n", one.name)).collect();
    format!("{MARK}{checks}[Unit]\nRequires={needed}\nAfter={needed}\n\n[Service]\n{}", credentials.concat())
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_stay_what_they_are_for_systemd() {
        assert_eq!(quoted("/etc/aux/web1.key"), "/etc/aux/web1.key");
        assert_eq!(quoted("/home/me/my keys"), "\"/home/me/my keys\"");
        assert_eq!(quoted("a%b$c\"d\\e"), "\"a%%b$$c\\\"d\\\\e\"");
        assert_eq!(quoted(""), "\"\"");
    }
}
