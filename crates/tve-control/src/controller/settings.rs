//! Commands that change the configuration: patched on a copy, validated whole, then taken over.

use super::{Controller, compose};
use crate::alarm::AlarmCode;
use crate::capabilities::Capabilities;
use crate::command::{PinMode, Reply};
use crate::refusal::{Refusal, RefusalCode};
use crate::sensors::Chain;
use crate::ssr::slot_length;
use tve_config::{
    Config, PidGains, PidGainsPatch, Pins, PinsPatch, SensorConfig, SensorConfigPatch,
};
use tve_hal::{Sensor, UserPin, Zone};
use tve_units::{Bcm, Duty, Micros};

/// Ki of gains made for the original's law is limited to Kp over this, s.
const CONVERTED_TI: f64 = 200.0;
/// Kd of such gains is raised to Kp times this, s.
const CONVERTED_TD: f64 = 20.0;
/// A pin may be written again after this.
const PIN_DEBOUNCE: Micros = Micros::from_millis(250);

/// The chain of a sensor as the configuration wires it.
pub(super) fn chain_of(config: &Config, sensor: Sensor) -> Chain {
    let channel = config
        .sensors
        .iter()
        .position(|s| config.adc.enabled && s.enabled && s.logical == *sensor.name());
    let settings = config.sensors[channel.unwrap_or(sensor.index())].clone();
    Chain::new(channel, settings)
}

/// The gains in force: those of the file, or their conversion when they were made for the law of
/// the original (integral clamped in the wrong unit, derivative too small to damp).
pub(super) fn effective_gains(config: &Config) -> [PidGains; 2] {
    [config.z1, config.z2].map(|g| {
        if config.control.law >= 2 {
            g
        } else {
            PidGains {
                kp: g.kp,
                ki: g.ki.min(g.kp / CONVERTED_TI),
                kd: g.kd.max(CONVERTED_TD * g.kp),
            }
        }
    })
}

/// Whether what differs between the two may change only while the machine is idle.
fn needs_rest(old: &Config, new: &Config) -> bool {
    // By name, so that a new section has to be put on one side.
    let Config {
        pins,
        pwm,
        sensors,
        adc,
        dm556,
        safety,
        control,
        zones,
        motors,
        feed_throat,
        z1: _,
        z2: _,
        extruder_sequence: _,
        temp_settings: _,
        logging: _,
        motion: _,
        history: _,
        gpio_labels: _,
        // These take effect at the next start.
        security: _,
        hardware: _,
        server: _,
        plant: _,
    } = new;
    (&old.zones, &old.motors, old.feed_throat) != (zones, motors, *feed_throat)
        || (&old.pins, &old.pwm, &old.sensors, old.adc) != (pins, pwm, sensors, *adc)
        || (old.dm556, old.safety, old.control.mains_hz) != (*dm556, *safety, control.mains_hz)
}

impl Controller {
    /// Changes the configuration as a whole or not at all.
    pub(super) fn reconfigure(
        &mut self,
        change: impl FnOnce(&mut Config),
    ) -> Result<Reply, Refusal> {
        let config = self.changed(change)?;
        self.adopt(config);
        Ok(Reply::OK)
    }

    /// A whole configuration, refused or taken over whole. What a command may change while the
    /// machine works may change here, too; the rest only while it is idle.
    pub(super) fn replace_config(&mut self, config: Config) -> Result<Reply, Refusal> {
        let config = self.changed(|own| *own = config)?;
        if config == self.config {
            return Ok(Reply::OK);
        }
        if needs_rest(&self.config, &config) && !self.is_idle() {
            return Err(Refusal::with(
                RefusalCode::MachineBusy,
                "wiring, sensors, limits and the like change only while motors, heaters, targets, \
                 tune and sequence are off",
            ));
        }
        let tuned = config.control.law >= 2;
        self.adopt(config);
        if tuned {
            self.withdraw(AlarmCode::TuneNeeded);
        }
        Ok(Reply::OK)
    }

    fn changed(&self, change: impl FnOnce(&mut Config)) -> Result<Config, Refusal> {
        let mut config = self.config.clone();
        change(&mut config);
        let mut issues = Vec::new();
        config.validate(&mut issues);
        if issues.is_empty() { Ok(config) } else { Err(Refusal::of_issues(&issues)) }
    }

    fn adopt(&mut self, config: Config) {
        if config == self.config {
            return;
        }
        let old_roles = self.pwm_roles;
        let rewired = config.sensors != self.config.sensors || config.adc != self.config.adc;
        let old = std::mem::replace(&mut self.config, config);
        self.config_revision += 1;
        self.capabilities = Capabilities::of(self.kind, &self.config);
        self.pwm_roles = compose::pwm_roles(&self.config);
        for (channel, duty) in self.free_pwm.iter_mut().enumerate() {
            // A channel with a new meaning begins at rest.
            if self.pwm_roles[channel] != old_roles[channel] {
                *duty = Duty::ZERO;
            }
        }
        self.pin_roles = compose::pin_roles(&self.config);
        self.ssr_slot = slot_length(self.config.control.mains_hz);
        let gains = effective_gains(&self.config);
        for zone in Zone::ALL {
            if gains[zone.index()] != self.gains[zone.index()] {
                self.zones[zone.index()].rebase();
            }
        }
        self.gains = gains;
        if rewired {
            for sensor in Sensor::ALL {
                let channel = |c: &Config| {
                    let measures = |s: &&SensorConfig| s.enabled && s.logical == *sensor.name();
                    c.sensors.iter().find(|s| c.adc.enabled && measures(s)).cloned()
                };
                if channel(&old) != channel(&self.config) {
                    self.chains[sensor.index()] = chain_of(&self.config, sensor);
                }
            }
        }
        for pin in Bcm::all() {
            if self.owns_pin(pin) {
                self.user_pins[pin.index()] = UserPin::Untouched;
            }
        }
    }

