//! The simulated machine: outputs drive the plant, thermistors and contacts become inputs.
//!
//! Time passes in `read` and `apply`, each up to its `now`. Heater on-time and step pulses are
//! counted exactly; the plant takes one [`plant::STEP`] at a time, and each step end samples one
//! converter channel, so every channel is sampled each 0.2 s, 50 ms after the one before it.
//!
//! Everything is fitted. The hard-wired part of the emergency-stop loop is not modelled: what
//! must be seen here is that the software stops the machine by itself.

use crate::drives::Drive;
use crate::effects::{Schedule, SensorTrouble};
use crate::faults::Fault;
use crate::noise::Noise;
use crate::plant::{self, Plant};
use crate::powers::SimPowers;
use crate::thermistor::{self, Divider, Probe};
use tve_config::{Config, EstopContact};
use tve_hal::{
    ADC_CHANNELS, AdcReading, Buttons, Contact, Hardware, HardwareError, Inputs, MachineKind,
    Motor, MotorFeedback, Outputs, PerZone, Pull, Sensor, UserPin, Zone,
};
use tve_units::{Bcm, Celsius, Micros};

/// What the plugs of the converter's channels are put on. Fixed: mapping them is the
/// configuration's job, and a wrong mapping must show.
const WIRING: [Sensor; ADC_CHANNELS] = [Sensor::T1, Sensor::T2, Sensor::Motor, Sensor::T3];
/// How far a jumping sensor is off, °C.
const JUMP: f64 = 50.0;

/// What [`Hardware::configure`] takes over; the plant itself is fixed when it is built.
#[derive(Debug, Clone)]
struct Setup {
    microsteps: f64,
    full_scale: f64,
    contactor_fitted: bool,
    estop_healthy: Contact,
    estop_pressed: Contact,
}

impl Setup {
    fn new(config: &Config) -> Self {
        let (estop_healthy, estop_pressed) = match config.safety.estop_contact() {
            EstopContact::Nc => (Contact::Closed, Contact::Open),
            EstopContact::No => (Contact::Open, Contact::Closed),
        };
        Self {
            microsteps: f64::from(config.dm556.microsteps),
            full_scale: config.adc.fsr,
            contactor_fitted: config.pins.contactor.is_some(),
            estop_healthy,
            estop_pressed,
        }
    }
}

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
    divider: Divider,
    noise: Noise,
    noise_lsb: f64,
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
    power: [f64; 2],
    /// Power times microseconds since the last step.
    energy: [f64; 2],
    drives: [Drive; 2],
    /// What acts on the plant, kept between steps.
    acting: plant::Drive,
    pins: Pins,
    readings: [AdcReading; ADC_CHANNELS],
    codes: [Option<i16>; ADC_CHANNELS],
    pwm_mismatches: u8,
    /// The drive alarm was active at some time since the last `read`.
    drive_alarm_seen: bool,
}

