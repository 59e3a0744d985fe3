//! Which thermistor it is: those that have a name here, and the curve of resistance over temperature.
//!
//! A beta value is the mean steepness of the curve between two temperatures, mostly 25 and 50 or 85 °C,
//! and no more: at 210 °C a Generic 3950 is taken for 227 °C by it. Three points of its maker's table
//! give the Steinhart-Hart equation (Steinhart and Hart, *Deep-Sea Research* 15, 1968),
//! `1/T = a + b ln R + c (ln R)³`, which is within a degree from 0 to 300 °C.

use crate::field::{Leniency, Scalar, Shape, choice, num, ohm};
use crate::issue::{shown, unknown};
use serde_json::{Value, json};

/// 0 °C in K.
const ICE: f64 = 273.15;
/// 25 °C in K, where a thermistor has its nominal resistance.
const NOMINAL: f64 = 298.15;

choice! {
    /// A thermistor that is known by name, with points of its maker's table of resistances.
    pub enum Part {
        /// Any "NTC 100K 3950", by the table of Keenovo (NTC-Thermistor-R-T-Table).
        Generic3950 = "generic_3950",
        /// TDK EPCOS B57560G104F (data sheet B57560, G560, G1560).
        EpcosB57560g104f = "epcos_b57560g104f",
        /// Semitec 104GT-2 (leaflet "GT-2 glass thermistors").
        Semitec104gt2 = "semitec_104gt_2",
        /// Semitec 104NT-4-R025H42G (leaflet "NT-4 glass NTC thermistor").
        Semitec104nt4 = "semitec_104nt_4",
    }
}

/// A resistance at a temperature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RtPoint {
    /// Temperature, °C.
    pub t: f64,
    /// Resistance, ohm.
    pub r: f64,
}

const fn points(of: [(f64, f64); 3]) -> [RtPoint; 3] {
    let [(t0, r0), (t1, r1), (t2, r2)] = of;
    [RtPoint { t: t0, r: r0 }, RtPoint { t: t1, r: r1 }, RtPoint { t: t2, r: r2 }]
}

impl Part {
    /// Three points of its maker's table.
    pub const fn points(self) -> [RtPoint; 3] {
        points(match self {
            Self::Generic3950 => [(25.0, 100_000.0), (150.0, 1770.0), (250.0, 230.0)],
            Self::EpcosB57560g104f => [(25.0, 100_000.0), (150.0, 1641.9), (250.0, 226.15)],
            Self::Semitec104gt2 => [(20.0, 126_800.0), (150.0, 1360.0), (300.0, 80.65)],
            Self::Semitec104nt4 => [(25.0, 100_000.0), (160.0, 1074.0), (300.0, 82.78)],
        })
    }

    /// Resistance at 25 °C in ohm and beta in K as its name or data sheet gives them, by which it is
    /// entered where nobody names it.
    pub const fn label(self) -> (f64, f64) {
        match self {
            Self::Generic3950 => (100_000.0, 3950.0),
            Self::EpcosB57560g104f => (100_000.0, 4036.0),
            Self::Semitec104gt2 => (100_000.0, 4267.0),
            Self::Semitec104nt4 => (100_000.0, 4300.0),
        }
    }
}

/// Coldest and hottest of a table, °C, and least distance of two of its points.
const TABLE: (f64, f64) = (-55.0, 500.0);
const APART: f64 = 20.0;
/// Beta that a thermistor can have between two points of its table, K.
const BETA: core::ops::RangeInclusive<f64> = 2000.0..=6000.0;

/// None, or three points of a table as `{t, r}`, from cold to hot.
pub(crate) struct RtPoints;

impl RtPoints {
    fn point(value: &Value, how: Leniency) -> Result<RtPoint, String> {
        let map = value
            .as_object()
            .ok_or_else(|| format!("a point must be {{t, r}}, not {}", shown(value)))?;
        if let Some(key) = map.keys().find(|key| !["t", "r"].contains(&key.as_str())) {
            return Err(unknown("key of a point", key, &["t", "r"]));
        }
        let (Some(t), Some(r)) = (map.get("t"), map.get("r")) else {
            return Err("a point needs t in °C and r in ohm".to_owned());
        };
        let t = num(TABLE.0, TABLE.1, "°C").parse(t, how).map_err(|e| format!("t {e}"))?;
        let r = ohm(1.0, 1e8).parse(r, how).map_err(|e| format!("r {e}"))?;
        Ok(RtPoint { t, r })
    }

