//! The audit journal: who asked for what, and what became of it, in a chain of hashes.
//!
//! *Line*: one JSON object. `seq` counts from 1 over all classes, `prev` is the SHA-256 of the whole
//! line before of its class (without its newline), `sum` ends the line and is the beginning of the
//! SHA-256 of everything before it, so that a changed line is named and not only its successor.
//! *Class*: the lines that share room; each is a chain in files of its own, so that a flood of one
//! pushes out none of another. *Repeated*: a line that says what another has said a moment ago is
//! counted and not written. *Head*: number and hash of the newest line of a chain; the service logs
//! them at every start and stop, and `tve audit verify --head` asks for one. *Key*: without one,
//! whoever may write the files can write a new chain. With one, `tve audit key`, each line carries
//! a MAC by a key that is hashed forward and then forgotten.
//!
//! ```text
//! HTTP handlers, alarm book --record--> queue (bounded) --> thread "audit" --> audit_000000000001.jsonl
//!                                                                        '--> refused_000000000007.jsonl
//! ```
//!
//! Files are numbered by their first line and never renamed, so that a rotation is one new file.

mod chain;
mod class;
mod event;
mod files;
#[cfg(test)]
mod layout;
mod page;
mod queue;
mod ratchet;
mod verify;
mod writer;

pub use event::{AlarmChange, Change, Event, LoginOutcome, TokenChange, masked};
pub use files::{Chain, chains};
pub use page::{Page, page};
pub use ratchet::InitialKey;
pub use verify::{Fault, Report, verify, verify_chain};
pub use writer::{Audit, AuditError, AuditHandle, AuditStatus, Medium, RealMedium};

/// The folder of the journal under the data folder.
pub const FOLDER: &str = "audit";

/// The layout of a line; every start notes it. Lines from before it had a number are of layout 1,
/// whose numbers have no gaps and whose lines are all in one chain.
pub const FORMAT: u32 = 2;
