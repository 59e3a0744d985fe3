//! The alarm table: every code with its severity, reaction, delay and latch, as data.
//!
//! *Trip*: the machine (or one zone) goes to its safe state at once and stays there until the
//! alarm is cleared. *Latch*: an alarm stays after its cause is gone. *First-out*: the order of the
//! active alarms is the order in which they were raised.

use core::fmt;
use tve_hal::{Reading, Sensor, Zone};
use tve_units::{Micros, WallMillis};

/// How loudly an alarm speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Production may suffer.
    Warning,
    /// Someone must act.
    Critical,
}

impl Severity {
    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
        }
    }
}

/// What the machine does when an alarm is raised, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reaction {
    /// Nothing stops.
    Note,
    /// Feed to zero, then the screw, within 2 s; heat goes on.
    Stop,
    /// One zone's heater off, motors as [`Reaction::Stop`]; the other zone holds.
    ZoneTrip,
    /// Every heater, pulse, drive and the Peltier off at once.
    Trip,
}

impl Reaction {
    /// Name in reports and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "NOTE",
            Self::Stop => "STOP",
            Self::ZoneTrip => "ZONE TRIP",
            Self::Trip => "TRIP",
        }
    }
}

/// When CLEAR_ALARM may take an alarm away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearRule {
    /// As soon as the controller no longer sees the cause.
    CauseGone,
    /// Always: it reports an event that is over, or something that stops nothing.
    Always,
    /// After somebody has acknowledged it.
    Acknowledged,
    /// Never by command: a new configuration and a restart are needed.
    Never,
}

macro_rules! alarm_table {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $reaction:ident, $clear:ident, $within:literal, $remedy:literal;)*) => {
        /// Every alarm the machine knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
        #[repr(u8)]
        pub enum AlarmCode {
            $($(#[$doc])* $variant,)*
        }

        impl AlarmCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The row of the table.
            pub const fn row(self) -> &'static AlarmRow {
                const ROWS: &[AlarmRow] = &[$(AlarmRow {
                    code: AlarmCode::$variant,
                    name: $name,
                    reaction: Reaction::$reaction,
                    clear: ClearRule::$clear,
                    within_s: $within,
                    remedy: $remedy,
                },)*];
                &ROWS[self as usize]
            }
        }
    };
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlarmRow {
    /// The code.
    pub code: AlarmCode,
    /// Its name on the wire (`type`).
    pub name: &'static str,
    /// What the machine does.
    pub reaction: Reaction,
    /// When it may be cleared.
    pub clear: ClearRule,
    /// Longest time from the first sample that shows the cause to the reaction, in seconds;
    /// zero where the alarm has no time bound.
    pub within_s: f64,
    /// What a person should do.
    pub remedy: &'static str,
}

impl AlarmRow {
    /// Severity follows from the reaction.
    pub const fn severity(&self) -> Severity {
        match self.reaction {
            Reaction::Trip | Reaction::ZoneTrip => Severity::Critical,
            Reaction::Stop | Reaction::Note => Severity::Warning,
        }
    }
}

