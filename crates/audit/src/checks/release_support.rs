//! AUX-C024: releases that get no security fixes any more.

use aux_core::configuration::Release;
use aux_core::{Configuration, Severity};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::judgement::judged;
use super::releases::{Support, support};
use super::{Check, Judgement, Terms};

pub(super) const CHECK: Check = Check {
    id: "AUX-C024",
    title: "Support of the release",
    severity: Severity::High,
    why: "A release that has ended gets no more fixes: what is found from that day on stays, and an audit can only name it.",
    seen: "- evaluated: `system.nixos.release` and its suffix, which tells an unstable version.\n- running: `VERSION_ID` and `BUILD_ID` in \
           `/etc/os-release`.\n- repository: branches such as `nixos-24.05` that the inputs of `flake.lock` name.\n\nThe days are a table \
           in this program, judged at the day of the audit; a release newer than the table, or of another distribution, is *unknown*. An \
           unstable version passes: it has no end, only an age (see AUX-C023).",
    fix: "# in flake.nix: a release that is supported
inputs.nixpkgs.url = \"github:NixOS/nixpkgs/nixos-26.05\";",
    judge,
};

fn judge(configuration: &Configuration, terms: &Terms) -> Option<Judgement> {
    judged(&configuration.releases, |releases, how| {
        let judgements: Vec<Judgement> = releases.iter().map(|release| one(release, terms.now)).collect();
        let texts = |wanted: fn(&Judgement) -> Option<&str>| {
            judgements.iter().filter_map(wanted).collect::<Vec<_>>().join("; ")
        };
        let failed = texts(|judgement| if let Judgement::Failed(text) = judgement { Some(text) } else { None });
        let unknown = texts(|judgement| if let Judgement::Unknown(text) = judgement { Some(text) } else { None });
        let passed = texts(|judgement| if let Judgement::Passed(text) = judgement { Some(text) } else { None });
        if !failed.is_empty() {
            Judgement::Failed(format!("{failed} ({how})"))
        } else if !unknown.is_empty() || passed.is_empty() {
            let unknown = if unknown.is_empty() { "no release is named" } else { &unknown };
            Judgement::Unknown(format!("{unknown} ({how})"))
        } else {
            Judgement::Passed(format!("{passed} ({how})"))
        }
    })
}

fn one(release: &Release, now: Timestamp) -> Judgement {
    let today = now.to_zoned(TimeZone::UTC).date();
    let Release { name, of } = release;
    if name == "unstable" {
        return Judgement::Passed(format!("{of} is unstable, which has no end"));
    }
    match support(name) {
        Support::Until(end) if today > end => Judgement::Failed(format!("{of}: support of {name} ended on {end}")),
        Support::Until(end) => Judgement::Passed(format!("{of}: {name} is supported until {end}")),
        Support::EndedBefore(day) => Judgement::Failed(format!("{of}: support of {name} ended before {day}")),
        Support::Newer => Judgement::Unknown(format!("{of}: {name} is newer than this program's table of releases")),
        Support::Foreign => Judgement::Unknown(format!("{of}: `{name}` is no release of NixOS")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{failed, passed, unknown};
    use aux_core::Fact;

    fn with(names: &[&str]) -> Configuration {
        let release = |name: &&str| Release { name: (*name).to_owned(), of: "nixpkgs".to_owned() };
        let releases = Fact::seen(names.iter().map(release).collect(), "x");
        Configuration { releases, ..Configuration::default() }
    }

    #[test]
    fn a_supported_release_and_unstable_pass() {
        passed(&CHECK, &with(&["24.05"]));
        passed(&CHECK, &with(&["unstable", "24.05"]));
    }

    #[test]
    fn an_ended_release_fails_beside_whatever_else() {
        failed(&CHECK, &with(&["unstable", "23.11"]));
        failed(&CHECK, &with(&["13.10"]));
    }

    #[test]
    fn what_is_newer_foreign_or_not_seen_is_unknown() {
        unknown(&CHECK, &with(&["99.05"]));
        unknown(&CHECK, &with(&["bookworm", "24.05"]));
        unknown(&CHECK, &with(&[]));
        unknown(&CHECK, &Configuration { releases: Fact::unseen("hidden"), ..Configuration::default() });
    }
}
