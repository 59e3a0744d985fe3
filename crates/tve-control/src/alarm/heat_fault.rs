//! Which alarms are faults of heat, and which fault: what comes twice locks its zone.

use super::AlarmCode;

/// A fault of heat that locks its zone when it comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeatFault {
    /// Heat does not show.
    NotHeating,
    /// A heater stays on.
    StuckOn,
    /// Heat that nobody gave.
    Unasked,
    /// Beyond the limit.
    TooHot,
}

impl HeatFault {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::TooHot as usize + 1;
}

impl AlarmCode {
    /// What it says of the heat of its zone, where it counts towards locking that zone.
    pub(crate) const fn heat_fault(self) -> Option<HeatFault> {
        match self {
            Self::HeaterNotHeating => Some(HeatFault::NotHeating),
            Self::HeaterStuckOn => Some(HeatFault::StuckOn),
            Self::HeatUnasked => Some(HeatFault::Unasked),
            Self::HeaterOverTemperature => Some(HeatFault::TooHot),
            Self::EmergencyStop
            | Self::EmergencyStopBtn
            | Self::HeaterSensorFailure
            | Self::TempDataStale
            | Self::HeaterUnderTemperature
            | Self::ZoneLocked
            | Self::SensorDetached
            | Self::SensorFrozen
            | Self::ZonesSwapped
            | Self::MotorOverheat
            | Self::MotorSensorFailure
            | Self::FeedThroatHot
            | Self::FeedSensorFailure
            | Self::DriverFault
            | Self::ColdZone
            | Self::ContactorWelded
            | Self::ControlOverrun
            | Self::OutputMismatch
            | Self::UncleanStop
            | Self::UncleanStopIdle
            | Self::JournalUnreadable
            | Self::ConfigFault
            | Self::IdleSetback
            | Self::TuneNeeded
            | Self::SafetyChanged
            | Self::LocalStop
            | Self::IdleSoon
            | Self::IdleOff
            | Self::Residence
            | Self::SensorDoubted
            | Self::SafetyWeak
            | Self::LoggingFailed
            | Self::LoggingDiskFull => None,
        }
    }
}
