//! What a publisher and its clients agree on: how the files of a published feed are called, and what the signed metadata
//! says of them. Its page: `docs/formats/feed-repository.md`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The TUF target that is the whole index, packed with zstd.
pub const INDEX_TARGET: &str = "feed.auxdb.zst";
/// Below the feed's URL: where targets lie. Metadata lies beside it.
pub const TARGETS_FOLDER: &str = "targets";
/// The key under which a target's `custom` part and the timestamp hold what is ours.
pub const CUSTOM: &str = "aux";

/// The TUF target that takes every client at `since` or later to the newest serial.
pub fn delta_target(since: u64) -> String {
    format!("since-{since}.auxdelta")
}

/// What the signed metadata says of the whole index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexNote {
    /// Counts publications from 1.
    pub serial: u64,
    pub built: Timestamp,
    /// The checksum in the index's header, in hexadecimal: what a delta must lead to.
    pub checksum: String,
    /// Unpacked, bytes.
    pub length: u64,
}

/// What the signed metadata says of a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaNote {
    /// The oldest serial it takes.
    pub since: u64,
}

/// What the signed timestamp says beside what TUF wants: when the publisher last vouched for the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimestampNote {
    pub signed: Timestamp,
}
