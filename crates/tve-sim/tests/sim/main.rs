//! The simulated machine from outside: its plant, its wiring, its faults.

mod bench;
mod conformance;
mod faults;
mod machine;
mod plant_response;
