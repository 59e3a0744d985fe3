//! Registers of the MAX31856: a thermocouple in, a linearised temperature out.
//!
//! The chip converts by itself every 100 ms, adds its own cold junction, and tests for a broken
//! wire once every 16 conversions. SPI has no acknowledge, so that a chip which is not there reads
//! as whatever the line floats to: a reading counts only when the registers beside it still hold
//! what was written. Numbers are those of the data sheet, Maxim MAX31856 revision 0, pages 18 to 27.

use embedded_hal::spi::{Operation, SpiDevice};
use tve_config::Couple;
use tve_hal::Quality;

/// Configuration 0, the first of the sixteen registers.
const CR0: u8 = 0x00;
/// An address with this bit writes; registers follow each other in a transfer.
const WRITE: u8 = 0x80;
/// CR0 to CJTO, all that can be written while the chip measures its own cold junction.
const WRITTEN: usize = 10;
/// CR0 to SR.
const REGISTERS: usize = 16;
/// First of the three registers of the temperature.
const LTCBH: usize = 0x0C;
/// Fault status.
const SR: usize = 0x0F;

/// CR0: converts continuously.
const CMODE: u8 = 0x80;
/// CR0: tests for an open circuit, for leads of less than 5 kohm.
const OCFAULT_LOW_RESISTANCE: u8 = 0x10;
/// CR0: filters 50 Hz instead of 60 Hz. Changes only while the chip does not convert.
const FILTER_50_HZ: u8 = 0x01;

/// SR: the wire is broken.
const OPEN: u8 = 0x01;
/// SR: an input is above the supply or below ground; conversions rest.
const OVUV: u8 = 0x02;

/// CR1 averages one sample; below, no fault drives the FAULT pin, no threshold is in use, and the
/// cold junction has no offset: MASK, CJHF, CJLF, LTHFT, LTLFT, CJTO as after power-up.
const UNUSED: [u8; WRITTEN - 2] = [0xFF, 0x7F, 0xC0, 0x7F, 0xFF, 0x80, 0x00, 0x00];

/// Steps of the temperature in a degree, 2^7.
const STEPS_PER_CELSIUS: f64 = 128.0;

/// TC TYPE of CR1.
const fn type_bits(couple: Couple) -> u8 {
    match couple {
        Couple::B => 0,
        Couple::E => 1,
        Couple::J => 2,
        Couple::K => 3,
        Couple::N => 4,
        Couple::R => 5,
        Couple::S => 6,
        Couple::T => 7,
    }
}

/// What the chip said at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A temperature in 128ths of a degree Celsius, and what the chip says about it.
    Reading(i32, Quality),
    /// The registers do not hold what was written: the supply dipped, or nobody is there.
    Lost,
}

/// The temperature of a count, °C.
pub(crate) fn celsius(count: i32) -> f64 {
    f64::from(count) / STEPS_PER_CELSIUS
}

/// Nineteen bits with sign, left-aligned in three registers.
const fn count(high: u8, middle: u8, low: u8) -> i32 {
    i32::from_be_bytes([high, middle, low, 0]) >> 13
}

/// What the fault bits mean for the reading. Two of them: a wire that is broken counts first.
const fn quality(status: u8) -> Quality {
    if status & OPEN != 0 {
        Quality::Open
    } else if status & OVUV != 0 {
        Quality::Shorted
    } else if status != 0 {
        Quality::OutOfRange
    } else {
        Quality::Plausible
    }
}

/// The chip behind one chip select.
pub(crate) struct Max31856<S> {
    spi: S,
    written: [u8; WRITTEN],
}

impl<S: SpiDevice> Max31856<S> {
    /// A chip that has not been talked to, for mains of 50 or 60 Hz.
    pub(crate) fn new(spi: S, couple: Couple, mains_hz: u32) -> Self {
        let filter = if mains_hz == 50 { FILTER_50_HZ } else { 0 };
        let mut written = [0; WRITTEN];
        written[0] = CMODE | OCFAULT_LOW_RESISTANCE | filter;
        written[1] = type_bits(couple);
        written[2..].copy_from_slice(&UNUSED);
        Self { spi, written }
    }

    /// Writes every register and begins to convert.
    pub(crate) fn init(&mut self) -> Result<(), S::Error> {
        let mut stopped = [0; 1 + WRITTEN];
        stopped[0] = WRITE | CR0;
        stopped[1..].copy_from_slice(&self.written);
        stopped[1] &= !CMODE;
        self.spi.write(&stopped)?;
        self.spi.write(&[WRITE | CR0, self.written[0]])
    }

