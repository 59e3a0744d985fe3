//! How many zones, motors and sensors there are, and which of them play a part of their own: the
//! one place of the controller that knows.
//!
//! Zones stand in a row along the barrel, feed side first: the neighbours of a zone are the one
//! before it and the one after it.

use tve_hal::{Motor, PerMotor, PerSensor, PerZone, Sensor, Zone};

/// Something for each zone.
pub(crate) fn per_zone<T: Default>(make: impl FnMut(Zone) -> T) -> PerZone<T> {
    PerZone::from_fn(Zone::ALL.len(), make)
}

/// Something for each motor.
pub(crate) fn per_motor<T: Default>(make: impl FnMut(Motor) -> T) -> PerMotor<T> {
    PerMotor::from_fn(Motor::ALL.len(), make)
}

/// Something for each sensor.
pub(crate) fn per_sensor<T: Default>(make: impl FnMut(Sensor) -> T) -> PerSensor<T> {
    PerSensor::from_fn(Sensor::ALL.len(), make)
}

/// Something for each pair of neighbouring zones, filed under the first of the two.
pub(crate) fn per_boundary<T: Default>(make: impl FnMut(Zone) -> T) -> PerZone<T> {
    PerZone::from_fn(Zone::ALL.len().saturating_sub(1), make)
}

/// The zones, in the order in which they stand along the barrel.
pub(crate) fn zones() -> impl DoubleEndedIterator<Item = Zone> + Clone {
    Zone::ALL.into_iter()
}

/// The zone after this one.
pub(crate) fn next(zone: Zone) -> Option<Zone> {
    Zone::ALL.get(zone.index() + 1).copied()
}

/// The motor that turns the melt: it needs warm zones, and stops after what feeds it.
pub(crate) const fn screw() -> Motor {
    Motor::Main
}

/// The motor that feeds the screw: it stops first.
pub(crate) const fn feeder() -> Motor {
    Motor::Feed
}

/// What a sensor measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A heated zone.
    Zone(Zone),
    /// The motor of the screw.
    Motor,
    /// The feed throat.
    Throat,
}

/// Where a sensor sits.
pub(crate) fn place_of(sensor: Sensor) -> Place {
    match sensor.zone() {
        Some(zone) => Place::Zone(zone),
        None if sensor == motor_sensor() => Place::Motor,
        None => Place::Throat,
    }
}

/// The sensor of a zone.
pub(crate) const fn sensor_of(zone: Zone) -> Sensor {
    zone.sensor()
}

/// The sensor of the screw's motor.
pub(crate) const fn motor_sensor() -> Sensor {
    Sensor::Motor
}

/// The sensor of the feed throat.
pub(crate) const fn throat_sensor() -> Sensor {
    Sensor::T1
}
