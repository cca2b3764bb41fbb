//! Killed at any point, the agent tells everything once.

use std::collections::BTreeSet;
use std::process::Stdio;

use crate::world::World;

/// Rounds that are killed; `AUX_KILLS` asks for more.
const KILLS: usize = 40;

#[expect(clippy::disallowed_methods, reason = "how long the storm lasts is asked for from outside")]
pub(crate) fn kills() -> usize {
    std::env::var("AUX_KILLS").ok().and_then(|number| number.parse().ok()).unwrap_or(KILLS)
}

#[test]
fn nothing_is_told_twice_or_lost_however_often_it_is_killed() {
    let world = World::new(1);
    let mut delay: u64 = 0x9e37_79b9;
    let storm = kills();
    let mut killed = 0;
    for number in 1..=storm {
        // Every round has something new to tell, also where the one before was killed.
        world.feed(number, "");
        let mut child = world.command("--once").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // A different number of polls each time; the round takes some thousand of them.
        delay = delay.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut polls = (delay >> 33) % 60_000;
        while polls > 0 && child.try_wait().unwrap().is_none() {
            polls -= 1;
        }
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
    }
    assert!(killed > storm / 10, "only {killed} of {storm} rounds were killed before their end");
    world.round();
    let events = world.events();
    let keys: BTreeSet<_> = events.iter().map(|raised| (raised.event.subject.clone(), raised.event.kind)).collect();
    assert_eq!(keys.len(), events.len(), "something was told twice");
    assert_eq!(keys.len(), 3 * storm, "something was lost");
}
