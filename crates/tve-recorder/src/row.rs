//! One look at the machine as the recorder keeps it: plain, copied without allocation.

use crate::layout::Layout;
use tve_control::{Mode, Snapshot, Status};
use tve_tags::MAX_KEPT;
use tve_units::{Micros, WallMillis};

/// What one row of a run log, and one sample of the history, are made of.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Monotonic time.
    pub now: Micros,
    /// Wall-clock label.
    pub wall: WallMillis,
    /// What the machine is doing.
    pub status: Status,
    /// Who decides the duty.
    pub mode: Mode,
    /// By the places of the layout; not a number where unknown, zero where the layout has none.
    pub(crate) values: [f64; MAX_KEPT],
}

impl Default for Row {
    /// Everything zero.
    fn default() -> Self {
        Self {
            now: Micros::ZERO,
            wall: WallMillis::default(),
            status: Status::default(),
            mode: Mode::default(),
            values: [0.0; MAX_KEPT],
        }
    }
}

impl Row {
    /// The row of a published snapshot.
    pub fn of(layout: &Layout, snapshot: &Snapshot) -> Self {
        let mut values = [0.0; MAX_KEPT];
        for (value, tag) in values.iter_mut().zip(layout.kept()) {
            *value = layout.tags().read(tag, snapshot).number().unwrap_or(f64::NAN);
        }
        let Snapshot { now, wall, status, mode, .. } = *snapshot;
        Self { now, wall, status, mode, values }
    }

    /// A value by its place; `None` where it is not known.
    pub fn value(&self, index: usize) -> Option<f64> {
        self.values.get(index).copied().filter(|value| value.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::layout;
    use tve_machine::{Motor, Sensor, Zone};
    use tve_tags::{Channel, Tag};
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
        let layout = layout();
        let row = Row::of(&layout, &snapshot);
        let by = |tag| row.value(layout.index(tag).unwrap());
        let each = |tags: &[Tag]| tags.iter().map(|tag| by(*tag)).collect::<Vec<_>>();
        let temps: Vec<_> = (0..4).map(|i| Tag::SensorTemperature(Sensor::at(i))).collect();
        assert_eq!(each(&temps), [Some(20.5), None, Some(180.0), None]);
        let zones = |of: fn(Zone) -> Tag| each(&[of(Zone::at(0)), of(Zone::at(1))]);
        assert_eq!(zones(Tag::ZoneTarget), [Some(210.0), Some(0.0)]);
        assert_eq!(zones(Tag::ZoneDuty), [Some(40.0), Some(50.0)]);
        assert_eq!(zones(Tag::ZoneHeaterOn), [Some(0.0), Some(1.0)]);
        let motors = [Motor::at(0), Motor::at(1)].map(Tag::MotorSetpoint);
        assert_eq!(each(&motors), [Some(10.0), Some(-5.0)]);
        assert_eq!(each(&[Tag::Fan, Tag::Pump]), [Some(1.0), Some(0.0)]);
        let channels = [14, 15].map(|i| Tag::PwmDuty(Channel(i)));
        assert_eq!(each(&channels), [Some(0.0), Some(100.0)]);
        assert_eq!((row.now, row.wall), (snapshot.now, snapshot.wall));
        assert_eq!((row.status, row.mode), (snapshot.status, snapshot.mode));
    }
}
