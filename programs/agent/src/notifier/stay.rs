//! The notifier that stays for the session: wakes up for signals of the two buses, and for nothing else.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use aux_alert::notification::{Action, Notification};
use aux_alert::{Channel, Outcome, Queue, Surroundings};
use jiff::Timestamp;
use zbus::{Connection, MatchRule, Message};

use crate::agent::{Agent, AgentError, has_owner, listen};
use crate::desktop::{self, Seen};
use crate::news::{self, NewsError};
use crate::places::open_queue;
use crate::{memory, open, say};

/// The channel, as the queue remembers deliveries by it.
pub(crate) const CHANNEL: &str = "notification";

/// Another process of the same user is delivering; it is done soon.
const BUSY: Duration = Duration::from_secs(5);

/// Why the loop goes round.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wake {
    /// The agent came, or has something new.
    Agent,
    Session(Seen),
    SystemBusGone,
    SessionBusGone,
}

/// Runs until the session ends.
pub(crate) fn run(folder: &Path) -> Result<(), String> {
    let session = desktop::connect(None)?;
    desktop::take_name(&session)?;
    let agent = Agent::connect(None)?;
    let queue = open_queue(folder)?;
    let (wake, woken) = channel();
    listen_to_session(&session, &wake)?;
    listen_to_agent(&agent, &wake)?;
    let channels: Vec<Box<dyn Channel>> = vec![Box::new(toasts(&session))];
    let mut notifier = Notifier { folder, session, agent, queue, channels, is_agent_absent: false };
    notifier.work(&woken)
}

/// The channel for toasts, with the buttons that are listened to. `default` is a press on the toast itself ("Actions").
pub(crate) fn toasts(session: &Connection) -> Notification {
    let action = |key: &str| Action { key: key.to_owned(), label: "Read more".to_owned() };
    Notification::over(CHANNEL, session).with_actions(vec![action("default"), action("more")])
}

/// Delivers what is due.
pub(crate) fn deliver(queue: &mut Queue, channels: &mut [Box<dyn Channel>]) -> Result<Outcome, String> {
    // The standard library seeds its hashes with the machine's randomness; jitter needs no better.
    let random = || RandomState::new().build_hasher().finish();
    let world = Surroundings { now: &Timestamp::now, random: &random };
    let outcome = queue.deliver(channels, &world).map_err(|error| error.to_string())?;
    queue.forget_settled(Timestamp::now()).map_err(|error| error.to_string())?;
    Ok(outcome)
}

struct Notifier<'a> {
    folder: &'a Path,
    session: Connection,
    agent: Agent,
    queue: Queue,
    channels: Vec<Box<dyn Channel>>,
    /// That it is absent is said once.
    is_agent_absent: bool,
}

