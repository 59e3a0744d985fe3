//! What tests of the whole are made of: a service over real HTTP, or a bench in virtual time.
//!
//! [`Rig`] boots server and simulator on a free port with a folder of its own. [`Bench`] plays
//! controller and simulator against each other as fast as they go, for walks that no scenario
//! file can write down; [`Dice`] makes those walks repeatable.
//!
//! This is for tests: what cannot be done is a failed test, so it panics with a sentence.

mod bench;
mod dice;
mod rig;

pub use bench::Bench;
pub use dice::Dice;
pub use rig::{Answer, Rig};
