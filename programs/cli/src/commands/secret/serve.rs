//! `aux secret serve`: credentials for units of systemd, each derived at the moment it is asked for.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use aux_secrets::credential::{Event, Request, Server};
use aux_secrets::memory::Kept;
use aux_secrets::sandbox::{self, Closed, Sandbox};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use serde_json::{Value, json};

use super::common::{Keys, Signers};
use super::reach::Reach;
use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::Ui;

/// `sd_listen_fds(3)`: the first socket that is handed over.
const FIRST_SOCKET: i32 = 3;

/// Hand secrets to units of systemd that have LoadCredential=NAME:SOCKET, each unit its own, and write none anywhere.
///
/// systemd asks for a unit when it starts it; the secret must name that unit among its units. A value is derived, compared
/// with what was signed, sent, and forgotten. What is handed out or refused is told on standard error, without the value.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder with aux-secrets.json; what changes there counts at once.
    #[arg(long, value_name = "DIR", default_value = ".")]
    repo: PathBuf,
    /// The socket to make; not needed where systemd hands one over.
    #[arg(long, value_name = "SOCKET")]
    listen: Option<PathBuf>,
    #[command(flatten)]
    signers: Signers,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    reach: Reach,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    // First, while there is nothing to protect yet, so that it never fails for what comes later.
    aux_secrets::memory::protect();
    let mut server = Server::new(args.reach.source(&args.repo, &args.signers, &args.keys, ui)?)?;
    let (listener, name) = match &args.listen {
        Some(path) => (listen(path)?, path.display().to_string()),
        None => (handed()?, "the socket of systemd".to_owned()),
    };
    let serial = server.view().manifest.serial;
    let tpm = args.reach.asked_later(&args.keys)?;
    let (kept, sandbox) = (server.kept(), sandbox::enter(&[&args.repo], tpm.as_ref()));
    if args.reach.json {
        ui.answer(&format!("{}\n", ready(serial, kept, &sandbox)))?;
    } else {
        ui.remark(&format!("aux: serving manifest {serial} on {name}"));
        for line in given_up(kept, &sandbox, &args.repo) {
            ui.remark(&format!("aux: {line}"));
        }
    }
    let mut told = |event: Event| {
        if args.reach.json {
            // Whoever reads it may go away; the units go on.
            ui.answer(&format!("{}\n", document(&event))).ok();
        } else {
            ui.remark(&format!("aux: {}", line(&event)));
        }
    };
    let error = server.run(&listener, &mut told);
    Err(Failure::new(format!("{name}: {error}")))
}

/// What is said once: how keys are kept and what this process gave up, or could not.
fn given_up(kept: Kept, sandbox: &Sandbox, folder: &Path) -> Vec<String> {
    let mut lines = vec![match kept {
        Kept::Secret => "keys are in memory that neither /proc nor a core shows (memfd_secret)".to_owned(),
        Kept::Locked => {
            "keys are in locked memory: this kernel has no memfd_secret, or needs secretmem.enable=1".to_owned()
        }
        Kept::Plain => {
            "keys are in memory that may be swapped out: this process may lock none (LimitMEMLOCK=)".to_owned()
        }
    }];
    lines.push(match &sandbox.files {
        Closed::Yes => format!("files but those below {} are closed (landlock)", folder.display()),
        Closed::Partly => {
            format!("files but those below {} are closed, as far as this kernel's landlock goes", folder.display())
        }
        Closed::No { why } => format!("files are not closed: {why}"),
    });
    lines.push(match &sandbox.calls {
        Closed::Yes | Closed::Partly => "system calls that serving does not need are closed (seccomp)".to_owned(),
        Closed::No { why } => format!("system calls are not closed: {why}"),
    });
    lines
}

fn ready(serial: u64, kept: Kept, sandbox: &Sandbox) -> Value {
    let memory = match kept {
        Kept::Secret => "secret",
        Kept::Locked => "locked",
        Kept::Plain => "plain",
    };
    let word = |closed: &Closed| match closed {
        Closed::Yes => "closed",
        Closed::Partly => "partly",
        Closed::No { .. } => "open",
    };
    json!({
        "schema": "aux.secret-serve/1", "event": "ready", "serial": serial, "memory": memory,
        "files": word(&sandbox.files), "calls": word(&sandbox.calls),
    })
}

fn asked(request: &Request) -> String {
    format!("{} for {}", request.credential, request.unit)
}

fn line(event: &Event) -> String {
    match event {
        Event::Served(request) => format!("served {}", asked(request)),
        Event::Refused { request: Some(request), why } => format!("refused {}: {why}", asked(request)),
        Event::Refused { request: None, why } => format!("refused: {why}"),
        Event::Reloaded { serial } => format!("serving manifest {serial} from now on"),
        Event::Unbelieved { why } => {
            format!("the repository changed and is not believed, the state before is served: {why}")
        }
    }
}

fn document(event: &Event) -> Value {
    let (name, request, why, serial) = match event {
        Event::Served(request) => ("served", Some(request), None, None),
        Event::Refused { request, why } => ("refused", request.as_ref(), Some(why.to_string()), None),
        Event::Reloaded { serial } => ("reloaded", None, None, Some(serial)),
        Event::Unbelieved { why } => ("unbelieved", None, Some(why.clone()), None),
    };
    let (unit, credential) = (request.map(|one| &one.unit), request.map(|one| &one.credential));
    json!({
        "schema": "aux.secret-serve/1", "event": name, "unit": unit, "credential": credential, "why": why,
        "serial": serial,
    })
}

/// A socket that only its owner may connect to; one that a dead process left is replaced.
fn listen(path: &Path) -> Result<UnixListener, Failure> {
    let failed = |error: io::Error| Failure::new(format!("{}: {error}", path.display()));
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        // Secrets that are files may lie beside it, and their owners must come through.
        fs::DirBuilder::new().recursive(true).mode(0o711).create(parent).map_err(failed)?;
    }
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(Failure::new(format!("{}: is there and no socket", path.display())).hint("name another path"));
        }
        if UnixStream::connect(path).is_ok() {
            let hint = "stop the other one first";
            return Err(Failure::new(format!("{}: somebody listens there", path.display())).hint(hint));
        }
        fs::remove_file(path).map_err(failed)?;
    }
    // Bound under the name that nobody connects to yet, and closed to others before it gets its own.
    let beside = path.with_extension(format!("{}.part", std::process::id()));
    let listener = UnixListener::bind(&beside).map_err(failed)?;
    let placed =
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).and_then(|()| fs::rename(&beside, path));
    placed.map_err(failed)?;
    Ok(listener)
}

/// The one socket that systemd handed over.
fn handed() -> Result<UnixListener, Failure> {
    if environment::handed_sockets() != 1 {
        let hint = "name one with --listen SOCKET, or start it by a socket unit";
        return Err(Failure::new("there is no socket to listen on").hint(hint));
    }
    let failed = |errno: rustix::io::Errno| Failure::new(format!("the socket of systemd: {errno}"));
    // Through the kernel's own table of descriptors, because a bare number is nobody's in Rust.
    let own = pidfd_open(getpid(), PidfdFlags::empty()).map_err(failed)?;
    let socket = pidfd_getfd(&own, FIRST_SOCKET, PidfdGetfdFlags::empty()).map_err(failed)?;
    let listener = UnixListener::from(socket);
    listener.local_addr().map_err(|error| Failure::new(format!("the socket of systemd: {error}")))?;
    Ok(listener)
}
