//! Commands that write secrets, killed at random moments between their first write and their last: what is found is the state
//! before or the one after, whole, and never something of both.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::world::{World, good};

/// Kills of one command; `AUX_KILLS` asks for more.
const KILLS: usize = 20;
/// Tries for one kill between the writes: a process that was quicker is not counted.
const TRIES: usize = 40;
const MACHINES: usize = 12;
const FILES: usize = 30;

const ADMIN: (&str, &str) = (
    "AGE-SECRET-KEY-14QHMRAG5GRPANQ7K65S9JEY4DAZRCDLYHE8QLWUHNUJD623482DS3NTJL8",
    "age1ef6puedulhmdv229aewsxk9t9k8ch7fxmwuz60p3vlrhyhylm95qnsgxg6",
);
const MACHINE: (&str, &str) = (
    "AGE-SECRET-KEY-135ATYNU4T2XS5UKZJJC5GQ3VGWHMD3WFP2GM3SG55AW90K4NL44ST2Z7KJ",
    "age1qck925gz4ppaaz0q682l47yf24nxzjq8mzhj6gd722qfsluzrq3qyynx7w",
);

#[expect(clippy::disallowed_methods, reason = "how many kills there are is asked for from outside")]
fn kills() -> usize {
    std::env::var("AUX_KILLS").ok().and_then(|number| number.parse().ok()).unwrap_or(KILLS)
}

/// A dozen machines of one group, whose secrets are files and belong to whoever runs the test.
fn fleet() -> World {
    let world = World::empty();
    world.file("admin.key", ADMIN.0).file("web1.key", MACHINE.0);
    good(&world, &format!("secret init fleet --recipient {} --accept-single-recipient", ADMIN.1));
    let mut text = fs::read_to_string(world.path("fleet/aux-secrets.toml")).unwrap() + "\n[groups.web]\n";
    for machine in 1..=MACHINES {
        let _ = write!(text, "\n[machines.web{machine}]\ngroups = [\"web\"]\nrecipients = [\"{}\"]\n", MACHINE.1);
    }
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let rest = format!("file = true\nowner = \"{user}\"\ngroup = \"{group}\"\n");
    for number in 0..FILES {
        let scope = if number % 2 == 0 { "machine" } else { "group:web" };
        let _ = write!(text, "\n[secrets.file-{number}]\ntype = \"hex\"\nscope = \"{scope}\"\n{rest}");
    }
    for name in ["api-key", "licence"] {
        let _ = write!(text, "\n[secrets.{name}]\ntype = \"envelope\"\nscope = \"group:web\"\n{rest}");
    }
    world.file("fleet/aux-secrets.toml", &text);
    good(&world, "secret rekey --yes --repo fleet --identity admin.key");
    for name in ["api-key", "licence"] {
        let said = world.run_with(&format!("secret set {name} --repo fleet --identity admin.key"), name.as_bytes());
        assert_eq!(said.code, Some(0), "{}", said.shown());
    }
    world
}

fn copy(from: &Path, to: &Path) {
    fs::remove_dir_all(to).ok();
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path()).unwrap(), target).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn install(fleet: &str, to: &str) -> String {
    format!("secret install --repo {fleet} --machine web1 --identity web1.key --to {to} --accept-disk")
}

/// Every value that the machine reads, by its name.
type Values = BTreeMap<String, Vec<u8>>;

fn installed(world: &World, to: &str) -> Values {
    let entries = fs::read_dir(world.path(to).join("current")).unwrap().map(Result::unwrap);
    let files = entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
    files.filter(|(name, _)| !name.starts_with('.')).collect()
}

/// The same, read from a repository.
fn values(world: &World, fleet: &str) -> Values {
    fs::remove_dir_all(world.path("read")).ok();
    good(world, &install(fleet, "read"));
    let values = installed(world, "read");
    assert_eq!(values.len(), FILES + 2);
    values
}

/// Numbers that look random, and are the same in each run; the moments of kills are not.
struct Numbers(u64);

impl Numbers {
    /// Of a duration, a part.
    fn part(&mut self, of: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        of.mul_f64(f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX))
    }
}

/// Where a write is, by what it leaves.
struct Marks<'a> {
    /// What the first write makes.
    begun: &'a dyn Fn() -> bool,
    /// It is there and the last write was not done.
    is_between: &'a dyn Fn() -> bool,
}

/// Runs a command and kills it so long after its first write; `None` waits for its end, and tells how long that took.
fn killed(world: &World, arguments: &str, marks: &Marks<'_>, after: Option<Duration>) -> Duration {
    let mut child = world.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !(marks.begun)() {
        if child.try_wait().unwrap().is_some() {
            return Duration::ZERO;
        }
        std::hint::spin_loop();
    }
    let begun = Instant::now();
    match after {
        Some(after) => {
            while begun.elapsed() < after {
                std::hint::spin_loop();
            }
            child.kill().unwrap();
        }
        None => {
            while (marks.is_between)() {
                std::hint::spin_loop();
            }
        }
    }
    let lasted = begun.elapsed();
    let status = child.wait().unwrap();
    assert!(after.is_some() || status.success());
    lasted
}

/// How long the writes of a command take when nobody kills it: the middle one of three.
fn window(world: &World, prepare: &dyn Fn(), arguments: &str, marks: &Marks<'_>) -> Duration {
    let mut all = [0; 3].map(|_| {
        prepare();
        killed(world, arguments, marks, None)
    });
    all.sort();
    all[1]
}

