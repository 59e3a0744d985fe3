//! The fault table as data: what breaks, where it can, what must follow and how soon.
//!
//! *Cause instant*: the first sample or input that shows the fault; bounds count from it.

use super::states::State;
use tve_control::{AlarmCode as A, Reaction};
use tve_hal::{Sensor, Zone};
use tve_sim::FaultKind as F;

/// What happens to the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Stimulus {
    /// Something breaks and stays broken.
    Breaks(F),
    /// Something breaks for this many milliseconds.
    BreaksFor(F, u64),
    /// Something breaks, and the operator asks for this target in both zones, °C.
    BreaksThenTarget(F, f64),
    /// Something breaks under this manual duty in both zones, %.
    BreaksThenDuty(F, f64),
    /// The barrel is driven to a temperature from outside, °C, as fast as a sensor may follow.
    Barrel(f64),
    /// The heaters are switched off, and the barrel is driven to a temperature from outside, °C.
    BarrelUnheated(f64),
    /// A command without a value.
    Command(&'static str),
    /// The control loop stands still for this many milliseconds.
    Stall(u64),
    /// The process dies; something was energised at its last record.
    KilledEnergised,
    /// The process dies with everything off.
    KilledIdle,
    /// The process restarts on a configuration that is refused.
    BadConfiguration,
    /// The recorder reports that it cannot write.
    DiskFails,
    /// The recorder reports too little space.
    DiskFull,
    /// Nothing happens; time passes.
    Nothing,
}

/// Where the cause instant comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Source {
    /// The moment of the event itself.
    Event,
    /// The first sample of a sensor after the event.
    Sample(Sensor),
    /// The last sample before the zone sensors went silent, of the one that was sampled earlier.
    LastSample,
    /// The first of an unbroken run of samples of a sensor above a temperature, °C.
    Above(Sensor, f64),
    /// The first of an unbroken run of samples of a sensor below a temperature, °C.
    Below(Sensor, f64),
    /// The first look at the emergency-stop contact that shows it.
    Contact,
    /// The first look at the drive's alarm input that shows it.
    DriveInput,
    /// The first read-back of a PWM register that differs.
    ReadBack,
    /// The sample at which a healthy twin of the sensor has moved by 10 LSB since the event.
    TwinMoved(Sensor),
    /// The first tick in which a heater conducts.
    FirstHeat,
}

impl Source {
    /// In words, for reports.
    pub fn text(self) -> String {
        match self {
            Self::Event => "the event".to_owned(),
            Self::Sample(s) => format!("first sample of {} that shows it", s.name()),
            Self::LastSample => "last sample of a zone sensor".to_owned(),
            Self::Above(s, t) => format!("first sample of {} above {t} °C", s.name()),
            Self::Below(s, t) => format!("first sample of {} below {t} °C", s.name()),
            Self::Contact => "first look at the open contact".to_owned(),
            Self::DriveInput => "first look at the drive's input".to_owned(),
            Self::ReadBack => "first read-back that differs".to_owned(),
            Self::TwinMoved(s) => format!("a healthy {} has moved by 10 LSB", s.name()),
            Self::FirstHeat => "first conducting tick of a heater".to_owned(),
        }
    }
}

/// What must follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expected {
    /// One of these alarms within the row's bound, with the reaction of its table row.
    Alarm(&'static [A]),
    /// No alarm at all.
    Nothing,
}

impl Expected {
    /// In words, for reports.
    pub fn text(self) -> String {
        match self {
            Self::Nothing => "no alarm".to_owned(),
            Self::Alarm(codes) => {
                let names: Vec<&str> = codes.iter().map(|c| c.name()).collect();
                let reaction = codes.first().map_or(Reaction::Note, |c| c.row().reaction);
                format!("{}, {}", names.join(" or "), reaction.name())
            }
        }
    }
}

/// How much time the reaction may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// As long as the alarm's own row says: the longest of those that may follow.
    Own,
    /// Less, or more, than that by so much, s, and why.
    Shifted(f64, &'static str),
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Short name.
    pub id: &'static str,
    /// The fault in words.
    pub fault: &'static str,
    /// Where it can strike.
    pub states: &'static [State],
    /// What must follow.
    pub expected: Expected,
    /// The zone that the alarm must be about.
    pub zone: Option<Zone>,
    /// From the cause instant to the reaction; 20 ms of polling come on top.
    pub bound: Bound,
    /// Where the cause instant comes from.
    pub source: Source,
    /// The case is given up this long after the event, s: the bound and the time that the cause
    /// may need to show.
    pub(crate) watch_s: f64,
    pub(crate) stimulus: Stimulus,
}

