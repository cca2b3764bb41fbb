//! The systemd units: how exposed they are, as systemd itself judges them, and that they are well formed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peers::peer;

/// `systemd-analyze security`'s overall exposure, in tenths.
const EXPOSURE_TENTHS_MAX: u32 = 20;
/// The same of the notifier's: a user has none of the capabilities that most of it is about, and may drop none.
const USER_EXPOSURE_TENTHS_MAX: u32 = 56;
const USER_UNIT: &str = "user/aux-notifier.service";

fn unit(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nix/units").join(name)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "systemd's own judgement is what counts")]
fn the_services_exposure_is_at_most_two() {
    let Some(analyze) = peer("systemd-analyze", "systemd") else { return };
    for name in ["auxd.service", "auxd-round.service"] {
        let output = Command::new(&analyze)
            .args(["security", "--offline=true", "--no-pager", &format!("--threshold={EXPOSURE_TENTHS_MAX}")])
            .arg(unit(name))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let overall = said.lines().last().unwrap_or_default();
        assert!(output.status.success(), "{overall} {}", String::from_utf8_lossy(&output.stderr));
        assert!(overall.contains("Overall exposure level"), "{said}");
    }
}

/// A manager for units of a user wants a place for its own things, though nothing is started.
#[expect(clippy::disallowed_methods, reason = "systemd's own judgement is what counts")]
fn analyze_for_user(analyze: &Path, folder: &Path) -> Command {
    let mut command = Command::new(analyze);
    command.arg("--user").env("XDG_RUNTIME_DIR", folder).env("HOME", folder);
    command
}

#[test]
fn the_notifiers_unit_is_read_without_a_remark_and_does_not_get_more_exposed() {
    let Some(analyze) = peer("systemd-analyze", "systemd") else { return };
    let folder = tempfile::tempdir().unwrap();
    let threshold = format!("--threshold={USER_EXPOSURE_TENTHS_MAX}");
    let mut command = analyze_for_user(&analyze, folder.path());
    let output =
        command.args(["security", "--offline=true", "--no-pager", &threshold]).arg(unit(USER_UNIT)).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("Overall exposure level"), "{said} {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    let text = std::fs::read_to_string(unit(USER_UNIT)).unwrap();
    let text = text.replace("/usr/bin/aux-notifier", env!("CARGO_BIN_EXE_aux-notifier"));
    let path = folder.path().join("aux-notifier.service");
    aux_io::file::replace(&path, text.as_bytes()).unwrap();
    let output = analyze_for_user(&analyze, folder.path()).args(["verify", "--man=no"]).arg(path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("aux-notifier"), "{said}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "systemd's own judgement is what counts")]
fn systemd_reads_every_unit_without_a_remark() {
    let Some(analyze) = peer("systemd-analyze", "systemd") else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["auxd.service", "auxd-round.service", "auxd-round.timer"] {
        // The program is where the package puts it, which is not here.
        let text = std::fs::read_to_string(unit(name)).unwrap().replace("/usr/bin/auxd", env!("CARGO_BIN_EXE_auxd"));
        aux_io::file::replace(folder.path().join(name), text.as_bytes()).unwrap();
    }
    for name in ["auxd.service", "auxd-round.timer"] {
        let output =
            Command::new(&analyze).args(["verify", "--man=no"]).arg(folder.path().join(name)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains(name) && !said.contains("auxd-round.service"), "{said}");
    }
}
