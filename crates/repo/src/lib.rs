//! Git repositories, through the program `git`: fetched into a cache, read at a revision, laid out for evaluation, changed
//! by a commit beside the work tree.
//!
//! Nothing of a repository is run here: no hook, no filter, no submodule, no setting of the user's or the repository's own.

mod change;
mod fetch;
mod git;
mod layout;
mod revision;
mod scratch;
mod target;
mod tree;
mod work_tree;

pub use change::{Change, ChangeError, Head, Objects, Tracked};
pub use fetch::{FetchError, Repository, fetch, fetch_local};
pub use git::{Git, GitError};
pub use layout::{Laid, LayoutError};
pub use revision::Revision;
pub use scratch::Scratch;
pub use target::{Reference, Target, TargetError};
pub use tree::{Entry, EntryKind, TreeError};
pub use work_tree::WorkTree;
