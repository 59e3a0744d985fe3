//! The service over real sockets, booted in this process.

mod access;
mod audit;
mod config;
mod refusals;
mod rig;
mod service;
mod sockets;
mod tls;
