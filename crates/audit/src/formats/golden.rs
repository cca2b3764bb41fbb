//! What each format looks like, kept as snapshots, and what holds for all of them.

use insta::assert_snapshot;

use super::{Format, Options, escape, render, sample};
use crate::{Report, Verdict};

const OPTIONS: Options<'static> = Options { tool_version: "0.1.0", width: 80, colour: false };

fn failing() -> Report {
    let mut report = sample::report();
    report.targets.truncate(1);
    report.targets[0].problems.clear();
    report.verdict = Verdict::Fail;
    report
}

#[test]
fn the_table_of_everything_at_once() {
    assert_snapshot!(render(Format::Table, &sample::report(), OPTIONS));
}

#[test]
fn the_table_of_one_failing_target() {
    assert_snapshot!(render(Format::Table, &failing(), OPTIONS));
}

#[test]
fn the_table_of_a_report_without_alarms() {
    assert_snapshot!(render(Format::Table, &sample::quiet_report(), OPTIONS));
}

#[test]
fn the_table_of_a_clean_report() {
    assert_snapshot!(render(Format::Table, &sample::clean_report(), OPTIONS));
}

#[test]
fn the_json_document() {
    assert_snapshot!(render(Format::Json, &sample::report(), OPTIONS));
}

#[test]
fn the_sarif_log() {
    assert_snapshot!(render(Format::Sarif, &sample::report(), OPTIONS));
}

#[test]
fn the_openvex_document() {
    assert_snapshot!(render(Format::OpenVex, &sample::report(), OPTIONS));
}

#[test]
fn the_cyclonedx_document() {
    assert_snapshot!(render(Format::CycloneDx, &sample::report(), OPTIONS));
}

#[test]
fn the_markdown_comment() {
    assert_snapshot!(render(Format::Markdown, &sample::report(), OPTIONS));
}

#[test]
fn the_junit_document() {
    assert_snapshot!(render(Format::Junit, &sample::report(), OPTIONS));
}

fn all_reports() -> [Report; 4] {
    [sample::report(), failing(), sample::quiet_report(), sample::clean_report()]
}

#[test]
fn every_format_is_deterministic_ends_its_last_line_and_steers_no_terminal() {
    for report in all_reports() {
        for format in Format::ALL {
            let text = render(format, &report, OPTIONS);
            assert_eq!(text, render(format, &report.clone(), OPTIONS), "{format:?}");
            assert!(text.ends_with('\n'), "{format:?}");
            let bad: Vec<char> = text.chars().filter(|&it| it != '\n' && escape::is_unsafe(it)).collect();
            assert!(bad.is_empty(), "{format:?} {bad:?}");
        }
    }
}

#[test]
fn the_table_keeps_to_its_width() {
    for width in [40, 60, 80, 120] {
        for report in all_reports() {
            let table = render(Format::Table, &report, Options { width, ..OPTIONS });
            for line in table.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
                assert_eq!(line, line.trim_end(), "{width}: {line}");
            }
        }
    }
}

#[test]
fn colour_adds_escapes_and_nothing_else() {
    let plain = render(Format::Table, &sample::report(), OPTIONS);
    let mut coloured = render(Format::Table, &sample::report(), Options { colour: true, ..OPTIONS });
    assert!(coloured.contains("\u{1b}[1;31m"));
    for parameter in ["1", "1;31", "33", "0"] {
        coloured = coloured.replace(&format!("\u{1b}[{parameter}m"), "");
    }
    assert_eq!(coloured, plain);
}

#[test]
fn what_is_critical_or_exploited_is_never_cut_from_a_package() {
    let mut report = failing();
    report.targets[0].findings = (0..200)
        .map(|number| {
            let mut finding = sample::finding(&format!("CVE-2020-{number:04}"), "chromium", "80", Some(50));
            finding.kev = number % 20 == 7;
            finding
        })
        .collect();
    let table = render(Format::Table, &report, OPTIONS);
    assert_eq!(table.matches("KEV, no fix").count(), 10);
    assert!(table.contains("and 190 more (190 medium): --json or --explain"), "{table}");
    assert!(table.lines().count() < 25, "{table}");
}

#[test]
fn a_browser_of_last_year_is_still_a_page_and_names_every_critical() {
    let mut report = failing();
    report.targets[0].findings = (0..625)
        .map(|number| {
            let tenths = if number < 150 { 98 } else { 60 };
            sample::finding(&format!("CVE-2020-{number:04}"), "firefox", "51.0.1", Some(tenths))
        })
        .collect();
    for format in [Format::Table, Format::Markdown] {
        let text = render(format, &report, OPTIONS);
        assert!((0..150).all(|number| text.contains(&format!("CVE-2020-{number:04}"))), "{text}");
        assert!(text.lines().count() < 80, "{text}");
    }
}

#[test]
fn a_format_has_one_word() {
    for format in Format::ALL {
        assert_eq!(Format::from_word(format.as_str()), Some(format));
    }
    assert_eq!(Format::from_word("Table"), None);
}
