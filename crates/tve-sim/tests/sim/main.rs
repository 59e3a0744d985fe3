//! The simulated machine from outside: its plant, its wiring, its faults.

mod bench;
mod conformance;
mod faults;
mod four_zones;
mod machine;
mod plant_response;
