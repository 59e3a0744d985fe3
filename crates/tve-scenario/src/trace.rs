//! The fingerprint of a run: every tick's inputs, commands and outputs in one fixed encoding.
//!
//! Integers are little-endian, floats are their IEEE 754 bits. A tick is one byte that says
//! whether inputs (1) and outputs (2) follow because they differ from those of the tick before.
//! [`Inputs::wall`] is left out: it labels and decides nothing. Lists are as long as the machine's,
//! which is the same for a whole run.

use sha2::{Digest, Sha256};
use tve_config::MachineConfig;
use tve_hal::{
    Contact, Inputs, MotorDrive, Outputs, Pull, Quality, Quantity, SensorInput, UserPin,
};
use tve_units::{Micros, WallMillis};

/// Bytes gathered before they are hashed.
const BLOCK: usize = 16 * 1024;
/// Bits of a byte.
const BYTE: usize = 8;

/// A hash under way.
pub(crate) struct Trace {
    hash: Sha256,
    pending: Vec<u8>,
    inputs: Inputs,
    outputs: Outputs,
}

impl Trace {
    /// Of a run of `machine`, which stands still before it.
    pub(crate) fn new(machine: &MachineConfig) -> Self {
        let motors = machine.motors.len();
        Self {
            hash: Sha256::new(),
            pending: Vec::with_capacity(2 * BLOCK),
            inputs: Inputs::unread(motors, machine.sensors.len()),
            outputs: Outputs::off(machine.zones.len(), motors),
        }
    }

    /// A command and how it was answered.
    pub(crate) fn command(&mut self, now: Micros, text: &str, accepted: bool) {
        self.pending.push(u8::from(accepted) + 8);
        self.u64(now.get());
        self.u64(text.len() as u64);
        self.pending.extend_from_slice(text.as_bytes());
    }

    /// One tick.
    pub(crate) fn tick(&mut self, inputs: &Inputs, outputs: &Outputs) {
        let inputs = Inputs { wall: WallMillis::default(), ..*inputs };
        let (new_inputs, new_outputs) = (inputs != self.inputs, *outputs != self.outputs);
        self.pending.push(u8::from(new_inputs) | u8::from(new_outputs) << 1);
        if new_inputs {
            self.inputs(&inputs);
            self.inputs = inputs;
        }
        if new_outputs {
            self.outputs(outputs);
            self.outputs = *outputs;
        }
        if self.pending.len() >= BLOCK {
            self.hash.update(&self.pending);
            self.pending.clear();
        }
    }

    pub(crate) fn finish(mut self) -> [u8; 32] {
        self.hash.update(&self.pending);
        self.hash.finalize().into()
    }

    fn u64(&mut self, n: u64) {
        self.pending.extend_from_slice(&n.to_le_bytes());
    }

    fn f64(&mut self, x: f64) {
        self.u64(x.to_bits());
    }

    fn bits(&mut self, bits: &[bool]) {
        debug_assert!(bits.len() <= BYTE, "{} bits are no byte", bits.len());
        let byte = bits.iter().enumerate().fold(0, |byte, (i, bit)| byte | u8::from(*bit) << i);
        self.pending.push(byte);
    }

    fn inputs(&mut self, inputs: &Inputs) {
        for input in inputs.sensors {
            self.sensor(input);
        }
        self.bits(&[inputs.buttons.start, inputs.buttons.stop, inputs.drive_alarm]);
        self.pending.push(match inputs.estop {
            Contact::NotMapped => 0,
            Contact::Closed => 1,
            Contact::Open => 2,
        });
        for motor in inputs.motors {
            self.u64(motor.jog_done.map_or(u64::MAX, |id| u64::from(id.0)));
        }
        self.pending.push(inputs.pwm_mismatches);
        self.f64(inputs.fill_level_cm.unwrap_or(-1.0));
        self.u64(u64::from(inputs.pin_levels));
    }

    fn sensor(&mut self, input: SensorInput) {
        let (quantity, quality, raw, taken_at) = match input {
            SensorInput::None => return self.pending.push(0),
            SensorInput::BusError => return self.pending.push(2),
            SensorInput::Sample { quantity, quality, raw, taken_at } => {
                (quantity, quality, raw, taken_at)
            }
        };
        let (unit, value) = match quantity {
            Quantity::Volts(x) => (0, x),
            Quantity::Ohms(x) => (1, x),
            Quantity::Celsius(x) => (2, x),
        };
        let wires = match quality {
            Quality::Plausible => 0,
            Quality::Open => 1,
            Quality::Shorted => 2,
            Quality::OutOfRange => 3,
        };
        self.pending.extend_from_slice(&[1, unit, wires]);
        self.f64(value);
        self.pending.extend_from_slice(&raw.to_le_bytes());
        self.u64(taken_at.get());
    }

    fn outputs(&mut self, outputs: &Outputs) {
        self.bits(outputs.heaters.as_slice());
        self.bits(outputs.coolers.as_slice());
        self.bits(&[outputs.contactor, outputs.fan, outputs.pump]);
        let leds = outputs.leds;
        self.bits(&[leds.status, leds.red, leds.yellow, leds.green]);
        self.f64(outputs.peltier.get());
        for duty in outputs.pwm {
            self.f64(duty.get());
        }
        for motor in outputs.motors {
            match motor {
                MotorDrive::Disabled => self.pending.push(0),
                MotorDrive::Run(rate) => {
                    self.pending.push(1);
                    self.f64(rate.get());
                }
                MotorDrive::Jog { id, steps, rate, accel } => {
                    self.pending.push(2);
                    self.pending.extend_from_slice(&id.0.to_le_bytes());
                    self.pending.extend_from_slice(&steps.to_le_bytes());
                    self.f64(rate);
                    self.f64(accel);
                }
            }
        }
        for pin in outputs.user_pins {
            self.pending.push(match pin {
                UserPin::Untouched => 0,
                UserPin::Input(Pull::Off) => 1,
                UserPin::Input(Pull::Down) => 2,
                UserPin::Input(Pull::Up) => 3,
                UserPin::Output(false) => 4,
                UserPin::Output(true) => 5,
            });
        }
    }
}
