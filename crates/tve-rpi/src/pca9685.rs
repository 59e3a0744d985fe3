//! Registers of the PCA9685: 16 outputs of 12 bits with full-on and full-off bits.
//!
//! The published driver can neither set one channel's full-on and full-off bits together, without
//! which a channel that was fully off cannot be switched fully on in one transfer, nor read a
//! channel back; both are asked of us, so the few registers are here. Numbers are those of the
//! data sheet, NXP PCA9685 revision 4, section 7.3.

use embedded_hal::i2c::I2c;
use tve_units::Duty;

const MODE1: u8 = 0x00;
const MODE2: u8 = 0x01;
/// First of the four registers of channel 0: ON low, ON high, OFF low, OFF high.
const LED0_ON_L: u8 = 0x06;
const REGISTERS_A_CHANNEL: u8 = 4;
/// First of the four registers that write those of all channels.
const ALL_LED_ON_L: u8 = 0xFA;
/// Bit 4 of it switches all channels off, whatever else is set. Written alone, it needs no
/// auto-increment, so it works in every state of the chip.
const ALL_LED_OFF_H: u8 = 0xFD;
const PRE_SCALE: u8 = 0xFE;

/// MODE1: registers follow each other in a transfer.
const AUTO_INCREMENT: u8 = 0x20;
/// MODE1: the oscillator stands; the prescaler can be written only then.
const SLEEP: u8 = 0x10;
/// MODE1 after the power came.
const RESTART: u8 = 0x80;
/// MODE2: outputs drive both ways (totem pole).
const OUTDRV: u8 = 0x04;
/// Bit 4 of ON high or OFF high: fully on, fully off.
const FULL: u8 = 0x10;

/// Internal oscillator, Hz.
const OSCILLATOR: f64 = 25e6;
/// Counts in a period.
const COUNTS: u16 = 4096;
/// The prescaler's range by the data sheet.
const PRESCALE: std::ops::RangeInclusive<f64> = 3.0..=255.0;

/// On-time of a channel, 0 (off) to 4096 (on all the time), in 4096ths of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count(u16);

impl Count {
    pub(crate) const OFF: Self = Self(0);
    pub(crate) const ON: Self = Self(COUNTS);

    /// The nearest count to a duty.
    pub(crate) fn of(duty: Duty) -> Self {
        Self((duty.get() / Duty::FULL.get() * f64::from(COUNTS) + 0.5) as u16)
    }

    /// What the four registers of a channel hold.
    const fn registers(self) -> [u8; REGISTERS_A_CHANNEL as usize] {
        match self.0 {
            0 => [0, 0, 0, FULL],
            COUNTS.. => [0, FULL, 0, 0],
            count => {
                let [low, high] = count.to_le_bytes();
                [0, 0, low, high]
            }
        }
    }
}

/// The chip at one address. Errors are those of the bus.
pub(crate) struct Pca9685<I> {
    bus: I,
    address: u8,
}

impl<I: I2c> Pca9685<I> {
    pub(crate) const fn new(bus: I, address: u8) -> Self {
        Self { bus, address }
    }

    /// Every channel fully off, in whatever state the chip is.
    pub(crate) fn all_off(&mut self) -> Result<(), I::Error> {
        self.bus.write(self.address, &[ALL_LED_OFF_H, FULL])
    }

    /// All off, then registers, outputs, frequency and oscillator as we need them. All off alone
    /// would leave what a former process wrote beside the bit that outranks it. The oscillator is
    /// stable 500 µs later; a channel written before that starts with a short first period.
    pub(crate) fn init(&mut self, frequency_hz: u32) -> Result<(), I::Error> {
        self.all_off()?;
        self.bus.write(self.address, &[MODE1, AUTO_INCREMENT | SLEEP])?;
        let [on_low, on_high, off_low, off_high] = Count::OFF.registers();
        self.bus.write(self.address, &[ALL_LED_ON_L, on_low, on_high, off_low, off_high])?;
        self.bus.write(self.address, &[PRE_SCALE, prescale(frequency_hz)])?;
        self.bus.write(self.address, &[MODE2, OUTDRV])?;
        self.bus.write(self.address, &[MODE1, AUTO_INCREMENT])
    }

    /// Sets one channel in one transfer; it takes over at the end of it.
    pub(crate) fn set(&mut self, channel: u8, count: Count) -> Result<(), I::Error> {
        let [on_low, on_high, off_low, off_high] = count.registers();
        let first = LED0_ON_L + REGISTERS_A_CHANNEL * channel;
        self.bus.write(self.address, &[first, on_low, on_high, off_low, off_high])
    }

