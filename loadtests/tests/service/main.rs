//! The harness against the real service with the simulated machine.

mod dashboards;
mod limiter;
mod machine;
mod secured;
mod service;
