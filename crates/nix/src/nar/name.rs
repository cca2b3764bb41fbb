//! Names of entries: what may be one, and in which order they come.

use aux_core::limits::NAR_NAME_BYTES_MAX;
use std::cmp::Ordering;

/// Why a name is not allowed where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    #[error("is empty")]
    Empty,
    #[error("means another folder")]
    Dots,
    #[error("holds a `/`")]
    Slash,
    #[error("holds a NUL")]
    Nul,
    #[error("is longer than {NAR_NAME_BYTES_MAX} bytes")]
    TooLong,
    #[error("stands twice")]
    Duplicate,
    #[error("comes after a name that sorts behind it")]
    Order,
}

/// Checks a name by itself and against the one before it in its folder, by bytes.
pub(super) fn check(name: &[u8], previous: Option<&[u8]>) -> Result<(), NameProblem> {
    match name {
        b"" => return Err(NameProblem::Empty),
        b"." | b".." => return Err(NameProblem::Dots),
        _ if name.len() > NAR_NAME_BYTES_MAX => return Err(NameProblem::TooLong),
        _ if name.contains(&b'/') => return Err(NameProblem::Slash),
        _ if name.contains(&0) => return Err(NameProblem::Nul),
        _ => {}
    }
    match previous.map(|previous| previous.cmp(name)) {
        None | Some(Ordering::Less) => Ok(()),
        Some(Ordering::Equal) => Err(NameProblem::Duplicate),
        Some(Ordering::Greater) => Err(NameProblem::Order),
    }
}