    /// Whether a channel holds `count`.
    pub(crate) fn holds(&mut self, channel: u8, count: Count) -> Result<bool, I::Error> {
        let mut held = [0; REGISTERS_A_CHANNEL as usize];
        let first = LED0_ON_L + REGISTERS_A_CHANNEL * channel;
        self.bus.write_read(self.address, &[first], &mut held)?;
        Ok(held == count.registers())
    }

    /// Whether the chip is awake and configured: a brown-out takes it back to sleep.
    pub(crate) fn is_awake(&mut self) -> Result<bool, I::Error> {
        let mut mode = [0];
        self.bus.write_read(self.address, &[MODE1], &mut mode)?;
        Ok(mode[0] & !RESTART == AUTO_INCREMENT)
    }
}

/// The prescaler for a frequency: `round(25 MHz / (4096 f)) - 1`.
fn prescale(frequency_hz: u32) -> u8 {
    let value = (OSCILLATOR / (f64::from(COUNTS) * f64::from(frequency_hz))).round() - 1.0;
    value.clamp(*PRESCALE.start(), *PRESCALE.end()) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction as T};

    const ADDRESS: u8 = 0x40;

    #[test]
    fn a_duty_becomes_the_nearest_count_and_full_scale_the_full_bits() {
        for (duty, registers) in [
            (0.0, [0, 0, 0, 0x10]),
            (0.01, [0, 0, 0, 0x10]),
            (0.02, [0, 0, 1, 0]),
            (25.0, [0, 0, 0x00, 0x04]),
            (50.0, [0, 0, 0x00, 0x08]),
            (99.98, [0, 0, 0xFF, 0x0F]),
            (99.99, [0, 0x10, 0, 0]),
            (100.0, [0, 0x10, 0, 0]),
        ] {
            let count = Count::of(Duty::new(duty).unwrap());
            assert_eq!(count.registers(), registers, "{duty} %");
        }
    }

    #[test]
    fn the_prescaler_is_the_data_sheets() {
        // 200 Hz is the data sheet's own example: 0x1E.
        for (hz, value) in [(200, 0x1E), (60, 101), (24, 253), (1526, 3)] {
            assert_eq!(prescale(hz), value, "{hz} Hz");
        }
    }

    #[test]
    fn the_chip_is_switched_off_before_anything_else_is_written() {
        let mut bus = Mock::new(&[
            T::write(ADDRESS, vec![0xFD, 0x10]),
            T::write(ADDRESS, vec![0x00, 0x30]),
            T::write(ADDRESS, vec![0xFA, 0, 0, 0, 0x10]),
            T::write(ADDRESS, vec![0xFE, 101]),
            T::write(ADDRESS, vec![0x01, 0x04]),
            T::write(ADDRESS, vec![0x00, 0x20]),
        ]);
        Pca9685::new(bus.clone(), ADDRESS).init(60).unwrap();
        bus.done();
    }

    #[test]
    fn one_transfer_takes_a_channel_from_fully_off_to_fully_on_and_back() {
        let mut bus = Mock::new(&[
            T::write(ADDRESS, vec![0x06, 0, 0x10, 0, 0]),
            T::write(ADDRESS, vec![0x06, 0, 0, 0, 0x10]),
            T::write(ADDRESS, vec![0x42, 0, 0, 0x00, 0x08]),
        ]);
        let mut chip = Pca9685::new(bus.clone(), ADDRESS);
        chip.set(0, Count::ON).unwrap();
        chip.set(0, Count::OFF).unwrap();
        chip.set(15, Count::of(Duty::new(50.0).unwrap())).unwrap();
        bus.done();
    }

    #[test]
    fn reading_back_compares_all_four_registers() {
        let held = |bytes: [u8; 4]| T::write_read(ADDRESS, vec![0x0A], bytes.to_vec());
        let mut bus =
            Mock::new(&[held([0, 0x10, 0, 0]), held([0, 0x10, 0, 0x10]), held([1, 0x10, 0, 0])]);
        let mut chip = Pca9685::new(bus.clone(), ADDRESS);
        assert!(chip.holds(1, Count::ON).unwrap());
        assert!(!chip.holds(1, Count::ON).unwrap(), "fully off wins over fully on");
        assert!(!chip.holds(1, Count::ON).unwrap());
        bus.done();
    }

    #[test]
    fn a_chip_that_lost_its_supply_is_not_awake() {
        let mode = |byte| T::write_read(ADDRESS, vec![0x00], vec![byte]);
        let mut bus = Mock::new(&[mode(0x20), mode(0x11)]);
        let mut chip = Pca9685::new(bus.clone(), ADDRESS);
        assert!(chip.is_awake().unwrap());
        assert!(!chip.is_awake().unwrap());
        bus.done();
    }
}
