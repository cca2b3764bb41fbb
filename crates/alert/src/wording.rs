//! An event in words, the same on every channel: what is hit, what to do, where to read more.
//!
//! Names, versions and titles come from strangers. Whatever steers a terminal is written out and long words are cut.

use aux_core::limits::ALERT_WORD_CHARACTERS_MAX;
use aux_core::visible::visible;

use crate::{Event, EventKind};

/// One line: `critical: openssl 3.0.7 on web-1: CVE-2022-3602`.
pub fn headline(event: &Event) -> String {
    let what = match event.kind {
        EventKind::New => "vulnerable",
        EventKind::FixAvailable => "fix available",
        EventKind::NowCritical => "now critical",
        EventKind::ImageDue => "new image due",
    };
    let what = if event.is_critical && event.kind == EventKind::New { "critical" } else { what };
    let test = if event.is_test { "TEST: " } else { "" };
    if event.kind == EventKind::ImageDue {
        return format!("{test}{what}: {}: {}", word(&event.system), word(&event.advisory));
    }
    let subject = format!("{} {} on {}", word(&event.package), word(&event.version), word(&event.system));
    format!("{test}{what}: {subject}: {}", word(&event.advisory))
}

/// What it is about, in the record's own words and its severity.
pub fn about(event: &Event) -> Option<String> {
    let title = event.title.as_deref().filter(|title| !title.trim().is_empty()).map(word);
    let severity = event.severity.as_deref().map(|severity| format!("severity {}", word(severity)));
    let parts: Vec<String> = title.into_iter().chain(severity).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What a person does about it.
pub fn advice(event: &Event) -> String {
    if let Some(advice) = &event.advice {
        return word(advice);
    }
    match event.fixed_versions.first() {
        Some(version) => format!("update {} to {}", word(&event.package), word(version)),
        None => format!("no fix to take yet; see: aux audit --explain {}", word(&event.advisory)),
    }
}

/// Where to read more.
pub fn more(event: &Event) -> Option<String> {
    page(event).as_deref().map(word)
}

/// The page about the advisory: its own, or where ids like this are looked up.
pub fn page(event: &Event) -> Option<String> {
    let is_web = |url: &&String| url.starts_with("https://") || url.starts_with("http://");
    if let Some(url) = event.url.as_ref().filter(is_web) {
        return Some(url.clone());
    }
    let is_plain = event.advisory.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let looked_up = [("CVE-", "https://nvd.nist.gov/vuln/detail/"), ("GHSA-", "https://github.com/advisories/")];
    let known = looked_up.iter().find(|(prefix, _)| is_plain && event.advisory.starts_with(prefix));
    known.map(|(_, place)| format!("{place}{}", event.advisory))
}

/// Everything, a line each.
pub fn lines(event: &Event) -> Vec<String> {
    let mut lines = vec![headline(event)];
    lines.extend(about(event));
    lines.push(format!("What to do: {}", advice(event)));
    lines.extend(more(event).map(|url| format!("Read more: {url}")));
    lines
}

/// Foreign text as part of a line: harmless, and of bounded length.
pub(crate) fn word(text: &str) -> String {
    let mut shown: String = visible(text).chars().take(ALERT_WORD_CHARACTERS_MAX + 1).collect();
    if shown.chars().count() > ALERT_WORD_CHARACTERS_MAX {
        shown = shown.chars().take(ALERT_WORD_CHARACTERS_MAX - 1).collect();
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn an_event_reads_as_a_person_would_say_it() {
        let mut event = Event { is_test: false, title: None, ..Event::test("web-1", Timestamp::UNIX_EPOCH) };
        assert_eq!(headline(&event), "vulnerable: openssl 1.0.1f on web-1: CVE-2014-0160");
        assert_eq!(advice(&event), "update openssl to 1.0.1g");
        event.is_critical = true;
        event.fixed_versions.clear();
        assert_eq!(headline(&event), "critical: openssl 1.0.1f on web-1: CVE-2014-0160");
        assert_eq!(advice(&event), "no fix to take yet; see: aux audit --explain CVE-2014-0160");
        event.kind = EventKind::NowCritical;
        assert!(headline(&event).starts_with("now critical: "));
        event.kind = EventKind::ImageDue;
        assert_eq!(headline(&event), "new image due: web-1: CVE-2014-0160");
    }

    #[test]
    fn a_page_is_on_the_web_and_made_of_a_plain_id() {
        let mut event = Event { url: None, ..Event::test("web-1", Timestamp::UNIX_EPOCH) };
        assert_eq!(page(&event).as_deref(), Some("https://nvd.nist.gov/vuln/detail/CVE-2014-0160"));
        event.url = Some("file:///etc/shadow".to_owned());
        assert_eq!(page(&event).as_deref(), Some("https://nvd.nist.gov/vuln/detail/CVE-2014-0160"));
        event.advisory = "CVE-1/../../x?y".to_owned();
        assert_eq!(page(&event), None);
    }

    #[test]
    fn hostile_words_are_written_out_and_cut() {
        let mut event = Event::test("web\u{1b}[2J", Timestamp::UNIX_EPOCH);
        event.package = "x\u{202e}".repeat(4_000);
        event.title = Some("a\nb\u{7}".to_owned());
        for line in lines(&event) {
            assert!(!line.chars().any(aux_core::visible::is_unsafe), "{line}");
            assert!(line.chars().count() < 5 * ALERT_WORD_CHARACTERS_MAX);
        }
    }
}
