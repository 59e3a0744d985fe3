//! What a machine can do: which devices are fitted and how fast its pins can pulse.

use crate::roles;
use tve_config::{Config, Device};
use tve_hal::{MachineKind, Motor, PerMotor, PerZone, Zone};

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
    pub heaters: PerZone<bool>,
    /// Drive by motor.
    pub motors: PerMotor<bool>,
    /// Fan, pump.
    pub relays: [bool; 2],
    /// Peltier.
    pub peltier: bool,
    /// Highest pulse rate by motor, steps/s.
    pub max_pulse_rate: PerMotor<f64>,
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
                heaters: roles::per_zone(|_| true),
                motors: roles::per_motor(|_| true),
                relays: [true; 2],
                peltier: true,
                max_pulse_rate: roles::per_motor(|_| MAX_PULSE_RATE),
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
                    ]
                    .into(),
                    motors: [pins.get("step_main").is_some(), pins.get("step_feed").is_some()]
                        .into(),
                    relays: [
                        pins.get("ssr_fan").is_some() || pwm("fan"),
                        pins.get("ssr_pump").is_some() || pwm("pump"),
                    ],
                    peltier: pins.get("peltier").is_some() || pwm("peltier"),
                    max_pulse_rate: [rate(pins.get("step_main")), rate(pins.get("step_feed"))]
                        .into(),
                    max_jog_rate: THREAD_PULSE_RATE,
                    needs_estop: pins.get("btn_emergency").is_none()
                        && config.safety.estop.is_none(),
                }
            }
        }
    }

    /// Whether the heater of a zone is fitted.
    pub fn has_heater(&self, zone: Zone) -> bool {
        self.heaters[zone]
    }

    /// Whether the drive of a motor is fitted.
    pub fn has_motor(&self, motor: Motor) -> bool {
        self.motors[motor]
    }

    /// Whether a device of a sequence is fitted.
    pub fn has_device(&self, device: Device) -> bool {
        match device {
            Device::MainMotor => self.motors[roles::screw()],
            Device::FeedMotor => self.motors[roles::feeder()],
            Device::Fan => self.relays[0],
            Device::Pump => self.relays[1],
        }
    }
}
