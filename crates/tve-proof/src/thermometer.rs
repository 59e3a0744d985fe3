//! What a code of the converter means, worked out without the controller.
//!
//! A proof that converts codes by the controller's own functions agrees with every error in them.
//! These are written from the data sheets alone: the ADS1115's transfer function, the divider's
//! current, the resistance of a thermistor by its beta equation or between the points of its table,
//! and the MAX31856's register.

use tve_config::{MachineConfig, RtPoint, SensorConfig, Source, Wiring};
use tve_hal::{Quality, Sensor};

/// 25 °C, where a thermistor has its nominal resistance, in K.
const NOMINAL_K: f64 = 298.15;
/// 0 °C in K.
const ICE_K: f64 = 273.15;
/// Codes from 0 V to full scale (ADS1115 data sheet, 7.3.1: 15 bits and a sign).
const FULL_SCALE_CODES: f64 = 32_768.0;

/// The MAX31856's step, °C (data sheet, linearized temperature: 19 bits, the lowest is 2^-7 °C).
const JUNCTION_STEP: f64 = 0.007_812_5;

/// A thermocouple as its converter saw it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Junction {
    /// Its linearized temperature, in steps.
    pub(crate) count: i32,
    /// What it says of the wires.
    pub(crate) quality: Quality,
}

impl Junction {
    /// Temperature, °C; `None` where the wires give none.
    pub(crate) fn celsius(self) -> Option<f64> {
        (self.quality == Quality::Plausible).then(|| f64::from(self.count) * JUNCTION_STEP)
    }
}

/// The middle of the divider of a sensor at a code of its converter; `None` where the configuration
/// knows no such divider, or the code is none of 16 bits.
pub(crate) fn tap(code: i32, machine: &MachineConfig, sensor: Sensor) -> Option<Tap<'_>> {
    let point = machine.sensors.get(sensor)?;
    let Source::Adc { converter, .. } = point.source? else { return None };
    let fsr = machine.converters.get(usize::from(converter))?.fsr;
    Some(Tap::of(i16::try_from(code).ok()?, fsr, &point.settings))
}

/// The middle of a divider as the converter saw it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tap<'a> {
    /// Volts across the thermistor, by the nominal supply.
    across: f64,
    wiring: &'a SensorConfig,
}

impl<'a> Tap<'a> {
    /// Of a code at a full-scale range in V.
    pub(crate) fn of(code: i16, full_scale: f64, wiring: &'a SensorConfig) -> Self {
        let to_ground = f64::from(code) * (full_scale / FULL_SCALE_CODES);
        let across = match wiring.wiring {
            Wiring::NtcToGnd => to_ground,
            Wiring::NtcToVref => wiring.v_ref - to_ground,
        };
        Self { across, wiring }
    }

    /// The thermistor's part of the supply: 0 where its wires touch, 1 where one is broken.
    pub(crate) fn part(&self) -> f64 {
        self.across / self.wiring.v_ref
    }

    /// Resistance of the thermistor, ohm; `None` where no current flows, or none could.
    pub(crate) fn ohms(&self) -> Option<f64> {
        // Thermistor and resistor carry one current.
        let ampere = (self.wiring.v_ref - self.across) / self.wiring.r_fixed;
        (ampere > 0.0 && self.across > 0.0).then(|| self.across / ampere)
    }

    /// Temperature of the thermistor, °C; `None` beyond both ends of the divider.
    ///
    /// From `R = r_25 exp(beta (1/T - 1/T25))` the temperature is `beta / ln(R / r_inf)`, where
    /// `r_inf = r_25 exp(-beta / T25)` is what the curve tends to when hot without end.
    pub(crate) fn celsius(&self) -> Option<f64> {
        if let Some(points) = table(self.wiring) {
            return Some(through(points, self.ohms()?));
        }
        let SensorConfig { r_25, beta, .. } = *self.wiring;
        let logarithm = libm::log(self.ohms()?) - libm::log(r_25) + beta / NOMINAL_K;
        // At or below `r_inf` the curve has no temperature: hotter than everything.
        Some(if logarithm > 0.0 { beta / logarithm - ICE_K } else { f64::MAX })
    }
}

