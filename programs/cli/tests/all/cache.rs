//! `aux cache` against a real server, with a closure that a real Nix made and substitutes again.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use crate::cache_server::CacheServer;
use crate::world::{World, write};

#[test]
fn a_closure_is_pushed_promoted_withdrawn_and_explained() {
    let world = World::empty();
    let Some(server) = CacheServer::start(&world) else { return };
    let path = &server.path;
    let library = "kywcapp5immkh9xvpp13rvwzd42whxb6-library-1.2";
    world.file("policy.toml", "[[rule]]\nname = \"no applications\"\nany = [{ name-not = [\"application-*\"] }]\n");
    world.file("wrong.toml", "[[rule]]\nname = \"x\"\nkyes = []\n");
    let mut transcript = Vec::new();
    for command in [
        &format!("push {path} --to staging --root system --dry-run"),
        &format!("push {path} --to staging --root system --dry-run --json"),
        &format!("push {path} --to staging --root system"),
        &format!("push {path} --to staging --root system"),
        &format!("push {path} --to staging --root system --json"),
        &format!("why {path} --in vetted"),
        &format!("promote {path} --to vetted --dry-run"),
        &format!("promote {path} --to vetted --reason release-7"),
        "views vetted",
        &format!("why {path} --in vetted"),
        &format!("withdraw {library} --from vetted --reason it-lies --dry-run"),
        &format!("withdraw {library} --from vetted --reason it-lies"),
        &format!("why {path} --in vetted"),
        &format!("restore {library} --to vetted --reason it-does-not"),
        "rollback vetted --to 1 --reason a-try --dry-run",
        "token create ci --cache staging --may push --names hello-* --expires 2030-01-01",
        "token list",
        "token revoke t2",
        "create vetted-too --view-of staging --anonymous",
        "create other --signs --anonymous",
        "create other",
        &format!("pin add release {path} --in staging"),
        "pin list --in staging",
        "gc --dry-run",
        "pin remove release --in staging",
        "policy vetted",
        "policy vetted --set policy.toml",
        "policy vetted",
        "policy vetted --set wrong.toml",
        &format!("promote {path} --to vetted-too"),
        "create strict --view-of staging --policy policy.toml",
        &format!("promote {path} --to strict"),
        &format!("promote {path} --to strict --partial"),
        "views vetted",
        "fsck",
    ] {
        let said = server.run(&world, command);
        transcript.push(format!("$ aux cache {command}\n{}\n", server.shown(&said)));
    }
    insta::assert_snapshot!(transcript.concat());
}

#[test]
fn a_policy_is_tried_before_it_is_given() {
    let world = World::empty();
    let Some(server) = CacheServer::start(&world) else { return };
    let path = &server.path;
    world.file("names.toml", "[[rule]]\nname = \"no libraries\"\nany = [{ name-not = [\"library-*\"] }]\n");
    let audit = "[[rule]]\nname = \"no critical\"\nany = [{ audit = \"severity:critical\" }]\n";
    world.file("audit.toml", &format!("{audit}[[rule]]\nname = \"fixed\"\nany = [{{ fixed-output = true }}]\n"));
    world.file("open.toml", "[[rule]]\nname = \"fixed\"\nany = [{ fixed-output = true }]\n");
    world.file("wrong.toml", "[[rule]]\nname = \"x\"\nkyes = []\n");
    let mut transcript = Vec::new();
    for command in [
        &format!("push {path} --to staging --root system"),
        "policy vetted --test open.toml",
        &format!("policy vetted {path} --test open.toml"),
        &format!("policy vetted {path} --test names.toml"),
        &format!("policy vetted {path} --test names.toml --no-closure"),
        &format!("promote {path} --to vetted"),
        "policy vetted --test open.toml",
        "policy vetted --test names.toml",
        "policy vetted --test names.toml --json",
        "policy vetted --test audit.toml",
        "policy vetted --test wrong.toml",
        "policy vetted --test none.toml",
        "policy vetted --test open.toml --set open.toml",
        &format!("policy vetted {path}"),
        "policy staging --test open.toml",
        "policy vetted",
    ] {
        let said = server.run(&world, command);
        transcript.push(format!("$ aux cache {command}\n{}\n", server.shown(&said)));
    }
    insta::assert_snapshot!(transcript.concat());
}

#[test]
fn upstreams_are_given_looked_at_and_taken_away() {
    let world = World::empty();
    let Some(server) = CacheServer::start(&world) else { return };
    let mut transcript = Vec::new();
    let mut run = |command: &str| {
        let said = server.run(&world, command);
        transcript.push(format!("$ aux cache {command}\n{}\n", server.shown(&said)));
    };
    let key = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";
    run("create open --anonymous");
    run(&format!("upstream add near http://127.0.0.1:1/cache --in open --key {key} --priority 1"));
    run(&format!(
        "upstream add nixos https://nixos.example --in open --key {key} --name hello-* --name-not *-unfree-* \
         --redirect https://objects.example --budget 1"
    ));
    run("upstream remove nixos --in open");
    for letter in "abcd".chars() {
        let path = letter.to_string().repeat(32);
        assert!(server.ask(&format!("open/{path}.narinfo")).starts_with("HTTP/1.1 404 "));
    }
    run("upstream list --in open");
    run("upstream list --in staging");
    run(&format!("upstream add near http://127.0.0.1:1/cache --in open --key {key} --json"));
    run(&format!("upstream add secret https://me:secret@nixos.example --in open --key {key}"));
    run("upstream add unsigned https://nixos.example --in open");
    run("upstream add wrong https://nixos.example --in open --key nonsense");
    run(&format!("upstream add patient https://nixos.example --in open --key {key} --budget 5000"));
    run(&format!("upstream add view https://nixos.example --in vetted --key {key}"));
    run("upstream remove nixos --in open");
    // Since the breaker opened a moment has passed, or two.
    let seconds = (0..=30).rev().map(|left| format!("alone for {left} s"));
    let transcript = seconds.fold(transcript.concat(), |text, said| text.replace(&said, "alone for [SECONDS] s"));
    assert!(!transcript.replace("me:secret@", "").contains("secret@"));
    insta::assert_snapshot!(transcript);
}

