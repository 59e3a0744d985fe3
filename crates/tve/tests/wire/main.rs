//! The service over real sockets, booted in this process.

mod access;
mod audit;
mod config;
mod confirmations;
mod identity;
mod logins;
mod origins;
mod refusals;
mod rig;
mod secured;
mod service;
mod sockets;
mod tls;
