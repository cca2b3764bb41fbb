//! `aux secret edit`: an envelope's value in an editor, in memory only.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aux_app::exit;
use aux_core::hexadecimal;
use aux_secrets::{Label, secret_file};
use serde_json::json;

use super::common::{Answer, Writing, random};
use crate::commands::environment;
use crate::failure::Failure;
use crate::ui::Ui;

/// Change the value of an envelope in your editor ($VISUAL or $EDITOR).
///
/// The editor is given a file in a folder that only you can enter and that is memory, never a disk; it goes away when the
/// editor ends. What the editor itself keeps elsewhere, such as undo files, is its own affair.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The envelope's name, as declared.
    #[arg(value_name = "NAME")]
    name: Label,
    /// The machine whose value it is, where each has its own.
    #[arg(long, short = 'm', value_name = "MACHINE")]
    machine: Option<Label>,
    #[command(flatten)]
    writing: Writing,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<u8, Failure> {
    let editor = environment::editor()
        .ok_or_else(|| Failure::new("no editor is named").hint("set EDITOR, or give the value to `aux secret set`"))?;
    let mut session = args.writing.session(ui)?;
    let before = session.current(&args.name, args.machine.as_ref())?;
    let folder = Folder::make()?;
    let path = folder.0.join(args.name.as_str());
    secret_file::write(&path, &before).map_err(Failure::new)?;
    edited(&editor, &path)?;
    let after = secret_file::read(&path).map_err(Failure::new)?;
    drop(folder);
    if after == before {
        ui.remark("nothing was changed");
        return Ok(exit::DONE);
    }
    let holder = session.fill(&args.name, args.machine.as_ref(), after)?;
    let answer = Answer {
        lines: vec![format!("{} of {holder} has a new value", args.name)],
        fields: vec![("name", json!(args.name.as_str())), ("scope", json!(holder.to_string()))],
    };
    args.writing.finish(session.prepare(false)?, &answer, ui)
}

#[expect(
    clippy::disallowed_methods,
    reason = "an editor talks to the terminal, which aux_io::process keeps from children"
)]
fn edited(editor: &str, path: &Path) -> Result<(), Failure> {
    // As git and sudo do: the variable may hold options, so a shell splits it; the path is an argument and never text.
    let mut command = Command::new("/bin/sh");
    let command = command.arg("-c").arg(format!("exec {editor} \"$1\"")).arg("sh").arg(path).stderr(Stdio::inherit());
    let status = command.status().map_err(|error| Failure::new(format!("{editor}: cannot be started: {error}")))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("{editor} ended with {status}; nothing was written")))
    }
}

/// A folder in memory that goes away.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self, Failure> {
        const MEMORY: [&str; 2] = ["tmpfs", "ramfs"];
        let candidates = [environment::runtime_folder(), Some(PathBuf::from("/dev/shm"))];
        let mounts = aux_io::input::read("/proc/self/mounts", 1 << 20)?;
        let mounts = String::from_utf8_lossy(&mounts).into_owned();
        let is_memory = |folder: &Path| {
            let of_folder = mounts.lines().filter_map(|line| {
                let mut words = line.split(' ').skip(1);
                Some((words.next()?, words.next()?)).filter(|(place, _)| folder.starts_with(place))
            });
            of_folder.max_by_key(|(place, _)| place.len()).is_some_and(|(_, kind)| MEMORY.contains(&kind))
        };
        let parent = candidates.into_iter().flatten().find(|folder| folder.is_dir() && is_memory(folder));
        let hint = "pipe the value into `aux secret set` instead";
        let parent =
            parent.ok_or_else(|| Failure::new("no folder in memory is here (XDG_RUNTIME_DIR, /dev/shm)").hint(hint))?;
        let folder = parent.join(format!("aux-secret-{}", hexadecimal(random::<8>()?.as_slice())));
        aux_io::file::create_private_folder(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in a folder that only its owner can enter.
        std::fs::remove_dir_all(&self.0).ok();
    }
}
