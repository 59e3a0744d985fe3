//! The audit journal: who asked for what, and what became of it, in a chain of hashes.
//!
//! *Line*: one JSON object. `seq` counts from 1 without a gap, `prev` is the SHA-256 of the whole
//! line before (without its newline), `sum` ends the line and is the beginning of the SHA-256 of
//! everything before it, so that a changed line is named and not only its successor. *Head*: number
//! and hash of the newest line. The chain has no key: whoever may write the files can write a new
//! chain. It shows changes to those who have kept a head elsewhere; the service logs one at every
//! start and stop, and `tve audit verify --head` asks for it.
//!
//! ```text
//! HTTP handlers, alarm book --record--> queue (bounded) --> thread "audit" --> audit_000000000001.jsonl
//! ```
//!
//! Files are numbered by their first line and never renamed, so that a rotation is one new file.

mod chain;
mod event;
mod files;
#[cfg(test)]
mod layout;
mod verify;
mod writer;

pub use event::{AlarmChange, Change, Event, masked};
pub use files::{AuditError, Page, file_names, page};
pub use verify::{Fault, Report, verify};
pub use writer::{Audit, AuditHandle, AuditStatus, Medium, RealMedium};

/// The folder of the journal under the data folder.
pub const FOLDER: &str = "audit";

/// The layout of a line; every start notes it. Lines from before it had a number are of layout 1.
pub const FORMAT: u32 = 1;
