//! The service: the control thread and what stands around it, behind one door.
//!
//! ```text
//!  fronts ──► Door::execute ──► command queue ─┐
//!    ▲  ▲                                      ▼
//!    │  └── Door::newest ◄── (ArcSwap) ◄── control thread: read → step → apply → publish
//!    └───── Door::changes                      │                        ▲
//!                                              └──► recorder thread     └── guard: ticks advance?
//! ```
//!
//! [`Prepared`] finds out what is to run, [`Runtime`] is it running, and a front gets its [`Door`]
//! and nothing else. Nothing in here knows a protocol.

pub mod access;
mod clock;
mod confirm_file;
mod door;
mod error;
mod guard;
mod identity;
mod inheritance;
mod machine;
mod options;
pub mod realtime;
mod refused;
mod runner;
mod service;
mod stop;
pub mod tokens;

pub use confirm_file::{ConfirmError, confirm};
pub use door::{Asked, Changes, ConfigChange, Door, Expected, Veto, read_on_thread, tag};
pub use error::StartError;
pub use options::{Options, default_data_dir};
pub use refused::ServiceError;
pub use runner::{
    AlarmPages, Answer, CommandSender, DurationHistogram, EDGES_US, LoopStats, Published,
};
pub use service::{Prepared, Runtime, Stopping, Watchdog};
pub use stop::stopped;
