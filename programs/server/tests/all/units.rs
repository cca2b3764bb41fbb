//! The systemd unit: how exposed it is, as systemd itself judges.

use std::path::Path;
use std::process::Command;

use crate::corpora::in_ci;

/// `systemd-analyze security`'s overall exposure, in tenths.
const EXPOSURE_TENTHS_MAX: u32 = 20;

#[test]
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "systemd's own judgement is what counts")]
fn the_units_exposure_is_at_most_two() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nix/units/aux-server.service");
    let judged = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", &format!("--threshold={EXPOSURE_TENTHS_MAX}")])
        .arg(unit)
        .output();
    let Ok(judged) = judged else {
        assert!(!in_ci(), "systemd-analyze is not installed");
        return eprintln!("skipped: no systemd-analyze; `apt-get install systemd` would bring it");
    };
    let said = String::from_utf8_lossy(&judged.stdout);
    assert!(said.contains("Overall exposure level"), "{said} {}", String::from_utf8_lossy(&judged.stderr));
    assert!(judged.status.success(), "{}", said.lines().last().unwrap_or_default());
}
