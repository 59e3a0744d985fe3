//! [`RpiHardware`]: outputs become pin levels, counts and pulses; pins and samples become inputs.

use crate::board::{Board, Pins};
use crate::clock::Clock;
use crate::devices::BusWiring;
use crate::io::IoThread;
use crate::off::{OffSwitch, Wires, release, rest};
use crate::pca9685::Count;
use crate::plan::Plan;
use crate::pulses::{Peripheral, PulseThread, StepPins};
use crate::rppal_board::RppalBoard;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tve_config::{Config, MachineConfig, PwmUse};
use tve_hal::{
    Buttons, Contact, Hardware, HardwareError, Inputs, Lamp, MachineKind, Motor, MotorDrive,
    MotorFeedback, Outputs, PWM_CHANNELS, PerMotor, PerSensor, Pull, Signal, UserPin,
};
use tve_machine::{Name, PwmOutput};
use tve_units::{Bcm, Duty, Micros};

/// Read-backs in a row after which the PWM board is taken from its outputs by the output enable.
const DISOBEYS: u8 = 2;
/// Shortest time that a Peltier on a header pin is on or off. Its throat answers in minutes; a
/// solid-state switch takes this with ease.
const PELTIER_SLOT: Micros = Micros::from_millis(100);

/// The parts of a configuration that the machine is wired by.
#[derive(Debug, Clone, PartialEq)]
struct Setup {
    wires: Wires,
    buses: BusWiring,
    channels: [PwmUse; PWM_CHANNELS],
    /// The PWM board can heat or cool the throat.
    board_has_power: bool,
    motors: PerMotor<Name>,
}

impl Setup {
    fn of(machine: &MachineConfig) -> Self {
        Self {
            wires: Wires::of(machine),
            buses: BusWiring::of(machine),
            channels: machine.pwm.channels,
            board_has_power: machine.pwm.has_power(),
            motors: machine.names.motors,
        }
    }
}

