//! Bodies of requests: read whole with a bound, or handed piece by piece to a thread that may block.

use std::io::{self, Read};
use std::time::Duration;

use aux_core::limits::{
    CACHE_LINGER_BYTES, CACHE_LINGER_SECONDS, CACHE_NAR_SPEED_BYTES_PER_SECOND_MIN, CACHE_SPEED_BYTES_PER_SECOND_MIN,
    CACHE_STALL_SECONDS_MAX,
};
use bytes::{Buf, Bytes};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::failure::Failure;

/// Pieces that may wait for the thread; the client is held back by then.
const PIECES_WAITING: usize = 8;
const STALL: Duration = Duration::from_secs(CACHE_STALL_SECONDS_MAX);

/// All of a body of at most `limit` bytes.
pub(super) async fn whole(mut body: Incoming, limit: usize) -> Result<Vec<u8>, Failure> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Failure::TooLarge);
    }
    let mut bytes = Vec::new();
    let mut speed = Speed::at_least(CACHE_SPEED_BYTES_PER_SECOND_MIN);
    while let Some(frame) = timeout(STALL, body.frame()).await.map_err(|_| Failure::Slow)? {
        let frame = frame.map_err(|_| Failure::malformed("the body ended before its end"))?;
        let Ok(data) = frame.into_data() else { continue };
        if speed.is_too_low(data.len()) {
            return Err(Failure::Slow);
        }
        if bytes.len() + data.len() > limit {
            return Err(Failure::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// The reading end for a thread that may block, and what fills it.
pub(super) fn pieces(body: Incoming) -> (Pieces, impl Future<Output = ()>) {
    let (sender, receiver) = mpsc::channel(PIECES_WAITING);
    (Pieces { receiver, current: Bytes::new(), is_ended: false }, fill(body, sender))
}

async fn fill(mut body: Incoming, sender: mpsc::Sender<Piece>) {
    let mut speed = Speed::at_least(CACHE_NAR_SPEED_BYTES_PER_SECOND_MIN);
    loop {
        let piece = match timeout(STALL, body.frame()).await {
            Err(_) => Piece::Failed(io::ErrorKind::TimedOut),
            Ok(Some(Err(_))) => Piece::Failed(io::ErrorKind::ConnectionReset),
            Ok(None) => Piece::End,
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if speed.is_too_low(data.len()) => Piece::Failed(io::ErrorKind::TimedOut),
                Ok(data) => Piece::Data(data),
                Err(_trailers) => continue,
            },
        };
        let is_last = !matches!(piece, Piece::Data(_));
        // The thread that has heard enough hangs up.
        if sender.send(piece).await.is_err() {
            return drain(body).await;
        }
        if is_last {
            return;
        }
    }
}

/// Reads on for a while. Whoever still sends when the connection is closed is told of that alone (RFC 9112, section 9.6).
async fn drain(mut body: Incoming) {
    let end = Instant::now() + Duration::from_secs(CACHE_LINGER_SECONDS);
    let mut left_bytes = CACHE_LINGER_BYTES;
    while let Ok(Some(Ok(frame))) = timeout_at(end, body.frame()).await {
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        match left_bytes.checked_sub(length) {
            Some(left) => left_bytes = left,
            None => return,
        }
    }
}

/// How fast a body comes, looked at in windows: one that drips would hold its place for ever.
struct Speed {
    /// In a window.
    bytes_min: u64,
    began: Instant,
    bytes: u64,
}

impl Speed {
    fn at_least(bytes_per_second: u64) -> Self {
        Self { bytes_min: bytes_per_second * CACHE_STALL_SECONDS_MAX, began: Instant::now(), bytes: 0 }
    }

    fn is_too_low(&mut self, length: usize) -> bool {
        self.bytes = self.bytes.saturating_add(length as u64);
        if self.began.elapsed() < STALL {
            return false;
        }
        let is_too_low = self.bytes < self.bytes_min;
        (self.began, self.bytes) = (Instant::now(), 0);
        is_too_low
    }
}

enum Piece {
    Data(Bytes),
    Failed(io::ErrorKind),
    End,
}

/// A body, read by blocking. Only a body that came to its end gives an end.
pub(super) struct Pieces {
    receiver: mpsc::Receiver<Piece>,
    current: Bytes,
    is_ended: bool,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.is_ended {
            match self.receiver.blocking_recv() {
                Some(Piece::Data(data)) => self.current = data,
                Some(Piece::End) => self.is_ended = true,
                Some(Piece::Failed(kind)) => return Err(kind.into()),
                // The connection's task is gone, and the body with it.
                None => return Err(io::ErrorKind::ConnectionReset.into()),
            }
        }
        let length = self.current.len().min(buffer.len());
        if let Some(part) = buffer.get_mut(..length) {
            self.current.copy_to_slice(part);
        }
        Ok(length)
    }
}
