//! The part that holds what the machine is to switch: relays, free channels, the Peltier, user pins.
//!
//! [`Outlets::compose`] builds the outputs of a tick from nothing and gates them by the latched
//! alarms.

use crate::capabilities::Capabilities;
use crate::command::{PinMode, Relay};
use crate::refusal::RefusalCode;
use crate::snapshot::{PinView, Status};
use tve_config::Config;
use tve_hal::{
    Inputs, Leds, Motor, MotorDrive, Outputs, PWM_CHANNELS, PerMotor, PerZone, Pull, UserPin, Zone,
};
use tve_units::{Bcm, Duty, Micros};

/// Half a period of the status lamp in ALARM (10 Hz).
const ALARM_BLINK: Micros = Micros::from_millis(50);
/// Half a period in STARTING and STOPPING (2 Hz).
const SEQUENCE_BLINK: Micros = Micros::from_millis(250);
/// A relay may be switched again after this.
const RELAY_DEBOUNCE: Micros = Micros::from_millis(250);
/// A pin may be written again after this.
const PIN_DEBOUNCE: Micros = Micros::from_millis(250);

/// What a PWM channel carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum PwmRole {
    Unused,
    /// A named output that users set.
    Free,
    Relay(Relay),
    Peltier,
    Heater(Zone),
    Lamp(Lamp),
}

/// A panel lamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Lamp {
    Status,
    Red,
    Yellow,
    Green,
}

impl Lamp {
    fn is_lit(self, leds: Leds) -> bool {
        match self {
            Self::Status => leds.status,
            Self::Red => leds.red,
            Self::Yellow => leds.yellow,
            Self::Green => leds.green,
        }
    }
}

/// What a header pin is to the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
enum PinRole {
    /// Users may have it.
    Free,
    /// The I2C buses have it.
    Bus,
    /// The controller reads it.
    Input,
    /// The controller drives it.
    Output(OutputPin),
}

/// A driven pin by what it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
enum OutputPin {
    Heater(Zone),
    Relay(Relay),
    Peltier,
    Step,
    Direction(Motor),
    /// Active low.
    Enable(Motor),
    Lamp(Lamp),
    Contactor,
    /// Active low, always enabled while the service runs.
    PwmEnable,
}

fn pwm_roles(config: &Config) -> [PwmRole; PWM_CHANNELS] {
    let mut roles = [PwmRole::Unused; PWM_CHANNELS];
    if config.pwm.enabled {
        for (name, channel) in &config.pwm.channels {
            roles[usize::from(*channel)] = match name.as_str() {
                "fan" => PwmRole::Relay(Relay::Fan),
                "pump" => PwmRole::Relay(Relay::Pump),
                "peltier" => PwmRole::Peltier,
                "z1" => PwmRole::Heater(Zone::Z1),
                "z2" => PwmRole::Heater(Zone::Z2),
                "led_status" => PwmRole::Lamp(Lamp::Status),
                "led_red" => PwmRole::Lamp(Lamp::Red),
                "led_yellow" => PwmRole::Lamp(Lamp::Yellow),
                "led_green" => PwmRole::Lamp(Lamp::Green),
                _ => PwmRole::Free,
            };
        }
    }
    roles
}

fn pin_roles(config: &Config) -> [PinRole; Bcm::COUNT] {
    let mut roles = [PinRole::Free; Bcm::COUNT];
    for pin in Bcm::all().filter(|pin| pin.is_i2c()) {
        roles[pin.index()] = PinRole::Bus;
    }
    for (name, pin) in config.pins.iter() {
        let Some(pin) = pin else { continue };
        let output = match name {
            "ssr_z1" => OutputPin::Heater(Zone::Z1),
            "ssr_z2" => OutputPin::Heater(Zone::Z2),
            "ssr_fan" => OutputPin::Relay(Relay::Fan),
            "ssr_pump" => OutputPin::Relay(Relay::Pump),
            "peltier" => OutputPin::Peltier,
            "step_main" | "step_feed" => OutputPin::Step,
            "dir_main" => OutputPin::Direction(Motor::Main),
            "dir_feed" => OutputPin::Direction(Motor::Feed),
            "en_main" => OutputPin::Enable(Motor::Main),
            "en_feed" => OutputPin::Enable(Motor::Feed),
            "led_status" => OutputPin::Lamp(Lamp::Status),
            "led_red" => OutputPin::Lamp(Lamp::Red),
            "led_yellow" => OutputPin::Lamp(Lamp::Yellow),
            "led_green" => OutputPin::Lamp(Lamp::Green),
            "contactor" => OutputPin::Contactor,
            "pca_oe" => OutputPin::PwmEnable,
            _ => {
                roles[pin.index()] = PinRole::Input;
                continue;
            }
        };
        roles[pin.index()] = PinRole::Output(output);
    }
    roles
}

