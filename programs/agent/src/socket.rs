//! The agent over a Unix socket: one JSON request a line, one JSON answer a line; docs/formats/agent-socket.md.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use aux_core::limits::{AGENT_CALLER_SECONDS_MAX, AGENT_CALLERS_MAX, AGENT_REQUEST_BYTES_MAX};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::{Question, answered};
use crate::settings::Settings;
use crate::watching::Wake;
use crate::{caller, say};

/// The socket's name in the runtime folder.
pub(crate) const NAME: &str = "agent.sock";

/// Events that one answer holds where nobody asks for fewer.
const EVENTS_DEFAULT: u32 = 1_000;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(tag = "method", deny_unknown_fields)]
enum Request {
    Status {},
    ListFindings {
        #[serde(default)]
        all: bool,
    },
    GetPlan {},
    ListEvents {
        #[serde(default)]
        after: u64,
        limit: Option<u32>,
    },
    Refresh {},
}

/// Serves in threads of its own, which block until somebody calls.
pub(crate) fn serve(settings: &Arc<Settings>, wake: &Sender<Wake>) -> Result<(), String> {
    let path = settings.runtime.join(NAME);
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let listener = listen(&path).map_err(failed)?;
    let (settings, wake, callers) = (Arc::clone(settings), wake.clone(), Arc::new(AtomicUsize::new(0)));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = match stream {
                Ok(stream) => stream,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Without descriptors nothing can be accepted, and trying again at once would spin.
                Err(error) => return say::warn(&format!("the socket is closed: {error}")),
            };
            let (settings, wake, callers) = (Arc::clone(&settings), wake.clone(), Arc::clone(&callers));
            if callers.fetch_add(1, Ordering::SeqCst) >= AGENT_CALLERS_MAX {
                callers.fetch_sub(1, Ordering::SeqCst);
                drop(answer(
                    &stream,
                    &refusal(&format!("{AGENT_CALLERS_MAX} callers are served already (AGENT_CALLERS_MAX)")),
                ));
                continue;
            }
            thread::spawn(move || {
                // A caller that went away, or says nothing, is served no more; there is nobody to tell.
                drop(converse(&stream, &settings, &wake));
                callers.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    Ok(())
}

/// A socket that a dead agent left is taken over; one that answers is not.
fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            if UnixStream::connect(path).is_ok() {
                return Err(io::Error::new(ErrorKind::AddrInUse, "another agent answers here"));
            }
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        other => other?,
    };
    // Every user may ask; who may change something is looked at request by request.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

fn converse(stream: &UnixStream, settings: &Settings, wake: &Sender<Wake>) -> io::Result<()> {
    let limit = Duration::from_secs(AGENT_CALLER_SECONDS_MAX);
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let read = reader.by_ref().take(AGENT_REQUEST_BYTES_MAX + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if read as u64 > AGENT_REQUEST_BYTES_MAX {
            // What follows belongs to the same request, so nothing more can be understood.
            return answer(
                stream,
                &refusal(&format!("a request has at most {AGENT_REQUEST_BYTES_MAX} bytes (AGENT_REQUEST_BYTES_MAX)")),
            );
        }
        let document = match serde_json::from_slice(&line) {
            Ok(request) => reply(request, stream, settings, wake),
            Err(error) => refusal(&format!("no request: {error}")),
        };
        answer(stream, &document)?;
        // The daemon's loop outlives its callers.
        wake.send(Wake::Answered).ok();
    }
}

fn reply(request: Request, stream: &UnixStream, settings: &Settings, wake: &Sender<Wake>) -> Value {
    match request {
        Request::Status {} => answered(settings, Question::Status),
        Request::ListFindings { all } => answered(settings, Question::Findings { all }),
        Request::GetPlan {} => answered(settings, Question::Plan),
        Request::ListEvents { after, limit } => {
            answered(settings, Question::Events { after, limit: limit.unwrap_or(EVENTS_DEFAULT) })
        }
        Request::Refresh {} if !caller::may_change(caller::user(stream)) => {
            refusal("only root may refresh over the socket; over the system bus PolicyKit decides")
        }
        Request::Refresh {} => match wake.send(Wake::Refresh) {
            Ok(()) => json!({ "schema": "aux.accepted/1", "accepted": true }),
            Err(_) => refusal("the agent is ending"),
        },
    }
}

fn refusal(reason: &str) -> Value {
    json!({ "schema": "aux.error/1", "error": reason })
}

fn answer(mut stream: &UnixStream, document: &Value) -> io::Result<()> {
    let mut text = document.to_string();
    text.push('\n');
    stream.write_all(text.as_bytes())
}
