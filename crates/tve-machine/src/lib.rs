//! The vocabulary of a machine: its zones, motors and sensors by id, lists that follow them, and
//! the tables that belong to no behaviour.
//!
//! *Id*: the position of a [`Zone`], [`Motor`] or [`Sensor`] in the lists of the configuration; what
//! it is called is a [`Name`] of the configuration and never the code's. *Bounded list*: as long as
//! the configuration says, as large as [`MAX_ZONES`], [`MAX_MOTORS`] or [`MAX_SENSORS`] allow, in
//! place, so that copying one never allocates.
//!
//! How the types hang together:
//!
//! - [`Zone`], [`Motor`], [`Sensor`] are small numbers below their bound; [`Id::at`] makes one from a
//!   position. Zones run from the feed side to the die. Sensors follow the material: feed throat,
//!   zones, motors, then what is only shown, so that their order does not hang on the wiring.
//! - [`PerZone`], [`PerMotor`] and [`PerSensor`] hold one value for each. The configuration says how
//!   many there are; whoever has a list has its ids, and needs no constant of its own.
//! - [`Signal`] is what a header pin does, [`PwmOutput`] what a channel of the PWM board does. Both
//!   are tables ([`SIGNALS`], [`PWM_OUTPUTS`]): name, direction, polarity, level at rest, order of
//!   switching off. [`Names`] turns a row into the names of one machine, and only the parser of the
//!   configuration compares them.

mod ids;
mod name;
mod per;
mod signal;

pub use ids::{Id, MAX_MOTORS, MAX_SENSORS, MAX_ZONES, Motor, OutOfBounds, Sensor, Zone};
pub use name::{Name, NotAName};
pub use per::{Per, PerMotor, PerSensor, PerZone};
pub use signal::{
    Each, Lamp, Level, Mover, Names, PWM_OUTPUTS, PwmOutput, PwmRow, SIGNALS, Signal, SignalRow,
};
