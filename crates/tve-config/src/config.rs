//! The whole configuration: its sections, parsing and serialisation.

use crate::classic::{OF_LISTS, OF_TWO, classic_names};
use crate::field::Nullable;
use crate::issue::ConfigErrors;
use crate::section::{section, sub};
use crate::sections::board::{Adc, AdcPatch, Pwm, PwmPatch};
use crate::sections::gains::{Control, ControlPatch, Dm556, Dm556Patch, PidGains, PidGainsPatch};
use crate::sections::labels::Labels;
use crate::sections::layout::{MotorEntry, NameText, ZoneEntry, list_of};
use crate::sections::pins::{Pins, PinsPatch, Wiring};
use crate::sections::plant::{Plant, PlantPatch};
use crate::sections::safety::{Safety, SafetyPatch};
use crate::sections::security::{Security, SecurityPatch};
use crate::sections::sensors::{ByChannel, Sensors, SensorsPatch};
use crate::sections::sequence::{ExtruderSequence, ExtruderSequencePatch};
use crate::sections::server::{HardwareSection, HardwareSectionPatch, Server, ServerPatch};
use crate::sections::settings::{
    History, HistoryPatch, Logging, LoggingPatch, Motion, MotionPatch, TempSettings,
    TempSettingsPatch,
};
use crate::{Leniency, strict_json};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tve_machine::{Motor, Name, Names, PerMotor, PerZone, Zone};
use tve_units::Bcm;

/// The default configuration of a new machine.
const EMBEDDED: &str = include_str!("../../../config/default.json");

section! {
    /// Everything that config.json says, validated. Missing sections and keys have defaults.
    pub struct Config / ConfigPatch, shown hide_other_form {
        /// Zones in order from the feed side to the die, with `motors`; null for the machine of two zones, screw and feeder, whose gains are `z1` and `z2`.
        zones: Option<Vec<ZoneEntry>> = None, list_of::<ZoneEntry>();
        /// Driven shafts, with `zones`.
        motors: Option<Vec<MotorEntry>> = None, list_of::<MotorEntry>();
        /// The sensor that guards the feed throat, with `zones`; null for none.
        feed_throat: Option<Name> = None, Nullable(NameText);
        /// Heater PID of zone 1.
        z1: PidGains as PidGainsPatch = PidGains::default(), sub::<PidGains>();
        /// Heater PID of zone 2.
        z2: PidGains as PidGainsPatch = PidGains::default(), sub::<PidGains>();
        /// Stepper drives.
        dm556: Dm556 as Dm556Patch = Dm556::default(), sub::<Dm556>();
        /// Header pins.
        pins: Pins as PinsPatch = Pins::default(), Wiring;
        /// PWM board.
        pwm: Pwm as PwmPatch = Pwm::default(), sub::<Pwm>();
        /// Start, stop and emergency sequences.
        extruder_sequence: ExtruderSequence as ExtruderSequencePatch = ExtruderSequence::default(), sub::<ExtruderSequence>();
        /// Sensors by channel.
        sensors: Sensors as SensorsPatch = Sensors::default(), ByChannel;
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

/// The machine of two is shown as it always was, any other by its lists.
fn hide_other_form(config: &Config, map: &mut Map<String, Value>) {
    let hidden: &[&str] = if config.is_classic() { &OF_LISTS } else { &OF_TWO };
    for key in hidden {
        map.remove(*key);
    }
}

impl Config {
    /// Whether this is the machine of two zones, screw and feeder, of which the file gives no list.
    pub const fn is_classic(&self) -> bool {
        self.zones.is_none() && self.motors.is_none()
    }

    /// What the zones and motors are called.
    pub fn names(&self) -> Names {
        if self.is_classic() {
            return classic_names();
        }
        let (zones, motors) = (self.zones.as_deref(), self.motors.as_deref());
        let (zones, motors) = (zones.unwrap_or_default(), motors.unwrap_or_default());
        Names {
            zones: PerZone::from_fn(zones.len(), |zone: Zone| zones[zone.index()].name),
            motors: PerMotor::from_fn(motors.len(), |motor: Motor| motors[motor.index()].name),
        }
    }

    /// Gains of a zone as the file gives them; `None` for a zone that it does not have.
    pub fn gains(&self, zone: Zone) -> Option<PidGains> {
        match &self.zones {
            Some(zones) => zones.get(zone.index()).map(ZoneEntry::gains),
            None => [self.z1, self.z2].get(zone.index()).copied(),
        }
    }

    /// Gives a zone other gains; a zone that the machine does not have stays without.
    pub fn set_gains(&mut self, zone: Zone, gains: PidGains) {
        match &mut self.zones {
            Some(zones) => {
                if let Some(entry) = zones.get_mut(zone.index()) {
                    entry.set_gains(gains);
                }
            }
            None => {
                if let Some(own) = [&mut self.z1, &mut self.z2].into_iter().nth(zone.index()) {
                    *own = gains;
                }
            }
        }
    }

    /// What a file leaves unsaid. A file that gives lists starts from nothing connected: the wiring
    /// of the machine of two would be somebody else's.
    fn base(value: &Value) -> Self {
        let mut config = Self::default();
        if OF_LISTS.iter().any(|key| value.get(key).is_some_and(|list| !list.is_null())) {
            config.pins = Pins::unwired(&Names::default());
            config.sensors = Sensors::none();
            config.pwm.channels.clear();
        }
        config
    }

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
        let mut config = Self::base(value);
        if let Some(map) = crate::section::object(value, "", &mut errors) {
            let patch = Self::patch_from(map, Leniency::Strict, "", &mut errors);
            if let Some(Some(motors)) = &patch.motors {
                let motors: Vec<_> = motors.iter().map(|motor| (motor.name, motor.role)).collect();
                config.extruder_sequence = ExtruderSequence::of(&motors);
            }
            config.apply(&patch);
            config.pins.complete(&config.names());
        }
        config.check_forms(value, &mut errors);
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
