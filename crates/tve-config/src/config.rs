//! The whole configuration: its sections, parsing and serialisation.

use crate::issue::ConfigErrors;
use crate::section::{section, sub};
use crate::sections::board::{Adc, AdcPatch, Pwm, PwmPatch};
use crate::sections::gains::{Control, ControlPatch, Dm556, Dm556Patch, PidGains, PidGainsPatch};
use crate::sections::labels::Labels;
use crate::sections::pins::{Pins, PinsPatch};
use crate::sections::plant::{Plant, PlantPatch};
use crate::sections::safety::{Safety, SafetyPatch};
use crate::sections::security::{Security, SecurityPatch};
use crate::sections::sensors::{SensorConfig, SensorConfigPatch, Sensors};
use crate::sections::sequence::{ExtruderSequence, ExtruderSequencePatch};
use crate::sections::server::{HardwareSection, HardwareSectionPatch, Server, ServerPatch};
use crate::sections::settings::{
    History, HistoryPatch, Logging, LoggingPatch, Motion, MotionPatch, TempSettings,
    TempSettingsPatch,
};
use crate::{Leniency, strict_json};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tve_units::Bcm;

/// The default configuration of a new machine.
const EMBEDDED: &str = include_str!("../../../config/default.json");

section! {
    /// Everything that config.json says, validated. Missing sections and keys have defaults.
    pub struct Config / ConfigPatch {
        /// Heater PID of zone 1.
        z1: PidGains as PidGainsPatch = PidGains::default(), sub::<PidGains>();
        /// Heater PID of zone 2.
        z2: PidGains as PidGainsPatch = PidGains::default(), sub::<PidGains>();
        /// Stepper drives.
        dm556: Dm556 as Dm556Patch = Dm556::default(), sub::<Dm556>();
        /// Header pins.
        pins: Pins as PinsPatch = Pins::default(), sub::<Pins>();
        /// PWM board.
        pwm: Pwm as PwmPatch = Pwm::default(), sub::<Pwm>();
        /// Start, stop and emergency sequences.
        extruder_sequence: ExtruderSequence as ExtruderSequencePatch = ExtruderSequence::default(), sub::<ExtruderSequence>();
        /// Thermistors by channel of the converter.
        sensors: [SensorConfig; 4] as [SensorConfigPatch; 4] = std::array::from_fn(SensorConfig::of_channel), Sensors;
        /// Converter.
        adc: Adc as AdcPatch = Adc::default(), sub::<Adc>();
        /// Publishing of temperatures.
        temp_settings: TempSettings as TempSettingsPatch = TempSettings::default(), sub::<TempSettings>();
        /// Run logs.
        logging: Logging as LoggingPatch = Logging::default(), sub::<Logging>();
        /// Ramps of the motors.
        motion: Motion as MotionPatch = Motion::default(), sub::<Motion>();
        /// History chart.
        history: History as HistoryPatch = History::default(), sub::<History>();
        /// Authentication and limits.
        security: Security as SecurityPatch = Security::default(), sub::<Security>();
        /// Which machine is driven.
        hardware: HardwareSection as HardwareSectionPatch = HardwareSection::default(), sub::<HardwareSection>();
        /// How the service is reached.
        server: Server as ServerPatch = Server::default(), sub::<Server>();
        /// Limits, delays and the model behind the alarms.
        safety: Safety as SafetyPatch = Safety::default(), sub::<Safety>();
        /// Heater control.
        control: Control as ControlPatch = Control::default(), sub::<Control>();
        /// The simulator's plant.
        plant: Plant as PlantPatch = Plant::default(), sub::<Plant>();
        /// Names of pins that serve no known function.
        gpio_labels: BTreeMap<Bcm, String> = BTreeMap::new(), Labels;
    }
}

impl Config {
    /// The configuration of a new machine, `config/default.json`.
    ///
    /// # Panics
    /// Never in a tested build: a test parses the same text.
    pub fn embedded() -> Self {
        match Self::parse(EMBEDDED) {
            Ok(config) => config,
            Err(errors) => unreachable!("the embedded configuration is tested: {errors}"),
        }
    }

    /// Read a file's text strictly. One fault refuses the whole file.
    ///
    /// # Errors
    /// Every fault that was found, with its path.
    pub fn parse(text: &str) -> Result<Self, ConfigErrors> {
        Self::from_value(&strict_json::parse(text).map_err(ConfigErrors)?)
    }

    pub(crate) fn from_value(value: &Value) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let mut config = Self::default();
        if let Some(map) = crate::section::object(value, "", &mut errors) {
            let patch = Self::patch_from(map, Leniency::Strict, "", &mut errors);
            config.apply(&patch);
        }
        // Rules between keys make no sense of values that were refused.
        if errors.is_empty() {
            config.validate(&mut errors);
        }
        if errors.is_empty() { Ok(config) } else { Err(ConfigErrors(errors)) }
    }

    /// What a client may see: everything but users, limits and the path of the private key, and
    /// the derived `temp_settings.freshness_timeout` in s.
    pub fn to_public_json(&self) -> Value {
        let mut value = self.to_json();
        let security = &self.security;
        value["security"] = json!({
            "enabled": security.enabled,
            "protect_reads": security.protect_reads,
            "stop_needs_login": security.stop_needs_login,
        });
        if let Some(tls) = &self.server.tls {
            value["server"]["tls"] = json!({"cert": tls.cert});
        }
        value["temp_settings"]["freshness_timeout"] = json!(self.safety.stale_after);
        value
    }
}