    fn follows(cold: RtPoint, hot: RtPoint) -> Result<(), String> {
        let (t1, t2) = (cold.t, hot.t);
        if t2 - t1 < APART {
            return Err(format!("must rise by {APART} °C from point to point, not {t1} to {t2}"));
        }
        let beta = libm::log(cold.r / hot.r) / (1.0 / (t1 + ICE) - 1.0 / (t2 + ICE));
        if BETA.contains(&beta) {
            return Ok(());
        }
        let (least, most) = (BETA.start(), BETA.end());
        Err(format!(
            "{} ohm at {t1} °C and {} ohm at {t2} °C make a beta of {beta:.0} K, which is none of a \
             thermistor ({least} to {most} K)",
            cold.r, hot.r
        ))
    }
}

impl Scalar<Vec<RtPoint>> for RtPoints {
    fn parse(&self, value: &Value, how: Leniency) -> Result<Vec<RtPoint>, String> {
        let list = value
            .as_array()
            .ok_or_else(|| format!("must be a list of points, not {}", shown(value)))?;
        let points = list
            .iter()
            .enumerate()
            .map(|(i, point)| Self::point(point, how).map_err(|e| format!("point {i}: {e}")))
            .collect::<Result<Vec<_>, _>>()?;
        match points.as_slice() {
            [] => {}
            &[cold, middle, hot] => {
                Self::follows(cold, middle)?;
                Self::follows(middle, hot)?;
            }
            more => return Err(format!("must be three points or none, not {}", more.len())),
        }
        Ok(points)
    }

    fn print(&self, value: &Vec<RtPoint>) -> Value {
        value.iter().map(|p| json!({"t": p.t, "r": p.r})).collect()
    }

    fn describe(&self) -> Shape {
        let (t, r) =
            (num(TABLE.0, TABLE.1, "°C").describe().schema, ohm(1.0, 1e8).describe().schema);
        let schema = json!({
            "type": "array",
            "maxItems": 3,
            "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["t", "r"],
                "properties": {"t": t, "r": r},
            },
        });
        let range = "none, or three of {t, r} from cold to hot".to_owned();
        Shape::new("list of points", range, "°C, ohm", schema)
    }
}

/// How the resistance of a thermistor goes with its temperature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Curve {
    /// `1/T = 1/298.15 + ln(R / r_25) / beta`.
    Beta {
        /// Resistance at 25 °C, ohm.
        r_25: f64,
        /// K.
        beta: f64,
    },
    /// `1/T = a + b ln R + c (ln R)³`.
    SteinhartHart {
        /// 1/K.
        a: f64,
        /// 1/K.
        b: f64,
        /// 1/K.
        c: f64,
    },
}

impl Curve {
    /// Through three points of different temperature.
    pub fn through(points: [RtPoint; 3]) -> Self {
        let [l1, l2, l3] = points.map(|point| libm::log(point.r));
        let [y1, y2, y3] = points.map(|point| 1.0 / (point.t + ICE));
        let (to_second, to_third) = ((y2 - y1) / (l2 - l1), (y3 - y1) / (l3 - l1));
        let c = (to_third - to_second) / (l3 - l2) / (l1 + l2 + l3);
        let b = to_second - c * (l1 * l1 + l1 * l2 + l2 * l2);
        let a = y1 - l1 * (b + c * l1 * l1);
        Self::SteinhartHart { a, b, c }
    }

    /// Temperature at a resistance, K; infinite where it is lower than at any temperature.
    pub fn kelvin(self, ohms: f64) -> f64 {
        let inverse = match self {
            Self::Beta { r_25, beta } => 1.0 / NOMINAL + libm::log(ohms / r_25) / beta,
            Self::SteinhartHart { a, b, c } => {
                let l = libm::log(ohms);
                a + l * (b + c * l * l)
            }
        };
        if inverse > 0.0 { 1.0 / inverse } else { f64::INFINITY }
    }

