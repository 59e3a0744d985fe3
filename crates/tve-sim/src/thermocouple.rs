//! From a temperature to what a thermocouple converter reports for it.
//!
//! The converter linearises by itself and tests for a broken wire only now and then: until it has,
//! a broken wire keeps the last temperature.

use tve_hal::{Quality, Quantity, SensorInput};
use tve_units::Micros;

/// Steps of the converter in a degree.
const STEPS_PER_CELSIUS: f64 = 128.0;
/// Ends of its register, in steps.
const REGISTER: core::ops::RangeInclusive<f64> = -262_144.0..=262_143.0;
/// Noise of the converter and of its leads, standard deviation in °C for each step of noise that
/// the dividers have.
const NOISE_PER_LSB: f64 = 0.02;
/// A look, of 0.2 s, in so many finds the result of a test for a broken wire: one each 16
/// conversions of 0.1 s.
const LOOKS_PER_TEST: u64 = 8;

/// The far end of the thermocouple's leads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Junction {
    /// A healthy junction at this temperature, °C.
    At(f64),
    /// The converter's count stands still.
    Frozen,
    /// A broken wire.
    Open,
    /// A lead touches the supply.
    Shorted,
}

/// One converter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Converter {
    looks: u64,
    count: i32,
    /// The newest test found the wire broken.
    open: bool,
}

impl Converter {
    /// A look at `now`; `noise` is a draw of deviation 1 and `noise_lsb` the dividers' noise.
    pub(crate) fn look(
        &mut self,
        junction: Junction,
        noise: f64,
        noise_lsb: f64,
        now: Micros,
    ) -> SensorInput {
        if self.looks.is_multiple_of(LOOKS_PER_TEST) {
            self.open = junction == Junction::Open;
        }
        self.looks += 1;
        let mut quality = if self.open { Quality::Open } else { Quality::Plausible };
        match junction {
            Junction::At(celsius) => {
                let steps = (celsius + noise * noise_lsb * NOISE_PER_LSB) * STEPS_PER_CELSIUS;
                self.count = libm::round(steps.clamp(*REGISTER.start(), *REGISTER.end())) as i32;
            }
            Junction::Frozen | Junction::Open => {}
            // Tested at each conversion.
            Junction::Shorted => quality = Quality::Shorted,
        }
        let quantity = Quantity::Celsius(f64::from(self.count) / STEPS_PER_CELSIUS);
        SensorInput::Sample { quantity, quality, raw: self.count, taken_at: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(converter: &mut Converter, junction: Junction) -> (f64, Quality) {
        match converter.look(junction, 0.0, 1.0, Micros::ZERO) {
            SensorInput::Sample { quantity: Quantity::Celsius(celsius), quality, .. } => {
                (celsius, quality)
            }
            other @ (SensorInput::None | SensorInput::Sample { .. } | SensorInput::BusError) => {
                panic!("{other:?}")
            }
        }
    }

    #[test]
    fn a_temperature_comes_back_in_128ths_of_a_degree_and_ends_with_the_register() {
        let mut converter = Converter::default();
        for (true_c, read) in
            [(25.0, 25.0), (-0.005, -1.0 / 128.0), (210.001, 210.0), (9e9, 2048.0 - 1.0 / 128.0)]
        {
            assert_eq!(look(&mut converter, Junction::At(true_c)), (read, Quality::Plausible));
        }
    }

    #[test]
    fn a_broken_wire_keeps_the_last_temperature_until_the_next_test_finds_it() {
        let mut converter = Converter::default();
        look(&mut converter, Junction::At(210.0));
        for _ in 1..LOOKS_PER_TEST {
            assert_eq!(look(&mut converter, Junction::Open), (210.0, Quality::Plausible));
        }
        assert_eq!(look(&mut converter, Junction::Open), (210.0, Quality::Open));
        assert_eq!(
            look(&mut converter, Junction::At(200.0)).1,
            Quality::Open,
            "until tested again"
        );
    }

    #[test]
    fn a_lead_at_the_supply_is_seen_at_once() {
        let mut converter = Converter::default();
        assert_eq!(look(&mut converter, Junction::Shorted).1, Quality::Shorted);
        assert_eq!(look(&mut converter, Junction::At(20.0)).1, Quality::Plausible);
    }
}
