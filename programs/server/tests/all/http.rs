//! A client of a few lines, which shows every byte that came.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}: {}", self.status, self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Sends a request and reads the answer to its end. The length in its head must be that of the body.
pub(crate) fn request(listen: &str, head: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(listen).unwrap();
    let mut text = format!("{head} HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &[name, ": ", value, "\r\n"].concat();
    }
    if !body.is_empty() || !head.starts_with("GET") && !head.starts_with("HEAD") {
        text += &["Content-Length: ", &body.len().to_string(), "\r\n"].concat();
    }
    stream.write_all(text.as_bytes()).unwrap();
    stream.write_all(b"\r\n").unwrap();
    // A server that has heard enough may hang up before the end.
    let _early = stream.write_all(body);
    read(stream, head.starts_with("HEAD"))
}

pub(crate) fn read(stream: TcpStream, is_head: bool) -> Answer {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {line:?}")).parse().unwrap();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = Vec::new();
    // A connection that is reset after the answer has given all of it.
    let _reset = reader.read_to_end(&mut body);
    let answer = Answer { status, headers, body };
    if answer.status == 304 {
        return answer;
    }
    let length: usize = answer.header("content-length").unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap();
    assert!(if is_head { answer.body.is_empty() } else { answer.body.len() == length }, "{:?}", answer.headers);
    answer
}
