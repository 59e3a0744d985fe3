//! The real board, through rppal. Everything of rppal that is used is in this file.
//!
//! rppal gives a pin to one owner, so all pins of the header are taken once and shared behind
//! [`Pins`]; taking a pin changes nothing at it. Pins keep their level when this goes away:
//! rppal's own reset would let an enable float.

use crate::board::{Board, Pins, StepPwm};
use crate::bus::{Bus, BusError, Spi};
use crate::pulses::PULSE_WIDTH;
use embedded_hal::i2c::{ErrorType, I2c, Operation};
use rppal::gpio::{self, Bias, Gpio, IoPin, Level, Mode};
use rppal::i2c;
use rppal::pwm::{self, Channel, Pwm};
use rppal::spi;
use rppal::system::{DeviceInfo, SoC};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tve_hal::{HardwareError, Pull};
use tve_units::Bcm;

/// Longest transfer, ms. The longest of ours takes 1 ms at 100 kHz; the kernel's default of a
/// second would delay outputs behind a stuck bus by that much.
const TRANSFER_LIMIT_MS: u32 = 20;

/// Clock of the SPI buses, Hz. The chips take 5 MHz; leads to them may be long, and a look is 17
/// bytes.
const SPI_HZ: u32 = 500_000;

/// Header pins with a PWM peripheral: pin, function that selects it, channel; on the chips up to
/// the Pi 4 (BCM2835 data sheet, section 6.2) and on the RP1 of the Pi 5.
const PWM_BCM: [(u8, Mode, Channel); 4] = [
    (12, Mode::Alt0, Channel::Pwm0),
    (13, Mode::Alt0, Channel::Pwm1),
    (18, Mode::Alt5, Channel::Pwm0),
    (19, Mode::Alt5, Channel::Pwm1),
];
const PWM_RP1: [(u8, Mode, Channel); 4] = [
    (12, Mode::Alt0, Channel::Pwm0),
    (13, Mode::Alt0, Channel::Pwm1),
    (18, Mode::Alt3, Channel::Pwm2),
    (19, Mode::Alt3, Channel::Pwm3),
];

/// The board that this program runs on.
pub(crate) struct RppalBoard {
    pins: Arc<RppalPins>,
    pwm: &'static [(u8, Mode, Channel)],
}

impl RppalBoard {
    /// Takes the pins of the header without changing any.
    ///
    /// # Errors
    /// [`HardwareError::Missing`] with what to do when this is no Raspberry Pi, or its devices are
    /// not accessible, or another part of this process has them.
    pub(crate) fn open() -> Result<Self, HardwareError> {
        let info = DeviceInfo::new().map_err(|_| no_pi())?;
        let pwm: &'static [_] = if info.soc() == SoC::Bcm2712 { &PWM_RP1 } else { &PWM_BCM };
        let gpio = Gpio::new().map_err(|error| gpio_missing(&error))?;
        let pins = Bcm::all()
            .map(|bcm| {
                let pin = gpio.get(bcm.get()).map_err(|error| gpio_missing(&error))?;
                let mode = pin.mode();
                let mut pin = pin.into_io(mode);
                pin.set_reset_on_drop(false);
                Ok(Mutex::new(pin))
            })
            .collect::<Result<Vec<_>, HardwareError>>()?;
        Ok(Self { pins: Arc::new(RppalPins { pins, pwm }), pwm })
    }
}

fn no_pi() -> HardwareError {
    HardwareError::Missing {
        what: "this is no Raspberry Pi that the program knows (/proc/device-tree/model)".into(),
        remedy: "run it on one, or give --hardware sim".into(),
    }
}

fn gpio_missing(error: &gpio::Error) -> HardwareError {
    let (what, remedy) = match error {
        gpio::Error::UnknownModel => return no_pi(),
        gpio::Error::PermissionDenied(path) => (
            format!("{path} is not accessible to this user"),
            "add the user to the group gpio and log in again, or install the udev rules",
        ),
        gpio::Error::PinUsed(pin) => (
            format!("pin {pin} is taken already"),
            "open the machine once in a process, and stop the other one first",
        ),
        gpio::Error::Io(source) => (
            format!("the GPIO devices /dev/gpiomem and /dev/gpiochip0 cannot be used: {source}"),
            "use a kernel that provides them; with /dev/mem instead it must allow iomem=relaxed",
        ),
        gpio::Error::PinNotAvailable(pin) => {
            (format!("this board has no pin {pin}"), "use a board with the 40-pin header")
        }
        gpio::Error::ThreadPanic => {
            ("the GPIO driver has failed".into(), "restart the service and look at the log")
        }
    };
    HardwareError::Missing { what, remedy: remedy.into() }
}

