//! The notifier, killed at any point, loses nothing; what it shows again has the tag that it had.

use std::collections::{BTreeMap, BTreeSet};

use aux_alert::{DeliveryState, Queue};

use crate::kills::kills;
use crate::notifier::{Machine, QUEUE};
use crate::session::Notifier;

#[test]
fn a_toast_whose_showing_could_not_be_written_down_is_shown_again_with_its_tag() {
    let Some(machine) = Machine::new(0) else { return };
    let (_daemon, server, notifier) = (machine.daemon(), machine.server(), machine.notifier());
    server.gate.close();
    machine.world.feed(1, "");
    server.wait_until_asked();
    drop(notifier);
    server.gate.open();
    let first = server.next();
    let _notifier = machine.notifier();
    let again = server.next();
    assert_eq!((again.summary, again.tag), (first.summary, first.tag));
    assert_eq!(server.rest(), []);
}

#[test]
fn nothing_is_lost_however_often_it_is_killed() {
    let Some(machine) = Machine::new(0) else { return };
    let (_daemon, server) = (machine.daemon(), machine.server());
    let mut delay: u64 = 0x9e37_79b9;
    let storm = kills();
    for number in 1..=storm {
        machine.world.feed(number, "");
        let mut notifier = Notifier::launch(&machine.world, &machine.system, &machine.session);
        delay = delay.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..(delay >> 33) % 160_000 {
            assert!(notifier.child.try_wait().unwrap().is_none(), "it ended by itself");
        }
    }
    machine.world.round();
    let notifier = machine.notifier();
    machine.settle(storm);
    let listed = Queue::open(machine.world.path(QUEUE)).unwrap().list(u32::MAX).unwrap();
    let delivered = |listed: &aux_alert::Listed| {
        listed.deliveries.iter().all(|delivery| matches!(delivery.state, DeliveryState::Delivered { .. }))
    };
    assert!(listed.iter().all(delivered));
    let told: BTreeSet<String> = listed.into_iter().map(|listed| listed.event.advisory).collect();
    let raised: BTreeSet<String> = (1..=storm).map(|number| format!("CVE-2021-{}", 10_000 + number)).collect();
    assert_eq!(told, raised);
    // What was shown more than once was in flight when it was killed, and has one tag.
    let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for shown in server.rest() {
        tags.entry(shown.summary).or_default().push(shown.tag);
    }
    let repeated = tags.values().map(|tags| tags.len() - 1).sum::<usize>();
    assert!(repeated <= storm, "{repeated} repetitions of {storm} kills");
    let single = tags.iter().filter(|(summary, _)| summary.contains("CVE-"));
    assert!(!tags.is_empty());
    for (summary, tags) in single {
        assert!(tags.iter().all(|tag| *tag == tags[0]), "{summary}");
    }
    drop(notifier);
    let _notifier = machine.notifier();
    assert_eq!(server.rest(), []);
}
