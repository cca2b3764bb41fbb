//! The sentences that several formats say: the verdict, the feed, a fix, an age.

use std::collections::{BTreeMap, BTreeSet};

use aux_core::{CheckResult, Class, Finding, Fixability, Severity, State};
use jiff::Timestamp;

use crate::{Report, Verdict};

const MINUTE_SECONDS: u64 = 60;
const HOUR_SECONDS: u64 = 60 * MINUTE_SECONDS;
const DAY_SECONDS: u64 = 24 * HOUR_SECONDS;
/// How many channels a fix names before it only counts them.
const CHANNELS_SHOWN: usize = 3;

/// `1 alarm`, `2 alarms`.
pub(super) fn count(number: usize, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{ending}")
}

/// The gate's words, and the configuration file that set them where one did.
pub(super) fn gate(report: &Report) -> String {
    match &report.gate_file {
        Some(file) => format!("{}, set by {file}", report.fail_on),
        None => report.fail_on.clone(),
    }
}

/// The verdict as a word in capitals and the sentence that explains it.
pub(super) fn verdict(report: &Report) -> (&'static str, String) {
    let (word, sentence) = package_verdict(report);
    match configuration(report) {
        Some(checks) => (word, format!("{sentence}; {checks}")),
        None => (word, sentence),
    }
}

/// `configuration: 2 checks failed, 3 unknown, 14 passed`; nothing where no target has one.
pub(super) fn configuration(report: &Report) -> Option<String> {
    if report.targets.iter().all(|target| target.checks.is_none()) {
        return None;
    }
    let summary = report.summary();
    let number = |state: &str| summary.checks.get(state).copied().unwrap_or_default();
    let mut facts = vec![format!("{} failed", count(number("failed"), "check"))];
    facts.push(format!("{} unknown", number("unknown")));
    facts.push(format!("{} passed", number("passed")));
    if summary.checks_waived > 0 {
        facts.push(format!("{} waived", summary.checks_waived));
    }
    Some(format!("configuration: {}", facts.join(", ")))
}

/// What was seen, or the waiver's reason.
pub(super) fn check_reason(check: &CheckResult) -> String {
    if let Some(reason) = &check.waived {
        return format!("waived: {reason}");
    }
    check.evidence.iter().map(|evidence| evidence.text.as_str()).collect::<Vec<_>>().join("; ")
}

/// Where a check is described: the page of its id.
pub(super) fn check_page(check: &CheckResult) -> String {
    format!("{}/blob/main/docs/checks/{}.md", super::TOOL_PAGE, check.id)
}

fn package_verdict(report: &Report) -> (&'static str, String) {
    let summary = report.summary();
    let alarms = alarms(report);
    let problems = count(summary.problems, "problem");
    match report.verdict {
        Verdict::Fail => match alarms {
            Some(alarms) => ("FAIL", alarms),
            None if summary.checks.get("failed").is_some_and(|number| *number > 0) => {
                ("FAIL", format!("no alarm in {}", count(summary.components, "component")))
            }
            None => ("FAIL", format!("no alarm, yet the gate `{}` was reached", report.fail_on)),
        },
        Verdict::Unknown => {
            let rest = alarms.unwrap_or_else(|| "no alarm in what could be read".to_owned());
            ("UNKNOWN, not clean", format!("{problems} left part of what was asked for unread; {rest}"))
        }
        Verdict::Pass => {
            let sentence = match alarms {
                Some(alarms) => format!("{alarms}; none at or above the gate"),
                None if summary.components == 0 && configuration(report).is_some() => {
                    "no component was judged".to_owned()
                }
                None if summary.components == 0 => "nothing was found, but no component was judged either".to_owned(),
                None => format!("no alarm in {}", count(summary.components, "component")),
            };
            if summary.problems == 0 {
                ("PASS", sentence)
            } else {
                ("PASS of what could be read", format!("{sentence}; {problems} allowed"))
            }
        }
    }
}

/// `7 alarms in 3 packages, 1 known exploited (KEV), 5 fixable`; nothing where there is none.
fn alarms(report: &Report) -> Option<String> {
    let found: Vec<&Finding> =
        report.targets.iter().flat_map(|target| &target.findings).filter(|finding| finding.is_alarm()).collect();
    if found.is_empty() {
        return None;
    }
    let packages: BTreeSet<_> = found.iter().map(|finding| &finding.package).collect();
    let summary = report.summary();
    let mut facts = vec![format!("{} in {}", count(found.len(), "alarm"), count(packages.len(), "package"))];
    if summary.targets > 1 {
        let struck = report.targets.iter().filter(|target| target.findings.iter().any(Finding::is_alarm)).count();
        facts.push(format!("in {struck} of {} targets", summary.targets));
    }
    if summary.kev > 0 {
        facts.push(format!("{} known exploited (KEV)", summary.kev));
    }
    let of = |fixability| found.iter().filter(|finding| finding.fixability == Some(fixability)).count();
    let (now, rebase) = (of(Fixability::Now), of(Fixability::Rebase));
    facts.push(match now + rebase {
        0 => format!("{} fixable", summary.fixable),
        _ => format!("{} fixable ({now} now, {rebase} by a rebase)", summary.fixable),
    });
    Some(facts.join(", "))
}

/// `2 critical, 1 high, 1 of unknown severity`, worst first.
pub(super) fn severities<'a>(findings: impl Iterator<Item = &'a Finding>) -> String {
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.severity).or_default() += 1;
    }
    let words: Vec<String> = counts
        .into_iter()
        .rev()
        .map(|(severity, number)| match severity {
            Severity::Unknown => format!("{number} of unknown severity"),
            Severity::None => format!("{number} of no severity"),
            _ => format!("{number} {}", severity.as_str()),
        })
        .collect();
    words.join(", ")
}

