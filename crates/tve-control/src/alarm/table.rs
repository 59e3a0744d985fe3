//! The alarm table itself: one row an alarm. What a row lacks does not compile.

use super::{AlarmRow, ClearRule, Evidence, Reaction, Scope};

use ClearRule::{Acknowledged, Always, Never, Released, Seen, While};
use Evidence::{
    ContactorCloses, DiskLow, DriveInput, EstopContact, LockedAtPanel, MotorSensorBad, MotorTooHot,
    PwmReadBack, RecorderFails, SafetyWeak, SensorDoubted, ThroatSensorBad, ThroatTooHot,
    ZoneRises, ZoneSensorBad, ZoneSensorSilent, ZoneTooCold, ZoneTooHot,
};

macro_rules! scope {
    () => {
        Scope::Machine
    };
    ($scope:ident) => {
        Scope::$scope
    };
}

macro_rules! alarm_table {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal, $reaction:ident $(each $scope:ident)?, $clear:expr, $within:literal, $headline:literal, $remedy:literal;)*) => {
        /// Every alarm the machine knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
        #[repr(u8)]
        pub enum AlarmCode {
            $($(#[doc = $doc])* $variant,)*
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
                    scope: scope!($($scope)?),
                    clear: $clear,
                    within_s: $within,
                    cause: concat!($($doc),*),
                    headline: $headline,
                    remedy: $remedy,
                },)*];
                &ROWS[self as usize]
            }
        }
    };
}

