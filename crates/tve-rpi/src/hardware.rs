//! [`RpiHardware`]: outputs become pin levels, counts and pulses; pins and samples become inputs.

use crate::acquisition::Acquisition;
use crate::board::{Board, Pins};
use crate::clock::Clock;
use crate::io::{Devices, IoThread};
use crate::off::{OffSwitch, Wires, release, rest};
use crate::pca9685::{Count, channel_index};
use crate::pulses::{PulseThread, StepPins};
use crate::pwm_board::PwmBoard;
use crate::rppal_board::RppalBoard;
use crate::signal::{Lamp, Plan, Signal};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tve_config::{Adc, Config, Pwm};
use tve_hal::{
    ADC_CHANNELS, AdcReading, Buttons, Contact, Hardware, HardwareError, Inputs, MachineKind,
    Motor, MotorDrive, Outputs, PWM_CHANNELS, Pull, UserPin, Zone,
};
use tve_units::{Bcm, Duty, Micros};

/// Read-backs in a row after which the PWM board is taken from its outputs by the output enable.
const DISOBEYS: u8 = 2;
/// Shortest time that a Peltier on a header pin is on or off. Its throat answers in minutes; a
/// solid-state switch takes this with ease.
const PELTIER_SLOT: Micros = Micros::from_millis(100);

/// The parts of a configuration that the machine is wired by.
#[derive(Debug, Clone, PartialEq)]
struct Setup {
    pins: tve_config::Pins,
    pwm: Pwm,
    adc: Adc,
    /// Converter channels with a thermistor.
    sensors: [bool; ADC_CHANNELS],
}

impl Setup {
    fn of(config: &Config) -> Self {
        Self {
            pins: config.pins.clone(),
            pwm: config.pwm.clone(),
            adc: config.adc,
            sensors: std::array::from_fn(|channel| config.sensors[channel].enabled),
        }
    }
}

/// What a channel of the PWM board follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Follows {
    #[default]
    Nothing,
    /// The slots of a heater.
    Heater(Zone),
    /// Its entry in [`Outputs::pwm`].
    Duty,
}

/// Whole slots of a Peltier by first-order sigma-delta.
#[derive(Debug, Default)]
struct PeltierSlots {
    accumulated: f64,
    began: Option<Micros>,
    on: bool,
}

impl PeltierSlots {
    fn advance(&mut self, now: Micros, duty: Duty) -> bool {
        if duty.is_zero() {
            *self = Self::default();
        } else if self.began.is_none_or(|began| now.since(began) >= PELTIER_SLOT) {
            self.began = Some(now);
            self.accumulated += duty.get();
            self.on = self.accumulated >= Duty::FULL.get();
            if self.on {
                self.accumulated -= Duty::FULL.get();
            }
        }
        self.on
    }
}

/// The machine on the pins of a Raspberry Pi.
///
/// Dropping it switches everything off; outputs stay driven at their rest level, pins that users
/// had taken become inputs.
pub struct RpiHardware {
    board: Arc<dyn Board>,
    pins: Arc<dyn Pins>,
    clock: Arc<Clock>,
    /// Somebody else has switched the machine off.
    halted: Arc<AtomicBool>,
    wires: Arc<Mutex<Wires>>,
    plan: Plan,
    /// `None` before the first configuration and after one that failed.
    setup: Option<Setup>,
    /// Drives nothing and reads nothing, whatever the configuration says.
    locked: bool,
    follows: [Follows; PWM_CHANNELS],
    /// The PWM board can heat or cool.
    board_has_power: bool,
    /// Level of each output as last driven; `None` is unknown and will be driven.
    levels: [Option<bool>; Bcm::COUNT],
    users: [UserPin; Bcm::COUNT],
    peltier: PeltierSlots,
    mismatches: u8,
    io: Option<IoThread>,
    motors: [Option<PulseThread>; 2],
}

impl RpiHardware {
    /// Opens the board, switches off what `config` maps, releases every other output of the
    /// header, and takes over pins and buses.
    ///
    /// # Errors
    /// [`HardwareError::Missing`] when this is no Raspberry Pi, or a device node, a group or an
    /// overlay is missing; chips that do not answer on an existing bus are no error but values in
    /// [`Inputs`].
    pub fn new(config: &Config) -> Result<Self, HardwareError> {
        Self::on(Arc::new(RppalBoard::open()?), config)
    }