impl Notifier<'_> {
    fn work(&mut self, woken: &Receiver<Wake>) -> Result<(), String> {
        let mut wakes = vec![Wake::Agent];
        let mut is_ready = false;
        loop {
            for wake in &wakes {
                match wake {
                    Wake::Session(seen) => self.see(seen)?,
                    Wake::SystemBusGone => return Err("the system bus is gone, and the agent with it".to_owned()),
                    // The session has ended, and this with it.
                    Wake::SessionBusGone => return Ok(()),
                    Wake::Agent => {}
                }
            }
            if wakes.contains(&Wake::Agent) {
                self.fetch()?;
            }
            let wait = self.show()?;
            memory::give_back();
            if !is_ready {
                is_ready = true;
                say::note("ready");
            }
            let first = match wait {
                Some(wait) => woken.recv_timeout(wait),
                None => woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            if first == Err(RecvTimeoutError::Disconnected) {
                return Err("nothing is left to wait for".to_owned());
            }
            wakes = first.into_iter().chain(woken.try_iter()).collect();
        }
    }

    /// Brings what is new into the queue. An agent that is away says so when it is back.
    fn fetch(&mut self) -> Result<(), String> {
        match news::fetch(&self.agent, &mut self.queue, |reason| say::warn(&reason)) {
            Ok(()) => self.is_agent_absent = false,
            Err(NewsError::Agent(error @ AgentError::Absent)) => {
                if !self.is_agent_absent {
                    say::note(&format!("{error}; waiting for it"));
                }
                self.is_agent_absent = true;
            }
            Err(NewsError::Agent(error)) => say::warn(&error.to_string()),
            Err(NewsError::Queue(error)) => return Err(error.to_string()),
        }
        Ok(())
    }

    /// Shows what waits; how long to wait before the next attempt, where one failed and nobody will say when to try again.
    fn show(&mut self) -> Result<Option<Duration>, String> {
        let outcome = deliver(&mut self.queue, &mut self.channels)?;
        if outcome.is_busy {
            return Ok(Some(BUSY));
        }
        for error in outcome.attempts.iter().filter_map(|attempt| attempt.result.as_ref().err()) {
            say::warn(&format!("alerts wait: {error}"));
        }
        let Some(next) = outcome.next_at else { return Ok(None) };
        if !desktop::has_server(&self.session) {
            // The bus says when there is one.
            return Ok(None);
        }
        let wait = Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or_default();
        Ok(Some(wait.max(Duration::from_secs(1))))
    }

    fn see(&mut self, seen: &Seen) -> Result<(), String> {
        let words = |error: aux_alert::QueueError| error.to_string();
        match seen {
            Seen::Server { is_here: true } => self.queue.hurry(CHANNEL, Timestamp::now()).map_err(words)?,
            Seen::Server { is_here: false } => {}
            Seen::Invoked { receipt } => {
                for receipt in both(receipt) {
                    let events = self.queue.confirmed_by(CHANNEL, &receipt).map_err(words)?;
                    open::open(&self.session, &events, self.folder);
                }
            }
            Seen::Closed { receipt } => {
                for receipt in both(receipt) {
                    self.queue.forget_receipt(CHANNEL, &receipt).map_err(words)?;
                }
            }
        }
        Ok(())
    }
}

/// A toast is of one event or of many, which a signal does not say.
fn both(receipt: &str) -> [String; 2] {
    [receipt.to_owned(), aux_alert::notification::summary_receipt(receipt)]
}

fn listen_to_agent(agent: &Agent, wake: &Sender<Wake>) -> Result<(), String> {
    let rules = Agent::rules().map_err(|error| error.to_string())?;
    let meaning = |message: &Message| {
        let header = message.header();
        let is_owner = header.member().is_some_and(|member| member.as_str() == "NameOwnerChanged");
        (!is_owner || has_owner(message)).then_some(Wake::Agent)
    };
    spawn(&agent.connection, rules, wake, meaning, Wake::SystemBusGone)
}

fn listen_to_session(session: &Connection, wake: &Sender<Wake>) -> Result<(), String> {
    let rules = desktop::rules().map_err(|error| error.to_string())?;
    let own = session.clone();
    spawn(session, rules, wake, move |message| desktop::seen(&own, message).map(Wake::Session), Wake::SessionBusGone)
}

/// Listens in a thread of its own, which blocks until something comes. Returns once the bus knows what is wanted, so that
/// nothing that happens from then on is missed.
fn spawn(
    connection: &Connection,
    rules: Vec<MatchRule<'static>>,
    wake: &Sender<Wake>,
    meaning: impl Fn(&Message) -> Option<Wake> + Send + 'static,
    gone: Wake,
) -> Result<(), String> {
    let (connection, wake, (ready, subscribed)) = (connection.clone(), wake.clone(), channel());
    thread::spawn(move || {
        let each = |message: &Message| {
            // Nobody listens where the notifier itself ends.
            meaning(message).map(|meant| wake.send(meant));
        };
        let done = ready.clone();
        let subscribed = move || {
            done.send(Ok(())).ok();
        };
        if let Err(error) = listen(&connection, rules, subscribed, each) {
            ready.send(Err(error.to_string())).ok();
        }
        wake.send(gone).ok();
    });
    subscribed.recv().unwrap_or_else(|_| Err("nothing listens".to_owned()))
}
