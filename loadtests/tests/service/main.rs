//! The harness against the real service with the simulated machine.

mod dashboards;
mod machine;
mod rig;
