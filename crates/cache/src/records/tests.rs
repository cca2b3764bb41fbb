//! What the records promise whoever stands on them, for this store and any other.

use std::collections::BTreeSet;

use aux_nix::Sha256;
use jiff::Timestamp;

use super::{Actor, Commit, CommitOutcome, Decision, Place, Records, SpaceRow, Terms, To};
use crate::access::{Right, Token, TokenHash};
use crate::names::{PathHash, UploadName};
use crate::packing::Packing;
use crate::postgres::Postgres;
use crate::receive::Received;

/// Every test below, once for each store.
macro_rules! contract {
    ($($test:ident),* $(,)?) => {
        mod embedded {
            $(#[test] fn $test() { super::$test(&super::World::embedded); })*
        }

        mod shared {
            $(#[test] fn $test() {
                let Some(cluster) = crate::postgres::Postgres::new() else { return };
                super::$test(&|| super::World::shared(&cluster));
            })*
        }
    };
}

contract!(
    a_path_is_committed_once_and_with_all_it_needs,
    every_edition_can_be_gone_back_to_and_a_dry_run_changes_nothing,
    a_withdrawn_path_hides_what_needs_it_in_the_cache_and_its_views,
    an_edition_gone_back_to_brings_no_closure_with_a_hole,
    collection_keeps_exactly_what_a_slow_obvious_walk_would_keep,
    what_was_written_is_read_again_as_it_was,
    what_was_used_of_late_stays_with_all_it_needs,
    editions_are_in_order_and_what_is_young_stays_though_a_clock_goes_back,
);

fn at(second: i64) -> Actor {
    Actor { by: "a test".to_owned(), now: Timestamp::from_second(second).unwrap() }
}

/// Records with a cache and a view of it.
struct World {
    records: Records,
    cache: SpaceRow,
    view: SpaceRow,
    _folder: Option<tempfile::TempDir>,
}

impl World {
    fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(folder.path()).unwrap();
        Self { _folder: Some(folder), ..Self::of(records) }
    }

    fn shared(cluster: &Postgres) -> Self {
        Self::of(Records::connect(&Place::parse(&cluster.database(), None).unwrap()).unwrap())
    }

    fn of(records: Records) -> Self {
        let make = |name: &str, source| {
            let name = crate::names::SpaceName::parse(name).unwrap();
            let (keys, policy) = (Vec::new(), String::new());
            let new = super::NewSpace { name, source, anonymous: false, signs: false, keys, priority: 40, policy };
            records.create_space(&new, &at(0)).unwrap().unwrap()
        };
        let cache = make("cache", None);
        let view = make("view", Some(cache.number));
        Self { records, cache, view, _folder: None }
    }

    /// Puts a NAR and commits a path with it.
    fn push(&self, name: usize, references: &[usize], second: i64) -> CommitOutcome {
        let nar_hash = Sha256::of(&name.to_le_bytes());
        let received = Received {
            nar_hash,
            nar_size: 1,
            packing: Packing::None,
            file_hash: nar_hash,
            file_size: 1,
            kept_hash: nar_hash,
            kept_size: 1,
            listing: String::new(),
        };
        let upload = UploadName::parse(&format!("{name}.nar")).unwrap();
        self.records.put_upload(&self.cache, &upload, &received, &at(second)).unwrap();
        let object = self.records.object(nar_hash).unwrap().unwrap();
        let commit = Commit {
            hash: hash(name),
            base: format!("path-{name}"),
            object,
            narinfo: String::new(),
            signature: None,
            references: references.iter().copied().map(hash).collect(),
        };
        self.records.commit(&self.cache, &commit, &at(second)).unwrap()
    }

    fn number(&self, name: usize) -> i64 {
        self.records.path(self.cache.number, hash(name)).unwrap().unwrap().number
    }

    fn promote(&self, names: &[usize]) -> Option<i64> {
        let decision = Decision {
            number: 0,
            at: Timestamp::UNIX_EPOCH,
            by: String::new(),
            reason: None,
            outcome: "promoted".to_owned(),
            edition: None,
            policy: String::new(),
            feed: None,
            judgements: Vec::new(),
        };
        let signatures: Vec<_> = names.iter().map(|name| (self.number(*name), "k:s".to_owned())).collect();
        self.records.promote(&self.view, &decision, &signatures, &at(50)).unwrap().1
    }

    fn visible(&self, space: &SpaceRow) -> BTreeSet<String> {
        self.records.visible(space).unwrap().into_iter().map(|path| path.base).collect()
    }
}

