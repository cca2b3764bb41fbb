//! Bodies of answers: their length is known before the first byte leaves, and a body that cannot be whole is cut off with
//! its connection, so that no client takes it for a short one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use aux_core::limits::CACHE_PIECE_BYTES;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::JoinHandle;

use super::file_piece::FilePiece;

/// What follows the head of an answer.
pub(super) enum Body {
    Bytes(Bytes),
    File(FileBody),
}

/// A part of a file, read in large pieces, one ahead of what is being sent.
pub(super) struct FileBody {
    file: Arc<File>,
    position: u64,
    /// Not yet asked of the disk.
    remaining: u64,
    /// Not yet handed over.
    unsent: u64,
    piece: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Body {
    pub(super) fn empty() -> Self {
        Self::Bytes(Bytes::new())
    }

    /// `length` bytes from `start`; the caller knows that the file has them.
    pub(super) fn file(file: File, start: u64, length: u64) -> Self {
        Self::File(FileBody { file: Arc::new(file), position: start, remaining: length, unsent: length, piece: None })
    }
}

impl FileBody {
    fn begin(&mut self) {
        let length = self.remaining.min(CACHE_PIECE_BYTES as u64);
        let (file, position) = (Arc::clone(&self.file), self.position);
        self.piece = (length > 0).then(|| {
            tokio::task::spawn_blocking(move || {
                read_exact(&file, position, usize::try_from(length).unwrap_or(CACHE_PIECE_BYTES))
            })
        });
        self.position += length;
        self.remaining -= length;
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.piece.is_none() {
            self.begin();
        }
        let Some(piece) = &mut self.piece else { return Poll::Ready(None) };
        let read = ready!(Pin::new(piece).poll(context)).unwrap_or_else(|error| Err(io::Error::other(error)));
        self.piece = None;
        if let Ok(bytes) = &read {
            self.unsent = self.unsent.saturating_sub(bytes.len() as u64);
            self.begin();
        }
        Poll::Ready(Some(read))
    }
}

/// So many bytes of a file. One that is shorter than it was gives an error, and never a shorter piece.
fn read_exact(file: &File, start: u64, length: usize) -> io::Result<Bytes> {
    let mut piece = FilePiece::new(length);
    file.read_exact_at(piece.as_mut(), start)?;
    Ok(Bytes::from_owner(piece))
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::File(file) => file.poll_piece(context).map(|piece| piece.map(|read| read.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::File(file) => file.unsent == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(file) => file.unsent,
        })
    }
}
