//! A board without a Pi for tests: pins that write down what happens to them, two chips on a bus.

use crate::board::{Board, Pins, StepPwm};
use crate::bus::{Bus, BusError, Spi};
use embedded_hal::i2c::{ErrorType, I2c, Operation};
use embedded_hal::spi::{self, SpiDevice};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use tve_config::Config;
use tve_hal::{HardwareError, Pull};
use tve_units::Bcm;

/// A configuration from the keys that matter to a test.
pub(crate) fn config(text: &str) -> Config {
    Config::parse(text).unwrap()
}

#[derive(Default)]
struct State {
    log: Vec<String>,
    driven: u32,
    high: u32,
    /// Levels that contacts outside give to inputs.
    outside: u32,
    bus_gone: bool,
    no_bus_device: bool,
    pwm_writes: Vec<Vec<u8>>,
    pwm_registers: Vec<u8>,
    pwm_reads: usize,
    /// By address from 0x48 on: the register pointed at, and the input selected.
    adcs: [(u8, u8); 4],
    /// Registers of the thermocouple converter.
    thermocouple: [u8; 16],
    /// What was opened, and by which thread.
    opened: Vec<(String, String)>,
}

/// Registers of a MAX31856 after power-up.
const POWER_UP: [u8; 16] = [0, 3, 0xFF, 0x7F, 0xC0, 0x7F, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0];

/// Shared by the board, its pins and its buses.
#[derive(Clone)]
pub(crate) struct FakeBoard(Arc<Mutex<State>>);

impl FakeBoard {
    pub(crate) fn new() -> Self {
        // Inputs float high, as pulled-up contacts do.
        let state = State {
            outside: u32::MAX,
            pwm_registers: vec![0; 256],
            thermocouple: POWER_UP,
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Everything that happened to pins and peripherals, oldest first.
    pub(crate) fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// Forgets what has happened.
    pub(crate) fn clear_log(&self) {
        self.state().log.clear();
    }

    /// Whether a pin is an output at a level.
    pub(crate) fn is_driven_to(&self, pin: u8, high: bool) -> bool {
        let state = self.state();
        state.driven >> pin & 1 == 1 && (state.high >> pin & 1 == 1) == high
    }

    /// Whether a pin is an input.
    pub(crate) fn is_input(&self, pin: u8) -> bool {
        self.state().driven >> pin & 1 == 0
    }

    /// Gives a level to an input.
    pub(crate) fn set_outside(&self, pin: u8, high: bool) {
        let mut state = self.state();
        state.outside = state.outside & !(1 << pin) | u32::from(high) << pin;
    }

    /// No chip answers any more, or they do again.
    pub(crate) fn take_bus_away(&self, gone: bool) {
        self.state().bus_gone = gone;
    }

    /// The device node of the bus is not there.
    pub(crate) fn remove_bus_device(&self) {
        self.state().no_bus_device = true;
    }

    /// The thermocouple converter loses its supply for a moment.
    pub(crate) fn dip_thermocouple(&self) {
        self.state().thermocouple = POWER_UP;
    }

    /// What was opened, and the name of the thread that did.
    pub(crate) fn opened(&self) -> Vec<(String, String)> {
        self.state().opened.clone()
    }

    fn note_opened(&self, what: String) {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        self.state().opened.push((what, thread));
    }

    /// Every transfer to the PWM board.
    pub(crate) fn pwm_writes(&self) -> Vec<Vec<u8>> {
        self.state().pwm_writes.clone()
    }

    /// How often the PWM board was read.
    pub(crate) fn pwm_reads(&self) -> usize {
        self.state().pwm_reads
    }

    /// Leaves a channel of the PWM board fully on, as a killed process does.
    pub(crate) fn leave_fully_on(&self, channel: usize) {
        self.state().pwm_registers[6 + 4 * channel + 1] = 0x10;
    }

    /// The four registers of a channel of the PWM board.
    pub(crate) fn pwm_channel_registers(&self, channel: usize) -> [u8; 4] {
        let state = self.state();
        std::array::from_fn(|i| state.pwm_registers[6 + 4 * channel + i])
    }

    fn note(&self, line: String) {
        self.state().log.push(line);
    }
}

fn word(high: bool) -> &'static str {
    if high { "high" } else { "low" }
}

impl Pins for FakeBoard {
    fn drive(&self, pin: Bcm, high: bool) {
        let bit = 1 << pin.get();
        let mut state = self.state();
        state.driven |= bit;
        state.high = state.high & !bit | u32::from(high) << pin.get();
        state.log.push(format!("drive {} {}", pin.get(), word(high)));
    }

    fn set(&self, pin: Bcm, high: bool) {
        let mut state = self.state();
        state.high = state.high & !(1 << pin.get()) | u32::from(high) << pin.get();
        state.log.push(format!("set {} {}", pin.get(), word(high)));
    }

    fn listen(&self, pin: Bcm, pull: Pull) {
        let mut state = self.state();
        state.driven &= !(1 << pin.get());
        state.log.push(format!("listen {} {}", pin.get(), pull.name()));
    }

    fn hand_to_pwm(&self, pin: Bcm) {
        self.note(format!("hand {} to pwm", pin.get()));
    }

    fn level(&self, pin: Bcm) -> bool {
        let state = self.state();
        let driven = state.driven >> pin.get() & 1 == 1;
        (if driven { state.high } else { state.outside }) >> pin.get() & 1 == 1
    }

