//! A cache server as most have it: behind a real nginx that speaks TLS, set up as docs/cache.md says, and named once in aux.toml.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::process::{Command, Stdio};

use crate::cache_server::CacheServer;
use crate::nginx::Nginx;
use crate::world::{Said, World, write};

/// The block of the guide, at another port, with the test's keys and server.
fn guide(port: u16, server: &CacheServer) -> String {
    let guide = include_str!("../../../../docs/cache.md");
    let (_, rest) = guide.split_once("```nginx\n").unwrap();
    let block = rest.split_once("```").unwrap().0;
    let keys = Nginx::tls();
    let pinned = [
        ("443", format!("127.0.0.1:{port}")),
        ("cache.example.org", "localhost".to_owned()),
        ("/etc/ssl/cache.pem", keys.join("server.pem").display().to_string()),
        ("/etc/ssl/cache.key", keys.join("server.key").display().to_string()),
        ("http://127.0.0.1:8180", server.url.clone()),
    ];
    pinned.iter().fold(block.to_owned(), |block, (ours, theirs)| {
        assert!(block.contains(ours), "{ours}");
        block.replace(ours, theirs)
    })
}

/// Names a server in the user's file, with the administrator's token.
fn configure(world: &World, url: &str) {
    let token = world.outside("config/aux/token");
    write(&token, &fs::read(world.path("token")).unwrap());
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!("[cache]\nserver = \"{url}\"\ntoken_file = \"token\"\n");
    write(&world.outside("config/aux/aux.toml"), text.as_bytes());
}

fn run(world: &World, arguments: &str) -> Said {
    let authority = Nginx::tls().join("authority.pem");
    world.finish(world.command(arguments).env("SSL_CERT_FILE", authority))
}

/// A file of so many bytes that do not compress, in the store below `system`.
#[expect(clippy::disallowed_methods, reason = "a real nix adds it")]
fn large(world: &World, bytes: usize) -> String {
    let mut state = 7_u64;
    let content: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    })
    .take(bytes)
    .collect();
    write(&world.path("large"), &content);
    let store = format!("local?root={}", world.path("system").display());
    let mut command = Command::new("nix-store");
    command.args(["--store", &store, "--add"]).arg(world.path("large")).stdin(Stdio::null());
    command.env("HOME", world.outside("home")).env("NIX_CONF_DIR", world.outside("nix")).env_remove("NIX_REMOTE");
    let said = world.finish(&mut command);
    assert_eq!(said.code, Some(0), "{}", said.shown());
    said.stdout.trim().to_owned()
}

#[test]
fn what_is_pushed_through_nginx_as_the_guide_sets_it_up_is_substituted_through_it() {
    let world = World::empty();
    let Some(mut server) = CacheServer::start(&world) else { return };
    let Some(nginx) = Nginx::start(&world.path("nginx"), &|port| guide(port, &server)) else { return };
    let url = format!("https://localhost:{}", nginx.port);
    configure(&world, &url);
    let large = large(&world, 9 << 20);
    let path = server.path.clone();
    for command in [
        "cache create open --view-of staging --anonymous",
        &*format!("cache push {path} {large} --to staging --root system"),
        &format!("cache push {path} {large} --to staging --root system"),
        &format!("cache promote {path} {large} --to open"),
    ] {
        let said = run(&world, command);
        assert_eq!(said.code, Some(0), "{command}: {}", said.shown());
    }
    // What is built is mostly at hand as a link.
    std::os::unix::fs::symlink(&path, world.path("result")).unwrap();
    for (command, code) in [("pin add release result --in staging", 0), ("withdraw result --from open --reason x", 0)] {
        assert_eq!(run(&world, &format!("cache {command}")).code, Some(code), "{command}");
    }
    let said = run(&world, "cache why result --in open");
    assert!(said.code == Some(1) && said.stdout.contains("reason: x"), "{}", said.shown());
    let said = run(&world, "cache restore result --to open --reason y");
    assert_eq!(said.code, Some(0), "{}", said.shown());
    server.url = url;
    for (root, wanted) in [("one", &path), ("two", &large)] {
        server.path.clone_from(wanted);
        let said = server.substitute(&world, "open", root);
        assert_eq!(said.code, Some(0), "{}", said.shown());
        assert!(world.path(root).join(wanted.trim_start_matches('/')).exists());
    }
}

#[test]
fn a_proxy_that_bounds_what_is_sent_is_told_from_the_server() {
    let world = World::empty();
    let Some(server) = CacheServer::start(&world) else { return };
    let block = format!("location / {{ proxy_pass {}; }}", server.url);
    let Some(nginx) =
        Nginx::start(&world.path("nginx"), &|port| format!("server {{ listen 127.0.0.1:{port}; {block} }}"))
    else {
        return;
    };
    configure(&world, &format!("http://127.0.0.1:{}", nginx.port));
    let said = run(&world, &format!("cache push {} --to staging --root system", large(&world, 3 << 20)));
    assert_eq!(said.code, Some(2), "{}", said.shown());
    assert!(
        said.stderr.contains("refused with 413") && said.stderr.contains("client_max_body_size"),
        "{}",
        said.stderr
    );
}

