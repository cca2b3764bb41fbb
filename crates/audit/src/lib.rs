//! `audit(&Index, &Inventory, &Policy, now) -> Report`, and every way to write a report down. Pure: same input, same bytes.

pub mod formats;
pub mod report;

pub use report::{FeedFacts, Report, Summary, TargetReport, Verdict, WaiverNote};
