//! The part that holds what the machine is to switch: relays, free channels, the Peltier, user pins.
//!
//! [`Outlets::compose`] builds the outputs of a tick from nothing and gates them by the latched
//! alarms.

use crate::capabilities::Capabilities;
use crate::command::{PinMode, Relay};
use crate::refusal::RefusalCode;
use crate::snapshot::{PinView, Status};
use tve_config::{MachineConfig, PwmUse};
use tve_hal::{
    Inputs, Lamp, Leds, MotorDrive, Outputs, PWM_CHANNELS, PerMotor, PerZone, Pull, Signal,
    UserPin, Zone,
};
use tve_machine::PwmOutput;
use tve_units::{Bcm, Duty, Micros};

/// Half a period of the status lamp in ALARM (10 Hz).
const ALARM_BLINK: Micros = Micros::from_millis(50);
/// Half a period in STARTING and STOPPING (2 Hz).
const SEQUENCE_BLINK: Micros = Micros::from_millis(250);
/// A relay may be switched again after this.
const RELAY_DEBOUNCE: Micros = Micros::from_millis(250);
/// A pin may be written again after this.
const PIN_DEBOUNCE: Micros = Micros::from_millis(250);

/// Whether a lamp is lit.
const fn is_lit(lamp: Lamp, leds: Leds) -> bool {
    match lamp {
        Lamp::Status => leds.status,
        Lamp::Red => leds.red,
        Lamp::Yellow => leds.yellow,
        Lamp::Green => leds.green,
    }
}

/// What a header pin is to the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
enum PinUse {
    /// Users may have it.
    Free,
    /// A bus has it.
    Bus,
    /// The controller reads or drives it.
    Signal(Signal),
}

fn pin_uses(config: &MachineConfig) -> [PinUse; Bcm::COUNT] {
    let mut uses = [PinUse::Free; Bcm::COUNT];
    for pin in Bcm::all().filter(|pin| config.is_bus(*pin)) {
        uses[pin.index()] = PinUse::Bus;
    }
    for (signal, pin) in config.signals.iter() {
        uses[pin.index()] = PinUse::Signal(signal);
    }
    uses
}

/// What is wanted of the outlets, and what they are wired to.
#[derive(Debug)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Outlets {
    pin_uses: [PinUse; Bcm::COUNT],
    relays: [bool; 2],
    relay_duty: [Duty; 2],
    relay_changed: [Option<Micros>; 2],
    free_pwm: [Duty; PWM_CHANNELS],
    peltier: Duty,
    fill_target: f64,
    user_pins: [UserPin; Bcm::COUNT],
    pin_written: [Option<Micros>; Bcm::COUNT],
}

/// What the other parts say of this tick.
pub(crate) struct Demand {
    pub(crate) status: Status,
    /// A TRIP is latched.
    pub(crate) tripped: bool,
    /// The main contactor is to be closed.
    pub(crate) contactor: bool,
    pub(crate) heaters: PerZone<bool>,
    pub(crate) coolers: PerZone<bool>,
    pub(crate) motors: PerMotor<MotorDrive>,
    /// Some zone has a duty.
    pub(crate) heats: bool,
    /// Every zone with a target is near it, and one has.
    pub(crate) in_band: bool,
    /// The feed throat is measured, or has no sensor.
    pub(crate) throat_known: bool,
}

impl Outlets {
    pub(crate) fn new(config: &MachineConfig) -> Self {
        Self {
            pin_uses: pin_uses(config),
            relays: [false; 2],
            relay_duty: [Duty::FULL; 2],
            relay_changed: [None; 2],
            free_pwm: [Duty::ZERO; PWM_CHANNELS],
            peltier: Duty::ZERO,
            fill_target: 0.0,
            user_pins: [UserPin::Untouched; Bcm::COUNT],
            pin_written: [None; Bcm::COUNT],
        }
    }

    /// Takes over the wiring of a new configuration.
    pub(crate) fn adopt(&mut self, old: &MachineConfig, new: &MachineConfig) {
        let channels = self.free_pwm.iter_mut().zip(old.pwm.channels).zip(new.pwm.channels);
        for ((duty, old), new) in channels {
            // A channel with a new meaning begins at rest.
            if new != old {
                *duty = Duty::ZERO;
            }
        }
        self.pin_uses = pin_uses(new);
        for pin in Bcm::all() {
            if self.owns_pin(pin) {
                self.user_pins[pin.index()] = UserPin::Untouched;
            }
        }
    }

    pub(crate) const fn relays(&self) -> [bool; 2] {
        self.relays
    }

    pub(crate) fn is_on(&self, relay: Relay) -> bool {
        self.relays[relay.index()]
    }