/// `critical 9.8`, `unscored`.
pub(super) fn severity(finding: &Finding) -> String {
    match (finding.severity, finding.score) {
        (Severity::Unknown, None) => "unscored".to_owned(),
        (severity, Some(score)) => format!("{} {score}", severity.as_str()),
        (severity, None) => severity.as_str().to_owned(),
    }
}

/// What to say beside the score: the team's class, and whether it is exploited.
pub(super) fn marks(finding: &Finding) -> Vec<String> {
    let mut marks = Vec::new();
    if finding.kev {
        marks.push("KEV".to_owned());
    }
    if finding.class != Class::Unclassified {
        marks.push(format!("class {}", finding.class.as_str()));
    }
    marks
}

/// Where a fix is to be had: `fixed in 3.0.14 (nixos-24.05)`, `fixed upstream in 3.0.14`, `no fix known`; and where it is known
/// which branch is followed, `fixable now by` or `by a rebase to`.
pub(super) fn fix(finding: &Finding) -> String {
    if finding.fixes.is_empty() {
        return if finding.fixed_versions.is_empty() {
            "no fix known".to_owned()
        } else {
            format!("fixed upstream in {}", finding.fixed_versions.join(" or "))
        };
    }
    let mut versions: Vec<(&str, Vec<&str>)> = Vec::new();
    for fix in &finding.fixes {
        match versions.iter_mut().find(|(version, _)| *version == fix.version) {
            Some((_, channels)) => channels.push(&fix.channel),
            None => versions.push((&fix.version, vec![&fix.channel])),
        }
    }
    let parts: Vec<String> = versions
        .into_iter()
        .map(|(version, channels)| {
            let channels: Vec<&str> = channels.into_iter().filter(|channel| !channel.is_empty()).collect();
            if channels.is_empty() {
                return version.to_owned();
            }
            let more = channels.len().saturating_sub(CHANNELS_SHOWN);
            let named = channels.get(..CHANNELS_SHOWN).unwrap_or(&channels).join(", ");
            if more == 0 { format!("{version} ({named})") } else { format!("{version} ({named} and {more} more)") }
        })
        .collect();
    let lead = match finding.fixability {
        Some(Fixability::Now) => "fixable now by",
        Some(Fixability::Rebase) => "fixable by a rebase to",
        Some(Fixability::None) | None => "fixed in",
    };
    format!("{lead} {}", parts.join(" or "))
}

/// Why a finding has its state: the waiver's reason, or what was established, in one line.
pub(super) fn reason(finding: &Finding) -> String {
    if let Some(reason) = &finding.waived {
        return format!("waived: {reason}");
    }
    let texts: Vec<&str> = finding.evidence.iter().map(|evidence| evidence.text.as_str()).collect();
    if texts.is_empty() { state(finding.state).to_owned() } else { texts.join("; ") }
}

/// A state as people say it.
pub(super) fn state(state: State) -> &'static str {
    match state {
        State::NotAffected => "not affected",
        State::FixedByPatch => "fixed by patch",
        State::Unreviewed => "unreviewed",
        State::Affected => "affected",
        State::Unknown => "unknown",
    }
}

/// `feed 41 of 2024-05-01, 3 days old, 182000 advisories`.
pub(super) fn feed(report: &Report) -> String {
    let Some(feed) = &report.feed else { return "no feed, because packages were not asked about".to_owned() };
    let name = if feed.serial == 0 { "feed".to_owned() } else { format!("feed {}", feed.serial) };
    let age = if feed.built > report.as_of {
        format!("newer than {}, the day asked for", day(report.as_of))
    } else {
        format!("{} old", age(feed.age_seconds))
    };
    let number = feed.advisories;
    let advisories = if number == 1 { "advisory" } else { "advisories" };
    format!("{name} of {}, {age}, {number} {advisories}", day(feed.built))
}

/// The day of a moment, in UTC.
pub(super) fn day(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d").to_string()
}

/// An age in its largest whole unit.
pub fn age(seconds: u64) -> String {
    let whole =
        |unit_seconds: u64, unit: &str| count(usize::try_from(seconds / unit_seconds).unwrap_or(usize::MAX), unit);
    match seconds {
        0..MINUTE_SECONDS => "less than a minute".to_owned(),
        MINUTE_SECONDS..HOUR_SECONDS => whole(MINUTE_SECONDS, "minute"),
        HOUR_SECONDS..DAY_SECONDS => whole(HOUR_SECONDS, "hour"),
        DAY_SECONDS.. => whole(DAY_SECONDS, "day"),
    }
}

/// The page of a CVE in the National Vulnerability Database; other ids have none there.
pub(super) fn nvd_page(id: &str) -> Option<String> {
    let rest = id.strip_prefix("CVE-")?;
    let (year, number) = rest.split_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(year) && digits(number)).then(|| format!("https://nvd.nist.gov/vuln/detail/{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_said_in_its_largest_unit() {
        let said: Vec<String> = [0, 60, 3 * 3600, 86_400, 300_000].map(age).into();
        assert_eq!(said, ["less than a minute", "1 minute", "3 hours", "1 day", "3 days"]);
    }

    #[test]
    fn only_a_cve_id_has_a_page_at_the_nvd() {
        assert!(nvd_page("CVE-2024-5535").is_some());
        for other in ["GHSA-aaaa-bbbb-cccc", "CVE-2024-", "CVE-2024-1)x", "CVE-2024-1/../.."] {
            assert_eq!(nvd_page(other), None);
        }
    }
}
