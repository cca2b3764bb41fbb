//! An image made of packages: fetched, checked, unpacked into one layer, and written down in every form; the same inputs
//! give the same bytes.

mod fetch;
mod layer;
mod oci;
mod package;
mod write;

pub use fetch::{FetchError, fetch};
pub use layer::{Layer, LayerError, layer};
pub use package::{PackageError, Unpacked, unpack};
pub use write::{Image, Parts, WriteError, json_of_changelog, write};