    /// A relay by a sequence: at once, at the duty that it had.
    pub(crate) fn switch(&mut self, relay: Relay, on: bool) {
        self.relays[relay.index()] = on;
    }

    /// A relay by a person: not too often; `false` when it stands so already.
    pub(crate) fn switch_by_hand(
        &mut self,
        now: Micros,
        relay: Relay,
        on: bool,
    ) -> Result<bool, RefusalCode> {
        let i = relay.index();
        if self.relay_changed[i].is_some_and(|at| now.since(at) < RELAY_DEBOUNCE) {
            return Err(RefusalCode::RelayDebounce);
        }
        if self.relays[i] == on {
            return Ok(false);
        }
        self.relay_changed[i] = Some(now);
        self.relays[i] = on;
        self.relay_duty[i] = Duty::FULL;
        Ok(true)
    }

    /// The duty of a relay's PWM channel while it is on.
    pub(crate) fn trim(&mut self, relay: Relay, duty: Duty) {
        self.relay_duty[relay.index()] = duty;
    }

    /// Everything that cools is on.
    pub(crate) fn cool(&mut self, fitted: &Capabilities) {
        for (relay, fitted) in self.relays.iter_mut().zip(fitted.relays) {
            *relay |= fitted;
        }
    }

    pub(crate) const fn peltier(&self) -> Duty {
        self.peltier
    }

    pub(crate) fn set_peltier(&mut self, duty: Duty) {
        self.peltier = duty;
    }

    /// Wanted hopper level, cm.
    pub(crate) const fn fill_target(&self) -> f64 {
        self.fill_target
    }

    pub(crate) fn set_fill_target(&mut self, level_cm: f64) {
        self.fill_target = level_cm;
    }

    /// The duty of a free PWM channel.
    pub(crate) fn set_free_pwm(&mut self, channel: usize, duty: Duty) {
        self.free_pwm[channel] = duty;
    }

    /// Whether the controller or a bus has the pin.
    pub(crate) fn owns_pin(&self, pin: Bcm) -> bool {
        self.pin_uses[pin.index()] != PinUse::Free
    }

    /// Gives a free pin a direction.
    pub(crate) fn configure_pin(&mut self, pin: Bcm, mode: PinMode) -> Result<(), RefusalCode> {
        if self.owns_pin(pin) {
            return Err(RefusalCode::PinInUse);
        }
        let user = &mut self.user_pins[pin.index()];
        *user = match (mode, *user) {
            (PinMode::In(pull), _) => UserPin::Input(pull),
            (PinMode::Out, UserPin::Output(high)) => UserPin::Output(high),
            (PinMode::Out, UserPin::Untouched | UserPin::Input(_)) => UserPin::Output(false),
        };
        Ok(())
    }

    /// Drives a free pin; `debounced`: not too often.
    pub(crate) fn write_pin(
        &mut self,
        now: Micros,
        pin: Bcm,
        high: bool,
        debounced: bool,
    ) -> Result<(), RefusalCode> {
        if self.owns_pin(pin) {
            return Err(RefusalCode::PinInUse);
        }
        let written = &mut self.pin_written[pin.index()];
        if debounced {
            if written.is_some_and(|at| now.since(at) < PIN_DEBOUNCE) {
                return Err(RefusalCode::GpioDebounce);
            }
            *written = Some(now);
        }
        self.user_pins[pin.index()] = UserPin::Output(high);
        Ok(())
    }

    /// Builds the outputs of this tick: every field from nothing, none as it was.
    pub(crate) fn compose(
        &self,
        now: Micros,
        demand: &Demand,
        config: &MachineConfig,
        out: &mut Outputs,
    ) {
        let Outputs {
            heaters,
            coolers,
            contactor,
            fan,
            pump,
            peltier,
            pwm,
            motors,
            leds,
            user_pins,
        } = out;
        let live = !demand.tripped;
        *heaters = demand.heaters;
        *coolers = demand.coolers;
        *contactor = demand.contactor;
        *fan = self.is_on(Relay::Fan);
        *pump = self.is_on(Relay::Pump);
        // Cooling a throat that nobody can measure would only make ice.
        *peltier = if live && demand.throat_known { self.peltier } else { Duty::ZERO };
        *motors = demand.motors;
        if demand.tripped {
            motors.iter_mut().for_each(|drive| *drive = MotorDrive::Disabled);
        }
        *leds = self::leds(now, demand);
        *user_pins = self.user_pins;
        let relay = |relay: Relay| {
            if self.is_on(relay) { self.relay_duty[relay.index()] } else { Duty::ZERO }
        };
        for ((channel, used), out) in config.pwm.channels.iter().enumerate().zip(pwm) {
            *out = match *used {
                PwmUse::Unused => Duty::ZERO,
                PwmUse::Free => self.free_pwm[channel],
                PwmUse::Output(PwmOutput::Fan) => relay(Relay::Fan),
                PwmUse::Output(PwmOutput::Pump) => relay(Relay::Pump),
                PwmUse::Output(PwmOutput::Peltier) => *peltier,
                // The machine drives these from `heaters` and `coolers`, slot by slot.
                PwmUse::Output(PwmOutput::Heater(_) | PwmOutput::Cooler(_)) => Duty::ZERO,
                PwmUse::Output(PwmOutput::Lamp(lamp)) if is_lit(lamp, *leds) => Duty::FULL,
                PwmUse::Output(PwmOutput::Lamp(_)) => Duty::ZERO,
            };
        }
    }

