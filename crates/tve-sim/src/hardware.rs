//! The simulated machine: outputs drive the plant, sensors and contacts become inputs.
//!
//! Time passes in `read` and `apply`, each up to its `now`. Heater on-time and step pulses are
//! counted exactly; the plant takes one [`plant::STEP`] at a time, and each step end samples one
//! input of each converter, so every input is sampled each 0.2 s, 50 ms after the one before it.
//!
//! Everything is fitted. The hard-wired part of the emergency-stop loop is not modelled: what
//! must be seen here is that the software stops the machine by itself.

use crate::converters::{Converters, Scene};
use crate::drives::Drive;
use crate::effects::{Schedule, SensorTrouble};
use crate::faults::Fault;
use crate::layout::{self, Setup};
use crate::plant::{self, Plant, Shaft};
use crate::powers::SimPowers;
use std::sync::Arc;
use tve_config::{Config, MachineConfig};
use tve_hal::{
    ADC_CHANNELS, Buttons, Contact, Hardware, HardwareError, Inputs, MachineKind, Motor,
    MotorFeedback, Outputs, PerMotor, PerSensor, PerZone, Pull, Sensor, SensorInput, UserPin,
};
use tve_units::{Bcm, Celsius, Micros};

/// Levels of the header pins, one bit each.
#[derive(Debug, Clone, Default)]
struct Pins {
    /// What a test drives from outside: which pins, and how.
    outside: u32,
    outside_high: u32,
    /// What the controller asked for.
    driven: u32,
    high: u32,
}

impl Pins {
    fn apply(&mut self, pins: &[UserPin; Bcm::COUNT]) {
        self.driven = 0;
        self.high = 0;
        // This runs at every tick, and nearly always no pin is touched. Looking at all of them
        // without leaving early lets the compiler look at many at once.
        if !pins.iter().fold(false, |any, pin| any | !matches!(pin, UserPin::Untouched)) {
            return;
        }
        for (bit, pin) in pins.iter().enumerate() {
            let (driven, high) = match *pin {
                UserPin::Untouched | UserPin::Input(Pull::Off | Pull::Down) => (false, false),
                UserPin::Input(Pull::Up) => (false, true),
                UserPin::Output(level) => (true, level),
            };
            self.driven |= u32::from(driven) << bit;
            self.high |= u32::from(high) << bit;
        }
    }

    const fn levels(&self) -> u32 {
        let from_outside = self.outside & !self.driven;
        (self.high & !from_outside) | (self.outside_high & from_outside)
    }
}

/// The simulated extruder.
pub struct SimHardware {
    setup: Setup,
    plant: Plant,
    schedule: Schedule,
    /// The caller's time of the last call; `None` before the first.
    clock: Option<Micros>,
    elapsed: Micros,
    next_step: Micros,
    /// Steps taken, which says whose turn it is to be sampled.
    steps: u64,
    heaters: PerZone<bool>,
    contactor: bool,
    /// Heater power now, as a share of nominal.
    power: PerZone<f64>,
    /// Power times microseconds since the last step.
    energy: PerZone<f64>,
    drives: PerMotor<Drive>,
    /// What acts on the plant, kept between steps.
    acting: plant::Drive,
    pins: Pins,
    converters: Converters,
    /// The newest word about each sensor.
    sensors: PerSensor<SensorInput>,
    pwm_mismatches: u8,
    /// The drive alarm was active at some time since the last `read`.
    drive_alarm_seen: bool,
}

impl SimHardware {
    /// The machine that `config` describes with its `plant` section, everything off.
    pub fn new(config: &Config) -> Self {
        let machine = config.machine();
        let build = layout::build(&machine);
        let params = &build.params;
        let (zones, sensors) = (build.zones.len(), build.places.len());
        Self {
            setup: Setup::new(&machine),
            schedule: Schedule::new(zones, sensors),
            clock: None,
            elapsed: Micros::ZERO,
            next_step: plant::STEP,
            steps: 0,
            heaters: PerZone::new(zones),
            contactor: false,
            power: PerZone::new(zones),
            energy: PerZone::new(zones),
            drives: PerMotor::new(build.motors),
            acting: plant::Drive::none(&build),
            pins: Pins::default(),
            converters: Converters::new(params, layout::plugs(config, &machine)),
            sensors: PerSensor::new(sensors),
            pwm_mismatches: 0,
            drive_alarm_seen: false,
            plant: Plant::new(&build),
        }
    }

