//! Why bytes are not a NAR, with the byte where they are not.

use std::io;

use aux_core::limits::{NAR_DEPTH_MAX, NAR_ENTRIES_MAX, NAR_TARGET_BYTES_MAX};

use super::NameProblem;

/// What is wrong, and where: `offset` counts the bytes of the NAR before it.
#[derive(Debug, thiserror::Error)]
#[error("byte {offset} of the NAR: {problem}")]
pub struct NarError {
    pub offset: u64,
    pub problem: NarProblem,
}

/// What is wrong with a NAR.
#[derive(Debug, thiserror::Error)]
pub enum NarProblem {
    #[error("it does not begin as a NAR of version 1")]
    Magic,
    #[error("it ends in the middle")]
    Truncated,
    #[error("something follows its end")]
    Trailing,
    #[error("the padding is not zero")]
    Padding,
    #[error("there should be {expected}, not `{found}`")]
    Unexpected { expected: &'static str, found: String },
    #[error("the name `{name}` {problem}")]
    Name { name: String, problem: NameProblem },
    #[error("what the link points to is empty or holds a NUL")]
    Target,
    #[error("what the link points to is longer than {NAR_TARGET_BYTES_MAX} bytes")]
    TargetTooLong,
    #[error("folders lie in folders more than {NAR_DEPTH_MAX} deep")]
    TooDeep,
    #[error("there are more than {NAR_ENTRIES_MAX} entries")]
    TooManyEntries,
    #[error("it cannot be read: {0}")]
    Read(io::Error),
}

impl NarError {
    /// The error that [`Content`](super::Content) wrapped for [`io::Read`], or what else went wrong with it.
    pub fn of_read(offset: u64, error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) => Self { offset, problem: NarProblem::of_read(error) },
        }
    }
}

impl NarProblem {
    pub(super) fn of_read(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Truncated } else { Self::Read(error) }
    }
}

impl From<NarError> for io::Error {
    fn from(error: NarError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Why a tree cannot be written as a NAR.
#[derive(Debug, thiserror::Error)]
pub enum NarWriteError {
    #[error("the NAR cannot be written: {0}")]
    Write(#[from] io::Error),
    #[error("the name `{name}` {problem}")]
    Name { name: String, problem: NameProblem },
    #[error("what the link points to is empty, holds a NUL or is longer than {NAR_TARGET_BYTES_MAX} bytes")]
    Target,
    #[error("folders lie in folders more than {NAR_DEPTH_MAX} deep")]
    TooDeep,
    #[error("{what} does not belong here")]
    Misplaced { what: &'static str },
    #[error("a file of {size} bytes was announced, and there are {difference}")]
    Size { size: u64, difference: &'static str },
}
