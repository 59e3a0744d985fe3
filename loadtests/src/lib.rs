//! The load-test harness: plans, engines, the recorder, the judge and the reports.
//!
//! It answers one question: did the service keep its objectives, for ten minutes without a break,
//! on every group at once, and can the run be trusted? `README.md` beside this crate says how to
//! use it; a stranger starts reading at [`judge`].

mod ab;
mod address;
pub mod cli;
pub mod client;
mod collect;
pub mod compare;
pub mod drift;
mod engine;
mod evaluate;
mod extruder;
mod flame;
mod interrupt;
pub mod judge;
mod layout;
pub mod measure;
pub mod options;
pub mod plan;
mod random;
pub mod report;
mod resources;
pub mod run;
pub mod slo;
mod steal;
pub mod summary;
mod trend;
pub mod verdict;
mod watch;
