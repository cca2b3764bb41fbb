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
