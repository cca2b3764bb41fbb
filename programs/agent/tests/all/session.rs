//! A desktop session for the notifier: a bus of its own, a notification server that writes down what it shows, a portal
//! that writes down what it opens.
#![expect(
    clippy::disallowed_types,
    clippy::used_underscore_binding,
    reason = "the interface macro's own code, and arguments as the specifications have them"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use zbus::object_server::SignalEmitter;
use zbus::{Connection, ObjectPath, OwnedFd, OwnedVariant, connection, interface};

use crate::bus::Bus;
use crate::world::World;

const PATH: &str = "/org/freedesktop/Notifications";
/// What should come, comes long before; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// A toast as `Notify` asked for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    pub(crate) id: u32,
    pub(crate) replaces: u32,
    pub(crate) summary: String,
    pub(crate) actions: Vec<String>,
    pub(crate) urgency: u8,
    pub(crate) tag: String,
}

/// Where a slow server waits for the test to let it go on.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<(bool, Vec<Waker>)>,
}

impl Gate {
    pub(crate) fn close(&self) {
        self.state.lock().unwrap().0 = true;
    }

    pub(crate) fn open(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 = false;
        state.1.drain(..).for_each(Waker::wake);
    }

    async fn pass(&self) {
        std::future::poll_fn(|context| {
            let mut state = self.state.lock().unwrap();
            if !state.0 {
                return Poll::Ready(());
            }
            state.1.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

struct Recorder {
    capabilities: Vec<String>,
    shown: Sender<Shown>,
    last: u32,
    gate: Arc<Gate>,
    /// Says that somebody waits at the gate.
    asked: Sender<()>,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Recorder {
    fn get_capabilities(&self) -> Vec<String> {
        self.capabilities.clone()
    }

    #[expect(clippy::too_many_arguments, reason = "the specification's")]
    async fn notify(
        &mut self,
        _app_name: String,
        replaces: u32,
        _icon: String,
        summary: String,
        _body: String,
        actions: Vec<String>,
        hints: BTreeMap<String, OwnedVariant>,
        _expire_timeout: i32,
    ) -> u32 {
        let urgency = u8::try_from(hints["urgency"].clone()).unwrap();
        let tag = String::try_from(hints["x-dunst-stack-tag"].clone()).unwrap();
        let id = if replaces == 0 { self.last + 1 } else { replaces };
        self.last = self.last.max(id);
        self.asked.send(()).ok();
        self.gate.pass().await;
        self.shown.send(Shown { id, replaces, summary, actions, urgency, tag }).ok();
        id
    }

    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, key: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn notification_closed(emitter: &SignalEmitter<'_>, id: u32, reason: u32) -> zbus::Result<()>;
}

struct Portal {
    opened: Sender<String>,
}

#[interface(name = "org.freedesktop.portal.OpenURI")]
impl Portal {
    #[zbus(name = "OpenURI")]
    fn open_uri(&self, _parent: String, uri: String, _options: BTreeMap<String, OwnedVariant>) -> ObjectPath<'static> {
        self.opened.send(uri).unwrap();
        ObjectPath::from_static_str_unchecked("/request")
    }

    fn open_file(
        &self,
        _parent: String,
        file: OwnedFd,
        _options: BTreeMap<String, OwnedVariant>,
    ) -> ObjectPath<'static> {
        let file = std::fs::File::from(std::os::fd::OwnedFd::from(file));
        self.opened.send(std::io::read_to_string(file).unwrap()).unwrap();
        ObjectPath::from_static_str_unchecked("/request")
    }
}

/// A running notification server.
pub(crate) struct Server {
    connection: Connection,
    shown: Receiver<Shown>,
    asked: Receiver<()>,
    pub(crate) gate: Arc<Gate>,
}

impl Server {
    pub(crate) fn start(bus: &Bus, capabilities: &[&str]) -> Self {
        let ((sender, shown), (asks, asked), gate) = (channel(), channel(), Arc::<Gate>::default());
        let capabilities = capabilities.iter().map(|capability| (*capability).to_owned()).collect();
        let recorder = Recorder { capabilities, shown: sender, last: 0, gate: Arc::clone(&gate), asked: asks };
        let connection = zbus::block_on(async {
            let builder = connection::Builder::address(bus.address.as_str()).name("org.freedesktop.Notifications");
            builder.serve_at(PATH, recorder).build().await.unwrap()
        });
        serve(&connection);
        Self { connection, shown, asked, gate }
    }

    /// The next toast.
    pub(crate) fn next(&self) -> Shown {
        self.shown.recv_timeout(PATIENCE).expect("no toast was shown")
    }

    /// Toasts that were shown and not looked at.
    pub(crate) fn rest(&self) -> Vec<Shown> {
        self.shown.try_iter().collect()
    }

    /// Waits until somebody asks for a toast, shown or not.
    pub(crate) fn wait_until_asked(&self) {
        self.asked.recv_timeout(PATIENCE).expect("nobody asked for a toast");
    }

    pub(crate) fn press(&self, id: u32) {
        let emitter = SignalEmitter::new(&self.connection, PATH).unwrap();
        zbus::block_on(Recorder::action_invoked(&emitter, id, "default")).unwrap();
    }

    pub(crate) fn close(&self, id: u32) {
        let emitter = SignalEmitter::new(&self.connection, PATH).unwrap();
        zbus::block_on(Recorder::notification_closed(&emitter, id, 2)).unwrap();
    }

    pub(crate) fn stop(self) {
        zbus::block_on(self.connection.close()).unwrap();
    }
}

/// Whatever is served by a connection is served while a thread waits for something of the library.
fn serve(connection: &Connection) {
    let connection = connection.clone();
    std::thread::spawn(move || zbus::block_on(connection.closed()));
}

/// A portal on the session's bus; what it is asked to open.
pub(crate) fn portal(bus: &Bus) -> (Connection, Receiver<String>) {
    let (sender, opened) = channel();
    let connection = zbus::block_on(async {
        let builder = connection::Builder::address(bus.address.as_str()).name("org.freedesktop.portal.Desktop");
        builder.serve_at("/org/freedesktop/portal/desktop", Portal { opened: sender }).build().await.unwrap()
    });
    serve(&connection);
    (connection, opened)
}

/// What was opened, once it is.
pub(crate) fn opened(opened: &Receiver<String>) -> String {
    opened.recv_timeout(PATIENCE).expect("nothing was opened")
}

/// The notifier's command line in a world with two buses.
#[expect(clippy::disallowed_methods, reason = "the notifier is tested as it runs, as a process")]
pub(crate) fn command(world: &World, system: &str, session: &str, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aux-notifier"));
    command.args(arguments.split_whitespace()).env_clear().stdin(Stdio::null()).current_dir(world.path(""));
    command.env("DBUS_SYSTEM_BUS_ADDRESS", system).env("DBUS_SESSION_BUS_ADDRESS", session);
    command.env("XDG_STATE_HOME", world.path("home-state")).env("XDG_CONFIG_HOME", world.path("home-config"));
    command
}

/// A running notifier; it is killed with the value.
pub(crate) struct Notifier {
    pub(crate) child: Child,
    log: BufReader<ChildStderr>,
}

impl Notifier {
    /// Starts it, and returns when it has shown what there was to show.
    pub(crate) fn start(world: &World, system: &Bus, session: &Bus) -> Self {
        let mut notifier = Self::launch(world, system, session);
        notifier.wait_for("ready");
        notifier
    }

    /// Starts it, and returns at once.
    pub(crate) fn launch(world: &World, system: &Bus, session: &Bus) -> Self {
        let mut command = command(world, &system.address, &session.address, "");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// Reads its log up to a line that holds this.
    pub(crate) fn wait_for(&mut self, words: &str) {
        let mut said = String::new();
        while !said.contains(words) {
            assert!(self.log.read_line(&mut said).unwrap() > 0, "the notifier ended: {said}");
        }
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().unwrap();
    }
}
