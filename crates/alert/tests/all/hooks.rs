//! The snippets in the real shells: told once, silent when nothing changed, critical in every new shell, harmless.

use std::path::Path;

use aux_alert::Line;
use aux_alert::hook::Shell;

use crate::peer::{command, program};

/// What a shell prints that evaluates the snippet and then does `script`, with `prompt` standing for a prompt.
fn printed(shell: Shell, folder: &Path, script: &str) -> Option<String> {
    let program = program(shell.as_str())?;
    let snippet = shell.snippet(folder.join("it's a line").to_str().unwrap());
    let prompt = if shell == Shell::Fish { "emit fish_prompt" } else { "__aux_alert" };
    let script = format!("{snippet}\n{}", script.replace("prompt", prompt));
    let mut command = command(program);
    match shell {
        Shell::Bash => command.args(["--norc", "--noprofile"]),
        Shell::Zsh => command.arg("-f"),
        _ => command.arg("--no-config"),
    };
    // No program can be found: the hook has to do without.
    let output = command.arg("-c").arg(script).env_clear().env("HOME", folder).env("PATH", "/nonexistent").output();
    let output = output.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell}");
    Some(String::from_utf8(output.stdout).unwrap())
}

fn shells() -> [Shell; 3] {
    [Shell::Bash, Shell::Zsh, Shell::Fish]
}

fn world() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join(".local/state/aux")).unwrap();
    folder
}

fn says(folder: &Path, line: &Line) {
    line.write(&folder.join("it's a line")).unwrap();
}

#[test]
fn news_are_told_once_across_shells_and_silence_is_silent() {
    for shell in shells() {
        let folder = world();
        assert_eq!(printed(shell, folder.path(), "prompt; prompt").as_deref().unwrap_or_default(), "");
        says(folder.path(), &Line::new("1 alarm", false));
        let Some(first) = printed(shell, folder.path(), "prompt; echo x; prompt") else { continue };
        assert_eq!(first, "aux: 1 alarm\nx\n", "{shell}");
        assert_eq!(printed(shell, folder.path(), "prompt; prompt").unwrap(), "", "{shell}: another shell");
        says(folder.path(), &Line::new("2 alarms", false));
        assert_eq!(printed(shell, folder.path(), "prompt; prompt").unwrap(), "aux: 2 alarms\n", "{shell}");
        says(folder.path(), &Line::silent());
        assert_eq!(printed(shell, folder.path(), "prompt; prompt").unwrap(), "", "{shell}: all is well");
    }
}

#[test]
fn a_critical_line_is_shown_in_every_new_shell_once() {
    for shell in shells() {
        let folder = world();
        says(folder.path(), &Line::new("openssl", true));
        for _ in 0..2 {
            let Some(text) = printed(shell, folder.path(), "prompt; prompt") else { continue };
            assert_eq!(text, "aux: critical: openssl\n", "{shell}");
        }
    }
}

#[test]
fn a_file_that_somebody_else_wrote_cannot_steer_the_terminal_or_the_shell() {
    for shell in shells() {
        let folder = world();
        let hostile = "aux: \u{1b}]0;x\u{7}$(touch x) `id` %s \\n -n\r\n";
        aux_io::file::replace(folder.path().join("it's a line"), hostile.as_bytes()).unwrap();
        let Some(text) = printed(shell, folder.path(), "prompt") else { continue };
        assert_eq!(text, "aux: ?]0;x?$(touch x) `id` %s \\n -n?\n", "{shell}");
    }
}

#[test]
fn the_status_of_the_last_command_survives_the_hook() {
    for (shell, status) in [(Shell::Bash, "$?"), (Shell::Fish, "$status")] {
        let folder = world();
        says(folder.path(), &Line::new("1 alarm", false));
        let script = format!("false; prompt; echo {status}; false; prompt; echo {status}");
        let Some(text) = printed(shell, folder.path(), &script) else { continue };
        if shell == Shell::Bash {
            assert_eq!(text, "aux: 1 alarm\n1\n1\n", "{shell}");
        }
    }
}

#[test]
fn a_home_that_cannot_be_written_costs_only_the_memory() {
    for shell in shells() {
        let folder = tempfile::tempdir().unwrap();
        says(folder.path(), &Line::new("1 alarm", false));
        let path = folder.path().join(".local");
        aux_io::file::replace(&path, b"a file where a folder should be").unwrap();
        let Some(text) = printed(shell, folder.path(), "prompt; prompt") else { continue };
        assert_eq!(text, "aux: 1 alarm\n", "{shell}");
    }
}

#[test]
fn the_message_of_the_day_shows_the_line_or_nothing() {
    let Some(sh) = program("sh") else { return };
    let folder = world();
    let snippet = Shell::Motd.snippet(folder.path().join("it's a line").to_str().unwrap());
    let shown = || {
        let output = command(&sh).arg("-c").arg(&snippet).env_clear().output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(shown(), "");
    says(folder.path(), &Line::new("1 alarm", false));
    assert_eq!(shown(), "aux: 1 alarm\n");
    aux_io::file::replace(folder.path().join("it's a line"), b"aux: \x1b[2J\n").unwrap();
    assert_eq!(shown(), "");
}
