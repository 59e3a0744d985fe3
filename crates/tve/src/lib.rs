//! The service put together of its parts, and the command line of `tve`.
//!
//! [`Server::start`] boots runtime and fronts; the verbs stand in a file each.

mod audit;
pub mod cli;
mod confirm;
mod handover;
mod memory;
mod password;
mod pins;
mod replay;
mod serve;
mod server;
mod simulate;
mod systemd;
mod terminal;
mod token;

pub use server::{Running, Server, StartError};
pub use tve_runtime::{CommandSender, LoopStats, Options, default_data_dir};
