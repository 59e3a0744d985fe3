//! One look at the machine as the recorder keeps it: plain, copied without allocation.

use tve_control::{Mode, Snapshot, Status};
use tve_hal::PWM_CHANNELS;
use tve_units::{Micros, WallMillis};

/// What one row of a run log, and one sample of the history, are made of.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Row {
    /// Monotonic time.
    pub now: Micros,
    /// Wall-clock label.
    pub wall: WallMillis,
    /// What the machine is doing.
    pub status: Status,
    /// Who decides the duty.
    pub mode: Mode,
    /// Feed throat, zone 1, zone 2, motor in °C; `None` when bad.
    pub temps: [Option<f64>; 4],
    /// Targets by zone, °C.
    pub targets: [f64; 2],
    /// Heater duties by zone, %.
    pub heater_duty: [f64; 2],
    /// Heater conducting, by zone.
    pub heater_on: [bool; 2],
    /// Speeds as set, rpm: screw, feeder.
    pub motors: [f64; 2],
    /// Fan, pump.
    pub relays: [bool; 2],
    /// Duty by PWM channel, %.
    pub pwm: [f64; PWM_CHANNELS],
}

impl Row {
    /// The row of a published snapshot.
    pub fn from_snapshot(snapshot: &Snapshot) -> Self {
        Self {
            now: snapshot.now,
            wall: snapshot.wall,
            status: snapshot.status,
            mode: snapshot.mode,
            temps: snapshot.temps.to_array().map(|t| t.map(tve_units::Celsius::get)),
            targets: snapshot.targets.to_array().map(tve_units::Celsius::get),
            heater_duty: snapshot.heater_duty.to_array().map(tve_units::Duty::get),
            heater_on: snapshot.heater_on.to_array(),
            motors: snapshot.motors.to_array().map(tve_units::Rpm::get),
            relays: snapshot.relays,
            pwm: snapshot.pwm.map(tve_units::Duty::get),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_units::{Celsius, Duty, Rpm};

    #[test]
    fn a_row_shows_published_temperatures_setpoints_and_duties_in_force() {
        let mut snapshot = Snapshot {
            now: Micros::from_secs(7),
            wall: WallMillis::new(1234),
            status: Status::Running,
            mode: Mode::Manual,
            temps: [Some(Celsius::clamped(20.5)), None, Some(Celsius::clamped(180.0)), None].into(),
            targets: [Celsius::clamped(210.0), Celsius::ZERO].into(),
            manual_duty: [Duty::clamped(1.0), Duty::clamped(2.0)].into(),
            heater_duty: [Duty::clamped(40.0), Duty::clamped(50.0)].into(),
            heater_on: [false, true].into(),
            motors: [Rpm::clamped(10.0), Rpm::clamped(-5.0)].into(),
            motors_actual: [Rpm::clamped(3.0), Rpm::ZERO].into(),
            relays: [true, false],
            ..Snapshot::default()
        };
        snapshot.pwm[15] = Duty::FULL;
        let row = Row::from_snapshot(&snapshot);
        let mut pwm = [0.0; PWM_CHANNELS];
        pwm[15] = 100.0;
        let wanted = Row {
            now: Micros::from_secs(7),
            wall: WallMillis::new(1234),
            status: Status::Running,
            mode: Mode::Manual,
            temps: [Some(20.5), None, Some(180.0), None],
            targets: [210.0, 0.0],
            heater_duty: [40.0, 50.0],
            heater_on: [false, true],
            motors: [10.0, -5.0],
            relays: [true, false],
            pwm,
        };
        assert_eq!(row, wanted);
    }
}
