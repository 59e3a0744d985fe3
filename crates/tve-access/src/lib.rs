//! Who may command the machine: roles, passwords, tokens, lock-out and limits.
//!
//! Pure like the controller: no file, no socket, no clock, no randomness. Time is an argument (since
//! any fixed moment, or seconds since 1970 where a date is kept), random bytes come from the
//! caller. So a lock of 15 minutes is tested in microseconds, and the service decides where the
//! slow part, [`PasswordHash::verify`], runs.
//!
//! ```text
//!  Authorization ─▶ Credentials ─┬─ Bearer ─▶ TokenBook ─────────────────────────┐
//!                                └─ Basic ──▶ Desk: locked? known? ─▶ PasswordHash ┴▶ role
//!  route, command ─▶ Need (table.rs) ────────────────────────────────────────────▶ granted?
//!  client ─▶ Buckets ─────────────────────────────────────────────────────────────▶ too fast?
//! ```
//!
//! [`table`] is the one place that says which role a route or command needs.

mod bounded;
mod bucket;
mod client;
mod credentials;
mod desk;
mod docs;
mod hash;
pub mod table;
mod tokens;

pub use bucket::Buckets;
pub use client::{Caller, Client, address_of};
pub use credentials::{Credentials, Login};
pub use desk::{Admission, Desk, FAILURES, KNOWN_FOR, LOCK};
pub use docs::reference_markdown;
pub use hash::{HashFault, PasswordHash};
pub use table::Need;
pub use tokens::{Token, TokenBook, TokenFault, Verdict};
pub use tve_config::Role;
