//! Secrets for `LoadCredential=`: systemd connects to a socket from an address that names unit and credential, and reads to the end.
//!
//! systemd.exec(5): the address is abstract, `\0` and then `RANDOM/unit/UNIT/CREDENTIAL`. A credential has at most a mebibyte.

use std::fs;
use std::io::{self, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use aux_core::limits::{SECRET_CREDENTIAL_SECONDS_MAX, SECRET_VALUE_BYTES_MAX};

use crate::acts::{View, ViewError};
use crate::age_file::KeptIdentities;
use crate::derive::Label;
use crate::memory::{self, Kept};
use crate::repository::{MANIFEST, Repository, SIGNATURE, delivery_path};
use crate::secret::SecretBytes;
use crate::sshsig::Signer;

/// Which credential which unit asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub unit: String,
    pub credential: String,
}

impl Request {
    /// What an abstract address says, without the zero it begins with; nothing where it is not systemd's.
    pub fn read(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let mut parts = name.split('/');
        let (random, kind, unit, credential) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_random = !random.is_empty() && random.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_whole = is_random && kind == "unit" && parts.next().is_none() && !unit.is_empty();
        (is_whole && !credential.is_empty()).then(|| Self { unit: unit.to_owned(), credential: credential.to_owned() })
    }
}

/// Why a peer is given nothing. It never holds a value.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("a process of user {user} is not systemd")]
    User { user: u32 },
    #[error("the kernel does not say who asks: {cause}")]
    Unknown { cause: io::Error },
    #[error("its address names no unit and no credential")]
    Nameless,
    #[error("there is no secret of this name for this machine")]
    Secret,
    #[error("the unit is not one of the secret's units")]
    Unit,
    #[error("{0}")]
    View(#[from] ViewError),
    #[error("it did not take the value: {cause}")]
    Write { cause: io::Error },
}

/// What happened to one connection, or between two.
#[derive(Debug)]
pub enum Event {
    Served(Request),
    Refused {
        /// Where the peer is to be believed that far.
        request: Option<Request>,
        why: Refusal,
    },
    /// The repository changed, and from now on its new state counts.
    Reloaded {
        serial: u64,
    },
    /// The repository changed to something that cannot be believed; the state before counts.
    Unbelieved {
        why: String,
    },
}

/// Where a machine's secrets are, and what opens them.
pub struct Source {
    pub folder: PathBuf,
    pub machine: Label,
    pub identities: KeptIdentities,
    pub signers: Option<Vec<Signer>>,
}

impl Source {
    /// The secrets as they are committed now.
    pub fn open(&self) -> Result<View, ViewError> {
        let mut view = View::open(Repository::open(&self.folder, None)?, self.signers.clone())?;
        view.unlock_machine(&self.machine, &self.identities.open())?;
        Ok(view)
    }

    /// Which folder it is, whatever its path.
    fn folder(&self) -> Option<(u64, u64)> {
        let metadata = fs::metadata(&self.folder).ok()?;
        Some((metadata.dev(), metadata.ino()))
    }

    /// Something that is another when one of the files is.
    fn stamp(&self) -> Vec<Option<(u64, i64, i64, u64)>> {
        let delivery = delivery_path(&self.machine);
        let stamp = |path: &str| {
            let metadata = fs::metadata(self.folder.join(path)).ok()?;
            Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len()))
        };
        [MANIFEST, SIGNATURE, &delivery].map(stamp).to_vec()
    }
}

/// Answers one connection after the other.
pub struct Server {
    source: Source,
    view: View,
    stamp: Vec<Option<(u64, i64, i64, u64)>>,
    /// The folder at the start: another one under the same path is closed to whoever is in the sandbox.
    folder: Option<(u64, u64)>,
    /// Users who are systemd: root, and whoever runs the server, for a user's own systemd.
    believed: [u32; 2],
}

impl Server {
    /// Opens the secrets for the first time; nothing is served where that fails.
    pub fn new(source: Source) -> Result<Self, ViewError> {
        // The stamp first: a change in between is then seen as one.
        let stamp = source.stamp();
        let view = source.open()?;
        Ok(Self { folder: source.folder(), source, view, stamp, believed: [0, rustix::process::geteuid().as_raw()] })
    }

    pub fn view(&self) -> &View {
        &self.view
    }

    /// How what opens secrets is kept from others, between two requests.
    pub fn kept(&self) -> Kept {
        memory::weaker(self.view.kept(), self.source.identities.kept())
    }