/// What is done about devices that have to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// By the calling thread, which hears of a failure.
    Here,
    /// By the threads that use them.
    Elsewhere,
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
    /// Level of each output as last driven; `None` is unknown and will be driven.
    levels: [Option<bool>; Bcm::COUNT],
    users: [UserPin; Bcm::COUNT],
    peltier: PeltierSlots,
    mismatches: u8,
    io: Option<IoThread>,
    motors: PerMotor<Option<PulseThread>>,
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
            levels: [None; Bcm::COUNT],
            users: [UserPin::Untouched; Bcm::COUNT],
            peltier: PeltierSlots::default(),
            mismatches: 0,
            io: None,
            motors: PerMotor::default(),
        }
    }

    pub(crate) fn on(board: Arc<dyn Board>, config: &Config) -> Result<Self, HardwareError> {
        let mut machine = Self::bare(board);
        let setup = Setup::of(&config.machine());
        if let Err(error) = rest(machine.board.as_ref(), &setup.wires) {
            // A missing bus comes back from the wiring; a silent board shows as a mismatch.
            tracing::warn!(%error, "at start");
        }
        release(machine.board.as_ref(), &setup.wires.plan);
        machine.wire_pins(&setup, Opening::Here)?;
        let (board, clock) = (Arc::clone(&machine.board), Arc::clone(&machine.clock));
        let halted = Arc::clone(&machine.halted);
        machine.io = Some(IoThread::start(board, &setup.buses, clock, halted)?);
        machine.setup = Some(setup);
        Ok(machine)
    }

    /// Takes over what is different in `setup`. Touches no bus: pins are registers, and the I/O
    /// thread opens what it is told.
    fn rewire(&mut self, setup: Setup) -> Result<(), HardwareError> {
        let old = self.setup.take();
        if old.as_ref().is_none_or(|old| (&old.wires, old.motors) != (&setup.wires, setup.motors)) {
            self.wire_pins(&setup, Opening::Elsewhere)?;
        }
        let same_board = old.as_ref().is_some_and(|old| old.channels == setup.channels);
        if !(same_board && old.is_some_and(|old| old.buses == setup.buses)) {
            self.mismatches = 0;
            if let Some(io) = &self.io {
                io.rewire(setup.buses.clone());
            }
        }
        self.setup = Some(setup);
        Ok(())
    }

    fn wire_pins(&mut self, setup: &Setup, opening: Opening) -> Result<(), HardwareError> {
        self.safe();
        self.motors = PerMotor::default();
        let plan = setup.wires.plan.clone();
        for (_, pin) in self.plan.iter().filter(|(_, pin)| !plan.owns(*pin)) {
            self.pins.listen(pin, Pull::Off);
        }
        *self.wires.lock().unwrap_or_else(PoisonError::into_inner) = setup.wires.clone();
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
        self.motors = PerMotor::new(setup.motors.len());
        for (motor, name) in setup.motors.entries() {
            self.motors[motor] = self.pulse_thread(motor, name.as_str(), opening)?;
        }
        Ok(())
    }

    fn pulse_thread(
        &self,
        motor: Motor,
        name: &str,
        opening: Opening,
    ) -> Result<Option<PulseThread>, HardwareError> {
        let Some(step) = self.plan.pin(Signal::Step(motor)) else { return Ok(None) };
        let peripheral = match (self.board.pwm_channel(step), opening) {
            (None, _) => Peripheral::None,
            (Some(_), Opening::Here) => Peripheral::Open(self.board.step_pwm(step)?),
            (Some(_), Opening::Elsewhere) => Peripheral::ToOpen(Arc::clone(&self.board)),
        };
        let wires = StepPins {
            step,
            direction: self.plan.pin(Signal::Direction(motor)),
            has_enable: self.plan.pin(Signal::Enable(motor)).is_some(),
            peripheral,
        };
        let (pins, clock) = (Arc::clone(&self.pins), Arc::clone(&self.clock));
        PulseThread::start(name, wires, pins, clock, Arc::clone(&self.halted)).map(Some)
    }

    /// Whether the function of an output pin is active under `outputs`; `None` for pins that the
    /// pulse threads drive.
    fn is_active(&self, signal: Signal, outputs: &Outputs, peltier: bool) -> Option<bool> {
        Some(match signal {
            // Cut off from its outputs, a board that holds a heater on can heat no more.
            Signal::PwmEnable => {
                let has_power = self.setup.as_ref().is_some_and(|setup| setup.board_has_power);
                !(has_power && self.mismatches >= DISOBEYS)
            }
            Signal::Contactor => outputs.contactor,
            // What the controller does not speak of is off.
            Signal::Heater(zone) => outputs.heaters.get(zone).is_some_and(|on| *on),
            Signal::Cooler(zone) => outputs.coolers.get(zone).is_some_and(|on| *on),
            Signal::Enable(motor) => outputs.motors.get(motor).is_some_and(|m| m.is_enabled()),
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
            | Signal::ContactorFeedback
            | Signal::Start
            | Signal::Stop
            | Signal::DriveAlarm(_) => return None,
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
        let (Some(io), Some(setup)) = (&self.io, &self.setup) else { return };
        let full = |on: Option<&bool>| if on == Some(&true) { Count::ON } else { Count::OFF };
        let mut counts = [Count::OFF; PWM_CHANNELS];
        for (channel, used) in setup.channels.iter().enumerate() {
            counts[channel] = match used {
                PwmUse::Unused => Count::OFF,
                PwmUse::Output(PwmOutput::Heater(zone)) => full(outputs.heaters.get(*zone)),
                PwmUse::Output(PwmOutput::Cooler(zone)) => full(outputs.coolers.get(*zone)),
                PwmUse::Free
                | PwmUse::Output(
                    PwmOutput::Fan | PwmOutput::Pump | PwmOutput::Peltier | PwmOutput::Lamp(_),
                ) => Count::of(outputs.pwm[channel]),
            };
        }
        io.want(&counts);
    }

    fn apply_motors(&self, outputs: &Outputs) -> Result<(), HardwareError> {
        for (motor, thread) in self.motors.entries() {
            let Some(thread) = thread else { continue };
            let command = outputs.motors.get(motor).copied().unwrap_or_default();
            thread.command(command).map_err(|source| HardwareError::Io {
                what: format!("making step pulses for the {} motor", thread.name()),
                source,
            })?;
        }
        Ok(())
    }

    /// Everything off, and inert until a configuration is taken over.
    fn give_up(&mut self) {
        self.safe();
        self.motors = PerMotor::default();
        self.setup = None;
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

    fn configure(&mut self, config: &Arc<MachineConfig>) -> Result<(), HardwareError> {
        let setup = Setup::of(config);
        if self.locked || self.setup.as_ref() == Some(&setup) {
            return Ok(());
        }
        self.clock.keep_alive();
        let result = self.rewire(setup);
        self.clock.keep_alive();
        if result.is_err() {
            self.give_up();
        }
        result
    }

    fn read(&mut self, now: Micros, inputs: &mut Inputs) -> Result<(), HardwareError> {
        self.clock.tick(now);
        if self.setup.is_none() && !self.locked {
            return Err(HardwareError::Missing {
                what: "the machine is not wired: its configuration could not be taken over".into(),
                remedy: "correct what the log says and restart the service".into(),
            });
        }
        let (sensors, mismatches) = match self.io.as_ref().map(IoThread::read) {
            // A locked machine has no buses, and no word about any sensor.
            None => (PerSensor::new(0), 0),
            Some(Ok(read)) => read,
            Some(Err(error)) => {
                self.give_up();
                return Err(error);
            }
        };
        self.mismatches = mismatches;
        inputs.sensors = sensors;
        inputs.pwm_mismatches = mismatches;
        inputs.buttons =
            Buttons { start: self.is_closed(Signal::Start), stop: self.is_closed(Signal::Stop) };
        inputs.estop = self.contact(Signal::EmergencyStop);
        inputs.contactor = self.contact(Signal::ContactorFeedback);
        inputs.motors = self.motors.map(|motor, thread| MotorFeedback {
            jog_done: thread.as_ref().and_then(PulseThread::done),
            drive_alarm: self.is_closed(Signal::DriveAlarm(motor)),
        });
        inputs.drive_alarm = inputs.motors.iter().any(|motor| motor.drive_alarm);
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
        self.motors = PerMotor::default();
        self.io = None;
        self.safe();
        self.apply_users(&[UserPin::Untouched; Bcm::COUNT]);
    }
}

#[cfg(test)]
mod tests;
