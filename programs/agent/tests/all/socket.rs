//! The socket: answers, refusals, and callers who mean harm.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::world::World;

fn ask(world: &World, requests: &[&str]) -> Vec<Value> {
    let mut stream = UnixStream::connect(world.path("run/agent.sock")).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut answer = |request: &&str| {
        stream.write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    };
    requests.iter().map(&mut answer).collect()
}

#[test]
fn every_question_is_answered_on_one_line() {
    let world = World::new(1);
    let _daemon = world.daemon(None);
    let answers = ask(
        &world,
        &[
            r#"{"method":"Status"}"#,
            r#"{"method":"ListFindings"}"#,
            r#"{"method":"ListFindings","all":true}"#,
            r#"{"method":"GetPlan"}"#,
            r#"{"method":"ListEvents","after":1}"#,
            r#"{"method":"Refresh"}"#,
        ],
    );
    let schemas: Vec<&str> = answers.iter().map(|answer| answer["schema"].as_str().unwrap()).collect();
    assert_eq!(
        schemas,
        ["aux.status/1", "aux.findings/1", "aux.findings/1", "aux.plan/1", "aux.events/1", "aux.accepted/1"]
    );
    assert_eq!(answers[0]["verdict"], "fail");
    assert_eq!(answers[0]["standing"], "current");
    assert_eq!(answers[1]["systems"][0]["findings"].as_array().unwrap().len(), 3);
    assert_eq!(answers[1]["systems"][0]["findings"][0]["packagekit"], "important");
    assert_eq!(answers[3]["steps"].as_array().unwrap().len(), 3);
    assert_eq!(answers[4]["events"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_no_request_is_refused_and_the_next_is_served() {
    let world = World::new(1);
    let _daemon = world.daemon(None);
    let answers = ask(
        &world,
        &["", "null", "{", r#"{"method":"Delete"}"#, r#"{"method":"Status","x":1}"#, "\u{0}", r#"{"method":"Status"}"#],
    );
    let (last, refused) = answers.split_last().unwrap();
    assert!(refused.iter().all(|answer| answer["schema"] == "aux.error/1"), "{refused:?}");
    assert_eq!(last["schema"], "aux.status/1");
}

#[test]
fn a_request_without_an_end_is_cut_off() {
    let world = World::new(1);
    let _daemon = world.daemon(None);
    let mut stream = UnixStream::connect(world.path("run/agent.sock")).unwrap();
    // The other side stops reading at its bound, and then writing ends with an error.
    drop(stream.write_all(&vec![b'['; 1 << 20]));
    let mut said = String::new();
    drop(stream.read_to_string(&mut said));
    assert!(said.is_empty() || said.contains("AGENT_REQUEST_BYTES_MAX"), "{said}");
    assert_eq!(ask(&world, &[r#"{"method":"Status"}"#])[0]["schema"], "aux.status/1");
}

#[test]
fn callers_who_only_hold_the_line_do_not_keep_others_out_for_ever() {
    let world = World::new(1);
    let _daemon = world.daemon(None);
    let mut held: Vec<UnixStream> =
        (0..16).map(|_| UnixStream::connect(world.path("run/agent.sock")).unwrap()).collect();
    // Each is served, so each answers; the next finds no room and is told so.
    for stream in &mut held {
        stream.write_all(b"{\"method\":\"Status\"}\n").unwrap();
        let mut line = String::new();
        BufReader::new(&*stream).read_line(&mut line).unwrap();
        assert!(line.contains("aux.status/1"));
    }
    let refused = UnixStream::connect(world.path("run/agent.sock")).unwrap();
    let mut line = String::new();
    BufReader::new(&refused).read_line(&mut line).unwrap();
    assert!(line.contains("AGENT_CALLERS_MAX"), "{line}");
}