    /// A machine that drives nothing and reads nothing, for a service whose configuration is
    /// unknown: every output of the header is released, and no configuration changes that.
    ///
    /// # Errors
    /// [`HardwareError::Missing`] when this is no Raspberry Pi or its pins are not accessible.
    pub fn locked() -> Result<Self, HardwareError> {
        let mut machine = Self::bare(Arc::new(RppalBoard::open()?));
        machine.locked = true;
        release(machine.board.as_ref(), &Plan::default());
        Ok(machine)
    }

    /// A switch that turns this machine off from any thread.
    pub fn off_switch(&self) -> OffSwitch {
        OffSwitch {
            board: Arc::clone(&self.board),
            wires: Arc::clone(&self.wires),
            halted: Arc::clone(&self.halted),
        }
    }

    fn bare(board: Arc<dyn Board>) -> Self {
        Self {
            pins: board.pins(),
            board,
            clock: Arc::new(Clock::new()),
            halted: Arc::new(AtomicBool::new(false)),
            wires: Arc::default(),
            plan: Plan::default(),
            setup: None,
            locked: false,
            follows: [Follows::Nothing; PWM_CHANNELS],
            board_has_power: false,
            levels: [None; Bcm::COUNT],
            users: [UserPin::Untouched; Bcm::COUNT],
            peltier: PeltierSlots::default(),
            mismatches: 0,
            io: None,
            motors: [None, None],
        }
    }

    pub(crate) fn on(board: Arc<dyn Board>, config: &Config) -> Result<Self, HardwareError> {
        let mut machine = Self::bare(board);
        let wires = Wires::of(config);
        if let Err(error) = rest(machine.board.as_ref(), &wires) {
            // A missing bus comes back from `configure`; a silent board shows as a mismatch.
            tracing::warn!(%error, "at start");
        }
        release(machine.board.as_ref(), &wires.plan);
        machine.configure(config)?;
        Ok(machine)
    }

    fn wire(&mut self, config: &Config, setup: &Setup) -> Result<(), HardwareError> {
        let old = self.setup.take();
        if old.as_ref().is_none_or(|old| old.pins != setup.pins) {
            self.wire_pins(config)?;
        }
        let same_bus = |old: &Setup| {
            (&old.pwm, &old.adc, old.sensors) == (&setup.pwm, &setup.adc, setup.sensors)
        };
        if !old.as_ref().is_some_and(same_bus) {
            self.wire_buses(setup)?;
        }
        Ok(())
    }

    fn wire_pins(&mut self, config: &Config) -> Result<(), HardwareError> {
        self.safe();
        self.motors = [None, None];
        let wires = Wires::of(config);
        let plan = wires.plan.clone();
        for (_, pin) in self.plan.iter().filter(|(_, pin)| !plan.owns(*pin)) {
            self.pins.listen(pin, Pull::Off);
        }
        *self.wires.lock().unwrap_or_else(PoisonError::into_inner) = wires;
        for (signal, pin) in &plan.outputs {
            self.pins.drive(*pin, signal.at_rest());
        }
        for (_, pin) in &plan.inputs {
            self.pins.listen(*pin, Pull::Up);
        }
        for pin in Bcm::all().filter(|pin| plan.owns(*pin)) {
            self.users[pin.index()] = UserPin::Untouched;
        }
        self.levels = [None; Bcm::COUNT];
        self.plan = plan;
        for motor in Motor::ALL {
            self.motors[motor.index()] = self.pulse_thread(motor)?;
        }
        Ok(())
    }

    fn pulse_thread(&self, motor: Motor) -> Result<Option<PulseThread>, HardwareError> {
        let Some(step) = self.plan.pin(Signal::Step(motor)) else { return Ok(None) };
        let pwm = match self.board.pwm_channel(step) {
            Some(_) => Some(self.board.step_pwm(step)?),
            None => None,
        };
        let wires = StepPins {
            step,
            direction: self.plan.pin(Signal::Direction(motor)),
            has_enable: self.plan.pin(Signal::Enable(motor)).is_some(),
            pwm,
        };
        let (pins, clock) = (Arc::clone(&self.pins), Arc::clone(&self.clock));
        PulseThread::start(motor.name(), wires, pins, clock, Arc::clone(&self.halted)).map(Some)
    }