/// Points of the table by which a thermistor is known, if it is by one.
fn table(wiring: &SensorConfig) -> Option<[RtPoint; 3]> {
    let given = wiring.rt_points.as_slice().try_into().ok();
    given.or_else(|| wiring.thermistor.map(tve_config::Part::points))
}

/// Temperature at a resistance, °C: `1/T = a + b L + c L³` with `L = ln R` through three points, solved
/// for the cubic first by the rule of Cramer.
fn through(points: [RtPoint; 3], ohms: f64) -> f64 {
    let [l1, l2, l3] = points.map(|point| libm::log(point.r));
    let [y1, y2, y3] = points.map(|point| 1.0 / (point.t + ICE_K));
    let cube = |l: f64| l * l * l;
    let (d2, d3) = (cube(l2) - cube(l1), cube(l3) - cube(l1));
    let determinant = (l2 - l1) * d3 - (l3 - l1) * d2;
    let c = ((l2 - l1) * (y3 - y1) - (l3 - l1) * (y2 - y1)) / determinant;
    let b = ((y2 - y1) * d3 - (y3 - y1) * d2) / determinant;
    let l = libm::log(ohms);
    let inverse = y1 + b * (l - l1) + c * (cube(l) - cube(l1));
    if inverse > 0.0 { 1.0 / inverse - ICE_K } else { f64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_units::Celsius;

    fn sensor(wiring: Wiring) -> SensorConfig {
        SensorConfig { r_fixed: 4700.0, wiring, ..SensorConfig::default() }
    }

    #[test]
    fn codes_worked_out_by_hand_have_their_temperatures() {
        // 100 kohm at 25 °C, beta 3950 K, behind 4.7 kohm at 3.3 V with 4.096 V full scale.
        // 25 °C: 100000/104700 of 3.3 V are 3.15186 V, code 25215.
        // 200 °C: R = 100000 exp(3950 (1/473.15 - 1/298.15)) = 744.6 ohm, 0.45131 V, code 3610.
        for (code, celsius) in [(25_215, 25.0), (3610, 200.0)] {
            let tap = sensor(Wiring::NtcToGnd);
            let t = Tap::of(code, 4.096, &tap).celsius().unwrap();
            assert!((t - celsius).abs() < 0.1, "{code}: {t}");
            // The same thermistor at the other end of the divider leaves the rest of the supply.
            let other = 26_400 - code;
            let tap = sensor(Wiring::NtcToVref);
            let t = Tap::of(other, 4.096, &tap).celsius().unwrap();
            assert!((t - celsius).abs() < 0.1, "{other}: {t}");
        }
    }

    #[test]
    fn beyond_the_ends_of_the_divider_is_no_temperature() {
        let wiring = sensor(Wiring::NtcToGnd);
        for code in [i16::MIN, -1, 0, 26_401, i16::MAX] {
            assert_eq!(Tap::of(code, 4.096, &wiring).celsius(), None, "{code}");
        }
        assert!(Tap::of(26_500, 4.096, &wiring).part() > 1.0);
    }

    #[test]
    fn the_controller_reads_every_code_of_a_converter_alike() {
        let named = SensorConfig {
            thermistor: Some(tve_config::Part::Generic3950),
            ..sensor(Wiring::NtcToGnd)
        };
        for wiring in [sensor(Wiring::NtcToGnd), sensor(Wiring::NtcToVref), named] {
            for code in 1..26_400 {
                let share = tve_control::share(tve_control::volts(code, 4.096), &wiring);
                let read = tve_control::ohms(share, &wiring)
                    .map(|r| tve_control::celsius(r, wiring.curve()).get());
                let tap = Tap::of(code, 4.096, &wiring);
                let (Some(read), Some(t)) = (read, tap.celsius()) else {
                    panic!("code {code}: {read:?} and {tap:?}")
                };
                assert!((tap.part() - share).abs() < 1e-9, "code {code}: {share} and {tap:?}");
                // The controller's scale ends where nothing real is.
                let t = t.min(Celsius::MAX);
                let tolerance = 1e-6 * t.abs().max(1.0);
                assert!((read - t).abs() < tolerance, "code {code}: {read} and {t} °C");
            }
        }
    }
}