#[expect(clippy::print_stderr, reason = "where the kills landed is shown")]
fn show(command: &str, window: Duration, landed: &BTreeMap<(usize, String), usize>) {
    let mut text = format!("{command}: {} kills in a window of {window:.1?}\n", landed.values().sum::<usize>());
    for ((_, step), count) in landed {
        let _ = writeln!(text, "  {step:<28}{count:>5}");
    }
    eprintln!("{text}");
}

/// How far the writing of a repository had come, by what lies there.
fn landing(fleet: &Path) -> Option<(usize, String)> {
    let names: Vec<String> = fs::read_dir(fleet.join(".aux-secrets.next"))
        .ok()?
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let beside = names.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).count();
    if names.iter().any(|name| name == "decided.json") {
        // Counted down: so many are not in place yet.
        return Some((1000 - beside, format!("decided, {beside:>2} not in place")));
    }
    Some((beside, format!("{beside:>2} beside, not decided")))
}

fn storm_on_the_repository(command: &str) {
    let world = fleet();
    let (fleet, kept) = (world.path("fleet"), world.path("kept"));
    copy(&fleet, &kept);
    let before = values(&world, "kept");
    let arguments = format!("secret {command} --repo fleet --identity admin.key");
    good(&world, &arguments);
    let after = values(&world, "fleet");
    assert_eq!(before == after, command.starts_with("rekey"));
    let serial = |folder: &Path| -> serde_json::Value {
        let text = fs::read(folder.join("aux-secrets.json")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()["serial"].clone()
    };
    let next = fleet.join(".aux-secrets.next");
    let marks = Marks { begun: &|| next.exists(), is_between: &|| next.exists() };
    let prepare = || copy(&kept, &fleet);
    let window = window(&world, &prepare, &arguments, &marks);
    let mut numbers = Numbers(7);
    let mut landed = BTreeMap::<(usize, String), usize>::new();
    let mut count = 0;
    for _ in 0..kills() * TRIES {
        prepare();
        killed(&world, &arguments, &marks, Some(numbers.part(window)));
        let Some(place) = landing(&fleet) else { continue };
        let is_new = place.1.starts_with("decided") || serial(&fleet) != serial(&kept);
        *landed.entry(place.clone()).or_default() += 1;
        count += 1;
        // First as one who only reads finds it, and then after the next who writes came by.
        for _ in 0..2 {
            good(&world, "secret check fleet --identity admin.key");
            let found = values(&world, "fleet");
            assert_eq!(&found, if is_new { &after } else { &before }, "killed at {place:?}");
            let said = good(&world, "secret rekey --repo fleet --identity admin.key --json");
            assert!(said.contains("\"files\": []"), "killed at {place:?}: {said}");
        }
        good(&world, "secret rotate file-0 --repo fleet --identity admin.key");
        assert!(!next.exists(), "killed at {place:?}");
        if count == kills() {
            break;
        }
    }
    show(command, window, &landed);
    assert_eq!(count, kills(), "too few kills between the first write and the last");
}

#[test]
fn a_rotation_killed_anywhere_leaves_the_old_values_or_the_new_ones() {
    storm_on_the_repository("rotate --group web");
}

#[test]
fn a_rekey_killed_anywhere_leaves_every_file_as_it_was_signed() {
    storm_on_the_repository("rekey --all");
}

#[test]
fn an_installation_killed_anywhere_leaves_one_generation_whole() {
    let world = fleet();
    copy(&world.path("fleet"), &world.path("next"));
    for rotation in ["--group web", "--machine web1"] {
        good(&world, &format!("secret rotate {rotation} --repo next --identity admin.key"));
    }
    let (before, after) = (values(&world, "fleet"), values(&world, "next"));
    assert!(before.iter().filter(|(name, value)| after[*name] != **value).count() == FILES);
    good(&world, &install("fleet", "kept"));
    let (to, arguments) = (world.path("to"), install("next", "to"));
    let current = || fs::read_link(to.join("current")).unwrap();
    let is_between = || {
        to.join("generation-2").exists() && (current() == Path::new("generation-1") || to.join("generation-1").exists())
    };
    let marks = Marks { begun: &|| to.join("generation-2").exists(), is_between: &is_between };
    let prepare = || copy(&world.path("kept"), &to);
    let window = window(&world, &prepare, &arguments, &marks);
    let mut numbers = Numbers(11);
    let mut landed = BTreeMap::<(usize, String), usize>::new();
    let mut count = 0;
    for _ in 0..kills() * TRIES {
        prepare();
        killed(&world, &arguments, &marks, Some(numbers.part(window)));
        if !is_between() {
            continue;
        }
        let files = |generation: &str| fs::read_dir(to.join(generation)).unwrap().count();
        let is_new = current() == Path::new("generation-2");
        let place = if is_new {
            (1000 - files("generation-1"), format!("switched, {:>2} old ones left", files("generation-1")))
        } else {
            let written = files("generation-2");
            (written, format!("{written:>2} written, not switched"))
        };
        *landed.entry(place.clone()).or_default() += 1;
        count += 1;
        assert_eq!(&installed(&world, "to"), if is_new { &after } else { &before }, "killed at {place:?}");
        // At the next start everything is as it should be, and nothing is left over.
        good(&world, &arguments);
        assert_eq!(installed(&world, "to"), after, "killed at {place:?}");
        let generations =
            fs::read_dir(&to).unwrap().filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir());
        assert_eq!(generations.count(), 1, "killed at {place:?}");
        if count == kills() {
            break;
        }
    }
    show("install", window, &landed);
    assert_eq!(count, kills(), "too few kills between the first write and the last");
}
