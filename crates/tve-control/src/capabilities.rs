//! What a machine can do: which devices are fitted and how fast its pins can pulse.

use tve_config::{Config, Device};
use tve_hal::{MachineKind, Motor, Zone};

/// Pulses per second that we ask of any drive (half of what a DM556 takes).
pub const MAX_PULSE_RATE: f64 = 100_000.0;
/// Pulses per second that a pulse thread makes.
pub const THREAD_PULSE_RATE: f64 = 5_000.0;
/// Header pins with hardware PWM.
pub const HARDWARE_PWM_PINS: [u8; 4] = [12, 13, 18, 19];

/// Fitted devices and limits, derived from the machine and its configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Capabilities {
    /// Heater by zone.
    pub heaters: [bool; 2],
    /// Drive by motor.
    pub motors: [bool; 2],
    /// Fan, pump.
    pub relays: [bool; 2],
    /// Peltier.
    pub peltier: bool,
    /// Highest pulse rate by motor, steps/s.
    pub max_pulse_rate: [f64; 2],
    /// Highest rate of a counted move, steps/s.
    pub max_jog_rate: f64,
    /// The screw needs an emergency stop to be mapped or declared.
    pub needs_estop: bool,
}

impl Capabilities {
    /// Of `kind` wired as `config` says. The simulated machine has everything fitted.
    pub fn of(kind: MachineKind, config: &Config) -> Self {
        match kind {
            MachineKind::Simulator => Self {
                heaters: [true; 2],
                motors: [true; 2],
                relays: [true; 2],
                peltier: true,
                max_pulse_rate: [MAX_PULSE_RATE; 2],
                max_jog_rate: MAX_PULSE_RATE,
                needs_estop: false,
            },
            MachineKind::RaspberryPi => {
                let pins = &config.pins;
                let pwm = |name| config.pwm.channel(name).is_some();
                let rate = |step: Option<tve_units::Bcm>| match step {
                    Some(pin) if HARDWARE_PWM_PINS.contains(&pin.get()) => MAX_PULSE_RATE,
                    _ => THREAD_PULSE_RATE,
                };
                Self {
                    heaters: [
                        pins.get("ssr_z1").is_some() || pwm("z1"),
                        pins.get("ssr_z2").is_some() || pwm("z2"),
                    ],
                    motors: [pins.get("step_main").is_some(), pins.get("step_feed").is_some()],
                    relays: [
                        pins.get("ssr_fan").is_some() || pwm("fan"),
                        pins.get("ssr_pump").is_some() || pwm("pump"),
                    ],
                    peltier: pins.get("peltier").is_some() || pwm("peltier"),
                    max_pulse_rate: [rate(pins.get("step_main")), rate(pins.get("step_feed"))],
                    max_jog_rate: THREAD_PULSE_RATE,
                    needs_estop: pins.get("btn_emergency").is_none()
                        && config.safety.estop.is_none(),
                }
            }
        }
    }

    /// Whether the heater of a zone is fitted.
    pub const fn has_heater(&self, zone: Zone) -> bool {
        self.heaters[zone.index()]
    }

    /// Whether the drive of a motor is fitted.
    pub const fn has_motor(&self, motor: Motor) -> bool {
        self.motors[motor.index()]
    }

    /// Whether a device of a sequence is fitted.
    pub const fn has_device(&self, device: Device) -> bool {
        match device {
            Device::MainMotor => self.motors[0],
            Device::FeedMotor => self.motors[1],
            Device::Fan => self.relays[0],
            Device::Pump => self.relays[1],
        }
    }
}
