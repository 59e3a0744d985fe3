//! Step pulses of one drive: what is due when ([`train`]), and the thread that does it.
//!
//! Speeds come from the PWM peripheral on pins that have one, and pulse by pulse from the thread
//! elsewhere. Counted moves always come pulse by pulse: the peripheral cannot count.

mod thread;
mod train;

pub(crate) use thread::{Peripheral, PulseThread, StepPins};

use std::time::Duration;

/// How long a step pulse is high: twice what a DM556 asks for (2.5 µs), and half the shortest
/// period (100 kHz).
pub(crate) const PULSE_WIDTH: Duration = Duration::from_micros(5);
