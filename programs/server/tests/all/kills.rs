//! Killed at any point under load, the server keeps what it confirmed, and nothing else is visible.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use aux_nix::{Sha256, nix32};
use serde_json::json;

use crate::pushing::Made;
use crate::world::World;

/// Kills in one trial; `AUX_KILLS` asks for more.
const KILLS: u32 = 20;
/// Clients that push at the same time.
const CLIENTS: u32 = 3;

#[expect(clippy::disallowed_methods, reason = "how long the storm lasts is asked for from outside")]
fn kills() -> u32 {
    std::env::var("AUX_KILLS").ok().and_then(|number| number.parse().ok()).unwrap_or(KILLS)
}

/// Pushes, promotes and collects until the server is gone; returns what was confirmed.
fn load(world: &World, token: &str, (round, client): (u32, u32), steps: &AtomicU32) -> Vec<Made> {
    let mut confirmed: Vec<Made> = Vec::new();
    for number in 0_usize.. {
        let mut path = if number % 2 == 0 {
            let text = format!("{round} {client} {number} ").repeat(1_000 * (number % 7) + 1);
            Made::new("load-1.0", &text)
        } else {
            // Goes into chunks, which all that differ by this reference alone have in common.
            let reference = nix32::encode(&Sha256::of(format!("{round} {client} {number}").as_bytes()).0[..20]);
            let store = world.path("store").display().to_string();
            let words = format!("the same for every {} of them ", number % 6).repeat(900);
            Made::new("load-1.0", &format!("{words}{store}/{reference}-needed/bin {words}")).in_zstd()
        };
        if let Some(last) = confirmed.last() {
            path = path.needs(last);
        }
        let narinfo = path.narinfo(world);
        let act = std::panic::catch_unwind(|| {
            let put = path.put_nar(world, token).status == 201;
            steps.fetch_add(1, Ordering::Relaxed);
            let committed = put && path.put_narinfo(world, token, &narinfo).status == 201;
            steps.fetch_add(1, Ordering::Relaxed);
            let wish = json!({ "paths": [path.base] }).to_string();
            if committed && number % 3 == 0 {
                world.ask("POST /-/api/1/views/vetted/promote", &world.admin, wish.as_bytes());
            }
            if number % 5 == 4 {
                world.ask("POST /-/api/1/gc", &world.admin, b"{\"older_than_seconds\": 3600}");
            }
            committed
        });
        match act {
            Ok(true) => confirmed.push(path),
            Ok(false) => {}
            // The connection was refused or broke: the server is gone.
            Err(_) => break,
        }
    }
    confirmed
}

#[test]
fn what_was_confirmed_is_there_and_right_however_often_the_server_is_killed() {
    let mut world = World::new();
    let token = world.token("*", &["push"]);
    let mut random: u64 = 0x9e37_79b9;
    let mut confirmed: Vec<Made> = Vec::new();
    std::panic::set_hook(Box::new(|_| {}));
    for round in 0..kills() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let until = u32::try_from((random >> 33) % 60).unwrap();
        let steps = AtomicU32::new(0);
        let is_killed = AtomicBool::new(false);
        let child = world.take_child();
        let kept = thread::scope(|scope| {
            let (world, token, steps) = (&world, &token, &steps);
            let clients: Vec<_> =
                (0..CLIENTS).map(|client| scope.spawn(move || load(world, token, (round, client), steps))).collect();
            let mut child = child;
            while steps.load(Ordering::Relaxed) < until {
                thread::yield_now();
            }
            child.kill().unwrap();
            child.wait().unwrap();
            is_killed.store(true, Ordering::Relaxed);
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
        });
        confirmed.extend(kept);
        world.start(&[]);
    }
    drop(std::panic::take_hook());
    assert!(!confirmed.is_empty());
    for path in &confirmed {
        let narinfo = world.ask(&format!("GET /staging/{}.narinfo", path.hash), &token, b"");
        assert_eq!(narinfo.status, 200, "{} was confirmed", path.base);
        let nar = world.ask(&format!("GET /staging/{}", path.nar_url()), &token, b"");
        assert_eq!((nar.status, Sha256::of(&path.unpacked(&nar.body))), (200, Sha256::of(&path.nar)));
    }
    let checked = world.api("POST", "fsck", &json!({}));
    assert_eq!(checked["clean"], true, "{checked}");
    let collected = world.api("POST", "gc", &json!({ "older_than_seconds": 0 }));
    assert_eq!(collected["dry_run"], false);
    let checked = world.api("POST", "fsck", &json!({}));
    assert_eq!((&checked["clean"], &checked["leftovers"]), (&json!(true), &json!(0)), "{checked}");
}
