//! From a round to a receiver: each event arrives once, and one that could not be delivered is not lost.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::world::{FIXED, World};

/// A receiver of webhooks: what came, by id, and the status it answers with.
#[derive(Default)]
struct Received {
    status: u16,
    events: Vec<(String, Value)>,
}

fn receiver() -> (String, Arc<Mutex<Received>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let received = Arc::new(Mutex::new(Received { status: 204, events: Vec::new() }));
    let kept = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut id, mut length) = (String::new(), 0);
            for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
                let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
                match name.to_ascii_lowercase().as_str() {
                    "webhook-id" => id = value.to_owned(),
                    "content-length" => length = value.parse().unwrap(),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let mut kept = kept.lock().unwrap();
            if kept.status == 204 {
                kept.events.push((id, serde_json::from_slice(&body).unwrap()));
            }
            let answer = format!("HTTP/1.1 {} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", kept.status);
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    (url, received)
}

#[test]
fn each_event_of_a_round_reaches_a_receiver_once() {
    let world = World::new(1);
    let (url, received) = receiver();
    world.file("aux.toml", &format!("{}\n[alert.webhook.team]\nurl = \"{url}\"\n", world.text("aux.toml")));
    assert_eq!(world.round()["events"].as_array().unwrap().len(), 3);
    world.round();
    let told = |received: &Arc<Mutex<Received>>| received.lock().unwrap().events.clone();
    let first = told(&received);
    assert_eq!(first.len(), 3, "{first:?}");
    assert!(first.iter().all(|(_, body)| body["data"]["event"] == "new"), "{first:?}");
    world.feed(1, FIXED);
    world.round();
    let all = told(&received);
    assert_eq!((all.len(), &all[3].1["data"]["event"]), (4, &"fix_available".into()));
    let mut ids: Vec<&String> = all.iter().map(|(id, _)| id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn what_could_not_be_delivered_waits_and_says_when_it_is_tried_again() {
    let world = World::new(1);
    let (url, received) = receiver();
    received.lock().unwrap().status = 503;
    world.file("aux.toml", &format!("{}\n[alert.webhook.team]\nurl = \"{url}\"\n", world.text("aux.toml")));
    let round = world.round();
    assert!(round["next_delivery"].is_string(), "{round}");
    assert!(round["remarks"].to_string().contains("503"), "{round}");
    assert!(received.lock().unwrap().events.is_empty());
    // Before the back-off is over nothing is sent, and nothing is lost.
    received.lock().unwrap().status = 204;
    let again = world.round();
    assert_eq!(again["next_delivery"], round["next_delivery"]);
    let queue = aux_alert::Queue::open(world.path("state/alerts.sqlite")).unwrap().list(10).unwrap();
    assert_eq!(queue.len(), 3);
}

#[test]
fn without_a_channel_events_wait_for_the_first_one() {
    let world = World::new(1);
    world.round();
    let (url, received) = receiver();
    world.file("aux.toml", &format!("{}\n[alert.webhook.team]\nurl = \"{url}\"\n", world.text("aux.toml")));
    world.round();
    assert_eq!(received.lock().unwrap().events.len(), 3);
}