    /// The PWM channels as shown: of a heater its duty instead of its slots.
    pub(crate) fn shown_pwm(
        outputs: &Outputs,
        config: &MachineConfig,
        heater: impl Fn(Zone) -> Duty,
    ) -> [Duty; PWM_CHANNELS] {
        let mut shown = outputs.pwm;
        for (duty, used) in shown.iter_mut().zip(config.pwm.channels) {
            match used {
                PwmUse::Output(PwmOutput::Heater(zone)) => *duty = heater(zone),
                PwmUse::Output(PwmOutput::Cooler(zone)) if outputs.coolers[zone] => {
                    *duty = Duty::FULL;
                }
                PwmUse::Unused | PwmUse::Free | PwmUse::Output(_) => {}
            }
        }
        shown
    }

    /// Level of a pin: of a driven one what is driven, of an input what the machine reads.
    pub(crate) fn pin_level(&self, pin: Bcm, inputs: &Inputs, out: &Outputs) -> bool {
        let read = inputs.pin_levels & (1 << pin.get()) != 0;
        let signal = match self.pin_uses[pin.index()] {
            PinUse::Free => {
                return match self.user_pins[pin.index()] {
                    UserPin::Output(high) => high,
                    UserPin::Untouched | UserPin::Input(_) => read,
                };
            }
            PinUse::Bus => return read,
            PinUse::Signal(signal) => signal,
        };
        let active = match signal {
            Signal::EmergencyStop
            | Signal::ContactorFeedback
            | Signal::Start
            | Signal::Stop
            | Signal::DriveAlarm(_) => {
                return read;
            }
            Signal::Heater(zone) => out.heaters[zone],
            Signal::Cooler(zone) => out.coolers[zone],
            Signal::Fan => out.fan,
            Signal::Pump => out.pump,
            Signal::Peltier => !out.peltier.is_zero(),
            // Pulses are too fast for a snapshot; between them the pin is low.
            Signal::Step(_) => false,
            Signal::Direction(motor) => match out.motors[motor] {
                MotorDrive::Run(rate) => rate.get() < 0.0,
                MotorDrive::Jog { steps, .. } => steps < 0,
                MotorDrive::Disabled => false,
            },
            Signal::Enable(motor) => out.motors[motor].is_enabled(),
            Signal::Lamp(lamp) => is_lit(lamp, out.leds),
            Signal::Contactor => out.contactor,
            // While the service runs the board is enabled.
            Signal::PwmEnable => true,
        };
        signal.level(active)
    }

    pub(crate) fn shown_pins(&self, inputs: &Inputs, out: &Outputs) -> [PinView; Bcm::COUNT] {
        let mut shown = [PinView::default(); Bcm::COUNT];
        for pin in Bcm::all() {
            let user = self.user_pins[pin.index()];
            let (output, pull) = match (self.pin_uses[pin.index()], user) {
                (PinUse::Signal(signal), _) if !signal.is_input() => (true, Pull::Off),
                (PinUse::Signal(_) | PinUse::Bus, _) => (false, Pull::Up),
                (PinUse::Free, UserPin::Input(pull)) => (false, pull),
                (PinUse::Free, UserPin::Output(_)) => (true, Pull::Off),
                (PinUse::Free, UserPin::Untouched) => (false, Pull::Off),
            };
            shown[pin.index()] = PinView { output, high: self.pin_level(pin, inputs, out), pull };
        }
        shown
    }
}

fn leds(now: Micros, demand: &Demand) -> Leds {
    let blink = |half: Micros| (now.get() / half.get()).is_multiple_of(2);
    let status = demand.status;
    Leds {
        status: match status {
            Status::Alarm => blink(ALARM_BLINK),
            Status::Running => true,
            Status::Starting | Status::Stopping => blink(SEQUENCE_BLINK),
            Status::Ready => false,
        },
        red: status == Status::Alarm,
        yellow: demand.heats,
        green: demand.in_band,
    }
}
