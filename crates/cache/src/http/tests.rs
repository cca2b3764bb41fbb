//! Clients that dawdle and damage that the scrubber finds, under a clock that jumps to the next thing that is waited for.

use std::sync::Arc;
use std::time::Duration;

use aux_core::limits::{CACHE_HEAD_SECONDS_MAX, CACHE_SCRUB_PAUSE_SECONDS, CACHE_STALL_SECONDS_MAX};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, advance};

use super::{Server, serve};
use crate::cache::{Cache, Surroundings};
use crate::objects::Keep;

/// Between two pieces of one who drips.
const DRIP: Duration = Duration::from_secs(10);

struct World {
    listen: std::net::SocketAddr,
    admin: String,
    cache: Arc<Cache>,
    data: tempfile::TempDir,
    _stop: watch::Sender<bool>,
}

impl World {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let surroundings = Surroundings::of_a_test(Keep::Whole);
        let cache = Arc::new(Cache::open(data.path(), surroundings).unwrap());
        let admin = std::fs::read_to_string(cache.admin_token_file()).unwrap().trim().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(serve(listener, Arc::new(Server::new(Arc::clone(&cache))), stopping));
        Self { listen, admin, cache, data, _stop: stop }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.listen).await.unwrap()
    }
}

/// Sends `piece` every ten seconds for as long as the server bears it, at most for `bound`; what the server said at last.
async fn drip(mut client: TcpStream, piece: &[u8], bound: Duration) -> String {
    let mut heard = Vec::new();
    let began = Instant::now();
    while began.elapsed() <= bound && heard.is_empty() {
        // One who was hung up on writes in vain.
        let _in_vain = client.write_all(piece).await;
        advance(DRIP).await;
        for _ in 0..100 {
            yield_now().await;
        }
        let _nothing_yet = client.try_read_buf(&mut heard);
    }
    // By now it has hung up, or is about to: nothing but its own work is waited for, and no clock.
    let _reset = client.read_to_end(&mut heard).await;
    String::from_utf8(heard).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_is_hung_up_on_when_its_time_is_over() {
    let world = World::new().await;
    let mut client = world.connect().await;
    client.write_all(b"GET /-/health HTTP/1.1\r\nX-Drip: ").await.unwrap();
    let bound = Duration::from_secs(CACHE_HEAD_SECONDS_MAX);
    assert_eq!(drip(client, b"x", bound).await, "");
    // One who says nothing at all has no more time.
    assert_eq!(drip(world.connect().await, b"", bound).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stands_still_or_drips_is_refused_in_bounded_time() {
    let world = World::new().await;
    // The beginning of a NAR with one file, each text behind its length and padded to eight bytes.
    let texts = ["nix-archive-1", "(", "type", "regular", "contents"];
    let padded = |text: &str| {
        let length = text.len().next_multiple_of(8);
        [&text.len().to_le_bytes()[..], format!("{text:\0<length$}").as_bytes()].concat()
    };
    let mut nar_began: Vec<u8> = texts.into_iter().flat_map(padded).collect();
    nar_began.extend(50_000_u64.to_le_bytes());
    for (piece, bound) in [(&b""[..], CACHE_STALL_SECONDS_MAX), (b"a few bytes", 2 * CACHE_STALL_SECONDS_MAX)] {
        for (target, began) in [("PUT /staging/nar/x.nar", &nar_began[..]), ("POST /-/api/1/caches", b"{")] {
            let mut client = world.connect().await;
            let head = format!(
                "{target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Length: 60000\r\n\r\n",
                world.admin
            );
            client.write_all(&[head.as_bytes(), began].concat()).await.unwrap();
            let heard = drip(client, piece, Duration::from_secs(bound)).await;
            assert!(heard.starts_with("HTTP/1.1 408 "), "{target}: {heard}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_byte_is_found_before_anybody_asks_for_it() {
    let world = World::new().await;
    let mut writer = aux_nix::nar::Writer::new(Vec::new());
    writer.file(false, 5).unwrap();
    writer.content(b"hello").unwrap();
    writer.end_file().unwrap();
    let nar = writer.finish().unwrap();
    let name = aux_nix::Sha256::of(&nar).nix32();
    let head = format!(
        "PUT /staging/nar/{name}.nar HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        world.admin,
        nar.len()
    );
    let mut client = world.connect().await;
    client.write_all(&[head.as_bytes(), &nar].concat()).await.unwrap();
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 201 "), "{heard}");
    let kept = world.data.path().join("objects").join(&name[..2]).join(format!("{name}.nar"));
    let mut damaged = nar.clone();
    damaged[100] ^= 1;
    aux_io::file::replace(&kept, &damaged).unwrap();
    let found = async |looks: u64| {
        while world.cache.scrub.now().objects < looks {
            advance(Duration::from_secs(CACHE_SCRUB_PAUSE_SECONDS)).await;
            yield_now().await;
        }
        world.cache.scrub.now().damaged.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(found(1).await, [name]);
    aux_io::file::replace(&kept, &nar).unwrap();
    let looked = world.cache.scrub.now().objects;
    // The look that may have begun before the file was whole again does not count.
    assert_eq!(found(looked + 2).await, Vec::<String>::new());
    assert!(world.cache.scrub.now().rounds > 0);
}