alarm_table! {
    /// EMERGENCY_STOP by command.
    EmergencyStop = "EMERGENCY_STOP", Trip, Always, 0.02,
        "Make sure the machine is safe, then clear the alarm";
    /// Emergency-stop button pressed or its loop open.
    EmergencyStopBtn = "EMERGENCY_STOP_BTN", Trip, CauseGone, 0.02,
        "Release the button (or mend the loop), then clear the alarm";
    /// A zone's thermistor is open, shorted or implausible.
    HeaterSensorFailure = "HEATER_SENSOR_FAILURE", ZoneTrip, CauseGone, 1.0,
        "Check the thermistor, its plug and its wires";
    /// No fresh samples.
    TempDataStale = "TEMP_DATA_STALE", Trip, CauseGone, 1.0,
        "Check the I2C wiring and the supply of the converter";
    /// A zone is above the over-temperature limit.
    HeaterOverTemperature = "HEATER_OVER_TEMPERATURE", Trip, CauseGone, 1.0,
        "Let the barrel cool; check the solid-state relay for a stuck contact";
    /// A heated zone reads below the under-temperature limit.
    HeaterUnderTemperature = "HEATER_UNDER_TEMPERATURE", ZoneTrip, CauseGone, 1.0,
        "Check the thermistor and its calibration";
    /// Heat goes in and the temperature does not follow.
    HeaterNotHeating = "HEATER_NOT_HEATING", ZoneTrip, Always, 120.0,
        "Check the heater band, its fuse and relay, and that the sensor sits in the barrel";
    /// The temperature rises without being asked to.
    HeaterStuckOn = "HEATER_STUCK_ON", Trip, CauseGone, 120.0,
        "Cut the mains: a solid-state relay may have failed closed";
    /// A zone's code stands still although the heater should have moved it.
    SensorFrozen = "SENSOR_FROZEN", ZoneTrip, CauseGone, 30.0,
        "Check the converter and the thermistor";
    /// The zone that is heated is not the one that gets warm.
    ZonesSwapped = "ZONES_SWAPPED", Trip, Always, 60.0,
        "Exchange the heater or the sensor plugs of the two zones";
    /// Screw motor above its limit.
    MotorOverheat = "MOTOR_OVERHEAT", Stop, CauseGone, 1.0,
        "Let the motor cool; check its load and its fan";
    /// Screw motor thermistor bad.
    MotorSensorFailure = "MOTOR_SENSOR_FAILURE", Stop, CauseGone, 1.0,
        "Check the thermistor of the motor";
    /// Feed throat above its limit.
    FeedThroatHot = "FEED_THROAT_HOT", Stop, CauseGone, 1.0,
        "Check the cooling of the feed throat";
    /// Feed throat thermistor bad.
    FeedSensorFailure = "FEED_SENSOR_FAILURE", Note, CauseGone, 1.0,
        "Check the thermistor of the feed throat";
    /// A stepper drive reported a fault.
    DriverFault = "DRIVER_FAULT", Stop, CauseGone, 0.05,
        "Look at the drive's fault lamp, check wiring and current, then clear the alarm";
    /// The screw turns and a zone is too cold for it.
    ColdZone = "COLD_ZONE", Stop, Always, 5.0,
        "Wait until the zones are warm";
    /// The control loop stood still.
    ControlOverrun = "CONTROL_OVERRUN", Trip, Always, 0.5,
        "Look for a process that starves the controller";
    /// A PWM output does not hold what was written.
    OutputMismatch = "OUTPUT_MISMATCH", Trip, CauseGone, 0.5,
        "Check the PWM expander and its supply";
    /// The last process ended without its shutdown record while something was energised.
    UncleanStop = "UNCLEAN_STOP", Trip, Acknowledged, 0.0,
        "Look at the machine, acknowledge, then clear the alarm";
    /// The same with everything off.
    UncleanStopIdle = "UNCLEAN_STOP", Note, Always, 0.0,
        "Nothing was on; clear the note";
    /// The configuration was refused.
    ConfigFault = "CONFIG_FAULT", Trip, Never, 0.0,
        "Mend the configuration (`tve check-config FILE` lists what is wrong) and restart";
    /// Nobody has moved the machine for long; targets were lowered.
    IdleSetback = "IDLE_SETBACK", Note, Always, 0.0,
        "Set the targets again to go on";
    /// The gains were made for another control law.
    TuneNeeded = "TUNE_NEEDED", Note, Always, 0.0,
        "Run an autotune for each zone, or set the gains";
    /// The recorder cannot write.
    LoggingFailed = "LOGGING_FAILED", Note, CauseGone, 0.0,
        "Check the disk of the data folder";
    /// The disk is nearly full.
    LoggingDiskFull = "LOGGING_DISK_FULL", Note, CauseGone, 0.0,
        "Delete old run files or lower logging.keep_days";
}