impl SimHardware {
    /// The machine that the `plant` section describes, everything off.
    pub fn new(config: &Config) -> Self {
        let params = &config.plant;
        Self {
            setup: Setup::new(config),
            plant: Plant::new(params),
            divider: Divider::new(params),
            noise: Noise::new(params.seed),
            noise_lsb: params.noise_lsb,
            schedule: Schedule::new(),
            clock: None,
            elapsed: Micros::ZERO,
            next_step: plant::STEP,
            steps: 0,
            heaters: PerZone::new(2),
            contactor: false,
            power: [0.0; 2],
            energy: [0.0; 2],
            drives: [Drive::new(), Drive::new()],
            acting: plant::Drive::default(),
            pins: Pins::default(),
            readings: [AdcReading::None; ADC_CHANNELS],
            codes: [None; ADC_CHANNELS],
            pwm_mismatches: 0,
            drive_alarm_seen: false,
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
            self.readings = [AdcReading::None; ADC_CHANNELS];
            return;
        }
        while clock < now {
            let event = self.next_step.min(self.schedule.next_change());
            let span = now.since(clock).min(event.since(self.elapsed));
            for (energy, power) in self.energy.iter_mut().zip(self.power) {
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
        let effects = self.schedule.effects();
        self.drive_alarm_seen |= effects.drive_alarm;
        if effects.adc_gone {
            self.readings = [AdcReading::BusError; ADC_CHANNELS];
        }
        self.acting.draught = effects.draught;
        self.acting.motor_hot = effects.motor_hot;
        self.acting.throat_hot = effects.throat_hot;
        self.acting.fallen_out = effects.sensors.map(|s| s == SensorTrouble::FallenOut);
    }

    fn update_power(&mut self) {
        let effects = self.schedule.effects();
        let supplied = self.contactor || !self.setup.contactor_fitted;
        for z in Zone::ALL.map(Zone::index) {
            let on = supplied && (self.heaters[z] || effects.stuck_on[z]);
            self.power[z] = if on { effects.heater_power[z] } else { 0.0 };
        }
    }

    /// One step of the plant.
    fn step(&mut self) {
        let effects = self.schedule.effects();
        for (mean, energy) in self.acting.power.iter_mut().zip(&mut self.energy) {
            *mean = *energy / plant::STEP.get() as f64;
            *energy = 0.0;
        }
        let [screw, feeder] = &self.drives;
        // A drive in alarm has cut its power stage: pulses arrive, the shaft stands.
        let screw_works = !effects.drive_alarm;
        self.acting.screw_powered = screw.is_enabled() && screw_works;
        self.acting.screw_rpm = if screw_works { screw.rpm(self.setup.microsteps) } else { 0.0 };
        self.acting.feed_rpm = feeder.rpm(self.setup.microsteps);
        self.plant.step(&self.acting);
        self.steps += 1;
    }

    /// Convert the channel whose turn it is.
    fn sample(&mut self, now: Micros) {
        let channel = (self.steps % ADC_CHANNELS as u64) as usize;
        let effects = self.schedule.effects();
        // Drawn in any case, so that a fault leaves the noise after it as it would have been.
        let noise = self.noise.standard() * self.noise_lsb;
        if channel == 0 {
            // A round of the channels takes as long as the expander's registers wait for their
            // next read-back, 200 ms.
            self.pwm_mismatches =
                if effects.pwm_write_lost { self.pwm_mismatches.saturating_add(1) } else { 0 };
        }
        if effects.adc_gone || effects.adc_stopped {
            return;
        }
        let sensor = match (WIRING[channel], effects.swapped) {
            (Sensor::T2, true) => Sensor::T3,
            (Sensor::T3, true) => Sensor::T2,
            (sensor, _) => sensor,
        };
        let trouble = effects.sensors[sensor.index()];
        let probe = match trouble {
            SensorTrouble::Open => Probe::Open,
            SensorTrouble::Shorted => Probe::Shorted,
            SensorTrouble::Jumping => {
                let round = self.steps / ADC_CHANNELS as u64;
                let jump = if round.is_multiple_of(2) { JUMP } else { -JUMP };
                Probe::At(self.plant.probe(sensor) + jump)
            }
            SensorTrouble::None | SensorTrouble::Frozen | SensorTrouble::FallenOut => {
                Probe::At(self.plant.probe(sensor))
            }
        };
        let code = match self.codes[channel] {
            Some(code) if trouble == SensorTrouble::Frozen => code,
            _ => {
                let volts = self.divider.volts(probe, effects.rail);
                thermistor::code(volts, self.setup.full_scale, noise)
            }
        };
        self.codes[channel] = Some(code);
        self.readings[channel] = AdcReading::Sample { code, taken_at: now };
    }

    fn drive(&mut self, outputs: &Outputs) {
        self.heaters = outputs.heaters;
        self.contactor = outputs.contactor;
        self.acting.fan = outputs.fan;
        self.acting.pump = outputs.pump;
        self.acting.peltier = outputs.peltier.get() / 100.0;
        for (drive, command) in self.drives.iter_mut().zip(outputs.motors) {
            drive.apply(command);
        }
        self.pins.apply(&outputs.user_pins);
        self.update_power();
    }
}

impl Hardware for SimHardware {
    fn kind(&self) -> MachineKind {
        MachineKind::Simulator
    }

    fn configure(&mut self, config: &Config) -> Result<(), HardwareError> {
        self.setup = Setup::new(config);
        self.update_power();
        Ok(())
    }

    fn read(&mut self, now: Micros, inputs: &mut Inputs) -> Result<(), HardwareError> {
        self.advance(now);
        let effects = self.schedule.effects();
        inputs.adc = self.readings;
        inputs.buttons = Buttons { start: effects.button_start, stop: effects.button_stop };
        inputs.estop =
            if effects.estop { self.setup.estop_pressed } else { self.setup.estop_healthy };
        inputs.drive_alarm = self.drive_alarm_seen;
        self.drive_alarm_seen = effects.drive_alarm;
        for motor in Motor::ALL.map(Motor::index) {
            inputs.motors[motor] = MotorFeedback {
                jog_done: self.drives[motor].finished(),
                ..MotorFeedback::default()
            };
        }
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
        self.drive(&Outputs::default());
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
        self.readings = [AdcReading::None; ADC_CHANNELS];
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
        self.drives[motor.index()].pulses()
    }

    fn elapsed(&self) -> Micros {
        self.elapsed
    }
}