    fn is_driven(&self, pin: Bcm) -> bool {
        self.state().driven >> pin.get() & 1 == 1
    }
}

impl Board for FakeBoard {
    fn pins(&self) -> Arc<dyn Pins> {
        Arc::new(self.clone())
    }

    fn bus(&self, number: u8) -> Result<Bus, HardwareError> {
        self.note_opened(format!("i2c {number}"));
        if self.state().no_bus_device {
            return Err(HardwareError::Missing {
                what: format!("/dev/i2c-{number} is not there"),
                remedy: "enable it".into(),
            });
        }
        Ok(Bus(Box::new(FakeBus(self.clone()))))
    }

    fn spi(&self, bus: u8, select: u8) -> Result<Spi, HardwareError> {
        self.note_opened(format!("spi {bus}.{select}"));
        Ok(Spi(Box::new(FakeThermocouple(self.clone()))))
    }

    fn pwm_channel(&self, pin: Bcm) -> Option<u8> {
        match pin.get() {
            12 | 18 => Some(0),
            13 | 19 => Some(1),
            _ => None,
        }
    }

    fn step_pwm(&self, pin: Bcm) -> Result<Box<dyn StepPwm>, HardwareError> {
        self.note_opened(format!("pwm {}", pin.get()));
        Ok(Box::new(FakePwm { board: self.clone(), pin }))
    }
}

struct FakePwm {
    board: FakeBoard,
    pin: Bcm,
}

impl StepPwm for FakePwm {
    fn run(&mut self, period_ns: u64) -> io::Result<()> {
        self.board.note(format!("pwm {} every {period_ns} ns", self.pin.get()));
        Ok(())
    }

    fn stop(&mut self) -> io::Result<()> {
        self.board.note(format!("pwm {} stop", self.pin.get()));
        Ok(())
    }
}

/// A MAX31856 that remembers its registers and, once told to convert, measures 210 °C.
struct FakeThermocouple(FakeBoard);

impl spi::ErrorType for FakeThermocouple {
    type Error = BusError;
}

impl SpiDevice for FakeThermocouple {
    fn transaction(&mut self, steps: &mut [spi::Operation<'_, u8>]) -> Result<(), BusError> {
        let mut state = self.0.state();
        let mut pointer = 0;
        for step in steps {
            match step {
                spi::Operation::Write(bytes) => {
                    pointer = usize::from(bytes[0] & 0x7F);
                    let values = &bytes[1..];
                    state.thermocouple[pointer..pointer + values.len()].copy_from_slice(values);
                    if state.thermocouple[0] & 0x80 != 0 {
                        state.thermocouple[0x0C..0x0F].copy_from_slice(&[0x0D, 0x20, 0]);
                    }
                }
                spi::Operation::Read(bytes) => {
                    let end = pointer + bytes.len();
                    bytes.copy_from_slice(&state.thermocouple[pointer..end]);
                }
                spi::Operation::Transfer(..)
                | spi::Operation::TransferInPlace(_)
                | spi::Operation::DelayNs(_) => panic!("no driver here asks for {step:?}"),
            }
        }
        Ok(())
    }
}

/// ADS1115s whose conversions are over at once and read their number times 4 plus their channel,
/// times 256, and a PCA9685 that remembers its registers.
struct FakeBus(FakeBoard);

const ADC: std::ops::RangeInclusive<u8> = 0x48..=0x4B;
const ALL_LED: std::ops::RangeInclusive<usize> = 0xFA..=0xFD;

impl ErrorType for FakeBus {
    type Error = BusError;
}

impl I2c for FakeBus {
    fn transaction(&mut self, address: u8, steps: &mut [Operation<'_>]) -> Result<(), BusError> {
        let mut state = self.0.state();
        if state.bus_gone {
            return Err(BusError(io::Error::from_raw_os_error(6)));
        }
        let mut pointer = 0;
        for step in steps {
            match step {
                Operation::Write(bytes) if ADC.contains(&address) => {
                    let (pointer, channel) = &mut state.adcs[usize::from(address - ADC.start())];
                    *pointer = bytes[0];
                    if let [1, high, _] = **bytes {
                        *channel = high >> 4 & 3;
                    }
                }
                Operation::Read(bytes) if ADC.contains(&address) => {
                    let number = address - ADC.start();
                    let (pointer, channel) = state.adcs[usize::from(number)];
                    let conversion = [4 * number + channel, 0];
                    bytes.copy_from_slice(if pointer == 0 { &conversion } else { &[0x83, 0x83] });
                }
                Operation::Write(bytes) => {
                    pointer = usize::from(bytes[0]);
                    if bytes.len() > 1 {
                        state.pwm_writes.push(bytes.to_vec());
                    }
                    for (i, byte) in bytes[1..].iter().enumerate() {
                        let register = pointer + i;
                        if ALL_LED.contains(&register) {
                            for channel in 0..16 {
                                state.pwm_registers[6 + 4 * channel + register - 0xFA] = *byte;
                            }
                        } else {
                            state.pwm_registers[register] = *byte;
                        }
                    }
                }
                Operation::Read(bytes) => {
                    state.pwm_reads += 1;
                    let end = pointer + bytes.len();
                    bytes.copy_from_slice(&state.pwm_registers[pointer..end]);
                }
            }
        }
        Ok(())
    }
}
