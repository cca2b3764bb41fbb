//! `aux cache migrate`: records of a real server go to a real `PostgreSQL` and back.

use crate::cache_server::CacheServer;
use crate::postgres::Postgres;
use crate::world::{World, write};

#[test]
fn records_are_moved_and_what_cannot_be_moved_says_why() {
    let world = World::empty();
    let Some(server) = CacheServer::start(&world) else { return };
    let Some(cluster) = Postgres::new() else { return };
    let said = server.run(&world, &format!("push {} --to staging --root system", server.path));
    assert_eq!(said.code, Some(0), "{}", said.shown());
    let address = cluster.database();
    let (url, path) = (server.url.clone(), world.path("data"));
    let mut transcript = Vec::new();
    let mut run = |command: &str| {
        let typed = command.replace("URL", &address);
        let said = world.run(&format!("cache migrate {typed}"));
        assert!(!said.shown().contains("hunter2"), "{}", said.shown());
        let folder = address.split(['=', '&']).nth(1).unwrap();
        let shown = said.shown().replace(folder, "[SOCKET]").replace(&url, "http://[SERVER]");
        transcript.push(format!("$ aux cache migrate {command}\n{shown}\n"));
    };
    run("data --to-records URL");
    drop(server);
    run("nowhere --to-records URL");
    run("data");
    run("data --to-records postgres://aux:hunter2@localhost/aux");
    run("data --to-records postgres://aux@db.example.org/aux");
    run("data --to-records postgres:///aux?host=/nowhere&user=aux");
    run("data --from-records URL");
    run("data --to-records URL --dry-run --json");
    run("data --to-records URL");
    run("data --to-records URL");
    run("data --from-records URL --dry-run");
    run("data --from-records URL");
    assert!(path.join("cache.sqlite").is_file());
    write(&path.join("cache.sqlite"), b"");
    run("data --to-records URL");
    insta::assert_snapshot!(transcript.concat());
}
