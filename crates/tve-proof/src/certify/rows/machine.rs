//! Rows of which a machine has one: wiring, motors, feed throat, stops, and the process itself.

use super::row::{BAND, Place, one, row};
use crate::certify::states::State;
use crate::certify::table::{Bound, Expected, Row, Source, Stimulus};
use crate::subject::motor_sensors;
use tve_config::MachineConfig;
use tve_control::AlarmCode as A;
use tve_sim::FaultKind as F;

use Bound::Shifted;
use Expected::Alarm;
use Source::{Above, Below};
use State::{Cold, Heating, Holding, Idle, Manual, Running, Stopping, Tuning};
use Stimulus::{BarrelUnheated, Breaks, BreaksFor};

const STALE: Expected = Alarm(&[A::TempDataStale]);
const NOTICE: Bound = Shifted(1200.0, "ten minutes before `safety.idle_setback_min`, 30 min");
const SETBACK: Bound = Shifted(1800.0, "`safety.idle_setback_min` of the configuration, 30 min");
const OFF: Bound = Shifted(7200.0, "`safety.idle_off_min` of the configuration, 120 min");

pub(super) fn of_the_wiring() -> Vec<Row> {
    vec![
        one("adc-gone", "converter does not answer", Breaks(F::AdcGone))
            .raises(STALE)
            .from(Source::LastSample),
        one("adc-stopped", "converter converts nothing new", Breaks(F::AdcStopped))
            .raises(STALE)
            .from(Source::LastSample),
        one("pwm-lost", "writes to the PWM board are lost", Breaks(F::PwmWriteLost))
            .raises(Alarm(&[A::OutputMismatch]))
            .from(Source::ReadBack),
        one("drive-alarm", "drive alarm pulse of 20 ms", BreaksFor(F::DriveAlarm, 20))
            .raises(Alarm(&[A::DriverFault]))
            .from(Source::DriveInput),
    ]
}

/// The screw's motor by its plain name, others by their own.
pub(super) fn of_motors(machine: &MachineConfig) -> Vec<Row> {
    const LOST: Expected = Alarm(&[A::MotorSensorFailure]);
    let limit = machine.safety.motor_max;
    let mut rows = Vec::new();
    for (motor, sensor) in motor_sensors(machine) {
        let is_screw = machine.screw() == Some(motor);
        if is_screw {
            rows.push(
                one("motor-hot", format!("screw motor above {limit} °C"), Breaks(F::MotorHot))
                    .raises(Alarm(&[A::MotorOverheat]))
                    .from(Above(sensor, limit))
                    .watched(240.0),
            );
        }
        let name = machine.motors[motor].name;
        let wire = |family: &'static str, what: &str, kind| {
            let (id, fault) = if is_screw {
                (family.to_owned(), format!("motor sensor {what}"))
            } else {
                (format!("{family}-{name}"), format!("sensor of motor {name} {what}"))
            };
            row(family, id, fault, Breaks(kind)).raises(LOST).from(Source::Sample(sensor))
        };
        rows.push(wire("motor-open", "open", F::SensorOpen(sensor)));
        rows.push(wire("motor-shorted", "shorted", F::SensorShorted(sensor)));
    }
    rows
}

pub(super) fn of_the_throat(machine: &MachineConfig) -> Vec<Row> {
    const LOST: Expected = Alarm(&[A::FeedSensorFailure]);
    let Some(sensor) = machine.feed_throat else { return Vec::new() };
    let limit = machine.safety.feed_throat_max;
    vec![
        one("throat-hot", format!("feed throat above {limit} °C"), Breaks(F::FeedThroatHot))
            .raises(Alarm(&[A::FeedThroatHot]))
            .from(Above(sensor, limit))
            .watched(240.0),
        one("throat-open", "feed throat sensor open", Breaks(F::SensorOpen(sensor)))
            .raises(LOST)
            .from(Source::Sample(sensor)),
        one("throat-shorted", "feed throat sensor shorted", Breaks(F::SensorShorted(sensor)))
            .raises(LOST)
            .from(Source::Sample(sensor)),
    ]
}

pub(super) fn of_stops(first: &Place<'_>) -> Vec<Row> {
    let cold = first.config.limits.min_temp_for_motor - BAND;
    vec![
        one("estop-command", "emergency stop by command", Stimulus::Command("EMERGENCY_STOP"))
            .strikes(&[Cold, Idle, Heating, Holding, Running, Tuning, Stopping, Manual])
            .raises(Alarm(&[A::EmergencyStop])),
        one("estop-contact", "emergency-stop button pressed or loop broken", Breaks(F::EstopOpen))
            .raises(Alarm(&[A::EmergencyStopBtn]))
            .from(Source::Contact),
        one(
            "cold-zone",
            format!("the screw turns and an unheated zone falls under {cold} °C"),
            BarrelUnheated(cold - 25.0),
        )
        .strikes(&[Running])
        .raises(Alarm(&[A::ColdZone]))
        .from(Below(first.sensor, cold))
        .watched(200.0),
        one(
            "cold-zone-jog",
            format!("the screw jogs and an unheated zone falls under {cold} °C"),
            Stimulus::BarrelUnheatedJogging(cold - 25.0),
        )
        .strikes(&[Holding])
        .raises(Alarm(&[A::ColdZone]))
        .from(Below(first.sensor, cold))
        .watched(200.0),
    ]
}

pub(super) fn of_the_process() -> Vec<Row> {
    let note = |family, fault: &str, stimulus, code: &'static [A]| {
        one(family, fault, stimulus).raises(Alarm(code))
    };
    vec![
        note(
            "stall",
            "control loop stands still for 500 ms",
            Stimulus::Stall(500),
            &[A::ControlOverrun],
        ),
        note(
            "killed",
            "process killed with something on",
            Stimulus::KilledEnergised,
            &[A::UncleanStop],
        ),
        note(
            "killed-idle",
            "process killed with everything off",
            Stimulus::KilledIdle,
            &[A::UncleanStopIdle],
        )
        .strikes(&[Cold, Idle]),
        note(
            "bad-config",
            "restart on a refused configuration",
            Stimulus::BadConfiguration,
            &[A::ConfigFault],
        ),
        note(
            "idle-setback",
            "nobody operates the machine for 30 minutes",
            Stimulus::Nothing,
            &[A::IdleSetback],
        )
        .strikes(&[Holding, Heating, Manual])
        .within(SETBACK)
        .watched(1900.0),
        note(
            "idle-soon",
            "nobody operates the machine for 20 minutes",
            Stimulus::Nothing,
            &[A::IdleSoon],
        )
        .strikes(&[Holding, Manual])
        .within(NOTICE)
        .watched(1300.0),
        note(
            "idle-off",
            "nobody operates the machine for two hours",
            Stimulus::Nothing,
            &[A::IdleOff],
        )
        .strikes(&[Manual, Holding])
        .within(OFF)
        .watched(7300.0),
        note("disk-fails", "recorder cannot write", Stimulus::DiskFails, &[A::LoggingFailed]),
        note(
            "disk-full",
            "disk of the recorder nearly full",
            Stimulus::DiskFull,
            &[A::LoggingDiskFull],
        ),
    ]
}