    fn wire_buses(&mut self, setup: &Setup) -> Result<(), HardwareError> {
        // The old thread switches the board off before it ends.
        self.io = None;
        self.mismatches = 0;
        self.follows = [Follows::Nothing; PWM_CHANNELS];
        self.board_has_power = false;
        let now = self.clock.now();
        let mut devices = Devices::default();
        if setup.pwm.enabled {
            for (name, channel) in &setup.pwm.channels {
                let follows = match name.as_str() {
                    "z1" => Follows::Heater(Zone::Z1),
                    "z2" => Follows::Heater(Zone::Z2),
                    _ => Follows::Duty,
                };
                self.board_has_power |= follows != Follows::Duty || name == "peltier";
                self.follows[channel_index(*channel)] = follows;
            }
            let bus = self.board.bus(setup.pwm.bus)?;
            let mapped = self.follows.map(|follows| follows != Follows::Nothing);
            let (address, hz) = (setup.pwm.address, setup.pwm.frequency);
            devices.pwm = Some(PwmBoard::new(bus, address, hz, mapped, now));
        }
        if setup.adc.enabled {
            let bus = self.board.bus(setup.adc.bus)?;
            let (address, fsr) = (setup.adc.address, setup.adc.fsr);
            devices.adc = Some(Acquisition::new(bus, address, fsr, setup.sensors, now));
        }
        if devices.pwm.is_some() || devices.adc.is_some() {
            let (clock, halted) = (Arc::clone(&self.clock), Arc::clone(&self.halted));
            self.io = Some(IoThread::start(devices, clock, halted)?);
        }
        Ok(())
    }

    /// Whether the function of an output pin is active under `outputs`; `None` for pins that the
    /// pulse threads drive.
    fn is_active(&self, signal: Signal, outputs: &Outputs, peltier: bool) -> Option<bool> {
        Some(match signal {
            // Cut off from its outputs, a board that holds a heater on can heat no more.
            Signal::PwmEnable => !(self.board_has_power && self.mismatches >= DISOBEYS),
            Signal::Contactor => outputs.contactor,
            Signal::Heater(zone) => outputs.heaters[zone.index()],
            Signal::Enable(motor) => outputs.motors[motor.index()].is_enabled(),
            Signal::Peltier => peltier,
            Signal::Fan => outputs.fan,
            Signal::Pump => outputs.pump,
            Signal::Lamp(Lamp::Status) => outputs.leds.status,
            Signal::Lamp(Lamp::Red) => outputs.leds.red,
            Signal::Lamp(Lamp::Yellow) => outputs.leds.yellow,
            Signal::Lamp(Lamp::Green) => outputs.leds.green,
            Signal::Step(_)
            | Signal::Direction(_)
            | Signal::EmergencyStop
            | Signal::Start
            | Signal::Stop
            | Signal::DriveAlarm => return None,
        })
    }

    fn apply_pins(&mut self, now: Micros, outputs: &Outputs) {
        let peltier = self.peltier.advance(now, outputs.peltier);
        for i in 0..self.plan.outputs.len() {
            let (signal, pin) = self.plan.outputs[i];
            let Some(active) = self.is_active(signal, outputs, peltier) else { continue };
            let level = signal.level(active);
            if self.levels[pin.index()] != Some(level) {
                self.pins.drive(pin, level);
                self.levels[pin.index()] = Some(level);
            }
        }
    }

    fn apply_users(&mut self, wanted: &[UserPin; Bcm::COUNT]) {
        if self.users == *wanted {
            return;
        }
        for pin in Bcm::all() {
            let user = wanted[pin.index()];
            if self.users[pin.index()] == user || pin.is_i2c() || self.plan.owns(pin) {
                continue;
            }
            match user {
                UserPin::Untouched => self.pins.listen(pin, Pull::Off),
                UserPin::Input(pull) => self.pins.listen(pin, pull),
                UserPin::Output(high) => self.pins.drive(pin, high),
            }
            self.users[pin.index()] = user;
        }
    }

    fn apply_board(&self, outputs: &Outputs) {
        let Some(io) = &self.io else { return };
        let mut counts = [Count::OFF; PWM_CHANNELS];
        for (channel, follows) in self.follows.iter().enumerate() {
            counts[channel] = match follows {
                Follows::Nothing => Count::OFF,
                Follows::Heater(zone) if outputs.heaters[zone.index()] => Count::ON,
                Follows::Heater(_) => Count::OFF,
                Follows::Duty => Count::of(outputs.pwm[channel]),
            };
        }
        io.want(&counts);
    }