impl Row {
    /// From the cause instant to the reaction, s, without the 20 ms of polling; `None` where nothing
    /// has to follow.
    pub fn bound_s(&self) -> Option<f64> {
        let Alarm(codes) = self.expected else {
            return None;
        };
        let own = codes.iter().map(|code| code.row().within_s).fold(0.0, f64::max);
        Some(match self.bound {
            Own => own,
            Shifted(by, _) => own + by,
        })
    }
}

use Bound::{Own, Shifted};
use Expected::{Alarm, Nothing};
use State::{Alarm as Tripped, Cold, Heating, Holding, Idle, Manual, Running, Stopping, Tuning};
use Stimulus::{Barrel, BarrelUnheated, Breaks, BreaksFor, BreaksThenDuty, BreaksThenTarget};

const Z1: Option<Zone> = Some(Zone::Z1);
const Z2: Option<Zone> = Some(Zone::Z2);
/// States in which a loop is closed on both zones.
const LOOP: &[State] = &[Holding, Running, Stopping];
const HOT: &[State] = State::HOT;
/// For what shows at once, s.
const SOON: f64 = 5.0;

#[expect(clippy::too_many_arguments, reason = "one column of the table each")]
const fn row(
    id: &'static str,
    fault: &'static str,
    states: &'static [State],
    stimulus: Stimulus,
    source: Source,
    expected: Expected,
    bound: Bound,
    watch_s: f64,
) -> Row {
    Row { id, fault, states, expected, zone: None, bound, source, watch_s, stimulus }
}

const fn at(zone: Option<Zone>, row: Row) -> Row {
    Row { zone, ..row }
}

const BAD: Expected = Alarm(&[A::HeaterSensorFailure]);
const COOL: Expected = Alarm(&[A::HeaterNotHeating]);
const STUCK: Expected = Alarm(&[A::HeaterStuckOn]);
const STALE: Expected = Alarm(&[A::TempDataStale]);
const FROZEN: Expected = Alarm(&[A::SensorFrozen]);

/// The reading leaves the band below the target at once: nothing has to be waited for.
const FALLEN_OUT: Bound = Shifted(-110.0, "the deficit of a sensor in the air adds up in 10 s");
/// The whole bound is for a zone that is off; one that holds is judged by its distance.
const BEYOND_TARGET: Bound =
    Shifted(-110.0, "30 °C above a target that was held counts after 10 s");
const COLD_START: Bound =
    Shifted(120.0, "a barrel may be cold enough to look open: it may leave the band for 120 s");
const SETBACK: Bound = Shifted(1800.0, "`safety.idle_setback_min` of the configuration, 30 min");

