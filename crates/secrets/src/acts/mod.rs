//! What is done with a repository: by those who open the seed ([`Session`]), by those who read ([`View`]), and by anybody ([`check()`]).

mod blast;
mod check;
mod init;
mod lint;
mod prepare;
mod rotate;
mod session;
mod view;

pub use blast::{BlastRadius, BlastStep, blast_radius};
pub use check::{CheckError, CheckReport, CheckRequest, check};
pub use init::{InitRequest, Initiated, init};
pub use lint::{LintFinding, LintReport, lint};
pub use prepare::{Committed, Prepared};
pub use rotate::Rotation;
pub use session::{Session, SessionError};
pub use view::{View, ViewError, allowed_signers};