    /// Let time pass until `now`, with the outputs as they are.
    fn advance(&mut self, now: Micros) {
        let Some(mut clock) = self.clock else {
            self.clock = Some(now);
            self.sample(now);
            return;
        };
        if now < clock {
            // Another clock took over: plant time stands still, samples of the old clock mean
            // nothing on the new one.
            self.clock = Some(now);
            self.forget_samples();
            return;
        }
        while clock < now {
            let event = self.next_step.min(self.schedule.next_change());
            let span = now.since(clock).min(event.since(self.elapsed));
            for (energy, power) in self.energy.iter_mut().zip(&self.power) {
                *energy += power * span.get() as f64;
            }
            for drive in &mut self.drives {
                drive.advance(span);
            }
            clock = clock + span;
            self.elapsed = self.elapsed + span;
            if self.elapsed >= self.schedule.next_change() {
                self.schedule.refresh(self.elapsed);
                self.effects_changed();
            }
            if self.elapsed == self.next_step {
                self.next_step = self.next_step + plant::STEP;
                self.step();
                self.sample(clock);
            }
        }
        self.clock = Some(now);
    }

    /// Take over what follows from the faults between steps.
    fn effects_changed(&mut self) {
        self.update_power();
        if self.schedule.effects().adc_gone {
            self.converters.fall_silent();
            self.update_sensors();
        }
        let effects = self.schedule.effects();
        self.drive_alarm_seen |= effects.drive_alarm;
        self.acting.draught = effects.draught;
        self.acting.motor_hot = effects.motor_hot;
        self.acting.throat_hot = effects.throat_hot;
        self.acting.contact = effects.sensors.map(|_, trouble| match trouble {
            SensorTrouble::Loose(contact) => *contact,
            SensorTrouble::None
            | SensorTrouble::Open
            | SensorTrouble::Shorted
            | SensorTrouble::Frozen
            | SensorTrouble::Jumping
            | SensorTrouble::Offset(_) => 1.0,
        });
    }

    fn contactor_is_closed(&self) -> bool {
        self.contactor || self.schedule.effects().contactor_welded
    }

    fn update_power(&mut self) {
        let effects = self.schedule.effects();
        let supplied = self.contactor_is_closed() || !self.setup.contactor_fitted;
        for zone in self.power.ids() {
            // A zone that the controller does not speak of is not heated.
            let asked = self.heaters.get(zone).is_some_and(|on| *on);
            let conducts = match (supplied, asked) {
                (false, _) => 0.0,
                (true, true) => 1.0,
                (true, false) => effects.leaks[zone],
            };
            self.power[zone] = conducts * effects.heater_power[zone];
        }
    }

    /// One step of the plant.
    fn step(&mut self) {
        let effects = self.schedule.effects();
        for (mean, energy) in self.acting.power.iter_mut().zip(&mut self.energy) {
            *mean = *energy / plant::STEP.get() as f64;
            *energy = 0.0;
        }
        for (motor, drive) in self.drives.entries() {
            // A drive in alarm has cut its power stage: pulses arrive, the shaft stands.
            let works = !(effects.drive_alarm && motor == Motor::at(0));
            let microsteps = self.setup.microsteps.get(motor).copied();
            self.acting.shafts[motor] = match microsteps.filter(|_| works) {
                Some(steps) => Shaft { rpm: drive.rpm(steps), powered: drive.is_enabled() },
                None => Shaft::default(),
            };
        }
        self.plant.step(&self.acting);
        self.steps += 1;
    }

    /// Let the converters take their samples.
    fn sample(&mut self, now: Micros) {
        let effects = self.schedule.effects();
        if self.steps.is_multiple_of(ADC_CHANNELS as u64) {
            // A round of the inputs takes as long as the expander's registers wait for their
            // next read-back, 200 ms.
            self.pwm_mismatches =
                if effects.pwm_write_lost { self.pwm_mismatches.saturating_add(1) } else { 0 };
        }
        self.converters.sample(&Scene {
            plant: &self.plant,
            effects,
            full_scales: &self.setup.full_scales,
            steps: self.steps,
            now,
        });
        self.update_sensors();
    }