alarm_table! {
    /// EMERGENCY_STOP by command.
    EmergencyStop = "EMERGENCY_STOP", Trip, Always, 0.02,
        "Emergency stop by command",
        "Make sure the machine is safe, then clear the alarm";
    /// Emergency-stop button pressed or its loop open.
    EmergencyStopBtn = "EMERGENCY_STOP_BTN", Trip, While(EstopContact), 0.02,
        "Emergency stop: button pressed or loop open",
        "Release the button (or mend the loop), then clear the alarm";
    /// A zone's thermistor is open, shorted or implausible.
    HeaterSensorFailure = "HEATER_SENSOR_FAILURE", ZoneTrip each Zone, While(ZoneSensorBad), 1.0,
        "A zone sensor failed",
        "Check the thermistor, its plug and its wires";
    /// No fresh samples.
    TempDataStale = "TEMP_DATA_STALE", Trip each Zone, While(ZoneSensorSilent), 1.0,
        "No fresh temperatures",
        "Check the I2C wiring and the supply of the converter";
    /// A zone is above the over-temperature limit.
    HeaterOverTemperature = "HEATER_OVER_TEMPERATURE", Trip each Zone, While(ZoneTooHot), 1.0,
        "A zone is too hot",
        "Let the barrel cool; check the solid-state relay for a stuck contact";
    /// A heated zone reads below the under-temperature limit.
    HeaterUnderTemperature = "HEATER_UNDER_TEMPERATURE", ZoneTrip each Zone, While(ZoneTooCold), 1.0,
        "A heated zone reads far too cold",
        "Check the thermistor and its calibration";
    /// Heat goes in and the temperature does not follow.
    HeaterNotHeating = "HEATER_NOT_HEATING", ZoneTrip each Zone, Always, 120.0,
        "A zone does not heat",
        "Check the heater band, its fuse and relay, and that the sensor sits in the barrel";
    /// The temperature rises without being asked to.
    HeaterStuckOn = "HEATER_STUCK_ON", Trip each Zone, While(ZoneRises), 120.0,
        "A heater stays on",
        "Cut the mains: a solid-state relay may have failed closed";
    /// A zone has more heat than anybody gave it, or is about to pass 290 °C.
    HeatUnasked = "HEAT_UNASKED", Trip each Zone, While(ZoneRises), 120.0,
        "A zone gets heat that nobody asked for",
        "Cut the mains: a solid-state relay may have failed closed";
    /// A second alarm of heat with one cause within an hour: somebody has to look before the zone is
    /// heated again.
    ZoneLocked = "ZONE_LOCKED", ZoneTrip each Zone, Released, 0.02,
        "The same fault of heat came twice within an hour",
        "Look for its cause; then an engineer releases the zone (RELEASE_ZONE) with a reason";
    /// A zone's reading fell faster than its metal can cool: the sensor is no longer where it was.
    SensorDetached = "SENSOR_DETACHED", ZoneTrip each Zone, Released, 10.0,
        "A zone sensor came loose",
        "Fasten the sensor; then an engineer releases the zone (RELEASE_ZONE) with a reason";
    /// A zone's code stands still although the heater should have moved it.
    SensorFrozen = "SENSOR_FROZEN", ZoneTrip each Zone, While(ZoneSensorBad), 30.0,
        "A zone sensor stands still",
        "Check the converter and the thermistor";
    /// The zone that is heated is not the one that gets warm.
    ZonesSwapped = "ZONES_SWAPPED", Trip each Zone, Always, 60.0,
        "Heaters or sensors are exchanged",
        "Exchange the heater or the sensor plugs of the two zones";
    /// A motor above its limit.
    MotorOverheat = "MOTOR_OVERHEAT", Stop each Motor, While(MotorTooHot), 1.0,
        "A motor is too hot",
        "Let the motor cool; check its load and its fan";
    /// A motor's thermistor bad.
    MotorSensorFailure = "MOTOR_SENSOR_FAILURE", Stop each Motor, While(MotorSensorBad), 1.0,
        "A motor sensor failed",
        "Check the thermistor of the motor";
    /// Feed throat above its limit.
    FeedThroatHot = "FEED_THROAT_HOT", Stop, While(ThroatTooHot), 1.0,
        "The feed throat is too hot",
        "Check the cooling of the feed throat";
    /// Feed throat thermistor bad.
    FeedSensorFailure = "FEED_SENSOR_FAILURE", Note, While(ThroatSensorBad), 1.0,
        "The feed throat sensor failed",
        "Check the thermistor of the feed throat";
    /// The stop button of the panel was pressed, and `safety.local_stop` makes it lock the motors.
    LocalStop = "LOCAL_STOP", Stop, While(LockedAtPanel), 0.05,
        "Stopped at the machine, and locked there",
        "Press the start button of the panel to release the motors; nothing turns by that";
    /// The main contactor does not read as it is driven, where its auxiliary contact is wired.
    ContactorWelded = "CONTACTOR_WELDED", Trip, While(ContactorCloses), 1.0,
        "The main contactor does not follow: it is welded, or its auxiliary contact is not wired right",
        "Cut the mains by hand; replace the contactor, or mend the wires of its auxiliary contact";
    /// A stepper drive reported a fault.
    DriverFault = "DRIVER_FAULT", Stop, While(DriveInput), 0.05,
        "A stepper drive reports a fault",
        "Look at the drive's fault lamp, check wiring and current, then clear the alarm";
    /// The screw turns and a zone is too cold for it.
    ColdZone = "COLD_ZONE", Stop each Zone, Always, 5.0,
        "The screw turned in a cold zone",
        "Wait until the zones are warm";
    /// The control loop stood still.
    ControlOverrun = "CONTROL_OVERRUN", Trip, Always, 0.5,
        "The control loop stood still",
        "Look for a process that starves the controller";
    /// A PWM output does not hold what was written.
    OutputMismatch = "OUTPUT_MISMATCH", Trip, While(PwmReadBack), 0.5,
        "A PWM output does not hold its value",
        "Check the PWM expander and its supply";
    /// The last process ended without its shutdown record while something was energised.
    UncleanStop = "UNCLEAN_STOP", Trip, Acknowledged, 0.02,
        "The controller died while something was on",
        "Look at the machine, acknowledge, then clear the alarm";
    /// The same with everything off.
    UncleanStopIdle = "UNCLEAN_STOP", Note, Always, 0.02,
        "The controller died with everything off",
        "Nothing was on; clear the note";
    /// The journal holds a latched alarm whose name this version does not know, or whose reaction
    /// has changed; or a part of it, which may have been a latched alarm, is damaged.
    JournalUnreadable = "JOURNAL_UNREADABLE", Trip, Acknowledged, 0.02,
        "The alarm journal holds what cannot be read, perhaps a latched alarm",
        "Look up in the journal what was latched, see to it, acknowledge, then clear the alarm";
    /// The configuration was refused.
    ConfigFault = "CONFIG_FAULT", Trip, Never, 0.02,
        "The configuration is invalid, outputs are locked",
        "Mend the configuration (`tve check-config FILE` lists what is wrong) and restart";
    /// Nobody has moved or operated the machine for long; its heat is turned down or off in ten minutes.
    IdleSoon = "IDLE_SOON", Note, Always, 0.0,
        "Nobody operates the machine, its heat is about to be turned down",
        "Send any command or press a button to go on";
    /// Nobody has moved or operated the machine for long; its heat was turned down.
    IdleSetback = "IDLE_SETBACK", Note, Always, 0.0,
        "Nobody operated the machine, its heat was turned down",
        "Set targets or duties again to go on";
    /// Nobody has moved or operated the machine for very long; its heat was switched off.
    IdleOff = "IDLE_OFF", Note, Always, 0.0,
        "Nobody operated the machine, its heat was switched off",
        "Set targets or duties again to go on";
    /// Melt has stood hot for longer than `safety.residence_min`, added up until it was turned out.
    Residence = "RESIDENCE", Note, Always, 0.0,
        "Melt has stood hot for long",
        "Turn the screw until fresh material comes, or let the barrel cool";
    /// The constants of a sensor, a limit, the machine that is driven or the wiring of the emergency stop
    /// were changed, so that a trip may come later or not at all.
    SafetyChanged = "SAFETY_CHANGED", Note, Seen, 0.0,
        "What a trip depends on was changed",
        "See in the audit journal what it was and by whom; acknowledge when it is right";
    /// The gains were made for another control law.
    TuneNeeded = "TUNE_NEEDED", Note, Always, 0.0,
        "The gains were made for another control law and are converted",
        "Run an autotune for each zone, or set the gains";
    /// What the configuration says of a zone's sensor cannot be: an unknown thermistor or divider, or a
    /// calibration beyond what an honest sensor needs. The zone heats at 30 % at most.
    SensorDoubted = "SENSOR_DOUBTED", Note each Zone, While(SensorDoubted), 0.0,
        "A zone sensor is doubted, and its zone heats at 30 % at most",
        "Set up its thermistor and divider as they are built in, and calibrate it anew";
    /// A setting of `safety` takes away what it is there for.
    SafetyWeak = "SAFETY_WEAK", Note, While(SafetyWeak), 0.0,
        "A setting of safety takes away what it is there for",
        "`tve check-config FILE` lists all of these";
    /// The recorder cannot write.
    LoggingFailed = "LOGGING_FAILED", Note, While(RecorderFails), 0.02,
        "The recorder cannot write",
        "Check the disk of the data folder";
    /// The disk is nearly full.
    LoggingDiskFull = "LOGGING_DISK_FULL", Note, While(DiskLow), 0.02,
        "The disk is nearly full",
        "Delete old run files or lower logging.keep_days";
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
}