fn hash(name: usize) -> PathHash {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&name.to_le_bytes());
    PathHash(bytes)
}

fn names(names: &[usize]) -> BTreeSet<String> {
    names.iter().map(|name| format!("path-{name}")).collect()
}

fn a_path_is_committed_once_and_with_all_it_needs(new: &dyn Fn() -> World) {
    let world = new();
    assert_eq!(world.push(2, &[1], 1), CommitOutcome::Dangling(vec![hash(1)]));
    assert!(matches!(world.push(1, &[], 1), CommitOutcome::Committed(_)));
    assert!(matches!(world.push(2, &[1], 1), CommitOutcome::Committed(_)));
    let CommitOutcome::Present(present) = world.push(2, &[], 1) else { panic!() };
    assert_eq!(present.base, "path-2");
    assert_eq!(world.visible(&world.cache), names(&[1, 2]));
    assert_eq!(world.visible(&world.view), names(&[]));
}

fn every_edition_can_be_gone_back_to_and_a_dry_run_changes_nothing(new: &dyn Fn() -> World) {
    let world = new();
    for name in 0..4 {
        world.push(name, &[], 1);
    }
    assert_eq!(world.promote(&[0, 1]), Some(1));
    assert_eq!(world.promote(&[2]), Some(2));
    assert_eq!(world.promote(&[]), None);
    let back = |to, is_dry| world.records.roll_back(&world.view, to, ("", is_dry), &at(60)).unwrap();
    assert_eq!(back(To::Number(9), false), None);
    assert_eq!(back(To::Number(1), true).unwrap().removed, 1);
    assert_eq!(world.visible(&world.view), names(&[0, 1, 2]));
    assert_eq!(back(To::Number(1), false).unwrap().edition, Some(3));
    assert_eq!(world.visible(&world.view), names(&[0, 1]));
    assert_eq!(world.promote(&[3]), Some(4));
    assert_eq!(back(To::Number(2), false).unwrap().edition, Some(5));
    assert_eq!(world.visible(&world.view), names(&[0, 1, 2]));
    assert_eq!(back(To::Number(2), false).unwrap().edition, None, "it is so already");
    back(To::At(Timestamp::from_second(49).unwrap()), false).unwrap();
    assert_eq!(world.visible(&world.view), names(&[]));
    assert_eq!(world.records.editions(world.view.number, 10).unwrap().len(), 6);
}

fn a_withdrawn_path_hides_what_needs_it_in_the_cache_and_its_views(new: &dyn Fn() -> World) {
    let world = new();
    for (name, references) in [(0, &[][..]), (1, &[0]), (2, &[1]), (3, &[])] {
        world.push(name, references, 1);
    }
    world.promote(&[0, 1, 3]);
    let named = |name| (world.number(name), hash(name), "path-0");
    let also = world.records.withdraw(&world.view, named(0), "why", &at(60)).unwrap();
    assert_eq!(also.into_iter().map(|(_, base)| base).collect::<BTreeSet<_>>(), names(&[1]), "2 is not in the view");
    assert_eq!(world.visible(&world.view), names(&[3]));
    assert_eq!(world.visible(&world.cache), names(&[0, 1, 2, 3]));
    world.records.withdraw(&world.cache, named(0), "why", &at(60)).unwrap();
    assert_eq!(world.visible(&world.cache), names(&[3]));
    assert_eq!(world.records.restore(&world.view, (hash(0), "path-0"), "", &at(61)).unwrap().unwrap(), ["path-1"]);
    assert_eq!(world.visible(&world.view), names(&[3]), "its cache hides them still");
    assert_eq!(world.records.restore(&world.cache, (hash(0), "path-0"), "", &at(61)).unwrap().unwrap().len(), 2);
    assert_eq!(world.visible(&world.view), names(&[0, 1, 3]));
    assert_eq!(world.records.restore(&world.view, (hash(0), "path-0"), "", &at(61)).unwrap(), None);
}