#[test]
fn what_cannot_be_answered_says_so_and_what_to_do() {
    let world = World::empty();
    let Some(server) = CacheServer::start(&world) else { return };
    let path = &server.path;
    write(&world.path("wrong"), b"aux_wrong");
    write(&world.path("open"), b"aux_wrong");
    std::fs::set_permissions(world.path("wrong"), Permissions::from_mode(0o600)).unwrap();
    std::fs::set_permissions(world.path("open"), Permissions::from_mode(0o644)).unwrap();
    let at = &server.url;
    let mut transcript = Vec::new();
    for command in [
        format!("push {path} --to nowhere --root system --server {at} --token-file token"),
        format!("push {path} --to ../../etc --root system --server {at} --token-file token"),
        format!("push {path} --to vetted --workers 1 --root system --server {at} --token-file token"),
        format!("push {path}x --to staging --root system --server {at} --token-file token"),
        format!("push token --to staging --server {at} --token-file token"),
        format!("push {path} --to staging --root elsewhere --server {at} --token-file token"),
        format!("push {path} --to staging --root system --server {at} --token-file wrong"),
        format!("push {path} --to staging --root system --server {at}"),
        format!("views --server {at} --token-file open"),
        format!("views --server {at} --token-file none"),
        format!("views --server {at}/staging --token-file token"),
        "views --server http://127.0.0.1:1 --token-file token".to_owned(),
        "views --server http://cache.example --token-file token".to_owned(),
        "views --server cache.example --token-file token".to_owned(),
        format!("views nothing --server {at} --token-file token"),
        format!("why hello --in vetted --server {at} --token-file token"),
        format!("promote {path} --to vetted --server {at} --token-file token"),
        format!("create x --key nonsense --server {at} --token-file token"),
        format!("create v --view-of nothing --server {at} --token-file token"),
        "push --to staging".to_owned(),
    ] {
        let said = world.run(&format!("cache {command}"));
        assert_ne!(said.code, Some(0), "{command}");
        assert!(!said.shown().contains("aux_wrong"));
        let command = command.replace(at.as_str(), "http://[SERVER]");
        transcript.push(format!("$ aux cache {command}\n{}\n", server.shown(&said)));
    }
    insta::assert_snapshot!(transcript.concat());
}

#[test]
fn nix_substitutes_what_was_pushed_and_a_path_that_is_damaged_is_not_pushed() {
    let world = World::empty();
    let Some(server) = CacheServer::start(&world) else { return };
    assert_eq!(server.run(&world, "create open --signs --anonymous").code, Some(0));
    let push = format!("push {} --to open --root system --json", server.path);
    let library = world.path("system/nix/store/kywcapp5immkh9xvpp13rvwzd42whxb6-library-1.2");
    let whole = std::fs::read(&library).unwrap();
    std::fs::set_permissions(&library, Permissions::from_mode(0o644)).unwrap();
    write(&library, b"a changed library");
    let said = server.run(&world, &push);
    assert_eq!(said.code, Some(2), "{}", said.shown());
    let failed = said.json()["failed"].as_array().unwrap().len();
    assert_eq!(failed, 2, "the path, and the one that needs it: {}", said.shown());
    assert!(said.stderr.contains("it is damaged"), "{}", said.stderr);
    write(&library, &whole);
    let said = server.run(&world, &push);
    assert_eq!((said.code, said.json()["sent"].as_array().unwrap().len()), (Some(0), 2), "{}", said.shown());
    let said = server.substitute(&world, "open", "second");
    assert_eq!(said.code, Some(0), "{}", said.shown());
    assert_eq!(std::fs::read(world.path("second").join(server.path.trim_start_matches('/'))).unwrap().len(), 61);
}

#[test]
fn a_push_of_a_part_is_gone_on_with() {
    let world = World::empty();
    let Some(server) = CacheServer::start(&world) else { return };
    let library = "/nix/store/kywcapp5immkh9xvpp13rvwzd42whxb6-library-1.2";
    let alone = server.run(&world, &format!("push {} --to staging --root system --no-closure", server.path));
    assert_eq!(alone.code, Some(2), "what it needs is not there: {}", alone.shown());
    let part = server.run(&world, &format!("push {library} --to staging --root system --json"));
    assert_eq!(part.json()["sent"].as_array().unwrap().len(), 1);
    let rest =
        server.run(&world, &format!("push {} --to staging --root system --json --workers 1", server.path)).json();
    assert_eq!((rest["present"].as_u64(), rest["sent"].as_array().unwrap().len()), (Some(1), 1));
}
