//! The one file that speaks: what the server is, to stdout; errors to stderr. What happens later goes to the log.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use aux_app::exit;
use serde::Serialize;

/// What somebody needs to know to use the server.
pub(crate) struct Serving<'s> {
    pub(crate) listen: SocketAddr,
    pub(crate) public_key: String,
    pub(crate) admin_token_file: &'s Path,
}

#[derive(Serialize)]
struct Document<'s> {
    schema: &'static str,
    listen: SocketAddr,
    public_key: &'s str,
    admin_token_file: &'s Path,
}

impl Serving<'_> {
    pub(crate) fn document(&self) -> Result<(), String> {
        let document = Document {
            schema: "aux.serving/1",
            listen: self.listen,
            public_key: &self.public_key,
            admin_token_file: self.admin_token_file,
        };
        let text = serde_json::to_string(&document).map_err(|error| error.to_string())?;
        answer(&format!("{text}\n"))
    }

    pub(crate) fn text(&self) -> Result<(), String> {
        let Self { listen, public_key, admin_token_file } = self;
        let token = admin_token_file.display();
        answer(&format!(
            "aux-server listens on http://{listen}\n\
             \n\
             administrator's token: {token}\n\
             public key: {public_key}\n\
             \n\
             for nix.conf:\n  \
             extra-substituters = http://{listen}/vetted\n  \
             extra-trusted-public-keys = {public_key}\n\
             \n\
             Push to http://{listen}/staging, promote with `aux cache promote`,\n\
             and read from http://{listen}/vetted. Both want a token, as the\n\
             password for this host in the file that `netrc-file` of nix.conf names.\n"
        ))
    }
}

/// A reader that went away does not end the server.
fn answer(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(()),
    }
}

pub(crate) fn error(text: &str) {
    let shown: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    // Where stderr is gone, nobody can be told.
    let _gone = writeln!(io::stderr().lock(), "aux-server: error: {shown}");
}

/// Help and version go to stdout and are no error; anything else is a usage error.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let code = if error.use_stderr() { exit::UNKNOWN } else { exit::DONE };
    ExitCode::from(if error.print().is_ok() { code } else { exit::UNKNOWN })
}
