//! Every way in which a request can fail, and what the client is told: a status, a word, and nothing of the inside.

use std::sync::Arc;

use aux_io::database::DatabaseError;
use hyper::StatusCode;

use crate::access::AccessError;
use crate::check::OrderError;
use crate::objects::ObjectError;
use crate::promote::PromoteError;
use crate::push::PutError;
use crate::receive::ReceiveError;
use crate::records::RecordsError;
use crate::upstream::{PullError, UpstreamError};

/// A request that failed. `Internal` and `NoSpace` carry what goes to the log alone.
#[derive(Debug)]
pub(super) enum Failure {
    Unauthorized,
    Forbidden,
    NotFound,
    Withdrawn {
        reason: String,
    },
    /// The method is not one of the resource; these are.
    Method {
        allowed: &'static str,
    },
    Malformed {
        detail: String,
    },
    /// Understood and wrong: a word for programs, a sentence about what was sent.
    Refused {
        word: &'static str,
        detail: String,
    },
    Exists {
        detail: String,
    },
    TooLarge,
    Range {
        size: u64,
    },
    Slow,
    Busy,
    /// The database is away; what is in memory is served meanwhile.
    Away {
        detail: String,
    },
    /// No upstream that may have it gave it; these did not answer. To Nix a narinfo is then not there.
    Unanswered {
        silent: Arc<[String]>,
        is_narinfo: bool,
    },
    NoSpace {
        detail: String,
    },
    Internal {
        detail: String,
    },
}

impl Failure {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound | Self::Withdrawn { .. } | Self::Unanswered { is_narinfo: true, .. } => {
                StatusCode::NOT_FOUND
            }
            Self::Unanswered { is_narinfo: false, .. } => StatusCode::BAD_GATEWAY,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
            Self::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Exists { .. } => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Range { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy | Self::Away { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoSpace { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What a program can act on.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Method { .. } => "method",
            Self::Malformed { .. } => "malformed",
            Self::Refused { word, .. } => word,
            Self::Exists { .. } => "exists",
            Self::TooLarge => "too-large",
            Self::Range { .. } => "range",
            Self::Slow => "slow",
            Self::Busy => "busy",
            Self::Away { .. } => "away",
            Self::Unanswered { .. } => "unanswered",
            Self::NoSpace { .. } => "no-space",
            Self::Internal { .. } => "internal",
        }
    }

    /// What the client may read: only of what it sent itself.
    pub(super) fn told(&self) -> Option<&str> {
        match self {
            Self::Malformed { detail } | Self::Refused { detail, .. } | Self::Exists { detail } => Some(detail),
            Self::Withdrawn { reason } => Some(reason),
            Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Method { .. }
            | Self::TooLarge
            | Self::Range { .. }
            | Self::Slow
            | Self::Busy
            | Self::Away { .. }
            | Self::Unanswered { .. }
            | Self::NoSpace { .. }
            | Self::Internal { .. } => None,
        }
    }

    /// What the log is told besides.
    pub(super) fn logged(&self) -> Option<&str> {
        match self {
            Self::Away { detail } | Self::NoSpace { detail } | Self::Internal { detail } => Some(detail),
            _ => self.told(),
        }
    }

    pub(super) fn refused(word: &'static str, detail: impl Into<String>) -> Self {
        Self::Refused { word, detail: detail.into() }
    }

    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::Malformed { detail: detail.into() }
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Unauthorized => Self::Unauthorized,
            AccessError::Forbidden => Self::Forbidden,
        }
    }
}

impl From<RecordsError> for Failure {
    fn from(error: RecordsError) -> Self {
        Self::of_records(&error, error.to_string())
    }
}

impl Failure {
    fn of_database(error: &DatabaseError, detail: String) -> Self {
        match error {
            DatabaseError::Full { .. } => Self::NoSpace { detail },
            DatabaseError::Busy { .. } => {
                tracing::warn!("{detail}");
                Self::Busy
            }
            DatabaseError::Create { .. }
            | DatabaseError::Newer { .. }
            | DatabaseError::Foreign { .. }
            | DatabaseError::Damaged { .. }
            | DatabaseError::ReadOnly { .. }
            | DatabaseError::Migration { .. }
            | DatabaseError::Query { .. } => Self::Internal { detail },
        }
    }