    /// Reads all registers in one transfer, so that what the chip measured and how it was set up
    /// belong together.
    pub(crate) fn look(&mut self) -> Result<Answer, S::Error> {
        let mut held = [0; REGISTERS];
        self.spi.transaction(&mut [Operation::Write(&[CR0]), Operation::Read(&mut held)])?;
        if held[..WRITTEN] != self.written {
            return Ok(Answer::Lost);
        }
        let count = count(held[LTCBH], held[LTCBH + 1], held[LTCBH + 2]);
        Ok(Answer::Reading(count, quality(held[SR])))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use embedded_hal_mock::eh1::spi::{Mock, Transaction as T};

    /// What an ordinary chip for type K and 50 Hz holds in its first ten registers.
    pub(crate) const K_50_HZ: [u8; WRITTEN] =
        [0x91, 0x03, 0xFF, 0x7F, 0xC0, 0x7F, 0xFF, 0x80, 0x00, 0x00];

    pub(crate) fn write(bytes: &[u8]) -> [T<u8>; 3] {
        [T::transaction_start(), T::write_vec(bytes.to_vec()), T::transaction_end()]
    }

    /// A look that finds `registers`.
    pub(crate) fn look(registers: [u8; REGISTERS]) -> [T<u8>; 4] {
        [
            T::transaction_start(),
            T::write_vec(vec![0x00]),
            T::read_vec(registers.to_vec()),
            T::transaction_end(),
        ]
    }

    /// The registers of a chip in order, with a temperature and a fault status.
    pub(crate) fn registers(temperature: [u8; 3], status: u8) -> [u8; REGISTERS] {
        let mut all = [0; REGISTERS];
        all[..WRITTEN].copy_from_slice(&K_50_HZ);
        all[LTCBH..SR].copy_from_slice(&temperature);
        all[SR] = status;
        all
    }

    fn chip(script: &[T<u8>]) -> (Mock<u8>, Max31856<Mock<u8>>) {
        let spi = Mock::new(script);
        (spi.clone(), Max31856::new(spi, Couple::K, 50))
    }

    #[test]
    fn the_chip_is_set_up_while_it_stands_and_converts_after_that() {
        let mut script =
            write(&[0x80, 0x11, 0x03, 0xFF, 0x7F, 0xC0, 0x7F, 0xFF, 0x80, 0, 0]).to_vec();
        script.extend(write(&[0x80, 0x91]));
        let (mut spi, mut chip) = chip(&script);
        chip.init().unwrap();
        spi.done();
    }

    #[test]
    fn each_type_and_mains_frequency_has_its_bits() {
        use Couple::{B, E, J, K, N, R, S, T as Copper};
        for (couple, mains_hz, cr0, cr1) in [
            (B, 50, 0x91, 0),
            (E, 60, 0x90, 1),
            (J, 50, 0x91, 2),
            (K, 60, 0x90, 3),
            (N, 50, 0x91, 4),
            (R, 60, 0x90, 5),
            (S, 50, 0x91, 6),
            (Copper, 60, 0x90, 7),
        ] {
            let chip = Max31856::new(Mock::<u8>::new(&[]), couple, mains_hz);
            let Max31856 { mut spi, written } = chip;
            assert_eq!(written[..2], [cr0, cr1], "{couple:?}");
            spi.done();
        }
    }

    #[test]
    fn temperatures_are_those_of_the_data_sheet() {
        for (registers, expected) in [
            ([0x64, 0x00, 0x00], 1600.0),
            ([0x3E, 0x80, 0x00], 1000.0),
            ([0x06, 0x4F, 0x00], 100.9375),
            ([0x01, 0x90, 0x00], 25.0),
            ([0x00, 0x01, 0x00], 0.0625),
            ([0x00, 0x00, 0x00], 0.0),
            ([0xFF, 0xFF, 0x00], -0.0625),
            ([0xFF, 0xFC, 0x00], -0.25),
            ([0xFF, 0xF0, 0x00], -1.0),
            ([0xF0, 0x60, 0x00], -250.0),
            // The ends of the register, and one step on each side of nothing.
            ([0x7F, 0xFF, 0xE0], 2048.0 - 1.0 / 128.0),
            ([0x80, 0x00, 0x00], -2048.0),
            ([0x00, 0x00, 0x20], 1.0 / 128.0),
            ([0xFF, 0xFF, 0xE0], -1.0 / 128.0),
        ] {
            let [high, middle, low] = registers;
            assert_eq!(celsius(count(high, middle, low)), expected, "{registers:02x?}");
            // The lowest five bits mean nothing.
            assert_eq!(celsius(count(high, middle, low | 0x1F)), expected, "{registers:02x?}");
        }
    }

    #[test]
    fn every_fault_bit_is_a_cause() {
        for (status, expected) in [
            (0x00, Quality::Plausible),
            (0x01, Quality::Open),
            (0x02, Quality::Shorted),
            (0x03, Quality::Open),
            (0x04, Quality::OutOfRange),
            (0x08, Quality::OutOfRange),
            (0x10, Quality::OutOfRange),
            (0x20, Quality::OutOfRange),
            (0x40, Quality::OutOfRange),
            (0x80, Quality::OutOfRange),
            (0x82, Quality::Shorted),
        ] {
            let (mut spi, mut chip) = chip(&look(registers([0x01, 0x90, 0x00], status)));
            assert_eq!(chip.look(), Ok(Answer::Reading(25 * 128, expected)), "{status:#04x}");
            spi.done();
        }
    }

    #[test]
    fn a_reading_counts_only_beside_the_set_up_that_was_written() {
        let good = registers([0x01, 0x90, 0x00], 0);
        // After a power dip; nobody there and the line low; nobody there and the line high.
        let mut reset = good;
        reset[..WRITTEN].copy_from_slice(&[0, 3, 0xFF, 0x7F, 0xC0, 0x7F, 0xFF, 0x80, 0, 0]);
        let mut all = vec![reset, [0; REGISTERS], [0xFF; REGISTERS]];
        for register in 0..WRITTEN {
            let mut changed = good;
            changed[register] ^= 0x01;
            all.push(changed);
        }
        for held in all {
            let (mut spi, mut chip) = chip(&look(held));
            assert_eq!(chip.look(), Ok(Answer::Lost), "{held:02x?}");
            spi.done();
        }
    }
}
