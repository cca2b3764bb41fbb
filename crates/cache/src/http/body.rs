//! Bodies of answers: their length is known before the first byte leaves, and a body that cannot be whole is cut off with
//! its connection, so that no client takes it for a short one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::{JoinError, JoinHandle};

use crate::objects::Stored;

/// What follows the head of an answer.
pub(super) enum Body {
    Bytes(Bytes),
    Nar(NarBody),
}

/// A part of a NAR, read in large pieces, one ahead of what is being sent.
pub(super) struct NarBody {
    stored: Arc<Stored>,
    /// Of what is read next.
    position: u64,
    unread: u64,
    /// Not yet handed over.
    unsent: u64,
    /// Read before the head left.
    first: Option<Bytes>,
    piece: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Body {
    pub(super) fn empty() -> Self {
        Self::Bytes(Bytes::new())
    }

    /// `length` bytes from `start`; the caller knows that the NAR has them. The first piece is read, and with it most NARs
    /// altogether, before this returns: what cannot be read then is an answer of its own.
    pub(super) async fn nar(stored: Stored, start: u64, length: u64) -> io::Result<Self> {
        let stored = Arc::new(stored);
        let mut nar = NarBody { stored, position: start, unread: length, unsent: length, first: None, piece: None };
        nar.begin();
        if let Some(piece) = nar.piece.take() {
            nar.first = Some(nar.ended(piece.await)?);
        }
        Ok(Self::Nar(nar))
    }
}

impl NarBody {
    fn begin(&mut self) {
        let (stored, position, unread) = (Arc::clone(&self.stored), self.position, self.unread);
        let read = move || stored.read(position, unread);
        self.piece = (unread > 0).then(|| tokio::task::spawn_blocking(read));
    }

    /// A piece was read, and the next is begun.
    fn ended(&mut self, read: Result<io::Result<Bytes>, JoinError>) -> io::Result<Bytes> {
        let bytes = read.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        self.position = self.position.saturating_add(bytes.len() as u64);
        self.unread = self.unread.saturating_sub(bytes.len() as u64);
        self.begin();
        Ok(bytes)
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let read = match (self.first.take(), &mut self.piece) {
            (Some(first), _) => Ok(first),
            (None, None) => return Poll::Ready(None),
            (None, Some(piece)) => {
                let read = ready!(Pin::new(piece).poll(context));
                self.piece = None;
                self.ended(read)
            }
        };
        match &read {
            Ok(bytes) => self.unsent = self.unsent.saturating_sub(bytes.len() as u64),
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
