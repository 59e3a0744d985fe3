//! Commands that change the configuration: patched on a copy, validated whole, then taken over.

use super::Controller;
use crate::alarm::AlarmCode;
use crate::capabilities::Capabilities;
use crate::command::Reply;
use crate::refusal::{Refusal, RefusalCode};
use tve_config::{Config, PidGains, PidGainsPatch, Pins, PinsPatch, SensorConfigPatch};
use tve_hal::{PerZone, Zone};
use tve_units::Bcm;

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
        if config == self.file {
            return Ok(Reply::OK);
        }
        if needs_rest(&self.file, &config) && !self.is_idle() {
            return Err(Refusal::with(
                RefusalCode::MachineBusy,
                "wiring, sensors, limits and the like change only while motors, heaters, targets, \
                 tune and sequence are off",
            ));
        }
        let tuned = config.control.law >= 2;
        self.adopt(config);
        if tuned {
            self.alarms.withdraw(AlarmCode::TuneNeeded);
        }
        Ok(Reply::OK)
    }

    fn changed(&self, change: impl FnOnce(&mut Config)) -> Result<Config, Refusal> {
        let mut config = self.file.clone();
        change(&mut config);
        let mut issues = Vec::new();
        config.validate(&mut issues);
        if issues.is_empty() { Ok(config) } else { Err(Refusal::of_issues(&issues)) }
    }

    fn adopt(&mut self, config: Config) {
        if config == self.file {
            return;
        }
        let old = std::mem::replace(&mut self.config, config.machine());
        self.file = config;
        self.config_revision += 1;
        self.capabilities = Capabilities::of(self.kind, &self.config);
        self.thermal.adopt(&self.config);
        self.sensors.rewire(&old, &self.config);
        self.outlets.adopt(&old, &self.config);
    }

    /// New gains are made for this controller's law. The other zone keeps the gains it runs with.
    pub(super) fn update_pid(
        &mut self,
        zone: Zone,
        patch: &PidGainsPatch,
    ) -> Result<Reply, Refusal> {
        let mut gains = *self.thermal.gains();
        gains[zone].apply(patch);
        self.set_gains(gains)
    }

    pub(super) fn set_gains(&mut self, gains: PerZone<PidGains>) -> Result<Reply, Refusal> {
        let reply = self.reconfigure(|config| {
            for (zone, gains) in gains.entries() {
                config.set_gains(zone, *gains);
            }
            config.control.law = 2;
        })?;
        self.alarms.withdraw(AlarmCode::TuneNeeded);
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
        if config == self.file {
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
        if config.pins != self.file.pins && !self.is_idle() {
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
        if self.file.pins.get(name) == Some(pin) {
            return Ok(Reply::OK);
        }
        if self.outlets.owns_pin(pin) {
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
        if config == self.file {
            return Ok(Reply::OK);
        }
        if self.thermal.is_tuning() || !self.thermal.is_off() {
            return Err(RefusalCode::MachineBusy.into());
        }
        self.adopt(config);
        Ok(Reply::OK)
    }
}
