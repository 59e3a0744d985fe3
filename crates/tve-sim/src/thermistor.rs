//! From a temperature to the code that the converter reports for it.
//!
//! The divider is `supply - r_fixed - (tap) - NTC - ground`; the converter measures the tap
//! against its own reference, so a supply that is off changes the code (not ratiometric).

use tve_config::{Part, Plant};

/// 0 °C in kelvin.
const ZERO_CELSIUS_K: f64 = 273.15;
/// The temperature of the nominal resistance, 25 °C, in kelvin.
const NOMINAL_K: f64 = 298.15;
/// Codes per full-scale range: the ADS1115 is a signed 16-bit converter.
const CODES_PER_FSR: f64 = 32_768.0;
/// Coldest temperature the curve is asked for, °C: keeps the exponent small when a test asks for
/// something absurd.
const COLDEST_C: f64 = -100.0;

/// The end of the thermistor wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Probe {
    /// A healthy thermistor at this temperature, °C.
    At(f64),
    /// A broken wire.
    Open,
    /// Wires that touch.
    Shorted,
}

/// Divider and thermistor of one machine; all four channels are built alike.
#[derive(Debug, Clone)]
pub(crate) struct Divider {
    r_fixed: f64,
    law: Law,
    supply: f64,
}

/// How the resistance of the plant's thermistors goes with their temperature.
#[derive(Debug, Clone)]
enum Law {
    /// Beta equation: `R = r_25 exp(beta (1/T - 1/298.15 K))`.
    Beta { r_25: f64, beta: f64 },
    /// `ln R` as Lagrange's polynomial in `1/T` through three points of a maker's table: another
    /// formula than that by which a controller reads it, and within half a degree of it.
    Table([(f64, f64); 3]),
}

impl Law {
    fn of(plant: &Plant) -> Self {
        match plant.thermistor {
            None => Self::Beta { r_25: plant.r_25, beta: plant.beta },
            Some(part) => {
                Self::Table(table(part).map(|(t, r)| (1.0 / (t + ZERO_CELSIUS_K), libm::log(r))))
            }
        }
    }

    /// Resistance in ohm at a temperature in K.
    fn ohms(&self, kelvin: f64) -> f64 {
        match *self {
            Self::Beta { r_25, beta } => r_25 * libm::exp(beta * (1.0 / kelvin - 1.0 / NOMINAL_K)),
            Self::Table([(x1, y1), (x2, y2), (x3, y3)]) => {
                let x = 1.0 / kelvin;
                let first = y1 * (x - x2) * (x - x3) / ((x1 - x2) * (x1 - x3));
                let second = y2 * (x - x1) * (x - x3) / ((x2 - x1) * (x2 - x3));
                let third = y3 * (x - x1) * (x - x2) / ((x3 - x1) * (x3 - x2));
                libm::exp(first + second + third)
            }
        }
    }
}

/// Temperatures in °C and resistances in ohm, copied from the makers' tables once more: a plant that
/// took them from the configuration would agree with every error in it.
const fn table(part: Part) -> [(f64, f64); 3] {
    match part {
        Part::Generic3950 => [(25.0, 1.0e5), (150.0, 1.77e3), (250.0, 2.3e2)],
        Part::EpcosB57560g104f => [(25.0, 1.0e5), (150.0, 1.6419e3), (250.0, 2.2615e2)],
        Part::Semitec104gt2 => [(20.0, 1.268e5), (150.0, 1.36e3), (300.0, 8.065e1)],
        Part::Semitec104nt4 => [(25.0, 1.0e5), (160.0, 1.074e3), (300.0, 8.278e1)],
    }
}

impl Divider {
    pub(crate) fn new(plant: &Plant) -> Self {
        Self { r_fixed: plant.r_fixed, law: Law::of(plant), supply: plant.supply }
    }

    /// Volts at the tap; `rail` is the actual supply as a share of the nominal one.
    pub(crate) fn volts(&self, probe: Probe, rail: f64) -> f64 {
        let supply = self.supply * rail;
        match probe {
            Probe::At(celsius) => {
                let ohms = self.ohms(celsius);
                supply * ohms / (self.r_fixed + ohms)
            }
            Probe::Open => supply,
            Probe::Shorted => 0.0,
        }
    }

    fn ohms(&self, celsius: f64) -> f64 {
        self.law.ohms(celsius.max(COLDEST_C) + ZERO_CELSIUS_K)
    }
}

/// The code for `volts` at full-scale range `fsr` (V) with `noise` (LSB) added before rounding;
/// saturates at the ends of the converter.
pub(crate) fn code(volts: f64, fsr: f64, noise: f64) -> i16 {
    // A cast of a float to an integer saturates, which is what the converter does.
    libm::floor(volts * CODES_PER_FSR / fsr + noise + 0.5) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divider() -> Divider {
        let law = Law::Beta { r_25: 100_000.0, beta: 3950.0 };
        Divider { r_fixed: 4700.0, law, supply: 3.3 }
    }

    #[test]
    fn the_nominal_temperature_has_the_nominal_resistance() {
        assert!((divider().ohms(25.0) - 100_000.0).abs() < 1e-6);
    }

    #[test]
    fn a_code_converts_back_to_the_temperature_it_came_from() {
        let d = divider();
        for tenth in (50..2900).step_by(7) {
            let celsius = f64::from(tenth) / 10.0;
            let v =
                f64::from(code(d.volts(Probe::At(celsius), 1.0), 4.096, 0.0)) / 32_768.0 * 4.096;
            let ohms = d.r_fixed * v / (d.supply - v);
            let back = 1.0 / (1.0 / 298.15 + libm::log(ohms / 100_000.0) / 3950.0) - 273.15;
            assert!((back - celsius).abs() < 0.1, "{celsius} °C came back as {back}");
        }
    }

    #[test]
    fn an_open_wire_reads_the_supply_and_a_short_reads_nothing() {
        let d = divider();
        assert_eq!(code(d.volts(Probe::Open, 1.0), 4.096, 0.0), 26_400);
        assert_eq!(code(d.volts(Probe::Open, 1.03), 4.096, 0.0), 27_192);
        assert_eq!(code(d.volts(Probe::Shorted, 1.0), 4.096, 0.0), 0);
    }

    #[test]
    fn the_converter_saturates_at_its_ends() {
        assert_eq!(code(3.3, 2.048, 0.0), i16::MAX);
        assert_eq!(code(-9.0, 4.096, 0.0), i16::MIN);
    }
}