impl Board for RppalBoard {
    fn pins(&self) -> Arc<dyn Pins> {
        Arc::clone(&self.pins) as Arc<dyn Pins>
    }

    fn bus(&self, number: u8) -> Result<Bus, HardwareError> {
        let bus = i2c::I2c::with_bus(number).map_err(|error| {
            let source = bus_error(error).0;
            let remedy = if source.kind() == io::ErrorKind::PermissionDenied {
                "add the user to the group i2c and log in again, or install the udev rules"
            } else {
                "enable it with dtparam=i2c_arm=on in /boot/firmware/config.txt, load the module \
                 i2c-dev, or correct adc.bus and pwm.bus"
            };
            HardwareError::Missing {
                what: format!("/dev/i2c-{number} cannot be used: {source}"),
                remedy: remedy.into(),
            }
        })?;
        bus.set_timeout(TRANSFER_LIMIT_MS).map_err(|error| HardwareError::Io {
            what: format!("limiting transfers on /dev/i2c-{number} to {TRANSFER_LIMIT_MS} ms"),
            source: bus_error(error).0,
        })?;
        Ok(Bus(Box::new(RppalBus(bus))))
    }

    fn spi(&self, bus: u8, select: u8) -> Result<Spi, HardwareError> {
        let missing = |reason: String| HardwareError::Missing {
            what: format!("/dev/spidev{bus}.{select} cannot be used: {reason}"),
            remedy: "enable it with dtparam=spi=on (bus 0) or dtoverlay=spi1-3cs (bus 1) in \
                     /boot/firmware/config.txt, add the user to the group spi and log in again"
                .into(),
        };
        let (Some(bus), Some(select)) = (spi_bus(bus), spi_select(select)) else {
            return Err(missing("there are buses 0 and 1 with selects 0 to 2".into()));
        };
        let device = spi::Spi::new(bus, select, SPI_HZ, spi::Mode::Mode1)
            .map_err(|error| missing(error.to_string()))?;
        Ok(Spi(Box::new(RppalSpi(device))))
    }

    fn pwm_channel(&self, pin: Bcm) -> Option<u8> {
        self.pwm.iter().find(|row| row.0 == pin.get()).map(|row| row.2 as u8)
    }

    fn step_pwm(&self, pin: Bcm) -> Result<Box<dyn StepPwm>, HardwareError> {
        let missing = |reason: String| HardwareError::Missing {
            what: format!("the hardware PWM of pin {} cannot be used: {reason}", pin.get()),
            remedy: "add dtoverlay=pwm-2chan to /boot/firmware/config.txt and restart, give the \
                     group gpio access to /sys/class/pwm, or put the step pulses on a pin without \
                     hardware PWM (up to 5000 steps/s)"
                .into(),
        };
        let Some(row) = self.pwm.iter().find(|row| row.0 == pin.get()) else {
            return Err(missing("the pin has none".into()));
        };
        let mut pwm = Pwm::new(row.2).map_err(|error| missing(error.to_string()))?;
        // A channel stays exported: the off switch opens one that the pulse thread goes on using.
        pwm.set_reset_on_drop(false);
        Ok(Box::new(RppalPwm { pwm, running: false }))
    }
}

const fn spi_bus(bus: u8) -> Option<spi::Bus> {
    match bus {
        0 => Some(spi::Bus::Spi0),
        1 => Some(spi::Bus::Spi1),
        _ => None,
    }
}

const fn spi_select(select: u8) -> Option<spi::SlaveSelect> {
    match select {
        0 => Some(spi::SlaveSelect::Ss0),
        1 => Some(spi::SlaveSelect::Ss1),
        2 => Some(spi::SlaveSelect::Ss2),
        _ => None,
    }
}

struct RppalPins {
    /// By Broadcom number.
    pins: Vec<Mutex<IoPin>>,
    pwm: &'static [(u8, Mode, Channel)],
}

impl RppalPins {
    fn pin(&self, pin: Bcm) -> MutexGuard<'_, IoPin> {
        // All 28 were taken in `open`.
        self.pins[pin.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pwm_mode(&self, pin: Bcm) -> Option<Mode> {
        self.pwm.iter().find(|row| row.0 == pin.get()).map(|row| row.1)
    }
}

impl Pins for RppalPins {
    fn drive(&self, pin: Bcm, high: bool) {
        let mut pin = self.pin(pin);
        pin.write(Level::from(high));
        pin.set_mode(Mode::Output);
    }

    fn set(&self, pin: Bcm, high: bool) {
        self.pin(pin).write(Level::from(high));
    }

    fn listen(&self, pin: Bcm, pull: Pull) {
        let mut pin = self.pin(pin);
        pin.set_mode(Mode::Input);
        pin.set_bias(match pull {
            Pull::Off => Bias::Off,
            Pull::Down => Bias::PullDown,
            Pull::Up => Bias::PullUp,
        });
    }

