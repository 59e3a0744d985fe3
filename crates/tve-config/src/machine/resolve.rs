//! From the file to the machine: names become ids, inherited limits become each zone's own.

use super::{
    Converter, Doubt, MachineConfig, MotorConfig, PwmBoard, PwmPlan, PwmUse, SensorPoint,
    Sequences, Serves, ServiceConfig, SignalPlan, Source, ZoneConfig, ZoneLimits, ZoneModel,
};
use crate::classic::classic_names;
use crate::sections::board::CONVERTER_INPUTS;
use crate::sections::layout::{MotorEntry, MotorRole, POWER_W, ZoneEntry};
use crate::{Config, PidGains};
use std::sync::Arc;
use tve_machine::{
    MAX_SENSORS, Motor, Name, Names, PerMotor, PerSensor, PerZone, PwmOutput, Sensor, Signal, Zone,
};
use tve_units::Rpm;

impl Config {
    /// What controller and hardware need, resolved. A configuration that
    /// [`validate`](Self::validate) accepts loses nothing here.
    pub fn machine(&self) -> Arc<MachineConfig> {
        let names = self.names();
        let (zones, motors) = self.layout();
        let roll = self.roll(&zones, &motors);
        let sensors = PerSensor::from_fn(roll.len(), |id: Sensor| {
            let (name, serves) = roll[id.index()];
            self.point(name, serves, id)
        });
        let find = |wanted: Serves| roll.iter().position(|(_, serves)| *serves == wanted);
        let zones = PerZone::from_fn(zones.len(), |zone: Zone| {
            let sensor = find(Serves::Zone(zone)).map_or_else(|| Sensor::at(0), Sensor::at);
            self.zone_config(&zones[zone.index()], sensor)
        });
        let motors = PerMotor::from_fn(motors.len(), |motor: Motor| {
            self.motor_config(&motors[motor.index()], find(Serves::Motor(motor)).map(Sensor::at))
        });
        Arc::new(MachineConfig {
            classic: self.is_classic(),
            zones,
            motors,
            feed_throat: find(Serves::FeedThroat).map(Sensor::at),
            signals: self.signal_plan(&names),
            pwm: self.pwm_plan(&names),
            converters: self.converters(),
            safety: self.safety,
            control: self.control,
            motion: self.motion,
            dm556: self.dm556,
            sequence: Sequences::of(&self.extruder_sequence, &names),
            temp_settings: self.temp_settings,
            plant: self.plant,
            hardware: self.hardware.kind,
            gpio_labels: self.gpio_labels.clone(),
            names,
            sensors,
        })
    }

    /// What the service around the machine needs.
    pub fn service(&self) -> ServiceConfig {
        ServiceConfig {
            server: self.server.clone(),
            security: self.security.clone(),
            logging: self.logging,
            history: self.history.clone(),
        }
    }
}

impl Config {
    /// The lists of zones and motors, those of the machine of two where the file gives none.
    fn layout(&self) -> (Vec<ZoneEntry>, Vec<MotorEntry>) {
        if !self.is_classic() {
            return (
                self.zones.clone().unwrap_or_default(),
                self.motors.clone().unwrap_or_default(),
            );
        }
        let names = classic_names();
        let name = |text: &str| Name::new(text).unwrap_or_default();
        let zone = |(zone, sensor): (Zone, &str)| {
            let PidGains { kp, ki, kd } = self.gains(zone).unwrap_or_default();
            let (name, sensor) = (names.zones[zone], name(sensor));
            ZoneEntry { name, sensor, power_w: POWER_W, kp, ki, kd, ..ZoneEntry::default() }
        };
        let motor = |(motor, role, sensor): (Motor, MotorRole, Option<&str>)| MotorEntry {
            name: names.motors[motor],
            role,
            sensor: sensor.map(name),
            ..MotorEntry::default()
        };
        let zones = [(Zone::at(0), "t2"), (Zone::at(1), "t3")].map(zone);
        let motors = [
            (Motor::at(0), MotorRole::Screw, Some("motor")),
            (Motor::at(1), MotorRole::Feeder, None),
        ];
        (zones.into(), motors.map(motor).into())
    }

    /// Every sensor with what it is there for: feed throat, zones, motors, then what is only shown.
    fn roll(&self, zones: &[ZoneEntry], motors: &[MotorEntry]) -> Vec<(Name, Serves)> {
        let throat = if self.is_classic() { Name::new("t1").ok() } else { self.feed_throat };
        let mut roll: Vec<(Name, Serves)> = Vec::with_capacity(MAX_SENSORS);
        roll.extend(throat.map(|name| (name, Serves::FeedThroat)));
        for (i, zone) in zones.iter().enumerate() {
            roll.push((zone.sensor, Serves::Zone(Zone::at(i))));
        }
        for (i, motor) in motors.iter().enumerate() {
            roll.extend(motor.sensor.map(|name| (name, Serves::Motor(Motor::at(i)))));
        }
        for sensor in self.sensors.iter().filter(|sensor| sensor.enabled) {
            if !roll.iter().any(|(name, _)| *name == sensor.logical) {
                roll.push((sensor.logical, Serves::Display));
            }
        }
        // Only a configuration that breaks a rule has more.
        roll.truncate(MAX_SENSORS);
        roll
    }