    fn of_records(error: &RecordsError, detail: String) -> Self {
        match error {
            RecordsError::Embedded(error) => Self::of_database(error, detail),
            RecordsError::Full { .. } => Self::NoSpace { detail },
            RecordsError::Busy { .. } => {
                tracing::warn!("{detail}");
                Self::Busy
            }
            RecordsError::Away { .. } => Self::Away { detail },
            RecordsError::Refused { .. }
            | RecordsError::Newer { .. }
            | RecordsError::Foreign { .. }
            | RecordsError::Query { .. }
            | RecordsError::Unreadable { .. } => Self::Internal { detail },
        }
    }
}

impl From<PromoteError> for Failure {
    fn from(error: PromoteError) -> Self {
        let detail = error.to_string();
        match error {
            PromoteError::NoView => Self::refused("no-view", detail),
            PromoteError::Lock(_) => Self::refused("lock", detail),
            PromoteError::Sbom(_) => Self::refused("sbom", detail),
            PromoteError::Name(_) => Self::Forbidden,
            PromoteError::Interrupted => Self::Away { detail },
            PromoteError::Policy(_) | PromoteError::NarInfo(_) => Self::Internal { detail },
            PromoteError::Database(error) => error.into(),
        }
    }
}

impl From<OrderError> for Failure {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Database(error) => error.into(),
            OrderError::Object(error) => error.into(),
        }
    }
}

impl From<ObjectError> for Failure {
    fn from(error: ObjectError) -> Self {
        let detail = error.to_string();
        match error {
            ObjectError::Full { .. } => Self::NoSpace { detail },
            ObjectError::File { .. } => Self::Internal { detail },
            ObjectError::Bucket { .. } => Self::Away { detail },
            ObjectError::Index(error) => (*error).into(),
        }
    }
}

impl From<ReceiveError> for Failure {
    fn from(error: ReceiveError) -> Self {
        let detail = error.to_string();
        match error {
            ReceiveError::Client(cause) if cause.kind() == std::io::ErrorKind::TimedOut => Self::Slow,
            ReceiveError::Client(_) => Self::malformed("the body ended before its end"),
            ReceiveError::Packing(_) => Self::refused("packing", detail),
            ReceiveError::Nar(_) => Self::refused("nar", detail),
            ReceiveError::Reference => Self::refused("reference", detail),
            ReceiveError::TooLarge | ReceiveError::Longer { .. } => Self::TooLarge,
            ReceiveError::Disk(error) => error.into(),
        }
    }
}

impl From<PutError> for Failure {
    fn from(error: PutError) -> Self {
        let detail = error.to_string();
        match error {
            PutError::View => Self::Forbidden,
            PutError::Access(error) => error.into(),
            PutError::Receive(error) => error.into(),
            PutError::NarInfo(_) => Self::refused("narinfo", detail),
            PutError::WrongName | PutError::StoreDirectory { .. } => Self::refused("name", detail),
            PutError::NoUpload(_) => Self::refused("no-upload", detail),
            PutError::Hash { .. } => Self::refused("hash-mismatch", detail),
            PutError::Size { .. } => Self::refused("size-mismatch", detail),
            PutError::OtherPacking { .. } => Self::refused("packing", detail),
            PutError::Dangling { .. } => Self::refused("dangling-reference", detail),
            PutError::Signature(_) => Self::refused("signature", detail),
            PutError::ContentAddress(_) => Self::refused("content-address", detail),
            PutError::Conflict | PutError::Withdrawn { .. } => Self::Exists { detail },
            PutError::Object(error) => error.into(),
            PutError::Database(error) => error.into(),
            PutError::Key(_) | PutError::Url(_) | PutError::Packing(_) | PutError::Lost { .. } => {
                Self::Internal { detail }
            }
        }
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        Self::refused("upstream", error.to_string())
    }
}

impl From<&PullError> for Failure {
    fn from(error: &PullError) -> Self {
        let detail = error.to_string();
        match error {
            PullError::Absent | PullError::Put(PutError::Conflict) => Self::NotFound,
            PullError::Unanswered(silent) => Self::Unanswered { silent: Arc::clone(silent), is_narinfo: false },
            PullError::Put(PutError::Withdrawn { reason }) => Self::Withdrawn { reason: reason.clone() },
            PullError::Put(
                PutError::Object(ObjectError::Full { .. })
                | PutError::Receive(ReceiveError::Disk(ObjectError::Full { .. })),
            ) => Self::NoSpace { detail },
            PullError::Put(PutError::Database(error)) | PullError::Database(error) => Self::of_records(error, detail),
            PullError::Put(_) | PullError::Broken => Self::Internal { detail },
        }
    }
}
