//! A history is kept a day each, and what is unknown stays so in every drawing.

use super::*;

fn at(day: u32, hour: u32) -> Timestamp {
    format!("2018-12-{day:02}T{hour:02}:00:00Z").parse().unwrap()
}

fn observed(day: u32, numbers: [u64; 3]) -> Observation {
    let mut counts = Counts::default();
    for (fix, number) in Fixability::ALL.into_iter().zip(numbers) {
        counts.add(fix, Severity::High, number);
    }
    Observation {
        at: at(day, 3),
        list_revision: Some(format!("1.{day}")),
        feed_serial: None,
        packages: Some(114),
        counts: Ok(counts),
    }
}

fn images(observations: Vec<Observation>) -> Images {
    Images::from([("origin".to_owned(), observations)])
}

#[test]
fn the_newest_of_a_day_is_kept_and_a_clock_that_went_back_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut history = History::open(&folder.path().join("deep")).unwrap();
    history.note("origin", &observed(2, [1, 2, 3])).unwrap();
    history.note("origin", &Observation::unknown(at(3, 1), "no list")).unwrap();
    history.note("origin", &observed(3, [0, 2, 3])).unwrap();
    history.note("origin", &Observation::unknown(at(3, 2), "earlier")).unwrap();
    history.note("other", &Observation::unknown(at(1, 1), "no list")).unwrap();
    let all = history.images(None, None).unwrap();
    assert_eq!(all.keys().collect::<Vec<_>>(), ["origin", "other"]);
    assert_eq!(all["origin"], [observed(2, [1, 2, 3]), observed(3, [0, 2, 3])]);
    assert_eq!(all["other"], [Observation::unknown(at(1, 1), "no list")]);
    assert_eq!(history.images(Some("origin"), Some(at(3, 0))).unwrap()["origin"].len(), 1);
    drop(history);
    assert!(History::open_existing(folder.path()).unwrap().is_none());
    assert_eq!(History::open_existing(&folder.path().join("deep")).unwrap().unwrap().images(None, None).unwrap(), all);
}

#[test]
fn what_was_told_is_told_once_a_generation() {
    let folder = tempfile::tempdir().unwrap();
    let mut history = History::open(folder.path()).unwrap();
    let subjects = ["CVE-1 curl".to_owned(), "CVE-2 curl".to_owned()];
    assert_eq!(history.untold("origin", "one", &subjects).unwrap(), subjects);
    history.note_told(("origin", "one"), &subjects[..1], at(1, 1)).unwrap();
    assert_eq!(history.untold("origin", "one", &subjects).unwrap(), subjects[1..]);
    assert_eq!(history.untold("other", "one", &subjects).unwrap(), subjects);
    history.note_told(("origin", "two"), &subjects, at(2, 1)).unwrap();
    assert_eq!(history.untold("origin", "one", &subjects).unwrap(), subjects);
}

#[test]
fn unknown_days_are_drawn_as_unknown() {
    let images = images(vec![
        observed(1, [9, 4, 30]),
        Observation::unknown(
            at(2, 3),
            "the list is of 2018-10-01, which is more than 30 days ago, and so nobody can say",
        ),
        observed(4, [0, 1, 30]),
        Observation::unknown(at(5, 3), "<script>alert(1)</script>\u{1b}[2J"),
    ]);
    let rows = terminal(&images, 80);
    assert!(rows.iter().all(|row| row.chars().count() <= 80), "{rows:#?}");
    let text = rows.join("\n");
    assert_eq!(text.matches("? unknown").count(), 2, "{text}");
    assert!(text.contains("last known 2018-12-04") && !text.contains('\u{1b}'), "{text}");
    let drawn = svg(&images);
    assert_eq!(drawn.matches("fill=\"url(#unknown)\"").count(), 3, "{drawn}");
    assert!(
        !drawn.contains("<script") && drawn.contains("prefers-color-scheme: dark") && drawn.contains("? fixable now")
    );
    let document: serde_json::Value = serde_json::from_str(&json(&images)).unwrap();
    let last = &document["images"][0]["observations"][3];
    assert_eq!((&last["state"], &last["findings"], &last["counts"]), (&"unknown".into(), &().into(), &().into()));
    assert_eq!(document["images"][0]["observations"][0]["counts"]["now"]["high"], 9);
}

#[test]
fn many_days_are_thinned_and_the_unknown_ones_between_are_counted() {
    let mut observations: Vec<Observation> = (1..=28).map(|day| observed(day, [28 - u64::from(day), 1, 2])).collect();
    observations[5] = Observation::unknown(at(6, 3), "x");
    observations[24] = Observation::unknown(at(25, 3), "x");
    let rows = terminal(&images(observations), 80);
    let days = rows.iter().filter(|row| row.starts_with("  2018-")).count();
    assert_eq!(days, 14, "{rows:#?}");
    let unknown = rows.iter().filter(|row| row.contains("? unknown") || row.contains("nobody can say")).count();
    assert_eq!(unknown, 2, "{rows:#?}");
    assert!(rows.iter().any(|row| row.starts_with("  2018-12-28")));
}

#[test]
fn a_day_without_findings_is_no_unknown_one() {
    let rows = terminal(&images(vec![observed(1, [0, 0, 0])]), 80).join("\n");
    assert!(rows.contains("0 now   0 rebase   0 none") && rows.contains("no finding") && !rows.contains('?'), "{rows}");
}
