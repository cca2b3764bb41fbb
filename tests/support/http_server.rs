//! A small web server on loopback that answers as a test tells it, well or badly.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What a client sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// What to answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Hang up after this many bytes of the body.
    pub(crate) cut_after: Option<usize>,
    /// Wait this long before each byte of the body.
    pub(crate) drip: Option<Duration>,
    /// Repeat the body until the client goes away; then there is no length.
    pub(crate) is_endless: bool,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, body: body.into(), ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &str, value: &(impl ToString + ?Sized)) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Answers conditional requests and ranges for a body with a tag, as a real server does.
    pub(crate) fn file(request: &Received, etag: &str, body: &[u8]) -> Self {
        let header = |name: &str| request.headers.get(name).map(String::as_str);
        if header("if-none-match") == Some(etag) {
            return Self::new(304).header("ETag", etag);
        }
        let start = header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let whole = Self::ok(body).header("ETag", etag).header("Accept-Ranges", "bytes");
        match start.filter(|_| header("if-range").is_none_or(|tag| tag == etag)) {
            None => whole,
            Some(start) if start >= body.len() => {
                Self::new(416).header("Content-Range", &format!("bytes */{}", body.len()))
            }
            Some(start) => {
                let range = format!("bytes {start}-{}/{}", body.len() - 1, body.len());
                Self { status: 206, body: body[start..].to_vec(), ..whole.header("Content-Range", &range) }
            }
        }
    }
}

/// A running server. Dropping it ends it, whatever its clients are doing.
pub(crate) struct HttpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

type Handler = Box<dyn Fn(&Received) -> Answer + Send + Sync>;
/// What stands between the socket and HTTP, such as TLS; `None` where the client was turned away.
type Wrap = Box<dyn Fn(TcpStream) -> Option<Box<dyn Stream>> + Send + Sync>;

pub(crate) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

struct Shared {
    handler: Handler,
    wrap: Wrap,
    requests: Mutex<Vec<Received>>,
    is_stopping: Mutex<bool>,
    stopping: Condvar,
}

impl HttpServer {
    pub(crate) fn start(handler: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with(|stream| Some(Box::new(stream)), handler)
    }

    pub(crate) fn start_with(
        wrap: impl Fn(TcpStream) -> Option<Box<dyn Stream>> + Send + Sync + 'static,
        handler: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            wrap: Box::new(wrap),
            requests: Mutex::default(),
            is_stopping: Mutex::new(false),
            stopping: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if *accepting.is_stopping.lock().unwrap() {
                    break;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, shared, thread: Some(thread) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything asked so far, in order.
    pub(crate) fn requests(&self) -> Vec<Received> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The same, as `GET /path`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        *self.shared.is_stopping.lock().unwrap() = true;
        self.shared.stopping.notify_all();
        // Wakes the thread that waits for connections.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    /// One request a connection; clients go away in the middle, and that is no fault of the test.
    fn serve(&self, stream: TcpStream) {
        let Ok(socket) = stream.try_clone() else { return };
        let Some(mut stream) = (self.wrap)(stream) else { return };
        let Some(request) = read_request(&mut stream) else { return };
        self.requests.lock().unwrap().push(request.clone());
        let answer = (self.handler)(&request);
        if self.send(&mut stream, &answer).is_some() && answer.cut_after.is_none() {
            stream.flush().ok();
        }
        socket.shutdown(Shutdown::Both).ok();
    }

    fn send(&self, stream: &mut dyn Write, answer: &Answer) -> Option<()> {
        let mut head = format!("HTTP/1.1 {} Words\r\nConnection: close\r\n", answer.status);
        for (name, value) in &answer.headers {
            write!(head, "{name}: {value}\r\n").ok()?;
        }
        let sets_length = answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
        if !answer.is_endless && !sets_length && answer.status != 304 {
            write!(head, "Content-Length: {}\r\n", answer.body.len()).ok()?;
        }
        stream.write_all((head + "\r\n").as_bytes()).ok()?;
        let body = answer.body.get(..answer.cut_after.unwrap_or(answer.body.len())).unwrap_or(&answer.body);
        loop {
            match answer.drip {
                None => stream.write_all(body).ok()?,
                Some(pause) => {
                    for byte in body {
                        self.wait(pause)?;
                        stream.write_all(&[*byte]).ok()?;
                        stream.flush().ok()?;
                    }
                }
            }
            if !answer.is_endless || *self.is_stopping.lock().unwrap() {
                return Some(());
            }
        }
    }

    /// `None` where the server is being stopped.
    fn wait(&self, pause: Duration) -> Option<()> {
        let guard = self.is_stopping.lock().unwrap();
        let (is_stopping, _) = self.stopping.wait_timeout_while(guard, pause, |stopping| !*stopping).unwrap();
        (!*is_stopping).then_some(())
    }
}

fn read_request(stream: &mut dyn Read) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let mut request =
        Received { method: words.next()?.to_owned(), path: words.next()?.to_owned(), ..Received::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    if request.headers.contains_key("transfer-encoding") {
        request.body = read_chunked(&mut reader)?;
        return Some(request);
    }
    let length = request.headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// Pieces that each say their length (RFC 9112, section 7.1).
fn read_chunked(reader: &mut dyn BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut piece = vec![0; usize::from_str_radix(line.trim_end(), 16).ok()?];
        let is_last = piece.is_empty();
        reader.read_exact(&mut piece).ok()?;
        reader.read_exact(&mut [0; 2]).ok()?;
        body.extend(piece);
        if is_last {
            return Some(body);
        }
    }
}
