//! The closed loop in virtual time: one controller, one simulated machine, and what a proof, a
//! scenario, a benchmark or a test needs to drive and to watch them.
//!
//! *Rig*: both of them under one clock that moves only when it is told to. *Dice*: the seeded
//! choices of whoever plays at random with it. Nothing here reads a clock or a file: the same
//! calls give the same ticks everywhere.

mod dice;
mod rig;

pub use dice::Dice;
pub use rig::{EPOCH_MS, Latched, Rig, TICK};
