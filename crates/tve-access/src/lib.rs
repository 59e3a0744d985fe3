//! Who may command the machine: roles, passwords, tokens, lock-out and limits.
//!
//! Pure like the controller: no file, no socket, no clock, no randomness. Time is an argument (since
//! any fixed moment, or seconds since 1970 where a date is kept), random bytes come from the
//! caller. So a lock of 15 minutes is tested in microseconds, and the service decides where the
//! slow part, [`PasswordHash::verify`], runs.
//!
//! ```text
//!  Authorization ─▶ Credentials ─┬─ Bearer ─▶ TokenBook ─────────────────────────┐
//!                                └─ Basic ──▶ LoginThrottle ─▶ PasswordHash ─────┴▶ role
//!  route, command ─▶ Need (table.rs) ────────────────────────────────────────────▶ granted?
//!  client ─▶ Buckets ─────────────────────────────────────────────────────────────▶ too fast?
//! ```
//!
//! What a command or a route needs stands in its row; [`table`] says what that asks of the sender.

mod bounded;
mod bucket;
mod client;
mod credentials;
mod docs;
mod hash;
mod login_throttle;
pub mod table;
mod tokens;

pub use bucket::Buckets;
pub use client::{Caller, Client, account_of, address_of};
pub use credentials::{Credentials, Login};
pub use docs::reference_markdown;
pub use hash::{HashFault, PasswordHash};
pub use login_throttle::{
    Admission, CALMING_PAUSE, CALMING_TRIES, FAILURES, KNOWN_FOR, LOCK, LoginThrottle,
};
pub use table::Need;
pub use tokens::{Token, TokenBook, TokenFault, Verdict};
pub use tve_config::Role;
