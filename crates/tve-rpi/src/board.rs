//! The seam between the machine and the board: pins, buses and the PWM peripheral as traits, so
//! that pin sequences are asserted without a Pi.

use crate::bus::{Bus, Spi};
use std::io;
use std::sync::Arc;
use tve_hal::{HardwareError, Pull};
use tve_units::Bcm;

/// The pins of the header. Any thread may use any pin; a pin that two threads drive keeps the
/// level that was written last.
pub(crate) trait Pins: Send + Sync {
    /// Makes the pin an output. The level is set before the direction, so that there is no glitch.
    fn drive(&self, pin: Bcm, high: bool);
    /// Changes the level of a pin that is an output.
    fn set(&self, pin: Bcm, high: bool);
    /// Makes the pin an input.
    fn listen(&self, pin: Bcm, pull: Pull);
    /// Hands the pin to the PWM peripheral.
    fn hand_to_pwm(&self, pin: Bcm);
    /// The level at the pin now, `true` is high.
    fn level(&self, pin: Bcm) -> bool;
    /// Whether the pin is an output now, or has been handed to a peripheral as one.
    fn is_driven(&self, pin: Bcm) -> bool;
}

/// A channel of the PWM peripheral that makes step pulses.
pub(crate) trait StepPwm: Send {
    /// Pulses of [`crate::pulses::PULSE_WIDTH`] every `period_ns` nanoseconds from now on.
    fn run(&mut self, period_ns: u64) -> io::Result<()>;
    /// No pulses from now on; the output is low.
    fn stop(&mut self) -> io::Result<()>;
}

/// A board with a 40-pin header.
pub(crate) trait Board: Send + Sync {
    /// Its pins.
    fn pins(&self) -> Arc<dyn Pins>;

    /// A handle of its own on the bus `/dev/i2c-{number}`.
    ///
    /// # Errors
    /// [`HardwareError::Missing`] when the device node is not there or not accessible.
    fn bus(&self, number: u8) -> Result<Bus, HardwareError>;

    /// The device behind a chip select of an SPI bus, in mode 1.
    ///
    /// # Errors
    /// [`HardwareError::Missing`] when the device node is not there or not accessible.
    fn spi(&self, bus: u8, select: u8) -> Result<Spi, HardwareError>;

    /// The channel of the PWM peripheral behind a pin; `None` where the pin has none. Two pins
    /// with the same channel carry the same pulses.
    fn pwm_channel(&self, pin: Bcm) -> Option<u8>;

    /// The PWM peripheral of a pin, stopped.
    ///
    /// # Errors
    /// [`HardwareError::Missing`] when the system does not offer the peripheral.
    fn step_pwm(&self, pin: Bcm) -> Result<Box<dyn StepPwm>, HardwareError>;
}