    fn hand_to_pwm(&self, pin: Bcm) {
        if let Some(mode) = self.pwm_mode(pin) {
            self.pin(pin).set_mode(mode);
        }
    }

    fn level(&self, pin: Bcm) -> bool {
        self.pin(pin).is_high()
    }

    fn is_driven(&self, pin: Bcm) -> bool {
        let mode = self.pin(pin).mode();
        mode == Mode::Output || self.pwm_mode(pin) == Some(mode)
    }
}

struct RppalPwm {
    pwm: Pwm,
    running: bool,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the faults are of another crate")]
fn pwm_error(error: pwm::Error) -> io::Error {
    match error {
        pwm::Error::Io(source) => source,
        other => io::Error::other(other.to_string()),
    }
}

impl StepPwm for RppalPwm {
    fn run(&mut self, period_ns: u64) -> io::Result<()> {
        // The width stays the same, so that a change of speed is one write without a gap.
        let period = Duration::from_nanos(period_ns).max(PULSE_WIDTH * 2);
        self.pwm.set_period(period).map_err(pwm_error)?;
        if !self.running {
            self.pwm.set_pulse_width(PULSE_WIDTH).map_err(pwm_error)?;
            self.pwm.enable().map_err(pwm_error)?;
            self.running = true;
        }
        Ok(())
    }

    fn stop(&mut self) -> io::Result<()> {
        self.running = false;
        self.pwm.disable().map_err(pwm_error)
    }
}

impl Drop for RppalPwm {
    fn drop(&mut self) {
        // The pin has been taken from the peripheral already, so that a failure changes nothing.
        let _ = self.stop();
    }
}

/// rppal's own implementation sends a stop between writing a register number and reading it, and
/// takes a short transfer for a whole one.
struct RppalBus(i2c::I2c);

#[expect(clippy::wildcard_enum_match_arm, reason = "the faults are of another crate")]
fn bus_error(error: i2c::Error) -> BusError {
    BusError(match error {
        i2c::Error::Io(source) => source,
        other => io::Error::other(other.to_string()),
    })
}

fn whole(done: usize, asked: usize) -> Result<(), BusError> {
    if done == asked {
        Ok(())
    } else {
        Err(BusError(io::Error::other(format!("{done} of {asked} bytes were transferred"))))
    }
}

impl ErrorType for RppalBus {
    type Error = BusError;
}

impl I2c for RppalBus {
    fn write_read(&mut self, address: u8, write: &[u8], read: &mut [u8]) -> Result<(), BusError> {
        self.0.set_slave_address(u16::from(address)).map_err(bus_error)?;
        self.0.write_read(write, read).map_err(bus_error)
    }

    fn transaction(&mut self, address: u8, steps: &mut [Operation<'_>]) -> Result<(), BusError> {
        self.0.set_slave_address(u16::from(address)).map_err(bus_error)?;
        for step in steps {
            match step {
                Operation::Read(bytes) => {
                    whole(self.0.read(bytes).map_err(bus_error)?, bytes.len())?;
                }
                Operation::Write(bytes) => {
                    whole(self.0.write(bytes).map_err(bus_error)?, bytes.len())?;
                }
            }
        }
        Ok(())
    }
}

/// rppal's own device hides the number of a failed system call, which [`BusError`] keeps.
struct RppalSpi(spi::Spi);

#[expect(clippy::wildcard_enum_match_arm, reason = "the faults are of another crate")]
fn spi_error(error: spi::Error) -> BusError {
    BusError(match error {
        spi::Error::Io(source) => source,
        other => io::Error::other(other.to_string()),
    })
}

impl embedded_hal::spi::ErrorType for RppalSpi {
    type Error = BusError;
}

impl embedded_hal::spi::SpiDevice for RppalSpi {
    fn transaction(
        &mut self,
        steps: &mut [embedded_hal::spi::Operation<'_, u8>],
    ) -> Result<(), BusError> {
        use embedded_hal::spi::Operation;
        let segments: Vec<spi::Segment<'_, '_>> = steps
            .iter_mut()
            .map(|step| match step {
                Operation::Read(bytes) => Ok(spi::Segment::with_read(bytes)),
                Operation::Write(bytes) => Ok(spi::Segment::with_write(bytes)),
                Operation::Transfer(read, write) => Ok(spi::Segment::new(read, write)),
                Operation::TransferInPlace(_) | Operation::DelayNs(_) => {
                    Err(BusError(io::Error::other("no driver here asks for this transfer")))
                }
            })
            .collect::<Result<_, _>>()?;
        // One transfer of several segments: the chip select stays low from the first to the last.
        self.0.transfer_segments(&segments).map_err(spi_error)
    }
}
