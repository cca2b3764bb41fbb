//! Accepting, spreading, retrying and remembering, with channels that answer as they are told.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;
use crate::{Channel, EventKind, Message, SendError};

/// What a channel of these tests was sent, in order.
type Sent = Rc<RefCell<Vec<Message>>>;

struct Told {
    name: &'static str,
    sent: Sent,
    answer: Rc<RefCell<Result<(), SendError>>>,
    batch_max: u32,
}

impl Channel for Told {
    fn name(&self) -> &str {
        self.name
    }

    fn batch_max(&self) -> u32 {
        self.batch_max
    }

    fn send(&mut self, messages: &[Message], _: Timestamp) -> Result<Vec<Option<String>>, SendError> {
        self.sent.borrow_mut().extend_from_slice(messages);
        self.answer.borrow().clone()?;
        Ok(messages.iter().map(|message| Some(format!("receipt of {}", message.id))).collect())
    }
}

/// A queue in a folder of its own, a clock, and two channels.
struct Trial {
    _folder: tempfile::TempDir,
    queue: Queue,
    seconds: Cell<i64>,
    sent: Sent,
    answer: Rc<RefCell<Result<(), SendError>>>,
    names: Vec<&'static str>,
}

impl Trial {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::open(folder.path().join("alerts.sqlite")).unwrap();
        Self {
            _folder: folder,
            queue,
            seconds: Cell::new(1_000_000),
            sent: Sent::default(),
            answer: Rc::new(RefCell::new(Ok(()))),
            names: vec!["one"],
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.seconds.get()).unwrap()
    }

    fn wait(&self, seconds: i64) {
        self.seconds.set(self.seconds.get() + seconds);
    }

    fn accept(&mut self, events: &[Event]) -> Accepted {
        let now = self.now();
        self.queue.accept(events, now).unwrap()
    }

    fn deliver(&mut self) -> Outcome {
        let mut channels: Vec<Box<dyn Channel>> = Vec::new();
        for name in &self.names {
            channels.push(Box::new(Told { name, sent: self.sent.clone(), answer: self.answer.clone(), batch_max: 1 }));
        }
        let now = self.now();
        self.queue.deliver(&mut channels, &Surroundings { now: &|| now, random: &|| 0 }).unwrap()
    }

    fn sent(&self) -> usize {
        self.sent.borrow().len()
    }
}

fn event(advisory: &str, kind: EventKind) -> Event {
    Event { advisory: advisory.to_owned(), kind, ..Event::test("web-1", Timestamp::UNIX_EPOCH) }
}

#[test]
fn an_event_is_accepted_once_and_delivered_once_to_each_channel() {
    let mut trial = Trial::new();
    trial.names = vec!["one", "two"];
    let events =
        [event("CVE-1", EventKind::New), event("CVE-1", EventKind::New), event("CVE-1", EventKind::FixAvailable)];
    assert_eq!(trial.accept(&events), Accepted { new: 2, known: 1 });
    let bumped = Event { version: "1.0.1g".to_owned(), ..event("CVE-1", EventKind::New) };
    assert_eq!(trial.accept(&[bumped]), Accepted { new: 0, known: 1 });
    assert_eq!(trial.deliver().delivered(), 4);
    assert_eq!(trial.deliver(), Outcome::default());
    assert_eq!(trial.sent(), 4);
}

