//! The service as a real process: killed, stopped, frozen, short of disk, badly configured.

mod child;
mod death;
mod disk;
mod incidents;
mod manager;
mod memory;
