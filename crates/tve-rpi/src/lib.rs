//! The Raspberry Pi behind the hardware trait: pins, converter, PWM board, step pulses.
//!
//! ```text
//!  control thread            I/O thread                     pulse threads, one a drive
//!  read ── readings ◄─────── each ADS1115, one channel a 50 ms; each MAX31856 a 200 ms
//!  apply ─ counts ─────────► PCA9685, read back each 200 ms
//!  configure ─ wiring ─────► old devices off, new buses opened
//!        ├ drive command ──────────────────────────────────► step, direction, hardware PWM
//!        └ every other pin (relays, lamps, enables)
//! ```
//!
//! Three layers switch the machine off, each without the ones before it:
//!
//! 1. the control thread, by [`tve_hal::Hardware::safe`] and when [`RpiHardware`] is dropped;
//! 2. the I/O and pulse threads by themselves, when no tick has come for 500 ms, and the guard by
//!    [`OffSwitch::off`], with descriptors of its own;
//! 3. another process by [`safe_off`], after a crash or a `kill -9`.
//!
//! *Rest level*: the level of an output while the machine is off, low for a function that is
//! active high and high for one that is active low. *Step*: one pulse on a step pin.

mod acquisition;
mod backoff;
mod board;
mod bus;
mod clock;
mod devices;
#[cfg(test)]
mod fake;
mod hardware;
mod io;
mod max31856;
mod off;
mod pca9685;
mod plan;
mod pulses;
mod pwm_board;
mod rppal_board;
mod thermocouple;
pub mod wiring;

pub use hardware::RpiHardware;
pub use off::{OffSwitch, release_pins, safe_off};
