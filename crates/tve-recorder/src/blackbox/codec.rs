//! Records of a segment: written without allocation, read without trust.
//!
//! A record begins with its kind and the time since the last one in µs. A tick goes on with inputs
//! and outputs, each as the difference to the last: bytes in common at the front, bytes in common
//! at the back, and what is between. The bytes compared are postcard's, so that equal means equal
//! to the bit. Numbers are LEB128.

use serde::Serialize;
use tve_control::Command;
use tve_hal::{Inputs, Outputs};
use tve_units::Micros;

const TICK: u8 = 1;
const COMMAND: u8 = 2;
const SHUT_DOWN: u8 = 3;

/// Room for one [`Inputs`] or [`Outputs`]: 16 channels and two drives of 9 bytes, 28 pins of 2, and
/// as much again.
const IMAGE: usize = 512;
/// A number takes at most this many bytes.
const LONGEST_NUMBER: usize = 10;
/// Greatest record of a tick.
pub(super) const LONGEST_TICK: usize = 2 * IMAGE + 8 * LONGEST_NUMBER;
/// Greatest record of a command; names of outputs and pins are far shorter.
pub(super) const LONGEST_COMMAND: usize = 512;

/// The bytes of a value as it was last recorded.
#[derive(Clone, Copy)]
struct Image {
    bytes: [u8; IMAGE],
    len: usize,
}

impl Image {
    const EMPTY: Self = Self { bytes: [0; IMAGE], len: 0 };

    fn of<T: Serialize>(value: &T) -> Option<Self> {
        let mut image = Self::EMPTY;
        image.len = postcard::to_slice(value, &mut image.bytes).ok()?.len();
        Some(image)
    }

