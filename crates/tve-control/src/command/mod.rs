//! Commands as types: what a client may ask of the machine, parsed once at the edge.

mod docs;
mod parse;
mod row;
mod rows;
mod sample;
mod settings;
mod spec;
mod table;
mod values;

pub use docs::commands_markdown;
pub use parse::{
    control_kind, gpio_kind, lenient_json, parse_control, parse_gpio, parse_named, parse_tune_start,
};
pub use row::{CommandRow, Effect, Endpoint};
pub use rows::CommandKind;
pub(crate) use rows::{TUNE_MARGIN, TUNE_MIN};
pub use sample::random_value;
pub use spec::{Param, Shape};

use crate::proposal::Proposal;
use crate::tune::{TuneMethod, TuneResult};
use std::sync::Arc;
use tve_config::{
    Config, Dm556Patch, ExtruderSequencePatch, HistoryPatch, LoggingPatch, MotionPatch,
    PidGainsPatch, PinsPatch, SensorConfigPatch, TempSettingsPatch,
};
use tve_hal::{Motor, PerZone, Pull, Zone};
use tve_units::{Bcm, Celsius, Duty, Rpm};

/// Who decides the heater duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Mode {
    /// The PID.
    #[default]
    Auto,
    /// The operator.
    Manual,
}

impl Mode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Auto, Self::Manual];

    /// The mode with a name from the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "AUTO",
            Self::Manual => "MANUAL",
        }
    }
}

/// A switched auxiliary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Relay {
    /// Cooling fan.
    Fan,
    /// Pump.
    Pump,
}

impl Relay {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Fan, Self::Pump];

    /// Index into a pair.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fan => "fan",
            Self::Pump => "pump",
        }
    }

    /// The auxiliary with a name from the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|relay| relay.name() == name)
    }
}

/// Which alarms an acknowledgement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum AlarmSelector {
    /// Every active alarm.
    All,
    /// One, by id.
    Id(u64),
}

/// Everything a client may ask for. Values are in range; whether the moment is right is the
/// controller's to judge. What changes settings reaches it as [`Command::Adopt`] alone.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
#[expect(
    missing_docs,
    reason = "fields are named as on the wire and explained in the API reference"
)]
pub enum Command {
    Start,
    Stop,
    EmergencyStop,
    ClearAlarm,
    AcknowledgeAlarm(AlarmSelector),
    SetMode(Mode),
    SetTarget {
        zones: PerZone<Option<Celsius>>,
    },
    SetHeater {
        zone: Zone,
        duty: Duty,
    },
    SetMotor {
        motor: Motor,
        rpm: Rpm,
    },
    SetRelay {
        relay: Relay,
        on: bool,
    },
    SetPeltier(Duty),
    SetPwmOutput {
        name: String,
        duty: Duty,
    },
    SetFillTarget {
        level_cm: f64,
    },
    MoveMotorSteps {
        motor: Motor,
        steps: i32,
        rate: f64,
    },
    StopManualMove(Motor),
    ReleaseZone {
        zone: Zone,
        /// Why it may be heated again, for the audit journal.
        reason: String,
    },
    GpioConfig {
        pin: Bcm,
        mode: PinMode,
    },
    /// GPIO_WRITE (debounced) and SET_GPIO_VALUE (not).
    GpioWrite {
        pin: Bcm,
        high: bool,
        debounced: bool,
    },
    GpioRead(Bcm),
    TuneStart {
        zone: Zone,
        setpoint: Celsius,
        method: TuneMethod,
    },
    TuneStop,
    TuneApply,
    /// Asks whether saving is allowed now; the owner of the file does the writing.
    SaveConfig,
    /// The recorder's health, reported by its owner; not reachable from outside.
    ReportLogging(LoggingHealth),
    // Changes of the configuration come last: the black box keeps their outcome instead of them
    // (a new state and configuration), and a skipped variant must not move the number of others.
    #[cfg_attr(feature = "state", serde(skip))]
    UpdatePid {
        zone: Zone,
        patch: PidGainsPatch,
    },
    #[cfg_attr(feature = "state", serde(skip))]
    UpdatePins {
        functions: PinsPatch,
        labels: Vec<(String, Option<Bcm>)>,
    },
    #[cfg_attr(feature = "state", serde(skip))]
    SetPinName {
        pin: Bcm,
        name: String,
    },
    #[cfg_attr(feature = "state", serde(skip))]
    UpdateExtruderSeq(ExtruderSequencePatch),
    #[cfg_attr(feature = "state", serde(skip))]
    UpdateDm556(Dm556Patch),
    #[cfg_attr(feature = "state", serde(skip))]
    SetTempSettings(TempSettingsPatch),
    #[cfg_attr(feature = "state", serde(skip))]
    SetLoggingSettings(LoggingPatch),
    #[cfg_attr(feature = "state", serde(skip))]
    UpdateMotionConfig(MotionPatch),
    #[cfg_attr(feature = "state", serde(skip))]
    SetHistorySettings(HistoryPatch),
    #[cfg_attr(feature = "state", serde(skip))]
    SetSensorCalibration {
        channel: u8,
        patch: SensorConfigPatch,
    },
    /// A whole configuration takes the place of the one in force.
    #[cfg_attr(feature = "state", serde(skip))]
    ReplaceConfig(Box<Config>),
    /// One of the above as the controller takes it: [`Command::prepared`].
    #[cfg_attr(feature = "state", serde(skip))]
    Adopt(Arc<Proposal>),
}

impl Command {
    /// Whether the command can only bring the machine closer to rest: stops, and setpoints of zero.
    /// Nothing that protects the service from its clients may hold such a command up.
    pub fn only_calms(&self) -> bool {
        self.kind().row().effect.calms(self)
    }

    /// Whether somebody is there who operates the machine: not whoever reads, nor the service itself.
    pub const fn attends(&self) -> bool {
        let own = matches!(self, Self::ReportLogging(_));
        !own && !matches!(self.kind().row().effect, Effect::Reads)
    }

    /// Whether the command may change the configuration: those that the black box leaves out, and
    /// the gains that a tune has found.
    pub const fn configures(&self) -> bool {
        self.kind().row().effect.configures()
    }

    /// Whether the configuration is written to its file once the command is carried out.
    pub const fn saves(&self) -> bool {
        self.kind().row().effect.saves()
    }
}

/// Direction of a user pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum PinMode {
    /// Input with a pull resistor.
    In(Pull),
    /// Output, low until written.
    Out,
}

/// What the recorder says about its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct LoggingHealth {
    /// Writing fails.
    pub failed: bool,
    /// Free space is under `logging.min_free_mb`.
    pub disk_low: bool,
}

/// What an accepted command answers beside success.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// `msg`, when there is something to say (`NO_CHANGE`, `AUTO_ACTIVE`, skipped devices).
    pub msg: Option<String>,
    /// `value` of a read.
    pub value: Option<bool>,
    /// Gains that a tune has found, which are now to be adopted: [`Command::adopt_tune`].
    pub tuned: Option<TuneResult>,
}

impl Reply {
    /// Plain success.
    pub const OK: Self = Self { msg: None, value: None, tuned: None };

    /// Success with a message.
    pub fn msg(text: impl Into<String>) -> Self {
        Self { msg: Some(text.into()), ..Self::OK }
    }
}