    /// The same in °C.
    pub fn celsius(self, ohms: f64) -> f64 {
        self.kelvin(ohms) - ICE
    }

    /// By which share the resistance falls with a degree, 1/K.
    pub fn steepness(self, ohms: f64) -> f64 {
        let kelvin = self.kelvin(ohms);
        let per_log = match self {
            Self::Beta { beta, .. } => 1.0 / beta,
            Self::SteinhartHart { b, c, .. } => {
                let l = libm::log(ohms);
                b + 3.0 * c * l * l
            }
        };
        1.0 / (kelvin * kelvin * per_log)
    }

    /// Resistance at a temperature, ohm. Searched for, so for documents and not for control.
    pub(crate) fn ohms(self, celsius: f64) -> f64 {
        const HALVINGS: u32 = 80;
        let (mut hot, mut cold): (f64, f64) = (0.1, 1e9);
        for _ in 0..HALVINGS {
            let middle = libm::sqrt(hot * cold);
            if self.celsius(middle) > celsius { hot = middle } else { cold = middle }
        }
        cold
    }
}

/// What a part that nobody has named shows by the beta of its label when it has a temperature.
pub(crate) struct Misread {
    pub(crate) part: Part,
    by_beta: Curve,
}

impl Misread {
    /// Of the part that has this curve on its label, where it is one by beta alone.
    pub(crate) fn of(by_beta: Curve) -> Option<Self> {
        let Curve::Beta { r_25, beta } = by_beta else { return None };
        let part = Part::ALL.iter().copied().find(|part| part.label() == (r_25, beta))?;
        Some(Self { part, by_beta })
    }

    /// What it shows at a temperature, both °C.
    pub(crate) fn shown_at(&self, celsius: f64) -> f64 {
        self.by_beta.celsius(Curve::through(self.part.points()).ohms(celsius))
    }

    /// What it has when it shows a temperature, both °C.
    pub(crate) fn true_at(&self, shown: f64) -> f64 {
        Curve::through(self.part.points()).celsius(self.by_beta.ohms(shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_through_its_points() {
        for part in Part::ALL {
            let curve = Curve::through(part.points());
            for RtPoint { t, r } in part.points() {
                assert!((curve.celsius(r) - t).abs() < 1e-6, "{part:?} {t}");
                assert!((curve.ohms(t) / r - 1.0).abs() < 1e-6, "{part:?} {t}");
            }
        }
    }

    #[test]
    fn the_steepness_is_the_slope_of_the_curve() {
        let beta = Curve::Beta { r_25: 100_000.0, beta: 3950.0 };
        for curve in [beta, Curve::through(Part::Generic3950.points())] {
            for celsius in [0.0, 25.0, 100.0, 210.0, 280.0] {
                let [cold, hot] = [celsius - 0.01, celsius + 0.01].map(|t| curve.ohms(t));
                let slope = libm::log(cold / hot) / 0.02;
                let error = curve.steepness(curve.ohms(celsius)) / slope - 1.0;
                assert!(error.abs() < 1e-4, "{curve:?} at {celsius}: {error}");
            }
        }
    }

    #[test]
    fn a_generic_3950_by_its_beta_alone_is_seventeen_degrees_off_at_210() {
        let misread = Misread::of(Curve::Beta { r_25: 100_000.0, beta: 3950.0 }).unwrap();
        assert_eq!(misread.part, Part::Generic3950);
        assert!((misread.shown_at(210.0) - 226.7).abs() < 0.1, "{}", misread.shown_at(210.0));
        assert!((misread.true_at(170.0) - 162.5).abs() < 1.0, "{}", misread.true_at(170.0));
    }

    #[test]
    fn less_resistance_than_at_any_temperature_is_hotter_than_everything() {
        assert_eq!(Curve::Beta { r_25: 1e5, beta: 3950.0 }.kelvin(0.1), f64::INFINITY);
    }
}
