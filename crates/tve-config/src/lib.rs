//! The one schema of config.json: parse, validate, document, save.
//!
//! Every key is described once, by the `section!` macro: struct, default, patch, range checks,
//! serialisation and documentation come from that description and cannot drift apart.
//!
//! - A *patch* is a set of changes to a section, read from a file or a command.
//! - An *issue* is a fault with its path, such as `safety.max_target: must be ...`.

mod check;
mod check_layout;
mod classic;
mod config;
mod docs;
mod field;
mod issue;
mod machine;
mod section;
mod sections;
pub mod store;
mod strict_json;
mod update;

pub use config::{Config, ConfigPatch};
pub use docs::{json_schema, reference_markdown};
pub use field::Leniency;
pub use issue::{ConfigErrors, Issue};
pub use machine::{
    Blinds, Changes, Converter, Device, Doubt, MachineConfig, MotorConfig, Prepared, PwmBoard,
    PwmPlan, PwmUse, SensorPoint, Sequences, Serves, ServiceConfig, SignalPlan, Source, Step, Weak,
    ZoneConfig, ZoneLimits, ZoneModel,
};
pub use sections::board::{
    Adc, AdcPatch, CONVERTER_INPUTS, MAX_CONVERTERS, MoreAdc, MoreAdcPatch, MoreAdcs, Pwm, PwmPatch,
};
pub use sections::calibration::{CalPoint, Line};
pub use sections::gains::{Control, ControlPatch, Dm556, Dm556Patch, PidGains, PidGainsPatch};
pub use sections::labels::check_label;
pub use sections::layout::{MotorEntry, MotorEntryPatch, MotorRole, ZoneEntry, ZoneEntryPatch};
pub use sections::pins::{Pins, PinsPatch};
pub use sections::plant::{Plant, PlantPatch};
pub use sections::safety::{EstopContact, EstopDeclaration, Safety, SafetyPatch};
pub use sections::security::{HASH_PREFIXES, Limits, LimitsPatch, Security, SecurityPatch, User};
pub use sections::sensors::{
    Couple, SensorConfig, SensorConfigPatch, SensorKind, Sensors, SensorsPatch, Thermocouple,
    Wiring,
};
pub use sections::sequence::{
    Action, DeviceName, ExtruderSequence, ExtruderSequencePatch, SequenceStep, StepPatch,
};
pub use sections::server::{
    HardwareKind, HardwareSection, HardwareSectionPatch, Server, ServerPatch, Tls,
};
pub use sections::settings::{
    Axis, History, HistoryPatch, Logging, LoggingPatch, Motion, MotionPatch, Series, TempSettings,
    TempSettingsPatch,
};
pub use sections::thermistor::{Curve, Part, RtPoint};
pub use strict_json::parse_json;
pub use tve_machine::Role;
pub use update::{Difference, differences, security_of};
