//! Whether what a configuration says of a sensor can be: what cannot is accepted, and doubted.

use super::Source;
use crate::{Curve, SensorConfig};
use core::fmt;

/// Why a sensor is doubted. Its zone heats at a part of its power until it is set up otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Doubt {
    /// Its calibration is beyond what an honest sensor needs.
    Calibration {
        /// °C per °C.
        slope: f64,
        /// °C.
        offset: f64,
    },
    /// No known thermistor has these constants.
    Thermistor {
        /// Resistance at 25 °C, ohm.
        r_25: f64,
        /// K.
        beta: f64,
    },
    /// No divider is built like this.
    Divider {
        /// Fixed resistor, ohm.
        r_fixed: f64,
        /// Supply, V.
        v_ref: f64,
    },
}

/// Thermistors by what their data sheets give: resistance at 25 °C in ohm, and the beta values in K
/// that are given over one range of temperature or another.
const THERMISTORS: &[(f64, &[f64])] = &[
    // Semitec AT-2, Murata NCP15XH103, Vishay NTCLE100E3103, TDK B57560G103.
    (10_000.0, &[3380.0, 3435.0, 3450.0, 3492.0, 3950.0, 3977.0]),
    // Generic 3950, Honeywell 135-104LAG-J01, TDK B57560G104F, Vishay NTCLE100E3104, Semitec
    // 104NT-4 and 104GT-2.
    (100_000.0, &[3950.0, 3974.0, 4036.0, 4092.0, 4190.0, 4267.0, 4300.0]),
];
/// How far a data sheet may be rounded, as a share.
const ROUNDED: f64 = 0.005;
/// Fixed resistors that a thermistor is measured against, ohm.
const R_FIXED: core::ops::RangeInclusive<f64> = 470.0..=100_000.0;
/// Supplies of a divider, V, and how far one may be off, as a share.
const SUPPLIES: [f64; 4] = [2.5, 3.0, 3.3, 5.0];
const SUPPLY_OFF: f64 = 0.05;

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calibration { slope, offset } => write!(
                f,
                "its calibration of slope {slope:.3} and offset {offset:.1} °C is more than an \
                 honest sensor needs"
            ),
            Self::Thermistor { r_25, beta } => {
                write!(f, "no known thermistor has {r_25} ohm at 25 °C with beta {beta} K")
            }
            Self::Divider { r_fixed, v_ref } => {
                write!(f, "no known divider has {r_fixed} ohm at {v_ref} V")
            }
        }
    }
}

fn near(value: f64, known: f64, within: f64) -> bool {
    (value - known).abs() <= known * within
}

impl Doubt {
    /// What is doubtful of a sensor with these settings.
    pub(super) fn of(settings: &SensorConfig, source: Source) -> Option<Self> {
        let of_calibration = match (settings.calibration(), settings.honest_calibration()) {
            (Ok(line), Err(_)) => {
                Some(Self::Calibration { slope: line.slope, offset: line.offset })
            }
            // Points that are no calibration at all are refused before anybody could doubt them.
            (Ok(_) | Err(_), _) => None,
        };
        match source {
            Source::Adc { .. } => of_calibration.or_else(|| Self::of_divider(settings)),
            Source::Max31856(_) => of_calibration,
        }
    }

    fn of_divider(settings: &SensorConfig) -> Option<Self> {
        let &SensorConfig { r_25, beta, r_fixed, v_ref, .. } = settings;
        // A table of its maker says more than any constants.
        let has_table = matches!(settings.curve(), Curve::SteinhartHart { .. });
        let known = has_table
            || THERMISTORS.iter().any(|(nominal, betas)| {
                near(r_25, *nominal, ROUNDED)
                    && betas.iter().any(|known| near(beta, *known, ROUNDED))
            });
        let supplied = SUPPLIES.iter().any(|supply| near(v_ref, *supply, SUPPLY_OFF));
        if !known {
            Some(Self::Thermistor { r_25, beta })
        } else if !(R_FIXED.contains(&r_fixed) && supplied) {
            Some(Self::Divider { r_fixed, v_ref })
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CalPoint;

    const INPUT: Source = Source::Adc { converter: 0, input: 1 };

    fn doubt(change: impl FnOnce(&mut SensorConfig)) -> Option<Doubt> {
        let mut settings = SensorConfig::default();
        change(&mut settings);
        Doubt::of(&settings, INPUT)
    }

    #[test]
    fn what_data_sheets_know_is_not_doubted_and_what_none_knows_is() {
        assert_eq!(doubt(|_| {}), None);
        assert_eq!(doubt(|s| (s.r_25, s.beta) = (10_000.0, 3435.0)), None);
        assert_eq!(doubt(|s| s.r_fixed = 4700.0), None);
        let named = |s: &mut SensorConfig| {
            (s.r_25, s.thermistor) = (47_000.0, Some(crate::Part::Semitec104gt2));
        };
        assert_eq!(doubt(named), None);
        let thermistor = |r_25, beta| Some(Doubt::Thermistor { r_25, beta });
        assert_eq!(doubt(|s| s.r_25 = 47_000.0), thermistor(47_000.0, 3950.0));
        assert_eq!(doubt(|s| s.beta = 3435.0), thermistor(100_000.0, 3435.0));
        let divider = |r_fixed, v_ref| Some(Doubt::Divider { r_fixed, v_ref });
        assert_eq!(doubt(|s| s.r_fixed = 47.0), divider(47.0, 3.3));
        assert_eq!(doubt(|s| s.v_ref = 1.2), divider(1000.0, 1.2));
    }

    #[test]
    fn a_calibration_of_before_is_doubted_also_on_a_thermocouple() {
        let steep = |s: &mut SensorConfig| {
            s.cal_points = vec![CalPoint { x: 0.0, y: -12.0 }, CalPoint { x: 100.0, y: 68.0 }];
        };
        assert!(matches!(doubt(steep), Some(Doubt::Calibration { .. })));
        let mut settings = SensorConfig::default();
        steep(&mut settings);
        let couple = crate::Couple::K;
        let chip = crate::Thermocouple { spi: 0, chip_select: 0, couple };
        let doubted = Doubt::of(&settings, Source::Max31856(chip));
        assert!(matches!(doubted, Some(Doubt::Calibration { .. })));
        settings.cal_points.clear();
        settings.r_25 = 47_000.0;
        assert_eq!(Doubt::of(&settings, Source::Max31856(chip)), None);
    }
}
