//! `aux cache migrate`: records of a real server go to a real `PostgreSQL` and back, and NARs to a bucket of a real S3 server.

use crate::cache_server::CacheServer;
use crate::moto::{CREDENTIALS, Moto};
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

#[test]
fn nars_are_carried_to_a_bucket_and_back() {
    let world = World::empty();
    let Some(server) = CacheServer::start(&world) else { return };
    let (Some(store), Some(cluster)) = (Moto::new(), Postgres::new()) else { return };
    let said = server.run(&world, &format!("push {} --to staging --root system", server.path));
    assert_eq!(said.code, Some(0), "{}", said.shown());
    let address = cluster.database();
    aux_io::file::create_private(world.path("s3"), CREDENTIALS).unwrap();
    let mut transcript = Vec::new();
    let mut run = |command: &str| {
        let typed = command.replace("URL", &address).replace("STORE", &store.endpoint());
        let said = world.run(&format!("cache migrate {typed}"));
        assert!(!said.shown().contains("hidden"), "{}", said.shown());
        let folder = address.split(['=', '&']).nth(1).unwrap();
        let shown = said.shown().replace(folder, "[SOCKET]").replace(&store.address, "[STORE]");
        transcript.push(format!("$ aux cache migrate {command}\n{shown}\n"));
    };
    let credentials = "--objects-credentials-file s3 --objects-endpoint STORE";
    drop(server);
    run("data --to-objects s3://bucket/team");
    run("data --to-objects bucket --objects-credentials-file s3");
    run("data --to-objects s3://bucket/team --objects-credentials-file nowhere");
    run(&format!("data --to-objects s3://nobody {credentials}"));
    run(&format!("data --from-objects s3://bucket/team {credentials} --dry-run"));
    run(&format!("data --to-objects s3://bucket/team {credentials} --dry-run"));
    run(&format!("data --to-objects s3://bucket/team {credentials} --json"));
    run(&format!("data --to-objects s3://bucket/team {credentials}"));
    run(&format!("data --to-objects s3://bucket/other {credentials}"));
    run("data --to-records URL");
    run(&format!("data --to-records URL --objects s3://bucket/team {credentials}"));
    run(&format!("data --from-objects s3://bucket/team {credentials} --from-records URL"));
    insta::assert_snapshot!(transcript.concat());
}