    /// New gains are made for this controller's law. The other zone keeps the gains it runs with.
    pub(super) fn update_pid(
        &mut self,
        zone: Zone,
        patch: &PidGainsPatch,
    ) -> Result<Reply, Refusal> {
        let mut gains = self.gains;
        gains[zone.index()].apply(patch);
        self.set_gains(gains)
    }

    pub(super) fn set_gains(&mut self, gains: [PidGains; 2]) -> Result<Reply, Refusal> {
        let reply = self.reconfigure(|config| {
            [config.z1, config.z2] = gains;
            config.control.law = 2;
        })?;
        self.withdraw(AlarmCode::TuneNeeded);
        Ok(reply)
    }

    pub(super) fn update_pins(
        &mut self,
        functions: &PinsPatch,
        labels: &[(String, Option<Bcm>)],
    ) -> Result<Reply, Refusal> {
        let config = self.changed(|config| {
            config.pins.apply(functions);
            for (name, pin) in labels {
                config.gpio_labels.retain(|_, label| label != name);
                if let Some(pin) = pin {
                    config.gpio_labels.insert(*pin, name.clone());
                }
            }
        })?;
        if config == self.config {
            return Ok(Reply::OK);
        }
        for (name, pin) in labels {
            if let Some(pin) =
                pin.filter(|pin| config.pins.owner_of(*pin).is_some() || pin.is_i2c())
            {
                return Err(Refusal::with(
                    RefusalCode::PinInUse,
                    format!("{pin} cannot be labelled {name}"),
                ));
            }
        }
        if config.pins != self.config.pins && !self.is_idle() {
            return Err(RefusalCode::MachineBusy.into());
        }
        self.adopt(config);
        Ok(Reply::OK)
    }

    pub(super) fn set_pin_name(&mut self, pin: Bcm, name: &str) -> Result<Reply, Refusal> {
        if name.is_empty() {
            return self.reconfigure(|config| {
                config.gpio_labels.remove(&pin);
            });
        }
        if !Pins::NAMES.contains(&name) {
            return self.update_pins(&PinsPatch::default(), &[(name.to_owned(), Some(pin))]);
        }
        if self.config.pins.get(name) == Some(pin) {
            return Ok(Reply::OK);
        }
        if self.owns_pin(pin) {
            return Err(RefusalCode::PinInUse.into());
        }
        let mut map = serde_json::Map::new();
        map.insert(name.to_owned(), pin.get().into());
        let mut issues = Vec::new();
        let patch = Pins::patch_from(&map, tve_config::Leniency::Strict, "", &mut issues);
        if !issues.is_empty() {
            return Err(Refusal::of_issues(&issues));
        }
        self.update_pins(&patch, &[])
    }

    pub(super) fn calibrate(
        &mut self,
        channel: usize,
        patch: &SensorConfigPatch,
    ) -> Result<Reply, Refusal> {
        let config = self.changed(|config| config.sensors[channel].apply(patch))?;
        if config == self.config {
            return Ok(Reply::OK);
        }
        if self.tune.is_some() || !self.zones.iter().all(super::heat::ZoneControl::is_off) {
            return Err(RefusalCode::MachineBusy.into());
        }
        self.adopt(config);
        Ok(Reply::OK)
    }

    pub(super) fn configure_pin(&mut self, pin: Bcm, mode: PinMode) -> Result<Reply, Refusal> {
        if self.owns_pin(pin) {
            return Err(RefusalCode::PinInUse.into());
        }
        self.user_pins[pin.index()] = match mode {
            PinMode::In(pull) => UserPin::Input(pull),
            PinMode::Out => match self.user_pins[pin.index()] {
                UserPin::Output(high) => UserPin::Output(high),
                UserPin::Untouched | UserPin::Input(_) => UserPin::Output(false),
            },
        };
        Ok(Reply::OK)
    }

    pub(super) fn write_pin(
        &mut self,
        pin: Bcm,
        high: bool,
        debounced: bool,
    ) -> Result<Reply, Refusal> {
        if self.owns_pin(pin) {
            return Err(RefusalCode::PinInUse.into());
        }
        let written = &mut self.pin_written[pin.index()];
        if debounced {
            if written.is_some_and(|at| self.now.since(at) < PIN_DEBOUNCE) {
                return Err(RefusalCode::GpioDebounce.into());
            }
            *written = Some(self.now);
        }
        self.user_pins[pin.index()] = UserPin::Output(high);
        Ok(Reply::OK)
    }
}
