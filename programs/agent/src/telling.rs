//! From what is new to a person: events go to the queue of alerts, and the queue to the channels of `[alert]`.

use std::hash::{BuildHasher, Hasher, RandomState};

use aux_alert::{Queue, Session, Surroundings};
use aux_watch::Store;
use jiff::Timestamp;

use crate::alarm::alarm;
use crate::feed;
use crate::settings::Settings;

/// Events handed over at once; the rest follows in the same round.
const BATCH: u32 = 500;

/// Hands over what waits and delivers what is due. Returns when the next delivery is due, if one waits.
///
/// The queue takes an event once, whoever is killed when: an event is marked as handed over after the queue has it.
pub(crate) fn tell(store: &mut Store, settings: &Settings, remarks: &mut Vec<String>) -> Option<Timestamp> {
    match told(store, settings, remarks) {
        Ok(next) => next,
        Err(error) => {
            remarks.push(format!("alerts wait: {error}"));
            None
        }
    }
}

fn told(store: &mut Store, settings: &Settings, remarks: &mut Vec<String>) -> Result<Option<Timestamp>, String> {
    let mut queue = Queue::open(&settings.alert_queue).map_err(|error| error.to_string())?;
    loop {
        let waiting = store.waiting(BATCH).map_err(|error| error.to_string())?;
        if waiting.is_empty() {
            break;
        }
        let events: Vec<aux_alert::Event> = waiting.iter().map(|raised| alarm(&raised.event)).collect();
        queue.accept(&events, Timestamp::now()).map_err(|error| error.to_string())?;
        let numbers: Vec<u64> = waiting.iter().map(|raised| raised.number).collect();
        store.handed_over(&numbers).map_err(|error| error.to_string())?;
    }
    // A system daemon has no session; the session's own notifier shows toasts.
    let user_agent = concat!("auxd/", env!("CARGO_PKG_VERSION")).to_owned();
    let session = Session { bus_address: None, user_agent, proxy: feed::proxy()? };
    let mut channels = settings.alert.channels(&session);
    remarks.extend(channels.problems.iter().map(ToString::to_string));
    if channels.ready.is_empty() {
        return Ok(None);
    }
    // The standard library seeds its hashes with the machine's randomness; jitter needs no better.
    let random = || RandomState::new().build_hasher().finish();
    let world = Surroundings { now: &Timestamp::now, random: &random };
    let outcome = queue.deliver(&mut channels.ready, &world).map_err(|error| error.to_string())?;
    for attempt in &outcome.attempts {
        if let Err(error) = &attempt.result {
            remarks.push(format!("{}: {error}", attempt.channel));
        }
    }
    queue.forget_settled(Timestamp::now()).map_err(|error| error.to_string())?;
    Ok(outcome.next_at)
}