impl AlarmCode {
    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The code of a name from the journal (the milder one where two share a name).
    pub fn from_name(name: &str, reaction: Reaction) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.name() == name && c.row().reaction == reaction)
    }
}

/// The numbers behind an alarm; they become a sentence when somebody reads it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Cause {
    /// The code says it all.
    #[default]
    Plain,
    /// A sensor is bad in this way.
    Sensor(Sensor, Reading),
    /// A sensor reads beyond its limit, °C.
    Limit {
        /// Which sensor.
        sensor: Sensor,
        /// Reading, °C.
        reading: f64,
        /// Limit, °C.
        limit: f64,
    },
    /// A zone does not follow its heater.
    Rate {
        /// Which zone.
        zone: Zone,
        /// Expected gain in the last minute, °C.
        expected: f64,
        /// Actual gain in the last minute, °C.
        actual: f64,
    },
    /// A zone rises without heat, or far above its target.
    Runaway {
        /// Which zone.
        zone: Zone,
        /// Reading, °C.
        reading: f64,
        /// Target, °C.
        target: f64,
    },
    /// Heat was given to one zone and the other rose.
    Swapped {
        /// The heated zone.
        heated: Zone,
        /// Its rise, °C.
        own_rise: f64,
        /// The rise of the other, °C.
        other_rise: f64,
    },
    /// A span of time, seconds.
    Seconds(f64),
    /// Restored from the journal; the original sentence is in the history.
    Restored(Option<Zone>),
    /// A zone cannot be seen and could be beyond its limit, °C.
    Unseen {
        /// The sensor that failed.
        sensor: Sensor,
        /// What full duty could have made of the zone, °C.
        could_be: f64,
        /// Limit, °C.
        limit: f64,
    },
}

/// One raised alarm.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct AlarmRecord {
    /// Grows by one per alarm, also across restarts.
    pub id: u64,
    /// What.
    pub code: AlarmCode,
    /// Why.
    pub cause: Cause,
    /// Monotonic time of raising.
    pub raised_at: Micros,
    /// Wall-clock label.
    pub wall: WallMillis,
    /// Somebody has seen it.
    pub acknowledged: bool,
    /// It is over.
    pub cleared: bool,
}

impl AlarmRecord {
    /// The zone that the alarm is about.
    pub const fn zone(&self) -> Option<Zone> {
        self.cause.zone()
    }
}

impl Cause {
    /// The zone that the cause is about.
    pub const fn zone(&self) -> Option<Zone> {
        match *self {
            Self::Sensor(sensor, _) | Self::Limit { sensor, .. } | Self::Unseen { sensor, .. } => {
                sensor.zone()
            }
            Self::Rate { zone, .. } | Self::Runaway { zone, .. } => Some(zone),
            Self::Swapped { heated, .. } => Some(heated),
            Self::Restored(zone) => zone,
            Self::Plain | Self::Seconds(_) => None,
        }
    }
}

/// The sentence that an operator reads: what, with which numbers, what to do.
impl fmt::Display for AlarmRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::Plain => write!(f, "{}", headline(self.code))?,
            Cause::Sensor(sensor, reading) => {
                write!(f, "Sensor {} is {}", sensor.name(), reading.name().replace('_', " "))?;
            }
            Cause::Limit { sensor, reading, limit } => {
                write!(f, "{} reads {reading:.1} °C, limit {limit:.1} °C", sensor.name())?;
            }
            Cause::Rate { zone, expected, actual } => write!(
                f,
                "Zone {} gained {actual:.1} °C in the last minute, {expected:.1} °C expected",
                zone.name()
            )?,
            Cause::Runaway { zone, reading, target } => write!(
                f,
                "Zone {} is at {reading:.1} °C and rising by itself, target {target:.1} °C",
                zone.name()
            )?,
            Cause::Swapped { heated, own_rise, other_rise } => write!(
                f,
                "Zone {} was heated and rose {own_rise:.1} °C while zone {} rose {other_rise:.1} °C",
                heated.name(),
                heated.other().name()
            )?,
            Cause::Seconds(s) => write!(f, "{} ({s:.1} s)", headline(self.code))?,
            Cause::Unseen { sensor, could_be, limit } => write!(
                f,
                "{} has failed for so long that a relay that sticks could have brought its zone \
                 to {could_be:.0} °C, limit {limit:.1} °C",
                sensor.name()
            )?,
            Cause::Restored(_) => write!(f, "{}, latched before the restart", headline(self.code))?,
        }
        write!(f, ". {}.", self.code.row().remedy)
    }
}

