//! What tests of the whole are made of: a service over real HTTP.
//!
//! [`Rig`] boots server and simulator on a free port with a folder of its own; [`Client`] is its
//! client, and [`Connection`] that of tests that are not asynchronous. The same machine in virtual
//! time, without a service, is `tve-rig`.
//!
//! This is for tests: what cannot be done is a failed test, so it panics with a sentence.

mod client;
mod rig;

pub use client::{Answer, Client, Connection, PATIENCE, ask, exchange, read_answer, read_raw};
pub use rig::Rig;