/// What is wanted of the outlets, and what they are wired to.
#[derive(Debug)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Outlets {
    pwm_roles: [PwmRole; PWM_CHANNELS],
    pin_roles: [PinRole; Bcm::COUNT],
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
    pub(crate) heaters: PerZone<bool>,
    pub(crate) motors: PerMotor<MotorDrive>,
    /// Some zone has a duty.
    pub(crate) heats: bool,
    /// Every zone with a target is near it, and one has.
    pub(crate) in_band: bool,
    /// The feed throat is measured, or has no sensor.
    pub(crate) throat_known: bool,
}

impl Outlets {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            pwm_roles: pwm_roles(config),
            pin_roles: pin_roles(config),
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
    pub(crate) fn adopt(&mut self, config: &Config) {
        let roles = pwm_roles(config);
        for ((duty, new), old) in self.free_pwm.iter_mut().zip(&roles).zip(&self.pwm_roles) {
            // A channel with a new meaning begins at rest.
            if new != old {
                *duty = Duty::ZERO;
            }
        }
        self.pwm_roles = roles;
        self.pin_roles = pin_roles(config);
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

    /// What a PWM channel carries.
    pub(crate) fn pwm_role(&self, channel: usize) -> PwmRole {
        self.pwm_roles[channel]
    }

    /// The duty of a free PWM channel.
    pub(crate) fn set_free_pwm(&mut self, channel: usize, duty: Duty) {
        self.free_pwm[channel] = duty;
    }

    /// Whether the controller or a bus has the pin.
    pub(crate) fn owns_pin(&self, pin: Bcm) -> bool {
        self.pin_roles[pin.index()] != PinRole::Free
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
    pub(crate) fn compose(&self, now: Micros, demand: &Demand, out: &mut Outputs) {
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
        // Nothing decides about coolers yet.
        coolers.iter_mut().for_each(|on| *on = false);
        *contactor = live;
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
        for ((channel, role), out) in self.pwm_roles.iter().enumerate().zip(pwm) {
            *out = match *role {
                PwmRole::Unused => Duty::ZERO,
                PwmRole::Free => self.free_pwm[channel],
                PwmRole::Relay(relay) if self.is_on(relay) => self.relay_duty[relay.index()],
                PwmRole::Relay(_) => Duty::ZERO,
                PwmRole::Peltier => *peltier,
                // The machine drives heater channels from `heaters`, slot by slot.
                PwmRole::Heater(_) => Duty::ZERO,
                PwmRole::Lamp(lamp) if lamp.is_lit(*leds) => Duty::FULL,
                PwmRole::Lamp(_) => Duty::ZERO,
            };
        }
    }

    /// The PWM channels as shown: of a heater its duty instead of its slots.
    pub(crate) fn shown_pwm(
        &self,
        outputs: &Outputs,
        heater: impl Fn(Zone) -> Duty,
    ) -> [Duty; PWM_CHANNELS] {
        let mut shown = outputs.pwm;
        for (duty, role) in shown.iter_mut().zip(&self.pwm_roles) {
            if let PwmRole::Heater(zone) = role {
                *duty = heater(*zone);
            }
        }
        shown
    }

    /// Level of a pin: of a driven one what is driven, of an input what the machine reads.
    pub(crate) fn pin_level(&self, pin: Bcm, inputs: &Inputs, out: &Outputs) -> bool {
        let read = inputs.pin_levels & (1 << pin.get()) != 0;
        match self.pin_roles[pin.index()] {
            PinRole::Free => match self.user_pins[pin.index()] {
                UserPin::Output(high) => high,
                UserPin::Untouched | UserPin::Input(_) => read,
            },
            PinRole::Bus | PinRole::Input => read,
            PinRole::Output(output) => match output {
                OutputPin::Heater(zone) => out.heaters[zone],
                OutputPin::Relay(Relay::Fan) => out.fan,
                OutputPin::Relay(Relay::Pump) => out.pump,
                OutputPin::Peltier => !out.peltier.is_zero(),
                // Pulses are too fast for a snapshot; between them the pin is low.
                OutputPin::Step => false,
                OutputPin::Direction(motor) => match out.motors[motor] {
                    MotorDrive::Run(rate) => rate.get() < 0.0,
                    MotorDrive::Jog { steps, .. } => steps < 0,
                    MotorDrive::Disabled => false,
                },
                OutputPin::Enable(motor) => !out.motors[motor].is_enabled(),
                OutputPin::Lamp(lamp) => lamp.is_lit(out.leds),
                OutputPin::Contactor => out.contactor,
                OutputPin::PwmEnable => false,
            },
        }
    }

    pub(crate) fn shown_pins(&self, inputs: &Inputs, out: &Outputs) -> [PinView; Bcm::COUNT] {
        let mut shown = [PinView::default(); Bcm::COUNT];
        for pin in Bcm::all() {
            let user = self.user_pins[pin.index()];
            let role = self.pin_roles[pin.index()];
            shown[pin.index()] = PinView {
                output: matches!(role, PinRole::Output(_)) || matches!(user, UserPin::Output(_)),
                high: self.pin_level(pin, inputs, out),
                pull: match (role, user) {
                    (PinRole::Input | PinRole::Bus, _) => Pull::Up,
                    (_, UserPin::Input(pull)) => pull,
                    _ => Pull::Off,
                },
            };
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