    fn get(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn replace_with(&mut self, front: usize, middle: &[u8], back: usize) -> Option<()> {
        let mut next = Self::EMPTY;
        let old = self.get();
        let parts = [old.get(..front)?, middle, old.get(old.len().checked_sub(back)?..)?];
        for part in parts {
            let end = next.len.checked_add(part.len())?;
            next.bytes.get_mut(next.len..end)?.copy_from_slice(part);
            next.len = end;
        }
        *self = next;
        Some(())
    }
}

/// Writes records into a buffer that never grows.
pub(super) struct Writer {
    inputs: Image,
    outputs: Image,
    last: Micros,
}

fn put_number(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

fn put_difference(into: &mut Vec<u8>, old: &mut Image, new: &Image) {
    let (was, is) = (old.get(), new.get());
    let shorter = was.len().min(is.len());
    let front = was.iter().zip(is).take_while(|(a, b)| a == b).count();
    let behind = was.iter().rev().zip(is.iter().rev()).take_while(|(a, b)| a == b).count();
    let back = behind.min(shorter - front);
    let middle = &is[front..is.len() - back];
    put_number(into, front as u64);
    put_number(into, back as u64);
    put_number(into, middle.len() as u64);
    into.extend_from_slice(middle);
    *old = *new;
}

impl Writer {
    /// For a segment that begins at `now`.
    pub(super) const fn new(now: Micros) -> Self {
        Self { inputs: Image::EMPTY, outputs: Image::EMPTY, last: now }
    }

    fn begin(&mut self, into: &mut Vec<u8>, kind: u8, now: Micros) {
        into.push(kind);
        put_number(into, now.since(self.last).get());
        self.last = self.last.max(now);
    }

    /// One tick; `false` when a value does not fit its room, which nothing real does.
    pub(super) fn tick(
        &mut self,
        into: &mut Vec<u8>,
        now: Micros,
        inputs: &Inputs,
        outputs: &Outputs,
    ) -> bool {
        let (Some(new_inputs), Some(new_outputs)) = (Image::of(inputs), Image::of(outputs)) else {
            return false;
        };
        self.begin(into, TICK, now);
        put_difference(into, &mut self.inputs, &new_inputs);
        put_difference(into, &mut self.outputs, &new_outputs);
        true
    }

    /// One command and whether it was accepted; `false` when it is none that is kept.
    pub(super) fn command(
        &mut self,
        into: &mut Vec<u8>,
        now: Micros,
        image: &CommandImage,
        accepted: bool,
    ) -> bool {
        let Some(bytes) = image.get() else {
            return false;
        };
        self.begin(into, COMMAND, now);
        into.push(u8::from(accepted));
        put_number(into, bytes.len() as u64);
        into.extend_from_slice(bytes);
        true
    }

    pub(super) fn shut_down(&mut self, into: &mut Vec<u8>, now: Micros) {
        self.begin(into, SHUT_DOWN, now);
    }
}

/// The bytes of a command, taken before it is carried out.
pub(super) struct CommandImage {
    bytes: [u8; LONGEST_COMMAND - 2 * LONGEST_NUMBER],
    len: Option<usize>,
}

impl CommandImage {
    pub(super) fn of(command: &Command) -> Self {
        let mut image = Self { bytes: [0; LONGEST_COMMAND - 2 * LONGEST_NUMBER], len: None };
        image.len = postcard::to_slice(command, &mut image.bytes).ok().map(|b| b.len());
        image
    }

    fn get(&self) -> Option<&[u8]> {
        self.len.map(|len| &self.bytes[..len])
    }
}

/// What one record says.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a replay holds one of them at a time")]
pub(super) enum Record {
    Tick { inputs: Inputs, outputs: Outputs },
    Command { command: Command, accepted: bool },
    ShutDown,
}

/// Reads records in their order.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    inputs: Image,
    outputs: Image,
    now: Micros,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(records: &'a [u8], now: Micros) -> Self {
        Self { rest: records, inputs: Image::EMPTY, outputs: Image::EMPTY, now }
    }

    pub(super) const fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for i in 0..LONGEST_NUMBER {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(7 * i as u32)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let taken = self.rest.get(..len)?;
        self.rest = &self.rest[len..];
        Some(taken)
    }

    fn difference(&mut self, of: fn(&mut Self) -> &mut Image) -> Option<()> {
        let front = usize::try_from(self.number()?).ok()?;
        let back = usize::try_from(self.number()?).ok()?;
        let middle = self.bytes()?;
        of(self).replace_with(front, middle, back)
    }

    /// The next record and its time; `None` when the bytes make no sense.
    pub(super) fn next(&mut self) -> Option<(Micros, Record)> {
        let kind = self.byte()?;
        self.now = self.now + Micros::new(self.number()?);
        let record = match kind {
            TICK => {
                self.difference(|reader| &mut reader.inputs)?;
                self.difference(|reader| &mut reader.outputs)?;
                Record::Tick {
                    inputs: postcard::from_bytes(self.inputs.get()).ok()?,
                    outputs: postcard::from_bytes(self.outputs.get()).ok()?,
                }
            }
            COMMAND => {
                let accepted = self.byte()? != 0;
                Record::Command { command: postcard::from_bytes(self.bytes()?).ok()?, accepted }
            }
            SHUT_DOWN => Record::ShutDown,
            _ => return None,
        };
        Some((self.now, record))
    }

    /// Whether `outputs` are, to the bit, those of the newest tick.
    pub(super) fn matches(&self, outputs: &Outputs) -> bool {
        Image::of(outputs).is_some_and(|image| image.get() == self.outputs.get())
    }
}

/// One of each command that the black box keeps.
#[cfg(test)]
pub(super) fn kept_commands() -> Vec<Command> {
    use tve_control::{AlarmSelector, LoggingHealth, Mode, PinMode, Relay, TuneMethod};
    use tve_hal::{Motor, Pull, Zone};
    use tve_units::{Bcm, Celsius, Duty, Rpm};
    let zone = Zone::at(1);
    let motor = Motor::at(1);
    let pin = Bcm::all().last().expect("a header has pins");
    let duty = Duty::clamped(12.5);
    vec![
        Command::Start,
        Command::Stop,
        Command::EmergencyStop,
        Command::ClearAlarm,
        Command::AcknowledgeAlarm(AlarmSelector::Id(7)),
        Command::SetMode(Mode::Manual),
        Command::SetTarget { zones: [None, Some(Celsius::clamped(210.1))].into() },
        Command::SetHeater { zone, duty },
        Command::SetMotor { motor, rpm: Rpm::clamped(-33.3) },
        Command::SetRelay { relay: Relay::Pump, on: true },
        Command::SetPeltier(duty),
        Command::SetPwmOutput { name: "led".into(), duty },
        Command::SetFillTarget { level_cm: 0.1 },
        Command::MoveMotorSteps { motor, steps: -800, rate: 1e3 },
        Command::StopManualMove(motor),
        Command::ReleaseZone { zone, reason: "band replaced".to_owned() },
        Command::GpioConfig { pin, mode: PinMode::In(Pull::Up) },
        Command::GpioWrite { pin, high: true, debounced: false },
        Command::GpioRead(pin),
        Command::TuneStart {
            zone,
            setpoint: Celsius::clamped(200.0),
            method: TuneMethod::NoOvershoot,
        },
        Command::TuneStop,
        Command::TuneApply,
        Command::SaveConfig,
        Command::ReportLogging(LoggingHealth { failed: true, disk_low: false }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_control::{CommandKind, Endpoint, random_value};
    use tve_hal::{Motor, MotorDrive, Quality, Quantity, Sensor, SensorInput, Zone};
    use tve_units::{Bcm, Duty, StepRate, WallMillis};

    #[test]
    fn ticks_come_back_with_every_bit() {
        let mut inputs = Inputs::unread(2, 4);
        let mut outputs = Outputs::off(2, 2);
        let mut writer = Writer::new(Micros::from_secs(1));
        let mut bytes = Vec::new();
        let mut written = Vec::new();
        for i in 0..200u64 {
            let now = Micros::new(1_000_000 + i * 10_000);
            inputs.wall = WallMillis::new(1_700_000_000_000 + i.cast_signed() * 10);
            inputs.sensors[Sensor::at(i as usize % 4)] = SensorInput::Sample {
                quantity: Quantity::Volts(i as f64 / 100.0),
                quality: Quality::Plausible,
                raw: (i as i32 - 100) * 300,
                taken_at: now,
            };
            outputs.heaters[Zone::at(0)] = i % 3 == 0;
            outputs.motors[Motor::at(1)] = MotorDrive::Run(StepRate::clamped(i as f64 / 3.0));
            outputs.pwm[15] = Duty::clamped(i as f64 / 7.0);
            assert!(writer.tick(&mut bytes, now, &inputs, &outputs));
            written.push((now, Record::Tick { inputs, outputs }));
        }
        let mut reader = Reader::new(&bytes, Micros::from_secs(1));
        for expected in written {
            assert_eq!(reader.next().unwrap(), expected);
        }
        assert!(reader.is_done() && reader.matches(&outputs));
        outputs.pwm[15] = Duty::clamped(f64::from_bits(outputs.pwm[15].get().to_bits() + 1));
        assert!(!reader.matches(&outputs), "the last bit counts");
    }

    #[test]
    fn every_command_that_is_kept_comes_back_as_it_was() {
        let kept = kept_commands();
        let mut writer = Writer::new(Micros::ZERO);
        let mut bytes = Vec::new();
        for command in &kept {
            assert!(writer.command(&mut bytes, Micros::ZERO, &CommandImage::of(command), true));
        }
        writer.shut_down(&mut bytes, Micros::from_secs(1));
        let mut reader = Reader::new(&bytes, Micros::ZERO);
        for command in kept {
            let expected = Record::Command { command, accepted: true };
            assert_eq!(reader.next().unwrap(), (Micros::ZERO, expected));
        }
        assert_eq!(reader.next().unwrap(), (Micros::from_secs(1), Record::ShutDown));

        let pin = Bcm::new(26).unwrap();
        let changes_configuration = Command::SetPinName { pin, name: "lamp".into() };
        let image = CommandImage::of(&changes_configuration);
        assert!(!writer.command(&mut bytes, Micros::ZERO, &image, true));
    }

    #[test]
    fn what_the_black_box_keeps_is_one_of_each_command_that_the_table_makes() {
        let names = tve_config::Config::embedded().names();
        let kept: Vec<_> = kept_commands().iter().map(std::mem::discriminant).collect();
        let mut dice = tve_rig::Dice::new(1);
        for kind in CommandKind::ALL.iter().filter(|kind| kind.row().endpoint != Endpoint::Inside) {
            let made = (0..100).find_map(|_| {
                let value = random_value(*kind, &names, &mut |n| dice.below(n));
                kind.parse(Some(&value), &names).ok()
            });
            let command = made.unwrap_or_else(|| panic!("no value makes a {}", kind.row().name));
            let is_kept = CommandImage::of(&command).get().is_some();
            let is_listed = kept.contains(&std::mem::discriminant(&command));
            assert_eq!(is_kept, is_listed, "{}", kind.row().name);
        }
    }

    #[test]
    fn bytes_that_make_no_sense_are_refused_without_a_panic() {
        for first in 0..=255u8 {
            for second in [0, 1, 0x7f, 0x80, 0xff] {
                let bytes = [first, second, 0xff, 0x01, 0xff, 0xff, 0xff, 0x03, 2, 1];
                let mut reader = Reader::new(&bytes, Micros::ZERO);
                while !reader.is_done() && reader.next().is_some() {}
            }
        }
    }
}
