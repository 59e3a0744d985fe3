//! The calibration of a sensor: points, the line through them, and what a line may be.

use crate::field::{Leniency, Scalar, Shape, num};
use crate::issue::{shown, unknown};
use serde_json::{Value, json};

/// A pair of the calibration: what was read, and what it truly was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalPoint {
    /// Temperature as read, °C.
    pub x: f64,
    /// True temperature, °C.
    pub y: f64,
}

/// The line `slope * x + offset` from read to true temperature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// °C per °C.
    pub slope: f64,
    /// °C at a reading of 0 °C.
    pub offset: f64,
}

impl Line {
    /// The line of a sensor without calibration.
    pub const IDENTITY: Self = Self { slope: 1.0, offset: 0.0 };

    /// The true temperature for a reading, both in °C.
    pub fn at(self, x: f64) -> f64 {
        self.slope * x + self.offset
    }
}

/// Bounds of a calibration line.
pub(crate) struct Bounds {
    slope: std::ops::RangeInclusive<f64>,
    /// Greatest offset either way, °C.
    offset: f64,
}

/// What an honest sensor can need: no calibration beyond these is taken from anybody.
pub(crate) const HONEST: Bounds = Bounds { slope: 0.95..=1.05, offset: 5.0 };
/// What files of before hold: such a line goes on, and its zone is limited.
pub(crate) const OF_OLD: Bounds = Bounds { slope: 0.8..=1.25, offset: 15.0 };
/// Nearest two readings that still define a line, °C.
const MIN_SPAN: f64 = 1e-3;

/// The least-squares line through `points`; the identity without any.
///
/// # Errors
/// Why they are no calibration: fewer than two distinct readings, or beyond the bounds.
pub(crate) fn line_through(points: &[CalPoint], bounds: &Bounds) -> Result<Line, String> {
    if points.is_empty() {
        return Ok(Line::IDENTITY);
    }
    let n = points.len() as f64;
    let mean_x = points.iter().map(|p| p.x).sum::<f64>() / n;
    let mean_y = points.iter().map(|p| p.y).sum::<f64>() / n;
    if !points.iter().any(|p| (p.x - points[0].x).abs() >= MIN_SPAN) {
        return Err("needs two points with different readings (x), or none to clear it".to_owned());
    }
    // Sums about the means: the textbook form loses digits when all readings are near.
    let sxx: f64 = points.iter().map(|p| (p.x - mean_x) * (p.x - mean_x)).sum();
    let sxy: f64 = points.iter().map(|p| (p.x - mean_x) * (p.y - mean_y)).sum();
    let slope = sxy / sxx;
    let offset = mean_y - slope * mean_x;
    if !bounds.slope.contains(&slope) {
        let (min, max) = (bounds.slope.start(), bounds.slope.end());
        return Err(format!(
            "slope {slope:.3} is outside {min} to {max}: no honest sensor needs that; check \
             its thermistor, r_25, beta and r_fixed"
        ));
    }
    if offset.abs() > bounds.offset {
        return Err(format!(
            "offset {offset:.1} °C is beyond {} °C: no honest sensor needs that; check its \
             thermistor, r_25, beta and r_fixed",
            bounds.offset
        ));
    }
    Ok(Line { slope, offset })
}

/// Greatest number of calibration points.
const MAX_POINTS: usize = 16;
/// Range of a calibration temperature, °C: what an NTC can read.
const CAL_MIN: f64 = -100.0;
const CAL_MAX: f64 = 500.0;

/// Points as `{x, y}` or `{raw_temp, true_temp}`.
pub(crate) struct CalPoints;

impl CalPoints {
    fn point(value: &Value, how: Leniency) -> Result<CalPoint, String> {
        let map = value
            .as_object()
            .ok_or_else(|| format!("a point must be {{x, y}}, not {}", shown(value)))?;
        let (mut x, mut y) = (None, None);
        for (key, value) in map {
            let slot = match key.as_str() {
                "x" | "raw_temp" => &mut x,
                "y" | "true_temp" => &mut y,
                _ => return Err(unknown("key of a point", key, &["x", "y"])),
            };
            let number = num(CAL_MIN, CAL_MAX, "°C").parse(value, how);
            if slot.replace(number.map_err(|reason| format!("{key} {reason}"))?).is_some() {
                return Err(format!("{key} is given twice, under two names"));
            }
        }
        match (x, y) {
            (Some(x), Some(y)) => Ok(CalPoint { x, y }),
            _ => Err("a point needs x and y (or raw_temp and true_temp)".to_owned()),
        }
    }
}

impl Scalar<Vec<CalPoint>> for CalPoints {
    fn parse(&self, value: &Value, how: Leniency) -> Result<Vec<CalPoint>, String> {
        let list = value
            .as_array()
            .ok_or_else(|| format!("must be a list of points, not {}", shown(value)))?;
        if list.len() > MAX_POINTS {
            return Err(format!("must be at most {MAX_POINTS} points, not {}", list.len()));
        }
        list.iter()
            .enumerate()
            .map(|(i, point)| Self::point(point, how).map_err(|e| format!("point {i}: {e}")))
            .collect()
    }

    fn print(&self, value: &Vec<CalPoint>) -> Value {
        value.iter().map(|p| json!({"x": p.x, "y": p.y})).collect()
    }

    fn describe(&self) -> Shape {
        let number = num(CAL_MIN, CAL_MAX, "°C").describe().schema;
        let pair = |x: &str, y: &str| {
            json!({
                "type": "object",
                "additionalProperties": false,
                "required": [x, y],
                "properties": {x: number, y: number},
            })
        };
        let schema = json!({
            "type": "array",
            "maxItems": MAX_POINTS,
            "items": {"anyOf": [pair("x", "y"), pair("raw_temp", "true_temp")]},
        });
        let range = format!(
            "at most {MAX_POINTS} of {{x, y}}; slope {} to {}, offset within {} °C",
            HONEST.slope.start(),
            HONEST.slope.end(),
            HONEST.offset
        );
        Shape::new("list of points", range, "°C", schema)
    }
}