#[test]
fn the_token_of_aux_toml_goes_to_the_server_that_stands_beside_it_and_to_no_other() {
    let world = World::empty();
    let Some(server) = CacheServer::start(&world) else { return };
    assert!(run(&world, "cache views").stderr.contains("which server?"));
    configure(&world, &server.url);
    assert_eq!(run(&world, "cache views").code, Some(0));
    assert_eq!(run(&world, &format!("cache views --server {}/", server.url)).code, Some(0));
    let other = server.url.replace("127.0.0.1", "localhost");
    let said = run(&world, &format!("cache views --server {other}"));
    assert!(said.code == Some(2) && said.stderr.contains("was sent none"), "{}", said.shown());
    assert_eq!(run(&world, &format!("cache views --server {other} --token-file token")).code, Some(0));
    // A checkout has no say in where a token goes, and what it says is not passed over in silence elsewhere.
    world.file("aux.toml", "[cache]\nserver = \"http://127.0.0.1:1\"\n");
    assert_eq!(run(&world, "cache views").code, Some(0));
    let said = run(&world, "config show");
    assert!(said.stderr.contains("[cache] is heeded in the user's file and the system's only"), "{}", said.shown());
}

/// What is damaged on the server's disk, in chunks and whole.
#[test]
fn what_is_damaged_is_named_by_its_path_and_mended_by_a_push() {
    for keep in ["chunks", "whole"] {
        let world = World::empty();
        let Some(server) = CacheServer::start_with(&world, &["--keep", keep]) else { return };
        let large = large(&world, 5 << 20);
        let push = format!("push {large} --to staging --root system");
        assert_eq!(server.run(&world, &push).code, Some(0));
        let file = if keep == "chunks" {
            world.path("data/packs/00000000.pack")
        } else {
            let folder = fs::read_dir(world.path("data/objects")).unwrap().next().unwrap().unwrap().path();
            fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
        };
        let file = fs::OpenOptions::new().write(true).open(file).unwrap();
        file.write_all_at(b"damage", 3_000_000).unwrap();
        let said = server.run(&world, "fsck");
        let path = large.rsplit('/').next().unwrap();
        assert!(
            said.code == Some(1) && said.stdout.contains(&format!("path staging/{path}: its NAR ")),
            "{}",
            said.shown()
        );
        assert!(said.stdout.contains("--repair") && !said.stdout.contains("client"), "{}", said.shown());
        assert!(server.run(&world, &push).stdout.contains("1 of 1 path there already"));
        assert_eq!(server.run(&world, "fsck").code, Some(1), "an ordinary push believes the cache");
        let said = server.run(&world, &format!("{push} --repair"));
        assert!(said.code == Some(0) && said.stdout.contains("sent 1 path"), "{}", said.shown());
        let said = server.run(&world, "fsck");
        assert_eq!(said.code, Some(0), "{keep}: {}", said.shown());
    }
}

#[test]
fn a_view_says_which_cache_takes_the_push_and_a_refusal_of_what_is_not_there_is_told_later() {
    let world = World::empty();
    let Some(server) = CacheServer::start(&world) else { return };
    let base = server.path.rsplit('/').next().unwrap();
    std::os::unix::fs::symlink(&server.path, world.path("result")).unwrap();
    for typed in [base, "result", &server.path] {
        let said = server.run(&world, &format!("push {typed} --to staging --root system --dry-run"));
        assert!(said.code == Some(0) && said.stdout.contains("would send 2 paths"), "{typed}: {}", said.shown());
    }
    let said = server.run(&world, &format!("push {base} --to vetted --root system"));
    let told = said.stderr.contains("vetted is a view of staging, and takes nothing itself");
    assert!(said.code == Some(2) && told && said.stderr.contains("promote"), "{}", said.shown());
    assert_eq!(server.run(&world, &format!("promote {base} --to vetted --reason early")).code, Some(1));
    let said = server.run(&world, &format!("why {base} --in vetted"));
    assert!(said.code == Some(1) && said.stdout.contains("staging does not serve it"), "{}", said.shown());
    write(&world.path("empty"), b"\n");
    fs::set_permissions(world.path("empty"), fs::Permissions::from_mode(0o600)).unwrap();
    for (command, told) in [
        (format!("cache views --server {}", server.url), "wants a token, and was sent none"),
        (format!("cache views --server {} --token-file empty", server.url), "holds no token"),
        (
            format!("cache rollback vetted --to soon --reason x --server {}", server.url),
            "neither the number of an edition",
        ),
        (
            format!("cache token create x --cache vetted --may read --expires soon --server {}", server.url),
            "is no day such as",
        ),
    ] {
        let said = run(&world, &command);
        assert!(said.code == Some(2) && said.stderr.contains(told), "{}", said.shown());
    }
}