/// The whole table.
#[rustfmt::skip]
pub static FAULT_TABLE: &[Row] = &[
    at(Z1, row("open-t2", "zone 1 sensor open", HOT, Breaks(F::SensorOpen(Sensor::T2)),
        Source::Sample(Sensor::T2), BAD, Own, SOON)),
    at(Z2, row("open-t3", "zone 2 sensor open", HOT, Breaks(F::SensorOpen(Sensor::T3)),
        Source::Sample(Sensor::T3), BAD, Own, SOON)),
    at(Z1, row("open-cold-t2", "zone 1 sensor open on a cold machine that is then heated", &[Cold],
        BreaksThenTarget(F::SensorOpen(Sensor::T2), 200.0), Source::FirstHeat, BAD, COLD_START, 150.0)),
    at(Z2, row("open-cold-t3", "zone 2 sensor open on a cold machine that is then heated", &[Cold],
        BreaksThenTarget(F::SensorOpen(Sensor::T3), 200.0), Source::FirstHeat, BAD, COLD_START, 200.0)),
    at(Z1, row("shorted-t2", "zone 1 sensor shorted", HOT, Breaks(F::SensorShorted(Sensor::T2)),
        Source::Sample(Sensor::T2), BAD, Own, SOON)),
    at(Z2, row("shorted-t3", "zone 2 sensor shorted", HOT, Breaks(F::SensorShorted(Sensor::T3)),
        Source::Sample(Sensor::T3), BAD, Own, SOON)),
    at(Z1, row("jumping-t2", "zone 1 sensor jumping", HOT, Breaks(F::SensorJumping(Sensor::T2)),
        Source::Sample(Sensor::T2), BAD, Own, SOON)),
    at(Z2, row("jumping-t3", "zone 2 sensor jumping", HOT, Breaks(F::SensorJumping(Sensor::T3)),
        Source::Sample(Sensor::T3), BAD, Own, SOON)),
    at(Z1, row("frozen-t2", "zone 1 sensor frozen while the barrel moves", &[Heating, Tuning],
        Breaks(F::SensorFrozen(Sensor::T2)), Source::TwinMoved(Sensor::T2), FROZEN, Own, 120.0)),
    at(Z2, row("frozen-t3", "zone 2 sensor frozen while the barrel moves", &[Heating],
        Breaks(F::SensorFrozen(Sensor::T3)), Source::TwinMoved(Sensor::T3), FROZEN, Own, 120.0)),
    at(Z1, row("frozen-step-t2", "zone 1 sensor frozen, then a higher target", &[Holding, Running,
        Stopping], BreaksThenTarget(F::SensorFrozen(Sensor::T2), 240.0),
        Source::TwinMoved(Sensor::T2), FROZEN, Own, 120.0)),
    at(Z2, row("frozen-step-t3", "zone 2 sensor frozen, then a higher target", &[Holding, Running,
        Stopping], BreaksThenTarget(F::SensorFrozen(Sensor::T3), 240.0),
        Source::TwinMoved(Sensor::T3), FROZEN, Own, 120.0)),
    at(Z1, row("fallen-out-t2", "zone 1 sensor fallen out of the barrel", LOOP,
        Breaks(F::SensorFallenOut(Sensor::T2)), Source::Below(Sensor::T2, 195.0), COOL, FALLEN_OUT,
        60.0)),
    at(Z2, row("fallen-out-t3", "zone 2 sensor fallen out of the barrel", &[Holding, Running,
        Stopping, Tuning], Breaks(F::SensorFallenOut(Sensor::T3)), Source::Below(Sensor::T3,
        195.0), COOL, FALLEN_OUT, 60.0)),
    at(Z1, row("fallen-out-heating-t2", "zone 1 sensor fallen out before the target is reached",
        &[Heating, Tuning], Breaks(F::SensorFallenOut(Sensor::T2)), Source::Event, COOL, Own,
        200.0)),
    at(Z2, row("fallen-out-heating-t3", "zone 2 sensor fallen out before the target is reached",
        &[Heating], Breaks(F::SensorFallenOut(Sensor::T3)), Source::Event, COOL, Own, 200.0)),
    row("swapped", "the plugs of both zone sensors exchanged before the first warm-up", &[Cold],
        BreaksThenTarget(F::SensorsSwapped, 200.0), Source::FirstHeat, Alarm(&[A::ZonesSwapped]),
        Own, 120.0),
    row("rail-up-1", "converter supply 1 % high", HOT, Breaks(F::RailOff { percent: 1.0 }),
        Source::Event, Nothing, Own, 120.0),
    row("rail-down-1", "converter supply 1 % low", HOT, Breaks(F::RailOff { percent: -1.0 }),
        Source::Event, Nothing, Own, 120.0),
    row("rail-up-1-cold", "converter supply 1 % high on a cold machine that is then heated",
        &[Cold], BreaksThenTarget(F::RailOff { percent: 1.0 }, 200.0), Source::Event, Nothing, Own,
        600.0),
    row("rail-down-1-cold", "converter supply 1 % low on a cold machine that is then heated",
        &[Cold], BreaksThenTarget(F::RailOff { percent: -1.0 }, 200.0), Source::Event, Nothing,
        Own, 600.0),
    row("rail-up-3-cold", "converter supply 3 % high on a cold machine that is then heated",
        &[Cold], BreaksThenTarget(F::RailOff { percent: 3.0 }, 200.0), Source::FirstHeat,
        Alarm(&[A::HeaterUnderTemperature, A::HeaterSensorFailure]), Own, 10.0),
    row("rail-up-3-manual", "converter supply 3 % high on a cold machine that is heated by hand",
        &[Cold], BreaksThenDuty(F::RailOff { percent: 3.0 }, 50.0), Source::FirstHeat,
        Alarm(&[A::HeaterUnderTemperature, A::HeaterSensorFailure]), Own, 10.0),
    row("stuck-on-z1", "zone 1 relay stuck on, closed loop", LOOP, Breaks(F::SsrStuckOn(Zone::Z1)),
        Source::Above(Sensor::T2, 230.0), STUCK, BEYOND_TARGET, 300.0),
    row("stuck-on-z2", "zone 2 relay stuck on, closed loop", LOOP, Breaks(F::SsrStuckOn(Zone::Z2)),
        Source::Above(Sensor::T3, 230.0), STUCK, BEYOND_TARGET, 300.0),
    row("stuck-on-heating-z1", "zone 1 relay stuck on while heating up", &[Heating],
        Breaks(F::SsrStuckOn(Zone::Z1)), Source::Above(Sensor::T2, 250.0), STUCK, BEYOND_TARGET, 600.0),
    row("stuck-on-heating-z2", "zone 2 relay stuck on while heating up", &[Heating],
        Breaks(F::SsrStuckOn(Zone::Z2)), Source::Above(Sensor::T3, 250.0), STUCK, BEYOND_TARGET, 600.0),
    row("stuck-on-tuning-z1", "zone 1 relay stuck on during its tune", &[Tuning],
        Breaks(F::SsrStuckOn(Zone::Z1)), Source::Above(Sensor::T2, 230.0), STUCK, Own, 600.0),
    row("stuck-on-off-z1", "zone 1 relay stuck on while off", &[Idle, Tripped],
        Breaks(F::SsrStuckOn(Zone::Z1)), Source::Event, STUCK, Own, 200.0),
    row("stuck-on-off-z2", "zone 2 relay stuck on while off", &[Idle, Tripped],
        Breaks(F::SsrStuckOn(Zone::Z2)), Source::Event, STUCK, Own, 200.0),
    row("stuck-on-cold-z1", "zone 1 relay stuck on, cold machine", &[Cold],
        Breaks(F::SsrStuckOn(Zone::Z1)), Source::Event, STUCK, Own, 200.0),
    row("over-temperature", "a zone above 280 °C", &[Holding, Running, Tuning, Stopping, Manual,
        Tripped], Barrel(292.0), Source::Above(Sensor::T2, 280.0),
        Alarm(&[A::HeaterOverTemperature]), Own, 60.0),
    row("over-temperature-idle", "the barrel driven beyond 280 °C with the heaters off", &[Idle],
        Barrel(292.0), Source::Event, Alarm(&[A::HeaterStuckOn]), Own, 200.0),
    row("over-temperature-manual", "heated by hand beyond 280 °C", &[Manual],
        BreaksThenDuty(F::MainsVoltage { percent: 100.0 }, 100.0), Source::Above(Sensor::T2,
        280.0), Alarm(&[A::HeaterOverTemperature]), Own, 900.0),
    at(Z1, row("heater-dead-z1", "zone 1 heater dead", &[Heating, Holding, Running, Stopping,
        Tuning], Breaks(F::HeaterDead(Zone::Z1)), Source::Event, COOL, Own, 300.0)),
    at(Z2, row("heater-dead-z2", "zone 2 heater dead", &[Heating, Holding, Running, Stopping,
        Tuning], Breaks(F::HeaterDead(Zone::Z2)), Source::Event, COOL, Own, 300.0)),
    at(Z1, row("heater-weak-z1", "zone 1 heater too weak to hold", LOOP,
        Breaks(F::HeaterPower(Zone::Z1, 0.35)), Source::Below(Sensor::T2, 195.0), COOL, Own,
        900.0)),
    at(Z2, row("heater-weak-z2", "zone 2 heater too weak to hold", LOOP,
        Breaks(F::HeaterPower(Zone::Z2, 0.35)), Source::Below(Sensor::T3, 195.0), COOL, Own,
        900.0)),
    row("heater-half", "both heaters at a power that still holds", &[Holding],
        Breaks(F::MainsVoltage { percent: 80.0 }), Source::Event, Nothing, Own, 900.0),
    row("adc-gone", "converter does not answer", HOT, Breaks(F::AdcGone), Source::LastSample,
        STALE, Own, SOON),
    row("adc-stopped", "converter converts nothing new", HOT, Breaks(F::AdcStopped),
        Source::LastSample, STALE, Own, SOON),
    row("pwm-lost", "writes to the PWM board are lost", HOT, Breaks(F::PwmWriteLost),
        Source::ReadBack, Alarm(&[A::OutputMismatch]), Own, SOON),
    row("drive-alarm", "drive alarm pulse of 20 ms", HOT, BreaksFor(F::DriveAlarm, 20),
        Source::DriveInput, Alarm(&[A::DriverFault]), Own, SOON),
    row("motor-hot", "screw motor above 65 °C", HOT, Breaks(F::MotorHot),
        Source::Above(Sensor::Motor, 65.0), Alarm(&[A::MotorOverheat]), Own, 240.0),
    row("motor-open", "motor sensor open", HOT, Breaks(F::SensorOpen(Sensor::Motor)),
        Source::Sample(Sensor::Motor), Alarm(&[A::MotorSensorFailure]), Own, SOON),
    row("motor-shorted", "motor sensor shorted", HOT, Breaks(F::SensorShorted(Sensor::Motor)),
        Source::Sample(Sensor::Motor), Alarm(&[A::MotorSensorFailure]), Own, SOON),
    row("throat-hot", "feed throat above 80 °C", HOT, Breaks(F::FeedThroatHot),
        Source::Above(Sensor::T1, 80.0), Alarm(&[A::FeedThroatHot]), Own, 240.0),
    row("throat-open", "feed throat sensor open", HOT, Breaks(F::SensorOpen(Sensor::T1)),
        Source::Sample(Sensor::T1), Alarm(&[A::FeedSensorFailure]), Own, SOON),
    row("throat-shorted", "feed throat sensor shorted", HOT, Breaks(F::SensorShorted(Sensor::T1)),
        Source::Sample(Sensor::T1), Alarm(&[A::FeedSensorFailure]), Own, SOON),
    row("estop-command", "emergency stop by command", &[Cold, Idle, Heating, Holding, Running,
        Tuning, Stopping, Manual], Stimulus::Command("EMERGENCY_STOP"), Source::Event,
        Alarm(&[A::EmergencyStop]), Own, SOON),
    row("estop-contact", "emergency-stop button pressed or loop broken", HOT, Breaks(F::EstopOpen),
        Source::Contact, Alarm(&[A::EmergencyStopBtn]), Own, SOON),
    row("cold-zone", "the screw turns and an unheated zone falls under 165 °C", &[Running],
        BarrelUnheated(140.0), Source::Below(Sensor::T2, 165.0), Alarm(&[A::ColdZone]), Own, 60.0),
    row("stall", "control loop stands still for 500 ms", HOT, Stimulus::Stall(500), Source::Event,
        Alarm(&[A::ControlOverrun]), Own, SOON),
    row("killed", "process killed with something on", HOT, Stimulus::KilledEnergised,
        Source::Event, Alarm(&[A::UncleanStop]), Own, SOON),
    row("killed-idle", "process killed with everything off", &[Cold, Idle], Stimulus::KilledIdle,
        Source::Event, Alarm(&[A::UncleanStopIdle]), Own, SOON),
    row("bad-config", "restart on a refused configuration", HOT, Stimulus::BadConfiguration,
        Source::Event, Alarm(&[A::ConfigFault]), Own, SOON),
    row("idle-setback", "nobody moves the machine for 30 minutes", &[Holding], Stimulus::Nothing,
        Source::Event, Alarm(&[A::IdleSetback]), SETBACK, 1900.0),
    row("disk-fails", "recorder cannot write", HOT, Stimulus::DiskFails, Source::Event,
        Alarm(&[A::LoggingFailed]), Own, SOON),
    row("disk-full", "disk of the recorder nearly full", HOT, Stimulus::DiskFull, Source::Event,
        Alarm(&[A::LoggingDiskFull]), Own, SOON),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alarm_of_the_controller_has_a_row() {
        /// Drills play these: converted gains, and a journal that cannot be read.
        const ELSEWHERE: [A; 2] = [A::TuneNeeded, A::JournalUnreadable];
        for code in A::ALL.iter().filter(|code| !ELSEWHERE.contains(code)) {
            let named = |row: &&Row| matches!(row.expected, Alarm(codes) if codes.contains(code));
            assert!(FAULT_TABLE.iter().find(named).is_some(), "{} has no row", code.name());
        }
    }

    #[test]
    fn rows_have_names_of_their_own() {
        for (i, row) in FAULT_TABLE.iter().enumerate() {
            assert!(FAULT_TABLE[..i].iter().all(|other| other.id != row.id), "{}", row.id);
        }
    }

    #[test]
    fn what_is_not_the_bound_of_the_alarm_says_why_and_no_bound_is_below_zero() {
        for row in FAULT_TABLE {
            if let Shifted(by, why) = row.bound {
                assert!(by != 0.0 && !why.is_empty(), "{}", row.id);
            }
            assert!(row.bound_s().is_none_or(|bound| bound >= 0.0), "{}", row.id);
        }
    }
}
