//! What a machine can do: which devices are fitted and how fast its pins can pulse.

use tve_config::{Device, MachineConfig, MotorRole};
use tve_hal::{MachineKind, Motor, PerMotor, PerZone, Signal, Zone};
use tve_machine::PwmOutput;

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
    pub fn of(kind: MachineKind, config: &MachineConfig) -> Self {
        match kind {
            MachineKind::Simulator => Self {
                heaters: config.zones.map(|_, _| true),
                motors: config.motors.map(|_, _| true),
                relays: [true; 2],
                peltier: true,
                max_pulse_rate: config.motors.map(|_, _| MAX_PULSE_RATE),
                max_jog_rate: MAX_PULSE_RATE,
                needs_estop: false,
            },
            MachineKind::RaspberryPi => {
                let wired = |signal| config.signals.pin(signal).is_some();
                let fitted = |signal, output| wired(signal) || config.pwm.channel(output).is_some();
                let rate = |motor| match config.signals.pin(Signal::Step(motor)) {
                    Some(pin) if HARDWARE_PWM_PINS.contains(&pin.get()) => MAX_PULSE_RATE,
                    _ => THREAD_PULSE_RATE,
                };
                Self {
                    heaters: config.zones.map(|zone, _| config.has_heater(zone)),
                    motors: config.motors.map(|motor, _| wired(Signal::Step(motor))),
                    relays: [
                        fitted(Signal::Fan, PwmOutput::Fan),
                        fitted(Signal::Pump, PwmOutput::Pump),
                    ],
                    peltier: fitted(Signal::Peltier, PwmOutput::Peltier),
                    max_pulse_rate: config.motors.map(|motor, _| rate(motor)),
                    max_jog_rate: THREAD_PULSE_RATE,
                    needs_estop: !wired(Signal::EmergencyStop) && config.safety.estop.is_none(),
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

    /// Whether a drive is fitted that turns something of this role.
    pub fn has_role(&self, role: MotorRole, config: &MachineConfig) -> bool {
        config.motors.entries().any(|(id, motor)| motor.role == role && self.has_motor(id))
    }

    /// Whether a device of a sequence is fitted.
    pub fn has_device(&self, device: Device) -> bool {
        match device {
            Device::Motor(motor) => self.motors[motor],
            Device::Fan => self.relays[0],
            Device::Pump => self.relays[1],
        }
    }
}
