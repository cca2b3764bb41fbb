//! Child processes with nothing inherited: an environment that is given, bounded output, a time limit.

use aux_core::limits::{PROCESS_ERROR_BYTES_MAX, PROCESS_OUTPUT_BYTES_MAX};
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What to run.
#[derive(Debug, Clone)]
pub struct Command {
    /// A path, or a name looked up in the `PATH` of `environment`.
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// The whole environment of the child; nothing else is passed on.
    pub environment: Vec<(OsString, OsString)>,
    pub time_limit: Duration,
}

impl Command {
    pub fn new(program: impl AsRef<Path>, time_limit: Duration) -> Self {
        let program = program.as_ref().to_path_buf();
        Self { program, arguments: Vec::new(), environment: Vec::new(), time_limit }
    }

    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    #[must_use]
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }
}

/// A child that gave no answer. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("{}: no such program", program.display())]
    Missing { program: PathBuf },
    #[error("{}: cannot be started: {cause}", program.display())]
    Start { program: PathBuf, cause: io::Error },
    #[error("{} failed ({status}): {}", program.display(), stderr.trim())]
    Status { program: PathBuf, status: ExitStatus, stderr: String },
    #[error("{} did not end within {} seconds and was stopped", program.display(), time_limit.as_secs_f32())]
    Timeout { program: PathBuf, time_limit: Duration },
    #[error("{} wrote more than {limit_bytes} bytes (PROCESS_OUTPUT_BYTES_MAX) and was stopped", program.display())]
    Output { program: PathBuf, limit_bytes: u64 },
    #[error("{}: its output cannot be read: {cause}", program.display())]
    Read { program: PathBuf, cause: io::Error },
}