    fn forget_samples(&mut self) {
        self.converters.forget();
        self.update_sensors();
    }

    /// Take over what the converters say about each sensor, from where the configuration looks for
    /// it.
    fn update_sensors(&mut self) {
        self.sensors = self
            .setup
            .inputs
            .map(|sensor, input| self.converters.say(sensor, *input, &self.setup.full_scales));
    }

    fn drive(&mut self, outputs: &Outputs) {
        self.heaters = outputs.heaters;
        self.contactor = outputs.contactor;
        self.acting.fan = outputs.fan;
        self.acting.pump = outputs.pump;
        self.acting.peltier = outputs.peltier.get() / 100.0;
        for (cooler, on) in self.acting.coolers.iter_mut().zip(&outputs.coolers) {
            *cooler = *on;
        }
        for (drive, command) in self.drives.iter_mut().zip(&outputs.motors) {
            drive.apply(*command);
        }
        self.pins.apply(&outputs.user_pins);
        self.update_power();
    }
}

impl Hardware for SimHardware {
    fn kind(&self) -> MachineKind {
        MachineKind::Simulator
    }

    fn configure(&mut self, config: &Arc<MachineConfig>) -> Result<(), HardwareError> {
        self.setup = Setup::new(config);
        self.update_sensors();
        self.update_power();
        Ok(())
    }

    fn read(&mut self, now: Micros, inputs: &mut Inputs) -> Result<(), HardwareError> {
        self.advance(now);
        let effects = self.schedule.effects();
        // At each tick: no more is copied than there is.
        if inputs.sensors.len() == self.sensors.len() {
            inputs.sensors.iter_mut().zip(&self.sensors).for_each(|(to, from)| *to = *from);
        } else {
            inputs.sensors = self.sensors;
        }
        inputs.buttons = Buttons { start: effects.button_start, stop: effects.button_stop };
        inputs.estop =
            if effects.estop { self.setup.estop_pressed } else { self.setup.estop_healthy };
        inputs.contactor = match (self.setup.contactor_feedback, self.contactor_is_closed()) {
            (false, _) => Contact::NotMapped,
            (true, true) => Contact::Closed,
            (true, false) => Contact::Open,
        };
        inputs.drive_alarm = self.drive_alarm_seen;
        self.drive_alarm_seen = effects.drive_alarm;
        let alarm = inputs.drive_alarm;
        inputs.motors = self.drives.map(|motor, drive| MotorFeedback {
            jog_done: drive.finished(),
            drive_alarm: alarm && motor == Motor::at(0),
        });
        inputs.pwm_mismatches = self.pwm_mismatches;
        inputs.fill_level_cm = Some(self.plant.level_cm());
        inputs.pin_levels = self.pins.levels();
        Ok(())
    }

    fn apply(&mut self, now: Micros, outputs: &Outputs) -> Result<(), HardwareError> {
        self.advance(now);
        self.drive(outputs);
        Ok(())
    }

    fn safe(&mut self) {
        self.drive(&Outputs::off(self.power.len(), self.drives.len()));
    }
}

impl SimPowers for SimHardware {
    fn inject(&mut self, fault: Fault) {
        self.schedule.push(fault, self.elapsed);
        self.effects_changed();
    }

    fn clear_faults(&mut self) {
        self.schedule.clear();
        self.effects_changed();
    }

    fn set_temperature(&mut self, temperature: Celsius) {
        self.plant.soak(temperature.get());
    }

    fn set_pin_level(&mut self, pin: Bcm, high: bool) {
        let bit = 1 << pin.get();
        self.pins.outside |= bit;
        self.pins.outside_high = (self.pins.outside_high & !bit) | (u32::from(high) << pin.get());
    }

    fn restart_controller(&mut self) {
        self.safe();
        self.forget_samples();
        self.pwm_mismatches = 0;
        for drive in &mut self.drives {
            drive.forget_moves();
        }
        self.effects_changed();
    }

    fn true_temperature(&self, sensor: Sensor) -> f64 {
        self.plant.true_temperature(sensor)
    }

    fn steps_done(&self, motor: Motor) -> i64 {
        self.drives.get(motor).map_or(0, Drive::pulses)
    }

    fn elapsed(&self) -> Micros {
        self.elapsed
    }
}