const fn headline(code: AlarmCode) -> &'static str {
    match code {
        AlarmCode::EmergencyStop => "Emergency stop by command",
        AlarmCode::EmergencyStopBtn => "Emergency stop: button pressed or loop open",
        AlarmCode::HeaterSensorFailure => "A zone sensor failed",
        AlarmCode::TempDataStale => "No fresh temperatures",
        AlarmCode::HeaterOverTemperature => "A zone is too hot",
        AlarmCode::HeaterUnderTemperature => "A heated zone reads far too cold",
        AlarmCode::HeaterNotHeating => "A zone does not heat",
        AlarmCode::HeaterStuckOn => "A heater stays on",
        AlarmCode::SensorFrozen => "A zone sensor stands still",
        AlarmCode::ZonesSwapped => "Heaters or sensors are exchanged",
        AlarmCode::MotorOverheat => "The screw motor is too hot",
        AlarmCode::MotorSensorFailure => "The motor sensor failed",
        AlarmCode::FeedThroatHot => "The feed throat is too hot",
        AlarmCode::FeedSensorFailure => "The feed throat sensor failed",
        AlarmCode::DriverFault => "A stepper drive reports a fault",
        AlarmCode::ColdZone => "The screw turned in a cold zone",
        AlarmCode::ControlOverrun => "The control loop stood still",
        AlarmCode::OutputMismatch => "A PWM output does not hold its value",
        AlarmCode::UncleanStop => "The controller died while something was on",
        AlarmCode::UncleanStopIdle => "The controller died with everything off",
        AlarmCode::ConfigFault => "The configuration is invalid, outputs are locked",
        AlarmCode::IdleSetback => "Nobody moved the machine, targets were lowered",
        AlarmCode::TuneNeeded => "The gains were made for another control law and are converted",
        AlarmCode::LoggingFailed => "The recorder cannot write",
        AlarmCode::LoggingDiskFull => "The disk is nearly full",
    }
}

/// A change in the life of an alarm, for the journal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AlarmEvent {
    /// Raised now.
    Raised(AlarmRecord),
    /// Seen by somebody.
    Acknowledged {
        /// Which.
        id: u64,
    },
    /// Over.
    Cleared {
        /// Which.
        id: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_a_code_is_its_own() {
        for &code in AlarmCode::ALL {
            assert_eq!(code.row().code, code);
        }
    }

    #[test]
    fn a_name_and_reaction_find_their_code_again() {
        for &code in AlarmCode::ALL {
            assert_eq!(AlarmCode::from_name(code.name(), code.row().reaction), Some(code));
        }
    }

    #[test]
    fn a_message_has_the_numbers_and_the_remedy() {
        let record = AlarmRecord {
            id: 1,
            code: AlarmCode::HeaterOverTemperature,
            cause: Cause::Limit { sensor: Sensor::T2, reading: 281.25, limit: 280.0 },
            raised_at: Micros::ZERO,
            wall: WallMillis::new(0),
            acknowledged: false,
            cleared: false,
        };
        let text = record.to_string();
        assert!(
            text.starts_with("t2 reads 281.2 °C, limit 280.0 °C. Let the barrel cool"),
            "{text}"
        );
    }
}
