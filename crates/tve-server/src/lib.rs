//! The service: control thread, HTTP, Socket.IO, metrics; and what the binary `tve` is made of.
//!
//! ```text
//!  clients ──► accept loop ──► Connection ──► gate ──► cached reply           (no lock, no copy)
//!                                   │            └──► router ──► handler ──► command queue ─┐
//!                                   └──► Socket.IO ◄── broadcaster                          │
//!                                                        ▲                                  ▼
//!                 newest snapshot (ArcSwap) ◄── control thread: read → step → apply → publish
//!                                                        │
//!                                                        └──► recorder thread ──► disk
//! ```
//!
//! [`Server::start`] boots all of it; the rest of the crate is private.

mod app;
mod audit;
mod auth;
mod cache;
pub mod cli;
mod clock;
mod error;
mod guard;
mod http;
mod incident;
mod inheritance;
mod memory;
mod metrics;
mod openapi;
mod options;
mod password;
mod pins;
mod plot;
mod proof;
mod realtime;
mod runner;
mod server;
mod simulate;
mod sockets;
mod systemd;
mod tls;
mod tokens;
mod view;

pub use cache::Cached;
pub use clock::{SystemClock, WallClock};
pub use error::StartError;
pub use options::{Options, default_data_dir};
pub use runner::{Answer, CommandSender, LoopStats};
pub use server::{Running, Server};
pub use tls::TlsError;
pub use view::{data_text, status_text};