/// Runs a program to its end and returns what it wrote to standard output; its standard input is empty.
pub fn run(command: &Command) -> Result<Vec<u8>, ProcessError> {
    let program = command.program.clone();
    let mut child = match start(command) {
        Ok(child) => child,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(ProcessError::Missing { program }),
        Err(cause) => return Err(ProcessError::Start { program, cause }),
    };
    let deadline = Instant::now() + command.time_limit;
    let collected = collect(&mut child, deadline, &program);
    if collected.is_err() {
        stop(&mut child);
    }
    let (stdout, stderr) = match collected {
        Ok(outputs) => outputs,
        Err(Some(error)) => return Err(error),
        Err(None) => return Err(ProcessError::Timeout { program, time_limit: command.time_limit }),
    };
    let status = match wait(&mut child, deadline) {
        Ok(Some(status)) => status,
        Ok(None) => {
            stop(&mut child);
            return Err(ProcessError::Timeout { program, time_limit: command.time_limit });
        }
        Err(cause) => return Err(ProcessError::Read { program, cause }),
    };
    if status.success() {
        Ok(stdout)
    } else {
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        Err(ProcessError::Status { program, status, stderr })
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that starts programs")]
fn start(command: &Command) -> io::Result<Child> {
    std::process::Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Both outputs, or why not; `None` where the time was up.
fn collect(child: &mut Child, deadline: Instant, program: &Path) -> Result<(Vec<u8>, Vec<u8>), Option<ProcessError>> {
    let stdout = child.stdout.take().map(drain_stdout);
    let stderr = child.stderr.take().map(drain_stderr);
    let failed = |cause| Some(ProcessError::Read { program: program.to_path_buf(), cause });
    let stdout = match stdout.map(|pipe| receive(&pipe, deadline)).transpose()?.transpose().map_err(failed)? {
        Some(Bounded::Whole(bytes)) => bytes,
        Some(Bounded::Over) => {
            let limit_bytes = PROCESS_OUTPUT_BYTES_MAX;
            return Err(Some(ProcessError::Output { program: program.to_path_buf(), limit_bytes }));
        }
        None => Vec::new(),
    };
    let stderr = match stderr.map(|pipe| receive(&pipe, deadline)).transpose()?.transpose().map_err(failed)? {
        Some(Bounded::Whole(bytes)) => bytes,
        Some(Bounded::Over) | None => Vec::new(),
    };
    Ok((stdout, stderr))
}

enum Bounded {
    Whole(Vec<u8>),
    Over,
}

type Pipe = Receiver<io::Result<Bounded>>;

/// Each pipe has its own thread: a child that fills one while we read the other would wait for ever.
fn drain_stdout(mut pipe: ChildStdout) -> Pipe {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.by_ref().take(PROCESS_OUTPUT_BYTES_MAX + 1).read_to_end(&mut bytes);
        let over = bytes.len() as u64 > PROCESS_OUTPUT_BYTES_MAX;
        // Nobody listens any more where the time was up.
        sender.send(read.map(|_| if over { Bounded::Over } else { Bounded::Whole(bytes) })).ok();
    });
    receiver
}

/// The end of what a program complains is what matters, and complaints have no bound: the rest is read and forgotten.
fn drain_stderr(mut pipe: ChildStderr) -> Pipe {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut chunk = vec![0; PROCESS_ERROR_BYTES_MAX];
        let result = loop {
            match pipe.read(&mut chunk) {
                Ok(0) => break Ok(Bounded::Whole(kept)),
                Ok(read) => {
                    kept.extend_from_slice(chunk.get(..read).unwrap_or_default());
                    let surplus = kept.len().saturating_sub(PROCESS_ERROR_BYTES_MAX);
                    kept.drain(..surplus);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        sender.send(result).ok();
    });
    receiver
}

/// `Err(None)` where the time was up.
fn receive(pipe: &Pipe, deadline: Instant) -> Result<io::Result<Bounded>, Option<ProcessError>> {
    match pipe.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(received) => Ok(received),
        Err(RecvTimeoutError::Timeout) => Err(None),
        Err(RecvTimeoutError::Disconnected) => Ok(Err(io::ErrorKind::BrokenPipe.into())),
    }
}

/// A child that closed its outputs is about to end, so this seldom asks twice.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_micros(100);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn stop(child: &mut Child) {
    // It may have ended by itself meanwhile; either way it must be waited for, or it stays as a zombie.
    child.kill().ok();
    child.wait().ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        Command::new("/bin/sh", Duration::from_secs(20)).argument("-c").argument(script)
    }

    #[test]
    fn the_output_comes_back_and_only_the_given_environment_goes_in() {
        let command = shell("echo $ONE $HOME; env | cut -d= -f1 | grep -v -e PWD -e SHLVL -e _ | tr '\\n' ' '")
            .variable("ONE", "1")
            .variable("PATH", "/usr/bin:/bin");
        assert_eq!(String::from_utf8(run(&command).unwrap()).unwrap(), "1\nONE PATH ");
    }

    #[test]
    fn a_missing_program_a_failing_one_and_a_slow_one_differ() {
        let missing = run(&Command::new("/nonexistent/nix", Duration::from_secs(1))).unwrap_err();
        assert_eq!(missing.to_string(), "/nonexistent/nix: no such program");
        let failing = run(&shell("echo why >&2; exit 3")).unwrap_err();
        assert!(matches!(&failing, ProcessError::Status { stderr, .. } if stderr == "why\n"), "{failing}");
        assert!(failing.to_string().ends_with("): why"), "{failing}");
        let mut slow = shell("sleep 30").variable("PATH", "/usr/bin:/bin");
        slow.time_limit = Duration::from_millis(50);
        let began = Instant::now();
        assert!(matches!(run(&slow), Err(ProcessError::Timeout { .. })));
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_child_that_complains_without_end_is_drained_and_its_last_words_are_kept() {
        let script = "i=0; while [ $i -lt 20000 ]; do echo complaint number $i >&2; i=$((i+1)); done; exit 1";
        let error = run(&shell(script)).unwrap_err();
        let ProcessError::Status { stderr, .. } = error else { panic!("{error}") };
        assert_eq!(stderr.len(), PROCESS_ERROR_BYTES_MAX);
        assert!(stderr.ends_with("complaint number 19999\n"));
    }
}
