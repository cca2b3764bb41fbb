//! A machine that really boots: Debian with systemd in QEMU, as `scripts/machine-peer.sh` made it, and a disk of the test's own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::corpora::in_ci;
use crate::world::{skipped, write};

/// A boot takes some eleven seconds; a machine that hangs is ended after these.
const BOOT_SECONDS_MAX: &str = "300";
/// Beside the files themselves, the disk needs room for its tables.
const DISK_TABLES_BYTES: u64 = 16 << 20;

/// A disk that is being filled: it lies at `/trial`, and what is in its `etc` is copied to `/etc` before systemd starts.
pub(crate) struct Guest {
    folder: tempfile::TempDir,
    peer: PathBuf,
}

/// What a machine said before it went off.
pub(crate) struct Boot {
    /// On the second serial line, where only the test's own units write.
    pub(crate) said: String,
    /// On the first: the kernel and systemd.
    pub(crate) console: String,
}

impl Boot {
    /// The rest of the lines that begin with these words.
    pub(crate) fn lines(&self, start: &str) -> Vec<&str> {
        self.said.lines().filter_map(|line| line.strip_prefix(start)?.strip_prefix(' ')).collect()
    }
}

impl Guest {
    /// Nothing where a part is missing, which CI does not forgive.
    pub(crate) fn new() -> Option<Self> {
        let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/machine");
        let is_here = peer.join(".made").exists() && on_path("qemu-system-x86_64").is_some() && mke2fs().is_some();
        if !is_here {
            assert!(!in_ci(), "no machine to boot, or no QEMU to boot it in; `make peers` brings both");
            skipped("no machine to boot, or no QEMU to boot it in; `make peers` would bring both");
            return None;
        }
        let guest = Self { folder: tempfile::tempdir().unwrap(), peer };
        guest.program(Path::new(env!("CARGO_BIN_EXE_aux")));
        Some(guest)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("disk").join(name)
    }

    /// A file of root's.
    pub(crate) fn file(&self, name: &str, mode: u32, content: &str) {
        write(&self.path(name), content.as_bytes());
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A folder with all that is in it.
    pub(crate) fn copy(&self, from: &Path, name: &str) {
        fs::create_dir_all(self.path(name)).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), format!("{name}/{}", entry.file_name().to_str().unwrap()));
            if path.is_dir() {
                self.copy(&path, &name);
            } else {
                fs::copy(&path, self.path(&name)).unwrap();
            }
        }
    }

    /// A unit of systemd, from what NixOS would make a unit of; it is started by the targets that want it.
    pub(crate) fn unit(&self, name: &str, unit: &Value) {
        self.file(&format!("etc/systemd/system/{name}"), 0o644, &unit_text(name, unit));
        for target in texts(&unit["wantedBy"]) {
            let wants = self.path(&format!("etc/systemd/system/{target}.wants"));
            fs::create_dir_all(&wants).unwrap();
            std::os::unix::fs::symlink(format!("../{name}"), wants.join(name)).unwrap();
        }
    }

    /// Puts a program on the disk, without what only a debugger reads.
    #[expect(clippy::disallowed_methods, reason = "strip makes the disk ten times smaller")]
    pub(crate) fn program(&self, from: &Path) {
        let to = self.path("bin").join(from.file_name().unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let stripped = Command::new("strip").arg("-o").arg(&to).arg(from).stderr(Stdio::null()).status();
        if !stripped.is_ok_and(|status| status.success()) {
            fs::copy(from, &to).unwrap();
        }
    }

    /// Boots, and waits until the machine goes off by itself.
    #[expect(clippy::disallowed_methods, reason = "the machine runs in QEMU itself")]
    pub(crate) fn boot(&self, kernel_arguments: &str) -> Boot {
        let (disk, image) = (self.folder.path().join("disk"), self.folder.path().join("disk.img"));
        let blocks = (bytes_below(&disk) * 5 / 4 + DISK_TABLES_BYTES) / 1024;
        let made = Command::new(mke2fs().unwrap())
            .args(["-q", "-t", "ext4", "-b", "1024", "-d"])
            .args([&disk, &image])
            .arg(blocks.to_string())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (console, said) = (self.folder.path().join("console"), self.folder.path().join("said"));
        // Whatever it writes to its root disk goes to a file that QEMU forgets.
        let drive = |id: &str, path: &Path| format!("if=none,id={id},format=raw,snapshot=on,file={}", path.display());
        let ended = Command::new("timeout")
            .args(["--kill-after=5", BOOT_SECONDS_MAX, "qemu-system-x86_64"])
            .args(["-accel", "tcg,thread=multi", "-machine", "q35", "-cpu", "max", "-smp", "2", "-m", "512"])
            .args(["-nodefaults", "-no-reboot", "-net", "none", "-display", "none", "-kernel"])
            .arg(self.peer.join("vmlinuz"))
            .args(["-append", &format!("{KERNEL_ARGUMENTS} {kernel_arguments}")])
            .args(["-drive", &drive("root", &self.peer.join("root.img"))])
            .args(["-device", "nvme,drive=root,serial=root", "-drive", &drive("trial", &image)])
            .args(["-device", "nvme,drive=trial,serial=trial"])
            .args(["-serial", &format!("file:{}", console.display()), "-serial", &format!("file:{}", said.display())])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).replace('\r', "");
        let boot = Boot { said: text(&said), console: text(&console) };
        let complaint = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{}: {complaint}\n{}\n{}", ended.status, boot.said, boot.console);
        boot
    }
}

/// Nobody logs in, and nobody waits for devices that only udev would announce.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet panic=-1 root=/dev/nvme0n1 rw init=/sbin/trial-init \
     systemd.unit=trial.target systemd.mask=getty.target systemd.show_status=0 systemd.log_target=journal";

fn on_path(program: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a peer is looked for where the test's user would find it")]
    let path = std::env::var("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.exists())
}

/// Debian keeps it where only root's path leads.
fn mke2fs() -> Option<PathBuf> {
    on_path("mke2fs").or_else(|| Some(PathBuf::from("/usr/sbin/mke2fs")).filter(|path| path.exists()))
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let size = |entry: fs::DirEntry| {
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() { bytes_below(&entry.path()) } else { metadata.len() }
    };
    entries.map(size).sum()
}

/// One or several texts.
fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().chain(Some(value)).filter_map(Value::as_str).collect()
}

/// A unit's file, as NixOS would write it.
fn unit_text(name: &str, unit: &Value) -> String {
    let (section, settings) =
        if name.ends_with(".socket") { ("Socket", &unit["socketConfig"]) } else { ("Service", &unit["serviceConfig"]) };
    let mut lines = vec!["[Unit]".to_owned()];
    for (key, of) in [
        ("Description", "description"),
        ("Requires", "requires"),
        ("Wants", "wants"),
        ("After", "after"),
        ("X-Restart-Triggers", "restartTriggers"),
    ] {
        unit.get(of).into_iter().for_each(|value| set(&mut lines, key, value));
    }
    if let Some(settings) = settings.as_object() {
        lines.push(format!("[{section}]"));
        unit.get("listenStreams").into_iter().for_each(|value| set(&mut lines, "ListenStream", value));
        settings.iter().for_each(|(key, value)| set(&mut lines, key, value));
    }
    lines.join("\n") + "\n"
}

/// A list is a line for each of its values.
fn set(lines: &mut Vec<String>, key: &str, value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| set(lines, key, value)),
        Value::String(value) => lines.push(format!("{key}={value}")),
        value => lines.push(format!("{key}={value}")),
    }
}
