//! The whole service and its simulated machine, held against what clients, scenarios and configurations
//! may expect of them. One program, so that its tests share the cores.

mod conformance;
mod endpoints;
mod live_faults;
mod mutations;
mod save_restart;
mod scenarios;
