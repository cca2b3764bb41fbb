//! A process that accepts and delivers is killed at many points; afterwards nothing is lost and nothing confirmed is
//! sent again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use aux_alert::{Channel, DeliveryState, Event, Message, Queue, SendError, Surroundings};
use jiff::Timestamp;

use crate::peer::{command, message, now};

/// Names the folder in which a child works; unset in an ordinary run.
const FOLDER: &str = "AUX_TEST_KILL_FOLDER";
const EVENTS: usize = 24;
const POINTS: usize = 40;

/// A channel whose other side is a file: a line is confirmed once it is on disk.
struct Log(File);

impl Log {
    fn open(folder: &Path) -> Self {
        Self(OpenOptions::new().create(true).append(true).open(folder.join("sent")).unwrap())
    }
}

impl Channel for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn send(&mut self, messages: &[Message], _: Timestamp) -> Result<Vec<Option<String>>, SendError> {
        for message in messages {
            self.0.write_all(format!("{} {}\n", message.event.advisory, message.id).as_bytes()).unwrap();
        }
        self.0.sync_data().unwrap();
        Ok(vec![None; messages.len()])
    }
}

fn deliver(folder: &Path, queue: &mut Queue) -> usize {
    let mut channels: Vec<Box<dyn Channel>> = vec![Box::new(Log::open(folder))];
    queue.deliver(&mut channels, &Surroundings { now: &now, random: &|| 7 }).unwrap().delivered()
}

fn event(number: usize) -> Event {
    message(&format!("CVE-{number}")).event
}

/// In an ordinary run this does nothing; the other test runs it as the process to be killed.
#[test]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the child is told where to work, and says how far it is"
)]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    let mut queue = Queue::open(folder.join("alerts.sqlite")).unwrap();
    for number in 0..EVENTS {
        queue.accept(&[event(number)], now()).unwrap();
        println!("accepted CVE-{number}");
        if number % 3 == 2 {
            deliver(&folder, &mut queue);
            println!("confirmed CVE-{number}");
        }
    }
}

/// Starts the child, kills it once it has said so many things, and returns what it said.
fn killed_after(folder: &Path, lines: usize) -> Vec<String> {
    let mut child = command(std::env::current_exe().unwrap())
        .args(["kill::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        // The harness puts the test's name in front of its first line.
        let word = ["accepted ", "confirmed "].into_iter().find_map(|word| line.find(word));
        said.extend(word.map(|start| line[start..].to_owned()));
        if said.len() >= lines {
            break;
        }
    }
    child.kill().ok();
    child.wait().unwrap();
    said
}

#[test]
fn nothing_accepted_is_lost_and_nothing_confirmed_is_sent_again() {
    let mut doubled = 0;
    for point in 0..POINTS {
        let folder = tempfile::tempdir().unwrap();
        let said = killed_after(folder.path(), 1 + point * (EVENTS + EVENTS / 3) / POINTS);
        let mut queue = Queue::open(folder.path().join("alerts.sqlite")).unwrap();
        assert_eq!(queue.check().unwrap(), Vec::<String>::new());
        let settled: Vec<String> = queue
            .list(1_000)
            .unwrap()
            .into_iter()
            .filter(|listed| {
                listed.deliveries.iter().any(|delivery| matches!(delivery.state, DeliveryState::Delivered { .. }))
            })
            .map(|listed| listed.event.advisory)
            .collect();
        deliver(folder.path(), &mut queue);
        let sent = sent(folder.path());
        for accepted in said.iter().filter_map(|line| line.strip_prefix("accepted ")) {
            assert!(sent.contains_key(accepted), "{accepted} was accepted and is lost (point {point})");
        }
        if let Some(confirmed) = said.iter().rev().find_map(|line| line.strip_prefix("confirmed CVE-")) {
            let last: usize = confirmed.parse().unwrap();
            assert!((0..=last).all(|number| settled.contains(&format!("CVE-{number}"))));
        }
        for advisory in &settled {
            assert_eq!(sent[advisory].len(), 1, "{advisory} was confirmed and is sent again (point {point})");
        }
        for ids in sent.values() {
            assert!(ids.iter().all(|id| *id == ids[0]), "a repetition has another id: {ids:?}");
            doubled += ids.len() - 1;
        }
        // Whatever was handed over is known by now, however often it is handed over again.
        let known: Vec<Event> = (0..said.len().min(EVENTS)).map(event).collect();
        queue.accept(&known, now()).unwrap();
        let before = sent.len();
        deliver(folder.path(), &mut queue);
        let after = self::sent(folder.path());
        assert!(after.len() >= before && sent.iter().all(|(advisory, ids)| after[advisory] == *ids));
    }
    assert!(doubled <= POINTS, "at most the one message in flight is repeated, under its id");
}

/// Ids by advisory, as the other side has them.
fn sent(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let mut sent: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in std::fs::read_to_string(folder.join("sent")).unwrap_or_default().lines() {
        let (advisory, id) = line.split_once(' ').unwrap();
        sent.entry(advisory.to_owned()).or_default().push(id.to_owned());
    }
    sent
}