#[test]
fn a_failing_channel_is_asked_again_later_and_later_under_the_same_id() {
    let mut trial = Trial::new();
    trial.accept(&[event("CVE-1", EventKind::New), event("CVE-2", EventKind::New)]);
    *trial.answer.borrow_mut() = Err(SendError::passing("nobody answers"));
    let mut waits = Vec::new();
    for _ in 0..12 {
        let outcome = trial.deliver();
        assert_eq!(outcome.attempts.len(), 1, "a channel that fails is left alone");
        let next = outcome.next_at.unwrap();
        waits.push(next.as_second() - trial.now().as_second());
        trial.wait(waits.last().unwrap() - 1);
        assert_eq!(trial.deliver().attempts.len(), 0);
        trial.wait(1);
    }
    assert_eq!(waits[..5], [30, 60, 120, 240, 480]);
    assert_eq!(waits[11], 6 * 3_600);
    *trial.answer.borrow_mut() = Ok(());
    trial.wait(ALERT_SETTLED_SECONDS_MAX / 90);
    assert_eq!(trial.deliver().delivered(), 2);
    let ids: std::collections::BTreeSet<String> =
        trial.sent.borrow().iter().map(|message| message.id.clone()).collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn a_refusal_postpones_one_event_and_not_the_others() {
    let mut trial = Trial::new();
    trial.accept(&[event("CVE-1", EventKind::New), event("CVE-2", EventKind::New)]);
    *trial.answer.borrow_mut() = Err(SendError::refused("no"));
    assert_eq!(trial.deliver().attempts.len(), 2);
    let listed = trial.queue.list(10).unwrap();
    let delivery = &listed[0].deliveries[0];
    assert_eq!((delivery.error.as_deref(), delivery.attempts), (Some("no"), 1));
    assert!(matches!(delivery.state, DeliveryState::Waiting { next } if next.as_second() == 1_000_000 + 6 * 3_600));
}

#[test]
fn patience_asked_for_is_given() {
    let mut trial = Trial::new();
    trial.accept(&[event("CVE-1", EventKind::New)]);
    *trial.answer.borrow_mut() = Err(SendError::Passing { cause: "busy".to_owned(), retry_after_seconds: Some(3_600) });
    assert_eq!(trial.deliver().next_at.unwrap().as_second(), 1_000_000 + 3_600);
}

#[test]
fn events_wait_for_the_first_channel_and_a_later_one_is_not_told_old_news() {
    let mut trial = Trial::new();
    trial.names.clear();
    trial.accept(&[event("CVE-1", EventKind::New)]);
    assert_eq!(trial.deliver(), Outcome::default());
    trial.names = vec!["one"];
    assert_eq!(trial.deliver().delivered(), 1);
    trial.names = vec!["one", "two"];
    assert_eq!(trial.deliver().delivered(), 0);
}

#[test]
fn a_later_event_carries_what_the_channel_said_of_the_earlier() {
    let mut trial = Trial::new();
    trial.accept(&[event("CVE-1", EventKind::New)]);
    trial.deliver();
    trial.accept(&[event("CVE-1", EventKind::FixAvailable), event("CVE-2", EventKind::New)]);
    trial.deliver();
    let sent = trial.sent.borrow();
    assert_eq!(sent[1].earlier, Some(format!("receipt of {}", sent[0].id)));
    assert_eq!(sent[2].earlier, None);
}

#[test]
fn what_cannot_be_delivered_for_a_month_is_given_up_and_says_so() {
    let mut trial = Trial::new();
    trial.accept(&[event("CVE-1", EventKind::New)]);
    *trial.answer.borrow_mut() = Err(SendError::passing("gone"));
    trial.deliver();
    trial.wait(31 * 86_400);
    assert_eq!(trial.deliver().next_at, None);
    let listed = trial.queue.list(10).unwrap();
    assert!(matches!(listed[0].deliveries[0].state, DeliveryState::GivenUp { .. }));
}

#[test]
fn settled_events_are_forgotten_after_a_while_and_waiting_ones_never() {
    let mut trial = Trial::new();
    trial.accept(&[event("CVE-1", EventKind::New)]);
    trial.deliver();
    trial.names.clear();
    trial.accept(&[event("CVE-2", EventKind::New)]);
    let first = trial.queue.list(10).unwrap()[1].id.clone();
    trial.wait(ALERT_SETTLED_SECONDS_MAX - 1);
    assert_eq!(trial.queue.forget_settled(trial.now()).unwrap(), 0);
    trial.wait(2);
    assert_eq!(trial.queue.forget_settled(trial.now()).unwrap(), 1);
    assert_eq!(trial.accept(&[event("CVE-1", EventKind::New)]), Accepted { new: 1, known: 0 });
    assert_ne!(trial.queue.list(1).unwrap()[0].id, first);
}

#[test]
fn two_processes_do_not_send_at_the_same_time() {
    let mut trial = Trial::new();
    trial.accept(&[event("CVE-1", EventKind::New)]);
    let held = Queue::open(trial.queue.path()).unwrap().lock().unwrap();
    assert!(trial.deliver().is_busy);
    drop(held);
    assert_eq!(trial.deliver().delivered(), 1);
}

/// A channel that confirms one message at a time, though it is handed all.
struct OneByOne(Rc<RefCell<Vec<usize>>>);

impl Channel for OneByOne {
    fn name(&self) -> &'static str {
        "one"
    }

    fn batch_max(&self) -> u32 {
        10
    }

    fn send(&mut self, messages: &[Message], _: Timestamp) -> Result<Vec<Option<String>>, SendError> {
        self.0.borrow_mut().push(messages.len());
        Ok(vec![None])
    }
}

