//! The deterministic simulated extruder and its faults, behind the hardware trait.
//!
//! ```text
//!   Outputs ──► drives (pulses) ─┐
//!           ──► heater power ────┴─► plant (heat) ─► sensors ─► converters ──► Inputs
//!                    ▲                  ▲                ▲           ▲
//!                    └──────────── faults, by plant time ┴───────────┘
//! ```
//!
//! *Plant time* starts at zero with the first `read` or `apply` and follows the `now` of the
//! caller; nothing here reads a clock. The same configuration and the same calls give the same
//! codes, bit for bit, on every machine: floats that are not exact go through `libm`, and the
//! only randomness is the noise of the converter, drawn once per sample from the seed.

mod converters;
mod drives;
mod effects;
mod faults;
mod hardware;
mod layout;
mod noise;
mod plant;
mod powers;
mod thermistor;
mod thermocouple;

pub use faults::{Fault, FaultKind, FaultName, ParseFaultError};
pub use hardware::SimHardware;
pub use powers::SimPowers;