    fn apply_motors(&self, outputs: &Outputs) -> Result<(), HardwareError> {
        for motor in Motor::ALL {
            let Some(thread) = &self.motors[motor.index()] else { continue };
            thread.command(outputs.motors[motor.index()]).map_err(|source| HardwareError::Io {
                what: format!("making step pulses for the {} motor", motor.name()),
                source,
            })?;
        }
        Ok(())
    }

    fn contact(&self, signal: Signal) -> Contact {
        match self.plan.pin(signal) {
            None => Contact::NotMapped,
            // Contacts pull their input to ground.
            Some(pin) if self.pins.level(pin) => Contact::Open,
            Some(_) => Contact::Closed,
        }
    }

    fn is_closed(&self, signal: Signal) -> bool {
        self.contact(signal) == Contact::Closed
    }
}

impl Hardware for RpiHardware {
    fn kind(&self) -> MachineKind {
        MachineKind::RaspberryPi
    }

    fn configure(&mut self, config: &Config) -> Result<(), HardwareError> {
        let setup = Setup::of(config);
        if self.locked || self.setup.as_ref() == Some(&setup) {
            return Ok(());
        }
        self.clock.keep_alive();
        let result = self.wire(config, &setup);
        self.clock.keep_alive();
        match result {
            Ok(()) => {
                self.setup = Some(setup);
                Ok(())
            }
            Err(error) => {
                self.safe();
                self.motors = [None, None];
                self.io = None;
                Err(error)
            }
        }
    }

    fn read(&mut self, now: Micros, inputs: &mut Inputs) -> Result<(), HardwareError> {
        self.clock.tick(now);
        if self.setup.is_none() && !self.locked {
            return Err(HardwareError::Missing {
                what: "the machine is not wired: its configuration could not be taken over".into(),
                remedy: "correct what the log says and restart the service".into(),
            });
        }
        (inputs.adc, self.mismatches) =
            self.io.as_ref().map_or(([AdcReading::None; ADC_CHANNELS], 0), IoThread::read);
        inputs.pwm_mismatches = self.mismatches;
        inputs.buttons =
            Buttons { start: self.is_closed(Signal::Start), stop: self.is_closed(Signal::Stop) };
        inputs.estop = self.contact(Signal::EmergencyStop);
        inputs.drive_alarm = self.is_closed(Signal::DriveAlarm);
        for (feedback, motor) in inputs.motors.iter_mut().zip(&self.motors) {
            feedback.jog_done = motor.as_ref().and_then(PulseThread::done);
        }
        inputs.fill_level_cm = None;
        inputs.pin_levels = Bcm::all()
            .filter(|pin| self.pins.level(*pin))
            .fold(0, |levels, pin| levels | 1 << pin.get());
        Ok(())
    }

    fn apply(&mut self, now: Micros, outputs: &Outputs) -> Result<(), HardwareError> {
        if self.halted.load(Ordering::Acquire) {
            if outputs.is_energised() {
                return Err(HardwareError::Io {
                    what: "driving a machine that was switched off beside its control".into(),
                    source: io::Error::other("it must be told \"all off\" before anything else"),
                });
            }
            self.levels = [None; Bcm::COUNT];
            self.halted.store(false, Ordering::Release);
        }
        if self.locked || self.setup.is_none() {
            // Inert: outputs are at rest and stay there.
            return Ok(());
        }
        self.apply_pins(now, outputs);
        self.apply_board(outputs);
        self.apply_users(&outputs.user_pins);
        self.apply_motors(outputs)
    }

    fn safe(&mut self) {
        for motor in self.motors.iter().flatten() {
            // Its failure is that of a peripheral which is taken from the pin below.
            let _ = motor.command(MotorDrive::Disabled);
        }
        for i in 0..self.plan.outputs.len() {
            let (signal, pin) = self.plan.outputs[i];
            self.pins.drive(pin, signal.at_rest());
            self.levels[pin.index()] = Some(signal.at_rest());
        }
        if let Some(io) = &self.io {
            io.want(&[Count::OFF; PWM_CHANNELS]);
        }
        self.peltier = PeltierSlots::default();
    }
}

impl Drop for RpiHardware {
    fn drop(&mut self) {
        self.safe();
        // Each thread ends with its own outputs off; after that nobody drives a pin but us.
        self.motors = [None, None];
        self.io = None;
        self.safe();
        self.apply_users(&[UserPin::Untouched; Bcm::COUNT]);
    }
}

#[cfg(test)]
mod tests;
