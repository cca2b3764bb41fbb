//! Bodies of answers: their length is known before the first byte leaves, and a body that cannot be whole is cut off with
//! its connection, so that no client takes it for a short one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::objects::Stored;

/// What follows the head of an answer.
pub(super) enum Body {
    Bytes(Bytes),
    Nar(NarBody),
}

/// A part of a NAR, read in large pieces, one ahead of what is being sent.
pub(super) struct NarBody {
    stored: Arc<Stored>,
    position: u64,
    /// Not yet handed over.
    unsent: u64,
    piece: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Body {
    pub(super) fn empty() -> Self {
        Self::Bytes(Bytes::new())
    }

    /// `length` bytes from `start`; the caller knows that the NAR has them.
    pub(super) fn nar(stored: Stored, start: u64, length: u64) -> Self {
        Self::Nar(NarBody { stored: Arc::new(stored), position: start, unsent: length, piece: None })
    }
}

impl NarBody {
    fn begin(&mut self) {
        let (stored, position, unsent) = (Arc::clone(&self.stored), self.position, self.unsent);
        let read = move || stored.read(position, unsent);
        self.piece = (unsent > 0).then(|| tokio::task::spawn_blocking(read));
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.piece.is_none() {
            self.begin();
        }
        let Some(piece) = &mut self.piece else { return Poll::Ready(None) };
        let read = ready!(Pin::new(piece).poll(context)).unwrap_or_else(|error| Err(io::Error::other(error)));
        self.piece = None;
        match &read {
            Ok(bytes) => {
                self.position = self.position.saturating_add(bytes.len() as u64);
                self.unsent = self.unsent.saturating_sub(bytes.len() as u64);
                self.begin();
            }
            // The head said how long it is, so the client knows that what it has is not all.
            Err(error) => tracing::error!("a NAR is cut off while it is sent: {error}"),
        }
        Poll::Ready(Some(read))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Nar(nar) => nar.poll_piece(context).map(|piece| piece.map(|read| read.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Nar(nar) => nar.unsent == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Nar(nar) => nar.unsent,
        })
    }
}