fn an_edition_gone_back_to_brings_no_closure_with_a_hole(new: &dyn Fn() -> World) {
    let world = new();
    world.push(0, &[], 1);
    world.push(1, &[0], 1);
    world.promote(&[0]);
    world.promote(&[1]);
    let back = |number| world.records.roll_back(&world.view, To::Number(number), ("", false), &at(60)).unwrap();
    back(1);
    let named = (world.number(0), hash(0), "path-0");
    assert_eq!(world.records.withdraw(&world.view, named, "why", &at(61)).unwrap(), []);
    back(2);
    assert_eq!(world.visible(&world.view), names(&[]));
    let hidden = world.records.withdrawal(&world.view, hash(1)).unwrap().unwrap();
    assert_eq!((hidden.because.as_deref(), &*hidden.reason), (Some("path-0"), "why"));
    assert_eq!(world.records.restore(&world.view, (hash(0), "path-0"), "", &at(62)).unwrap().unwrap(), ["path-1"]);
    assert_eq!(world.visible(&world.view), names(&[0, 1]));
}

/// xorshift: not random at all, which is what a test wants.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

fn collection_keeps_exactly_what_a_slow_obvious_walk_would_keep(new: &dyn Fn() -> World) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..12 {
        let world = new();
        let mut needs: Vec<Vec<usize>> = Vec::new();
        let mut young = BTreeSet::new();
        for name in 0..25 {
            let count = if name == 0 { 0 } else { random.below(4) };
            let references: BTreeSet<usize> = (0..count).map(|_| random.below(name)).collect();
            needs.push(references.into_iter().collect());
            let is_young = random.below(8) == 0;
            assert!(matches!(
                world.push(name, &needs[name], if is_young { 100 } else { 1 }),
                CommitOutcome::Committed(_)
            ));
            young.extend(is_young.then_some(name));
        }
        let (pinned, promoted) = (random.below(25), random.below(25));
        world.records.pin(&world.cache, "pin", world.number(pinned), &at(2)).unwrap();
        world.promote(&[promoted]);
        let mut queue: Vec<usize> = young.into_iter().chain([pinned, promoted]).collect();
        let mut kept = BTreeSet::new();
        while let Some(name) = queue.pop() {
            if kept.insert(name) {
                queue.extend(&needs[name]);
            }
        }
        let kept: Vec<usize> = kept.into_iter().collect();
        let before = Timestamp::from_second(50).unwrap();
        let dry = world.records.collect(Terms::older_than(before, true), &at(60)).unwrap();
        assert_eq!(world.visible(&world.cache).len(), 25);
        let collected = world.records.collect(Terms::older_than(before, false), &at(60)).unwrap();
        assert_eq!(dry, collected);
        assert_eq!(world.visible(&world.cache), names(&kept));
        assert_eq!(collected.objects.len(), 25 - kept.len());
        assert_eq!(world.records.check().unwrap(), Vec::<String>::new());
    }
}

fn editions_are_in_order_and_what_is_young_stays_though_a_clock_goes_back(new: &dyn Fn() -> World) {
    let world = new();
    for name in 0..3 {
        world.push(name, &[], 1_000);
    }
    world.promote(&[0]); // at 50
    let back = |to, second| world.records.roll_back(&world.view, to, ("", false), &at(second)).unwrap().unwrap();
    assert_eq!(back(To::Number(0), 20).edition, Some(2));
    let moments: Vec<i64> =
        world.records.editions(world.view.number, 9).unwrap().iter().map(|edition| edition.at.as_second()).collect();
    assert_eq!(moments, [50, 50], "the second is no older than the first");
    assert_eq!(back(To::At(at(50).now), 60).edition, None, "the last one of a moment counts");
    // Collected by a clock that is far behind: everything is young then, and stays.
    let collected = world.records.collect(Terms::older_than(at(20).now, false), &at(30)).unwrap();
    assert_eq!((collected.paths, world.visible(&world.cache).len()), (0, 3));
}