#[test]
fn what_a_channel_did_not_confirm_comes_again() {
    let mut trial = Trial::new();
    trial.accept(&[event("CVE-1", EventKind::New), event("CVE-2", EventKind::New), event("CVE-3", EventKind::New)]);
    let sizes = Rc::new(RefCell::new(Vec::new()));
    let mut channels: Vec<Box<dyn Channel>> = vec![Box::new(OneByOne(sizes.clone()))];
    let now = trial.now();
    let outcome = trial.queue.deliver(&mut channels, &Surroundings { now: &|| now, random: &|| 0 }).unwrap();
    assert_eq!((outcome.delivered(), sizes.take()), (3, vec![3, 2, 1]));
}

#[test]
fn what_was_read_and_how_far_are_kept_together() {
    let mut trial = Trial::new();
    let now = trial.now();
    assert_eq!(trial.queue.place("auxd").unwrap(), None);
    for number in [7, 9] {
        let place = Place { number, mark: format!("mark {number}") };
        let events = [event(&format!("CVE-{number}"), EventKind::New)];
        assert_eq!(trial.queue.accept_from("auxd", &events, &place, now).unwrap(), Accepted { new: 1, known: 0 });
        assert_eq!(trial.queue.place("auxd").unwrap(), Some(place));
    }
    assert_eq!(trial.queue.place("another").unwrap(), None);
    let events = vec![event("CVE-7", EventKind::New), event("CVE-8", EventKind::New)];
    let unknown = trial.queue.unknown(events).unwrap();
    assert_eq!(unknown.iter().map(|event| event.advisory.as_str()).collect::<Vec<_>>(), ["CVE-8"]);
}

#[test]
fn an_event_raised_again_after_its_memory_is_another_one() {
    let mut trial = Trial::new();
    let raised = |seconds| Event { raised: Timestamp::from_second(seconds).unwrap(), ..event("CVE-1", EventKind::New) };
    assert_eq!(trial.accept(&[raised(0)]), Accepted { new: 1, known: 0 });
    assert_eq!(trial.accept(&[raised(ALERT_MEMORY_SECONDS)]), Accepted { new: 0, known: 1 });
    assert_eq!(trial.accept(&[raised(ALERT_MEMORY_SECONDS + 1)]), Accepted { new: 1, known: 0 });
}

#[test]
fn a_channel_that_is_back_is_not_waited_for_and_receipts_lead_to_their_events() {
    let mut trial = Trial::new();
    trial.accept(&[event("CVE-1", EventKind::New)]);
    *trial.answer.borrow_mut() = Err(SendError::passing("nobody answers"));
    trial.deliver();
    *trial.answer.borrow_mut() = Ok(());
    assert_eq!(trial.deliver().delivered(), 0);
    let now = trial.now();
    trial.queue.hurry("one", now).unwrap();
    assert_eq!(trial.deliver().delivered(), 1);
    let receipt = format!("receipt of {}", trial.sent.borrow()[0].id);
    assert_eq!(trial.queue.confirmed_by("one", &receipt).unwrap(), [event("CVE-1", EventKind::New)]);
    trial.queue.forget_receipt("one", &receipt).unwrap();
    assert_eq!(trial.queue.confirmed_by("one", &receipt).unwrap(), []);
}

#[test]
fn a_queue_of_the_first_version_is_brought_up_with_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.sqlite");
    let first = aux_io::database::Schema { migrations: &schema::SCHEMA.migrations[..1], ..schema::SCHEMA };
    let mut old = Queue { database: Database::open(&path, first).unwrap() };
    old.accept(&[event("CVE-1", EventKind::New)], Timestamp::UNIX_EPOCH).unwrap();
    drop(old);
    let mut queue = Queue::open(&path).unwrap();
    assert_eq!((queue.list(10).unwrap().len(), queue.place("auxd").unwrap()), (1, None));
}