    /// Serves until the socket fails. Between two requests nothing of a value, and no key beside its page, is in memory.
    pub fn run(&mut self, listener: &UnixListener, told: &mut dyn FnMut(Event)) -> io::Error {
        memory::scrub_stack();
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    self.refresh(told);
                    let event = self.answer(&stream);
                    // The unit goes on, whatever becomes of the telling.
                    drop(stream);
                    memory::scrub_stack();
                    told(event);
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {
                }
                Err(error) => return error,
            }
        }
    }

    /// A repository that was brought up to date is read again; one that was put back or broken is not.
    fn refresh(&mut self, told: &mut dyn FnMut(Event)) {
        let stamp = self.source.stamp();
        if stamp == self.stamp {
            return;
        }
        self.stamp = stamp;
        match self.source.open() {
            Ok(view) if view.manifest.serial < self.view.manifest.serial => {
                let (new, old) = (view.manifest.serial, self.view.manifest.serial);
                let why = format!("an older manifest was put back: {new} after {old}");
                told(Event::Unbelieved { why });
            }
            Ok(view) => {
                self.view = view;
                told(Event::Reloaded { serial: self.view.manifest.serial });
            }
            Err(error) => {
                let mut why = error.to_string();
                if self.source.folder() != self.folder {
                    why += "; the folder is another one than at the start, which only a restart can read";
                }
                told(Event::Unbelieved { why });
            }
        }
    }

    fn answer(&self, stream: &UnixStream) -> Event {
        let user = match rustix::net::sockopt::socket_peercred(stream) {
            Ok(credentials) => credentials.uid.as_raw(),
            Err(errno) => return Event::Refused { request: None, why: Refusal::Unknown { cause: errno.into() } },
        };
        if !self.believed.contains(&user) {
            return Event::Refused { request: None, why: Refusal::User { user } };
        }
        let address = stream.peer_addr().ok();
        let Some(request) = address.as_ref().and_then(|address| Request::read(address.as_abstract_name()?)) else {
            refuse(stream).ok();
            return Event::Refused { request: None, why: Refusal::Nameless };
        };
        let given = value(&self.view, &self.source.machine, &request);
        let sent = match &given {
            Ok(value) => send(stream, value.reveal()),
            Err(_) => refuse(stream),
        };
        match given.and(sent.map_err(|cause| Refusal::Write { cause })) {
            Ok(()) => Event::Served(request),
            Err(why) => Event::Refused { request: Some(request), why },
        }
    }
}

/// The value that a unit may have.
pub fn value(view: &View, machine: &Label, request: &Request) -> Result<SecretBytes, Refusal> {
    let find = |name: &str| {
        let name: Label = name.parse().ok()?;
        let secret = view.manifest.secrets.get(&name)?;
        Some((view.manifest.holder_of(machine, &name)?, name, secret))
    };
    let exact = find(&request.credential).map(|found| (found, false));
    let before = || {
        let found = find(request.credential.strip_suffix(".prev")?)?;
        (found.2.keep_previous > 0).then_some((found, true))
    };
    let ((holder, name, secret), is_previous) = exact.or_else(before).ok_or(Refusal::Secret)?;
    if !secret.units.iter().any(|unit| is_of(&request.unit, unit)) {
        return Err(Refusal::Unit);
    }
    let value = if is_previous { view.previous_value(&holder, &name) } else { view.value(&holder, &name) };
    Ok(value?)
}

/// Whether a unit is the one that was declared, or an instance of a declared template (`app@.service`).
fn is_of(unit: &str, declared: &str) -> bool {
    let is_instance = || {
        let (name, suffix) = declared.split_once("@.")?;
        let instance = unit.strip_prefix(name)?.strip_prefix('@')?.strip_suffix(suffix)?.strip_suffix('.')?;
        Some(!instance.is_empty())
    };
    unit == declared || is_instance().unwrap_or(false)
}

/// systemd starts a unit whose credential is empty, and none whose credential is larger than one may be.
fn refuse(stream: &UnixStream) -> io::Result<()> {
    send(stream, &vec![0; SECRET_VALUE_BYTES_MAX + 1])
}

fn send(mut stream: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    let limit = Some(Duration::from_secs(SECRET_CREDENTIAL_SECONDS_MAX));
    stream.set_write_timeout(limit).and_then(|()| stream.write_all(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_systemd_names_unit_and_credential() {
        let read = |name: &[u8]| Request::read(name).map(|request| (request.unit, request.credential));
        let app = Some(("app@1.service".to_owned(), "token".to_owned()));
        assert_eq!(read(b"9f1c7a3b5d2e8f60/unit/app@1.service/token"), app);
        let foreign: [&[u8]; 12] = [
            b"",
            b"/",
            b"1/unit/",
            b"1/unit/a.service",
            b"1/unit/a.service/",
            b"1/unit//token",
            b"/unit/a.service/token",
            b"x/unit/a.service/token",
            b"1/user/a.service/token",
            b"1/unit/a.service/token/",
            b"1/unit/a.service/t\xff",
            b"1/unit/a.service/../token",
        ];
        for name in foreign {
            assert_eq!(read(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_template_stands_for_its_instances_and_for_nothing_else() {
        assert!(is_of("app.service", "app.service") && is_of("app@1.service", "app@.service"));
        for unit in ["app@.socket", "app@1.socket", "app.service", "other@1.service", "app@1Xservice", "app@service"] {
            assert!(!is_of(unit, "app@.service"), "{unit}");
        }
        assert!(!is_of("app@1.service", "app@2.service") && !is_of("app.service.d", "app.service"));
    }
}
