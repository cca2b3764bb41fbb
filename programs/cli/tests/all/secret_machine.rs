//! Secrets on the machine: as files, all at once, and as credentials of systemd's units over a socket.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, socket};

use crate::corpora::in_ci;
use crate::world::{World, good, skipped};

/// Identities of age that belong to nobody, and their recipients.
pub(crate) const ADMIN: (&str, &str) = (
    "AGE-SECRET-KEY-14QHMRAG5GRPANQ7K65S9JEY4DAZRCDLYHE8QLWUHNUJD623482DS3NTJL8",
    "age1ef6puedulhmdv229aewsxk9t9k8ch7fxmwuz60p3vlrhyhylm95qnsgxg6",
);
pub(crate) const MACHINE: (&str, &str) = (
    "AGE-SECRET-KEY-135ATYNU4T2XS5UKZJJC5GQ3VGWHMD3WFP2GM3SG55AW90K4NL44ST2Z7KJ",
    "age1qck925gz4ppaaz0q682l47yf24nxzjq8mzhj6gd722qfsluzrq3qyynx7w",
);

/// A fleet of one machine, whose secrets belong to whoever runs the test.
pub(crate) fn fleet() -> World {
    let world = World::empty();
    for (name, identity) in [("admin.key", ADMIN.0), ("web1.key", MACHINE.0)] {
        world.file(name, &format!("{identity}\n"));
        fs::set_permissions(world.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    good(&world, &format!("secret init fleet --recipient {} --accept-single-recipient", ADMIN.1));
    good(&world, &format!("secret enroll web1 --repo fleet --recipient {} --identity admin.key", MACHINE.1));
    world
}

pub(crate) fn add(world: &World, name: &str, more: &str) {
    let owner = rustix::process::geteuid().as_raw();
    good(world, &format!("secret add {name} --repo fleet --identity admin.key --owner {owner} {more}"));
    if owner != 0 {
        let path = world.path("fleet/aux-secrets.toml");
        let group = format!("owner = \"{owner}\"\ngroup = \"{}\"", rustix::process::getegid().as_raw());
        let text = fs::read_to_string(&path).unwrap();
        if !text.contains(&group) {
            world.file("fleet/aux-secrets.toml", &text.replace(&format!("owner = \"{owner}\""), &group));
            good(world, "secret rekey --repo fleet --identity admin.key");
        }
    }
}

pub(crate) const INSTALL: &str =
    "secret install --repo fleet --machine web1 --identity web1.key --to secrets --accept-disk";

#[test]
fn secrets_become_files_and_units_are_named() {
    let mut world = fleet();
    add(&world, "db-password", "--type password --unit postgresql.service --file");
    add(&world, "token", "--type hex --unit app.service --unit web.service --file");
    add(&world, "not-a-file", "--type hex --unit app.service");
    add(&world, "licence", "--type envelope --scope machine:web1 --file");
    world.show(INSTALL);
    good(&world, "secret rotate token --repo fleet --identity admin.key");
    world.show(&format!("{INSTALL} --restart --reload web.service"));
    world.show(&format!("{INSTALL} --json"));
    world.show(&INSTALL.replace(" --accept-disk", ""));
    world.show(&INSTALL.replace("web1.key", "none.key"));
    world.show(&INSTALL.replace("--machine web1", "--machine web2"));
    world.show(&INSTALL.replace("--to secrets", "--to web1.key"));
    insta::assert_snapshot!(world.transcript());
    let value = |path: &str| fs::read_to_string(world.path(path)).unwrap();
    let shown = good(&world, "secret show token -m web1 --repo fleet --identity web1.key --output -");
    assert_eq!(value("secrets/current/token"), shown);
    assert!(!world.transcript().contains(&shown) && !world.path("secrets/current/not-a-file").exists());
}

#[test]
fn units_that_were_not_restarted_are_named_again_until_they_are() {
    let world = fleet();
    add(&world, "token", "--type hex --unit app.service --unit web.service --file");
    good(&world, INSTALL);
    good(&world, "secret rotate token --repo fleet --identity admin.key");
    world.file("bin/systemctl", "#!/bin/sh\nprintf '%s\\n' \"$*\" >> called\n");
    fs::set_permissions(world.path("bin/systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
    let install = |path: &str| {
        let mut command = world.command(&format!("{INSTALL} --restart --reload web.service"));
        world.finish(command.env("PATH", path))
    };
    let failed = install("/nonexistent");
    assert!(failed.code == Some(2) && failed.stderr.contains("systemctl: no such program"), "{}", failed.shown());
    // One that restarts nothing forgets nothing.
    assert!(good(&world, INSTALL).contains("systemctl try-restart app.service"));
    let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
    for _ in 0..2 {
        let said = install(&path);
        assert_eq!(said.code, Some(0), "{}", said.shown());
    }
    let called = fs::read_to_string(world.path("called")).unwrap();
    assert_eq!(called, "try-restart -- app.service\ntry-reload-or-restart -- web.service\n");
}

/// A server that is ended with the test.
pub(crate) struct Server(pub(crate) Child);

impl Server {
    fn start(world: &World, arguments: &str) -> (Self, Box<dyn Iterator<Item = String>>) {
        let mut command = world.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        (Self(child), Box::new(BufReader::new(output).lines().map_while(Result::ok)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// As systemd asks: from an abstract address that names the unit and the credential.
pub(crate) fn asked(path: &Path, rest: &str) -> String {
    let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    let name = format!("{:x}/unit/{rest}", std::process::id());
    bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap()).unwrap();
    connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    let mut value = String::new();
    UnixStream::from(socket).read_to_string(&mut value).unwrap();
    value
}

#[test]
fn a_service_reads_its_credential_and_another_gets_none() {
    let world = fleet();
    add(&world, "db-password", "--type password --unit postgresql.service");
    let serve = "secret serve --repo fleet --machine web1 --identity web1.key --json";
    let none = world.run(serve);
    assert!(none.code == Some(2) && none.stderr.contains("no socket to listen on"), "{}", none.shown());
    let (server, mut lines) = Server::start(&world, &format!("{serve} --listen run/cred.sock"));
    let mut next = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap()).unwrap();
    assert_eq!(next()["event"], "ready");
    let path = world.path("run/cred.sock");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let value = good(&world, "secret show db-password -m web1 --repo fleet --identity web1.key --output -");
    assert_eq!(asked(&path, "postgresql.service/db-password"), value);
    let served = next();
    assert_eq!((&served["event"], &served["unit"]), (&"served".into(), &"postgresql.service".into()));
    // Larger than a credential may be, so that systemd does not start the unit.
    assert_eq!(asked(&path, "nginx.service/db-password"), "\0".repeat((1 << 20) + 1));
    let refused = next();
    assert_eq!(
        (&refused["event"], &refused["why"]),
        (&"refused".into(), &"the unit is not one of the secret's units".into())
    );
    assert!(!format!("{served}{refused}").contains(&value));
    // Neither its memory nor its core is anybody else's.
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.0.id())).unwrap();
    assert!(limits.lines().any(|line| line.starts_with("Max core file size        0")), "{limits}");
    let second = world.run(&format!("{serve} --listen run/cred.sock"));
    assert!(second.stderr.contains("somebody listens there"), "{}", second.shown());
    // What a killed one leaves is in nobody's way.
    drop(server);
    let (_again, mut lines) = Server::start(&world, &format!("{serve} --listen run/cred.sock"));
    assert!(lines.next().unwrap().contains("ready"));
    assert_eq!(asked(&path, "postgresql.service/db-password"), value);
    world.file("run/other", "");
    assert!(world.run(&format!("{serve} --listen run/other")).stderr.contains("is there and no socket"));
}

#[test]
fn a_server_reads_nothing_outside_the_folder_that_it_began_with() {
    let world = fleet();
    add(&world, "token", "--type hex --unit app.service");
    let value = good(&world, "secret show token -m web1 --repo fleet --identity web1.key --output -");
    let serve = "secret serve --repo fleet --machine web1 --identity web1.key --json --listen run/cred.sock";
    let (_server, mut lines) = Server::start(&world, serve);
    let mut next = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap()).unwrap();
    let ready = next();
    assert_eq!(ready["calls"], "closed", "{ready}");
    if ready["files"] == "open" {
        assert!(!in_ci(), "{ready}");
        return skipped("this kernel has no landlock, or it is off");
    }
    let asked = || asked(&world.path("run/cred.sock"), "app.service/token");
    // The very same bytes, elsewhere.
    let scope = world.path("fleet/machines/web1/scope.age");
    fs::copy(&scope, world.path("elsewhere")).unwrap();
    fs::remove_file(&scope).unwrap();
    std::os::unix::fs::symlink(world.path("elsewhere"), &scope).unwrap();
    assert_eq!(asked(), value);
    let told = next();
    let why = "fleet/machines/web1/scope.age: cannot be read: Permission denied (os error 13)";
    assert_eq!((&told["event"], &told["why"]), (&"unbelieved".into(), &why.into()));
    assert_eq!(next()["event"], "served");
    // The very same folder, and then another under its path.
    fs::remove_file(&scope).unwrap();
    fs::copy(world.path("elsewhere"), &scope).unwrap();
    assert_eq!((asked(), &next()["event"]), (value.clone(), &"reloaded".into()));
    assert_eq!(next()["event"], "served");
    fs::rename(world.path("fleet"), world.path("before")).unwrap();
    good(
        &world,
        "secret init fleet --recipient RECIPIENT --accept-single-recipient".replace("RECIPIENT", ADMIN.1).as_str(),
    );
    assert_eq!(asked(), value);
    let told = next();
    assert!(told["why"].as_str().unwrap().ends_with("which only a restart can read"), "{told}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "systemd's own program hands the socket over")]
fn a_socket_that_systemd_hands_over_is_served() {
    let world = fleet();
    add(&world, "token", "--type hex --unit app.service");
    let path = world.path("cred.sock");
    let started = std::process::Command::new("systemd-socket-activate")
        .arg("-l")
        .arg(&path)
        .arg(env!("CARGO_BIN_EXE_aux"))
        .args("secret serve --repo fleet --machine web1 --identity web1.key".split(' '))
        .current_dir(world.path(""))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        assert!(!in_ci(), "systemd-socket-activate is not installed");
        return skipped("no systemd-socket-activate; `apt-get install systemd` would bring it");
    };
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let _server = Server(child);
    assert!(lines.any(|line| line.contains("Listening on")));
    let value = good(&world, "secret show token -m web1 --repo fleet --identity web1.key --output -");
    assert_eq!(asked(&path, "app.service/token"), value);
    assert!(lines.any(|line| line == "aux: served token for app.service"));
}
