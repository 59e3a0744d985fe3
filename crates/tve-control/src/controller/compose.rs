//! The outputs of a tick, composed from nothing and gated by the latched alarms.

use super::Controller;
use crate::command::Relay;
use crate::sensors::is_bad;
use crate::snapshot::{PinView, Status};
use tve_config::Config;
use tve_hal::{
    Leds, Motor, MotorDrive, Outputs, PWM_CHANNELS, Pull, Reading, Sensor, UserPin, Zone,
};
use tve_units::{Bcm, Duty, Micros};

/// Half a period of the status lamp in ALARM (10 Hz).
const ALARM_BLINK: Micros = Micros::from_millis(50);
/// Half a period in STARTING and STOPPING (2 Hz).
const SEQUENCE_BLINK: Micros = Micros::from_millis(250);
/// A zone this near its target is in band, °C.
const IN_BAND: f64 = 5.0;

/// What a PWM channel carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum PwmRole {
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
pub(super) enum Lamp {
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
pub(super) enum PinRole {
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
pub(super) enum OutputPin {
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

pub(super) fn pwm_roles(config: &Config) -> [PwmRole; PWM_CHANNELS] {
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

pub(super) fn pin_roles(config: &Config) -> [PinRole; Bcm::COUNT] {
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

impl Controller {
    /// Builds this tick's outputs.
    pub(super) fn compose(&mut self) {
        let tripped = self.latches.trip;
        let leds = self.leds();
        let mut out =
            Outputs { contactor: !tripped, leds, user_pins: self.user_pins, ..Outputs::default() };
        for zone in Zone::ALL {
            let i = zone.index();
            let duty =
                if tripped || self.latches.zone_trip[i] { Duty::ZERO } else { self.zones[i].duty };
            out.heaters[i] = self.zones[i].ssr.advance(self.now, self.ssr_slot, duty);
        }
        if !tripped {
            // Cooling a throat that nobody can measure would only make ice.
            let throat = self.chains[Sensor::T1.index()].reading();
            out.peltier = if is_bad(throat) { Duty::ZERO } else { self.peltier };
            for motor in Motor::ALL {
                out.motors[motor.index()] =
                    self.axes[motor.index()].drive(self.config.dm556.microsteps);
            }
            let screw = Motor::Main.index();
            if self.latches.driver_fault && !self.axes[screw].is_turning() {
                out.motors[screw] = MotorDrive::Disabled;
            }
        }
        out.fan = self.relays[Relay::Fan.index()];
        out.pump = self.relays[Relay::Pump.index()];
        for (channel, role) in self.pwm_roles.iter().enumerate() {
            out.pwm[channel] = match *role {
                PwmRole::Unused => Duty::ZERO,
                PwmRole::Free => self.free_pwm[channel],
                PwmRole::Relay(relay) if self.relays[relay.index()] => {
                    self.relay_duty[relay.index()]
                }
                PwmRole::Relay(_) => Duty::ZERO,
                PwmRole::Peltier => out.peltier,
                // The machine drives heater channels from `heaters`, slot by slot.
                PwmRole::Heater(_) => Duty::ZERO,
                PwmRole::Lamp(lamp) if lamp.is_lit(leds) => Duty::FULL,
                PwmRole::Lamp(_) => Duty::ZERO,
            };
        }
        self.outputs = out;
    }

    fn leds(&self) -> Leds {
        let blink = |half: Micros| (self.now.get() / half.get()).is_multiple_of(2);
        let status = self.status();
        let in_band = |zone: Zone| {
            let target = self.zones[zone.index()].target.get();
            match self.chains[zone.sensor().index()].reading() {
                Reading::Good(t) | Reading::Uncertain(t) => (t.get() - target).abs() <= IN_BAND,
                _ => false,
            }
        };
        let mut heated = Zone::ALL.into_iter().filter(|z| !self.zones[z.index()].target.is_zero());
        let any_heated = heated.clone().next().is_some();
        Leds {
            status: match status {
                Status::Alarm => blink(ALARM_BLINK),
                Status::Running => true,
                Status::Starting | Status::Stopping => blink(SEQUENCE_BLINK),
                Status::Ready => false,
            },
            red: status == Status::Alarm,
            yellow: self.zones.iter().any(|z| !z.duty.is_zero()),
            green: any_heated && heated.all(in_band),
        }
    }

    pub(super) fn shown_pwm(&self) -> [Duty; PWM_CHANNELS] {
        let mut shown = self.outputs.pwm;
        for (duty, role) in shown.iter_mut().zip(&self.pwm_roles) {
            if let PwmRole::Heater(zone) = role {
                *duty = self.zones[zone.index()].duty;
            }
        }
        shown
    }

    /// Level of a pin: of a driven one what is driven, of an input what the machine reads.
    pub(super) fn pin_level(&self, pin: Bcm) -> bool {
        let out = &self.outputs;
        let read = self.inputs.pin_levels & (1 << pin.get()) != 0;
        match self.pin_roles[pin.index()] {
            PinRole::Free => match self.user_pins[pin.index()] {
                UserPin::Output(high) => high,
                UserPin::Untouched | UserPin::Input(_) => read,
            },
            PinRole::Bus | PinRole::Input => read,
            PinRole::Output(output) => match output {
                OutputPin::Heater(zone) => out.heaters[zone.index()],
                OutputPin::Relay(Relay::Fan) => out.fan,
                OutputPin::Relay(Relay::Pump) => out.pump,
                OutputPin::Peltier => !out.peltier.is_zero(),
                // Pulses are too fast for a snapshot; between them the pin is low.
                OutputPin::Step => false,
                OutputPin::Direction(motor) => match out.motors[motor.index()] {
                    MotorDrive::Run(rate) => rate.get() < 0.0,
                    MotorDrive::Jog { steps, .. } => steps < 0,
                    MotorDrive::Disabled => false,
                },
                OutputPin::Enable(motor) => !out.motors[motor.index()].is_enabled(),
                OutputPin::Lamp(lamp) => lamp.is_lit(out.leds),
                OutputPin::Contactor => out.contactor,
                OutputPin::PwmEnable => false,
            },
        }
    }

    pub(super) fn shown_pins(&self) -> [PinView; Bcm::COUNT] {
        let mut shown = [PinView::default(); Bcm::COUNT];
        for pin in Bcm::all() {
            let user = self.user_pins[pin.index()];
            let role = self.pin_roles[pin.index()];
            shown[pin.index()] = PinView {
                output: matches!(role, PinRole::Output(_)) || matches!(user, UserPin::Output(_)),
                high: self.pin_level(pin),
                pull: match (role, user) {
                    (PinRole::Input | PinRole::Bus, _) => Pull::Up,
                    (_, UserPin::Input(pull)) => pull,
                    _ => Pull::Off,
                },
            };
        }
        shown
    }

    /// Whether the controller or a bus has the pin.
    pub(super) fn owns_pin(&self, pin: Bcm) -> bool {
        self.pin_roles[pin.index()] != PinRole::Free
    }

    /// Temperature of a sensor that is good now, °C.
    pub(super) fn temperature(&self, sensor: Sensor) -> Option<f64> {
        self.chains[sensor.index()].reading().value().map(tve_units::Celsius::get)
    }
}
