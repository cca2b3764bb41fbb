//! An event as it was raised, made into one as people are told of it. Both programs of this package tell.

use aux_alert::EventKind;
use aux_watch::Event;

/// An event as people are told of it.
pub(crate) fn alarm(event: &Event) -> aux_alert::Event {
    let finding = &event.finding;
    let mut fixed: Vec<String> = finding.fixes.iter().map(|fix| fix.version.clone()).collect();
    fixed.extend(
        finding
            .fixed_versions
            .iter()
            .filter(|version| !finding.fixes.iter().any(|fix| fix.version == **version))
            .cloned(),
    );
    aux_alert::Event {
        system: event.subject.system.clone(),
        advisory: event.subject.advisory.clone(),
        package: event.subject.package.clone(),
        kind: kind(event.kind),
        version: finding.package.version.clone(),
        is_critical: finding.class == "critical",
        severity: Some(finding.severity.clone()).filter(|severity| severity != "unknown"),
        title: finding.title.clone(),
        fixed_versions: fixed,
        advice: None,
        url: finding.references.first().cloned(),
        raised: event.raised,
        is_test: false,
    }
}

fn kind(kind: aux_watch::EventKind) -> EventKind {
    match kind {
        aux_watch::EventKind::New => EventKind::New,
        aux_watch::EventKind::FixAvailable => EventKind::FixAvailable,
        aux_watch::EventKind::NowCritical => EventKind::NowCritical,
    }
}
