//! A real Chromium, driven by the `WebDriver` protocol (W3C recommendation of 2018) and, through it, by the `DevTools`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::corpora::in_ci;

pub(crate) struct Browser {
    driver: Child,
    listen: String,
    session: String,
}

impl Browser {
    /// `None` where there is no Chromium; the test has said so.
    #[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a real peer; a test that skips must say so")]
    pub(crate) fn new(profile: &Path) -> Option<Self> {
        let driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut driver) = driver else {
            assert!(!in_ci(), "chromedriver is not installed");
            eprintln!("skipped: no Chromium; `apt-get install chromium chromium-driver` would bring it");
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.find(|line| line.contains("started successfully on port ")).unwrap();
        let port = line.rsplit(' ').next().unwrap().trim_end_matches('.');
        let mut browser = Self { driver, listen: format!("127.0.0.1:{port}"), session: String::new() };
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let options = json!({ "binary": "/usr/bin/chromium", "args": arguments });
        let wish = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let made = browser.post("session", &json!({ "capabilities": { "alwaysMatch": wish } }));
        browser.session = format!("session/{}", made["sessionId"].as_str().unwrap());
        Some(browser)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, mut answer) = self.exchange("POST", path, &body.to_string());
        assert_eq!(status, 200, "{path} {body}: {answer}");
        answer["value"].take()
    }

    /// A request of its own connection. The driver leaves it open, so that the body ends where its length says.
    fn exchange(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.listen).unwrap();
        let head =
            format!("{method} /{path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n", self.listen, body.len());
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim_end().to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().unwrap(),
                Some(_) => {}
                None if line.is_empty() => break,
                None => status = line.split(' ').nth(1).unwrap().parse().unwrap(),
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).unwrap();
        (status, serde_json::from_slice(&answer).unwrap())
    }

    fn command(&self, name: &str, body: &Value) -> Value {
        self.post(&format!("{}/{name}", self.session), body)
    }

    pub(crate) fn open(&self, url: &str) {
        self.command("url", &json!({ "url": url }));
    }

    /// What an expression is worth in the page.
    pub(crate) fn ask(&self, expression: &str) -> Value {
        self.command("execute/sync", &json!({ "script": format!("return ({expression})"), "args": [] }))
    }

    /// An act of the `DevTools` protocol.
    pub(crate) fn tools(&self, act: &str, parameters: &Value) -> Value {
        self.command("goog/cdp/execute", &json!({ "cmd": act, "params": parameters }))
    }

    pub(crate) fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tools("Emulation.setDeviceMetricsOverride", &size);
    }

    pub(crate) fn prefer(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.tools("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// A picture of the whole page, written to a file; its bytes.
    pub(crate) fn picture(&self, file: &Path) -> Vec<u8> {
        let taken = self.tools("Page.captureScreenshot", &json!({ "captureBeyondViewport": true }));
        let picture = STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        aux_io::file::replace(file, &picture).unwrap();
        picture
    }

    /// Presses a key, by its code of the protocol ("Keyboard actions", 17.4.2); tab is U+E004.
    pub(crate) fn press(&self, key: char) {
        let keys = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        self.command("actions", &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": keys }] }));
    }

    /// What the console heard: refused styles and scripts, failed requests.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", &json!({ "type": "browser" }));
        log.as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Role and name of everything a screen reader meets, in its order.
    pub(crate) fn spoken(&self) -> Vec<(String, String)> {
        self.tools("Accessibility.enable", &json!({}));
        let tree = self.tools("Accessibility.getFullAXTree", &json!({}));
        let text = |node: &Value, key: &str| node[key]["value"].as_str().unwrap_or_default().to_owned();
        let nodes = tree["nodes"].as_array().unwrap().iter();
        nodes.filter(|node| node["ignored"] == false).map(|node| (text(node, "role"), text(node, "name"))).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.exchange("DELETE", &self.session, "");
        }
        let _gone = self.driver.kill();
        let _gone = self.driver.wait();
    }
}
