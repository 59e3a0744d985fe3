//! What only tests and scenarios may do to the simulated machine.

use crate::faults::Fault;
use tve_hal::{Motor, Sensor};
use tve_units::{Bcm, Celsius, Micros};

/// Powers over the machine that no controller has.
pub trait SimPowers {
    /// Break something. A fault whose time has come acts at once; one whose end has passed, never.
    fn inject(&mut self, fault: Fault);

    /// Lift every fault, also those still to come. Heat that a fault has made stays.
    fn clear_faults(&mut self);

    /// The barrel as after a long time of being held at `temperature`: metal, sensors, the heat
    /// under way from the heater bands and the feed throat all agree with it. The motor stays as
    /// it is.
    fn set_temperature(&mut self, temperature: Celsius);

    /// Drive a header pin from outside; seen while the pin is an input.
    fn set_pin_level(&mut self, pin: Bcm, high: bool);

    /// The process is replaced by a new one: outputs are off, no sample has arrived, no move is
    /// known. The machine keeps its heat, its faults and its pulse counts.
    fn restart_controller(&mut self);

    /// What the sensor would read if it were perfect, °C.
    fn true_temperature(&self, sensor: Sensor) -> f64;

    /// Pulses that the motor has got since the machine was built, signed by direction.
    fn steps_done(&self, motor: Motor) -> i64;

    /// Plant time.
    fn elapsed(&self) -> Micros;
}