fn what_was_used_of_late_stays_with_all_it_needs(new: &dyn Fn() -> World) {
    let (world, day) = (new(), 86_400);
    let records = &world.records;
    // 1 needs 0, 3 needs 2; 4 stands alone.
    for (name, needs) in [(0, &[][..]), (1, &[0]), (2, &[]), (3, &[2]), (4, &[])] {
        world.push(name, needs, 10 * day);
    }
    let unused_for = |now: i64, days: i64| {
        let since = Timestamp::from_second((now - days) * day).unwrap();
        Terms { unused_since: Some(since), ..Terms::older_than(at(now * day).now, true) }
    };
    let goes = |terms| records.collect(terms, &at(1)).unwrap().paths;
    assert_eq!(goes(unused_for(200, 90)), 0, "nobody wrote uses down");
    records.begin_uses(at(20 * day).now).unwrap();
    records.begin_uses(at(30 * day).now).unwrap();
    assert_eq!(records.uses_since().unwrap(), Some(at(20 * day).now), "it began once");
    assert_eq!(goes(unused_for(109, 90)), 0, "not for so long");
    assert_eq!(goes(unused_for(110, 90)), 5);
    records.put_uses(&[world.number(1), 7_777], 40).unwrap();
    records.put_uses(&[world.number(1), world.number(4)], 30).unwrap();
    let used = |name| records.used(world.number(name)).unwrap().map(|at| at.as_second() / day);
    assert_eq!([0, 1, 4].map(used), [None, Some(40), Some(30)]);
    assert_eq!([30, 31, 41].map(|day| records.used_since(day).unwrap()), [2, 1, 0]);
    assert_eq!(goes(unused_for(130, 90)), 3, "1 was used on that very day, and needs 0");
    assert_eq!(goes(unused_for(131, 90)), 5);
    assert_eq!(goes(Terms::older_than(at(130 * day).now, true)), 5, "an age alone asks for no use");
    // In order of use: first 2 and 3, then 4, then the rest.
    let by_use = |now: i64| Terms { by_use: true, ..Terms::older_than(at(now * day).now, true) };
    assert_eq!([9, 11, 30, 31, 40, 41].map(|now| goes(by_use(now))), [0, 2, 2, 3, 3, 5]);
    let collected = records.collect(Terms { is_dry: false, ..unused_for(130, 90) }, &at(130 * day)).unwrap();
    assert_eq!((collected.paths, collected.objects.len()), (3, 3));
    assert_eq!(world.visible(&world.cache), names(&[0, 1]));
    assert_eq!(records.used_since(0).unwrap(), 1, "a row goes with its path");
    assert_eq!(records.check().unwrap(), Vec::<String>::new());
}

fn what_was_written_is_read_again_as_it_was(new: &dyn Fn() -> World) {
    let world = new();
    let records = &world.records;
    assert_eq!(records.setting("x").unwrap(), None);
    records.set_setting("x", "1").unwrap();
    records.set_setting("x", "2").unwrap();
    assert_eq!(records.setting("x").unwrap().as_deref(), Some("2"));
    let bytes: Vec<u8> = (0..=255).collect();
    records.put_note(&world.cache, ("log", "a"), b"old", &at(1)).unwrap();
    records.put_note(&world.cache, ("log", "a"), &bytes, &at(2)).unwrap();
    let note = |kind| records.note(world.view.number, Some(world.cache.number), (kind, "a")).unwrap();
    assert_eq!((note("log"), note("realisation")), (Some(bytes), None));
    let token = Token {
        number: 0,
        label: "Zoë's ✓".to_owned(),
        space: Some(world.view.name.clone()),
        rights: vec![Right::Read, Right::Push],
        names: crate::names::Pattern::parse("lib*"),
        created: at(7).now,
        expires: Some(at(9).now),
        revoked: None,
    };
    let made = records.create_token(TokenHash([7; 32]), &token, &at(7)).unwrap();
    assert_eq!(made, Token { number: made.number, ..token });
    assert_eq!(records.tokens().unwrap(), [(TokenHash([7; 32]), made.clone())]);
    assert_eq!(records.revoke_token(made.number + 1, &at(8)).unwrap(), None);
    let revoked = records.revoke_token(made.number, &at(8)).unwrap().unwrap();
    assert_eq!(records.revoke_token(made.number, &at(9)).unwrap().unwrap().revoked, revoked.revoked, "it ended once");
    world.push(1, &[], 1);
    let pin = records.pin(&world.cache, "release", world.number(1), &at(3)).unwrap();
    assert_eq!(records.pins(world.cache.number).unwrap(), std::slice::from_ref(&pin));
    assert_eq!(records.unpin(&world.cache, "release", &at(4)).unwrap(), Some(pin));
    assert_eq!(records.unpin(&world.cache, "release", &at(4)).unwrap(), None);
    let set_up = SpaceRow { anonymous: true, priority: 7, keys: vec!["a:b".to_owned()], ..world.cache.clone() };
    records.change_space(&set_up, &at(5), "text with \0 within").unwrap();
    assert_eq!(records.spaces().unwrap(), [set_up, world.view.clone()]);
    let acts: Vec<String> = records.trail(0, 100).unwrap().into_iter().map(|entry| entry.act).collect();
    let expected = "create,create,put,put,token create,token revoke,token revoke,push,pin,unpin,change";
    assert_eq!(acts.join(","), expected);
    assert_eq!(records.stored().unwrap(), (1, 1));
}
