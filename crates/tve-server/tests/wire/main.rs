//! The service over real sockets, booted in this process.

mod access;
mod refusals;
mod rig;
mod service;
mod sockets;
