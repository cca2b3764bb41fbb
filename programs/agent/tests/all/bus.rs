//! The bus: a private system bus with a real dbus-daemon, PolicyKit's authority played by the test.
#![expect(
    clippy::disallowed_types,
    clippy::too_many_arguments,
    clippy::needless_pass_by_value,
    reason = "the interface macro's own code names a HashMap, and PolicyKit's interface is as it is"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use zbus::{Connection, MessageStream, OwnedVariant, connection, interface};

use crate::peers::peer;
use crate::world::World;

const NAME: &str = "org.auxolotl.Aux1";
const PATH: &str = "/org/auxolotl/Aux1";

type Fields = BTreeMap<String, OwnedVariant>;

/// A dbus-daemon of our own, which ends with the value.
pub(crate) struct Bus {
    child: Child,
    pub(crate) address: String,
}

const CONFIG: &str = r#"<busconfig>
<type>system</type>
<listen>unix:path=SOCKET</listen>
<policy context="default">
<allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="signal"/><allow receive_type="method_return"/>
<allow receive_type="error"/>
</policy>
</busconfig>"#;

impl Bus {
    pub(crate) fn start(world: &World) -> Option<Self> {
        Self::named(world, "bus")
    }

    /// A bus whose socket has a name of its own in the world.
    #[expect(clippy::disallowed_methods, reason = "the real bus is what the agent speaks to")]
    pub(crate) fn named(world: &World, name: &str) -> Option<Self> {
        let program = peer("dbus-daemon", "dbus-daemon")?;
        let file = format!("{name}.conf");
        world.file(&file, &CONFIG.replace("SOCKET", &world.path(name).display().to_string()));
        let mut child = Command::new(program)
            .arg(format!("--config-file={}", world.path(&file).display()))
            .args(["--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Some(Self { child, address: address.trim().to_owned() })
    }

    pub(crate) async fn connect(&self) -> Connection {
        connection::Builder::address(self.address.as_str()).build().await.unwrap()
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// PolicyKit's authority, as far as the agent asks it.
struct Authority {
    allows: Arc<AtomicBool>,
}

#[interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl Authority {
    fn check_authorization(
        &self,
        subject: (String, Fields),
        action: &str,
        #[expect(unused_variables, reason = "part of the interface")] details: BTreeMap<String, String>,
        #[expect(unused_variables, reason = "part of the interface")] flags: u32,
        #[expect(unused_variables, reason = "part of the interface")] cancellation: &str,
    ) -> (bool, bool, BTreeMap<String, String>) {
        let is_ours = subject.0 == "system-bus-name" && action == "org.auxolotl.aux.refresh";
        (is_ours && self.allows.load(Ordering::SeqCst), false, BTreeMap::new())
    }
}

async fn call<B: serde::Serialize + zbus::wire::DynamicType>(
    connection: &Connection,
    method: &str,
    body: &B,
) -> zbus::Result<zbus::Message> {
    connection.call_method(Some(NAME), PATH, Some(NAME), method, body).await
}

/// The next signal of that name.
async fn signal(stream: &mut MessageStream, name: &str) -> zbus::Message {
    loop {
        let message = std::future::poll_fn(|context| {
            match futures_core::Stream::poll_next(std::pin::Pin::new(&mut *stream), context) {
                Poll::Ready(message) => Poll::Ready(message),
                Poll::Pending => Poll::Pending,
            }
        });
        let message = message.await.unwrap().unwrap();
        let is_ours = message.header().member().is_some_and(|member| member.as_str() == name);
        if is_ours {
            return message;
        }
    }
}

async fn listen(connection: &Connection) -> MessageStream {
    let rule = zbus::MatchRule::builder().msg_type(zbus::message::Type::Signal).interface(NAME).build().unwrap();
    MessageStream::for_match_rule(rule, connection, None).await.unwrap()
}

fn word(fields: &Fields, name: &str) -> String {
    fields.get(name).and_then(|value| String::try_from(value.clone()).ok()).unwrap_or_default()
}

#[test]
fn the_interface_is_the_one_that_is_written_down() {
    let world = World::new(1);
    let Some(bus) = Bus::start(&world) else { return };
    let _daemon = world.daemon(Some(&bus.address));
    let xml: String = zbus::block_on(async {
        let connection = bus.connect().await;
        let reply = connection
            .call_method(Some(NAME), PATH, Some("org.freedesktop.DBus.Introspectable"), "Introspect", &())
            .await
            .unwrap();
        reply.body().deserialize().unwrap()
    });
    let start = xml.find("  <interface name=\"org.auxolotl.Aux1\">").unwrap();
    let end = start + xml[start..].find("  </interface>\n").unwrap() + "  </interface>\n".len();
    let written = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/dbus/org.auxolotl.Aux1.xml");
    let promised = std::fs::read_to_string(&written).unwrap_or_default();
    let own = format!("<node>\n{}</node>\n", &xml[start..end]);
    assert!(promised == own, "{} should hold:\n{own}", written.display());
}

#[test]
fn findings_plan_and_events_are_answered_and_a_new_feed_is_signalled() {
    let world = World::new(1);
    let Some(bus) = Bus::start(&world) else { return };
    let _daemon = world.daemon(Some(&bus.address));
    zbus::block_on(async {
        let connection = bus.connect().await;
        let mut changes = listen(&connection).await;
        let reply = call(&connection, "ListFindings", &(false)).await.unwrap();
        let (status, findings): (Fields, Vec<Fields>) = reply.body().deserialize().unwrap();
        assert_eq!((word(&status, "standing"), word(&status, "verdict")), ("current".into(), "fail".into()));
        assert_eq!(findings.len(), 3);
        assert!(findings.iter().all(|finding| word(finding, "packagekit") == "important"));

        world.feed(2, "");
        let last: u64 = signal(&mut changes, "FindingsChanged").await.body().deserialize().unwrap();
        assert_eq!(last, 6);
        let reply = call(&connection, "ListEvents", &(3_u64, 10_u32)).await.unwrap();
        let (_, events): (Fields, Vec<Fields>) = reply.body().deserialize().unwrap();
        assert_eq!(events.len(), 3);
        assert!(events.iter().all(|event| word(event, "event") == "new"));
        let reply = call(&connection, "GetPlan", &()).await.unwrap();
        let (_, steps): (Fields, Vec<Fields>) = reply.body().deserialize().unwrap();
        assert_eq!(steps.len(), 3);

        // A round that somebody else runs is heard of too.
        world.file("names", "zlib-1.2.11\n");
        let _seen = signal(&mut changes, "FindingsChanged").await;
        let reply = call(&connection, "ListFindings", &(false)).await.unwrap();
        let (_, findings): (Fields, Vec<Fields>) = reply.body().deserialize().unwrap();
        assert_eq!(findings.len(), 2);

        // A broken feed makes what was known stale, and never clean.
        world.file("feed.auxdb", "broken");
        let _seen = signal(&mut changes, "FindingsChanged").await;
        let reply = call(&connection, "GetStatus", &()).await.unwrap();
        let status: Fields = reply.body().deserialize().unwrap();
        assert_eq!((word(&status, "standing"), word(&status, "verdict")), ("stale".into(), "unknown".into()));
    });
}

#[test]
fn a_refresh_is_what_policykit_says() {
    let world = World::new(1);
    let Some(bus) = Bus::start(&world) else { return };
    let _daemon = world.daemon(Some(&bus.address));
    let refused = |result: zbus::Result<zbus::Message>| result.unwrap_err().to_string();
    zbus::block_on(async {
        let connection = bus.connect().await;
        let said = refused(call(&connection, "Refresh", &()).await);
        assert!(said.contains("cannot be asked"), "{said}");

        let allows = Arc::new(AtomicBool::new(false));
        let authority = Authority { allows: Arc::clone(&allows) };
        let _authority = connection::Builder::address(bus.address.as_str())
            .name("org.freedesktop.PolicyKit1")
            .serve_at("/org/freedesktop/PolicyKit1/Authority", authority)
            .build()
            .await
            .unwrap();
        let said = refused(call(&connection, "Refresh", &()).await);
        assert!(said.contains("does not allow"), "{said}");

        allows.store(true, Ordering::SeqCst);
        let mut changes = listen(&connection).await;
        call(&connection, "Refresh", &()).await.unwrap();
        let failure: String = signal(&mut changes, "RoundFinished").await.body().deserialize().unwrap();
        assert_eq!(failure, "");
        std::fs::remove_file(world.path("feed.auxdb")).unwrap();
        let failure: String = signal(&mut changes, "RoundFinished").await.body().deserialize().unwrap();
        assert!(failure.contains("feed.auxdb: no such file"), "{failure}");
    });
}