    fn point(&self, name: Name, serves: Serves, id: Sensor) -> SensorPoint {
        let found = self.sensors.channels().find(|(channel, sensor)| {
            sensor.enabled && sensor.logical == name && self.source_of(*channel).is_some()
        });
        let channel = found.map(|(channel, _)| channel);
        let settings = match found {
            Some((_, settings)) => settings.clone(),
            // Not connected: what its place in the file says, so that nothing is shown anew.
            None => self.sensors.get(id.index() as u8).cloned().unwrap_or_default(),
        };
        let source = channel.and_then(|channel| self.source_of(channel));
        let doubt = source.and_then(|source| Doubt::of(&settings, source));
        SensorPoint { name, serves, channel, source, settings, doubt }
    }

    /// Where the samples of a channel come from; `None` when its converter is not fitted.
    fn source_of(&self, channel: u8) -> Option<Source> {
        if let Some(thermocouple) = self.sensors.get(channel)?.as_thermocouple() {
            return Some(Source::Max31856(thermocouple));
        }
        let inputs = CONVERTER_INPUTS as u8;
        let (converter, input) = (channel / inputs, channel % inputs);
        let fitted = usize::from(converter) < self.converters().len();
        fitted.then_some(Source::Adc { converter, input })
    }

    /// The converters, in the order of their channels; none when they are not fitted.
    pub(crate) fn converters(&self) -> Vec<Converter> {
        if !self.adc.enabled {
            return Vec::new();
        }
        let first = Converter { bus: self.adc.bus, address: self.adc.address, fsr: self.adc.fsr };
        let more = self.adc.more.as_slice().iter();
        let more = more.map(|adc| Converter { bus: adc.bus, address: adc.address, fsr: adc.fsr });
        [first].into_iter().chain(more).collect()
    }

    fn zone_config(&self, entry: &ZoneEntry, sensor: Sensor) -> ZoneConfig {
        let (limits, model) = (ZoneLimits::of(&self.safety), ZoneModel::of(&self.safety));
        ZoneConfig {
            name: entry.name,
            sensor,
            power_w: entry.power_w,
            gains: entry.gains(),
            limits: ZoneLimits {
                max_target: entry.max_target.unwrap_or(limits.max_target),
                over_temperature: entry.over_temperature.unwrap_or(limits.over_temperature),
                under_temperature: entry.under_temperature.unwrap_or(limits.under_temperature),
                min_temp_for_motor: entry.min_temp_for_motor.unwrap_or(limits.min_temp_for_motor),
            },
            model: ZoneModel {
                gain: entry.gain.unwrap_or(model.gain),
                time_constant: entry.time_constant.unwrap_or(model.time_constant),
                dead_time: entry.dead_time.unwrap_or(model.dead_time),
            },
            has_cooler: entry.cooler,
        }
    }

    fn motor_config(&self, entry: &MotorEntry, sensor: Option<Sensor>) -> MotorConfig {
        let by_role = match entry.role {
            MotorRole::Screw => self.motion.screw_max_rpm,
            MotorRole::Feeder => self.motion.feeder_max_rpm,
            MotorRole::Puller | MotorRole::Other => Rpm::MAX,
        };
        MotorConfig {
            name: entry.name,
            role: entry.role,
            sensor,
            microsteps: entry.microsteps.unwrap_or(self.dm556.microsteps),
            max_rpm: entry.max_rpm.unwrap_or(by_role),
        }
    }

    fn signal_plan(&self, names: &Names) -> SignalPlan {
        let wired = Signal::all(names)
            .filter_map(|(name, signal)| self.pins.get(&name).map(|pin| (signal, pin)))
            .collect();
        SignalPlan { wired }
    }

    fn pwm_plan(&self, names: &Names) -> PwmPlan {
        let pwm = &self.pwm;
        let mut plan = PwmPlan { names: pwm.channels.clone(), ..PwmPlan::default() };
        if !pwm.enabled {
            return plan;
        }
        let (bus, address, frequency) = (pwm.bus, pwm.address, pwm.frequency);
        plan.board = Some(PwmBoard { bus, address, frequency });
        for (name, channel) in &pwm.channels {
            if let Some(used) = plan.channels.get_mut(usize::from(*channel)) {
                *used = PwmOutput::from_name(name, names).map_or(PwmUse::Free, PwmUse::Output);
            }
        }
        plan
    }
}
