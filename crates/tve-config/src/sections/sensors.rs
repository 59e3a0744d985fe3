//! The four thermistor channels and their calibration.

use crate::field::{
    Choice, Descriptor, Flag, Leniency, Scalar, Shape, Spec, choice, int, num, ohm,
};
use crate::issue::{Issue, join, shown, unknown};
use crate::section::{Section, below, object, section, sub};
use serde_json::{Map, Value, json};

/// Channels of the converter.
pub(crate) const CHANNELS: usize = 4;
const CHANNEL_KEYS: [&str; CHANNELS] = ["0", "1", "2", "3"];

choice! {
    /// What a thermistor measures.
    pub enum Logical {
        /// Feed throat.
        T1 = "t1",
        /// Zone 1.
        T2 = "t2",
        /// Zone 2.
        T3 = "t3",
        /// Screw motor.
        Motor = "motor",
    }
}

choice! {
    /// Where the thermistor sits in its divider.
    pub enum Wiring {
        /// Between the measured point and ground.
        NtcToGnd = "ntc_to_gnd",
        /// Between the measured point and the supply.
        NtcToVref = "ntc_to_vref",
    }
}

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

section! {
    /// A thermistor channel.
    pub struct SensorConfig / SensorConfigPatch {
        /// Whether a thermistor is connected.
        enabled: bool = true, Flag;
        /// What it measures. Channel 0 defaults to t1, 1 to t2, 2 to motor, 3 to t3.
        logical: Logical = Logical::T1, Choice;
        /// Fixed resistor of the divider in ohm.
        r_fixed: f64 = 1000.0, ohm(1.0, 1e7);
        /// Resistance at 25 °C in ohm.
        r_25: f64 = 100_000.0, ohm(1.0, 1e7);
        /// Beta value in K.
        beta: f64 = 3950.0, num(100.0, 10_000.0, "K");
        /// Supply of the divider in V.
        v_ref: f64 = 3.3, num(0.5, 6.0, "V");
        /// Where the thermistor sits in the divider.
        wiring: Wiring = Wiring::NtcToGnd, Choice;
        /// Decimals of the published temperature.
        decimals: u8 = 2, int(0, 5, "");
        /// Calibration: readings and true temperatures in °C; empty for none.
        cal_points: Vec<CalPoint> = Vec::new(), CalPoints;
    }
}

/// Slopes that a healthy thermistor can need.
const SLOPE: std::ops::RangeInclusive<f64> = 0.8..=1.25;
/// Greatest offset that a healthy thermistor can need, °C.
const MAX_OFFSET: f64 = 15.0;
/// Nearest two readings that still define a line, °C.
const MIN_SPAN: f64 = 1e-3;

impl SensorConfig {
    /// The default of a channel, 0 to 3.
    pub(crate) fn of_channel(channel: usize) -> Self {
        let logical = [Logical::T1, Logical::T2, Logical::Motor, Logical::T3][channel];
        Self { logical, ..Self::default() }
    }

    /// The least-squares line through `cal_points`; the identity without points.
    ///
    /// # Errors
    /// Why the points are no calibration: fewer than two distinct readings, a slope outside
    /// 0.8 to 1.25, or an offset beyond 15 °C.
    pub fn calibration(&self) -> Result<Line, String> {
        let points = &self.cal_points;
        if points.is_empty() {
            return Ok(Line::IDENTITY);
        }
        let n = points.len() as f64;
        let mean_x = points.iter().map(|p| p.x).sum::<f64>() / n;
        let mean_y = points.iter().map(|p| p.y).sum::<f64>() / n;
        if !points.iter().any(|p| (p.x - points[0].x).abs() >= MIN_SPAN) {
            return Err(
                "needs two points with different readings (x), or none to clear it".to_owned()
            );
        }
        // Sums about the means: the textbook form loses digits when all readings are near.
        let sxx: f64 = points.iter().map(|p| (p.x - mean_x) * (p.x - mean_x)).sum();
        let sxy: f64 = points.iter().map(|p| (p.x - mean_x) * (p.y - mean_y)).sum();
        let slope = sxy / sxx;
        let offset = mean_y - slope * mean_x;
        if !SLOPE.contains(&slope) {
            let (min, max) = (SLOPE.start(), SLOPE.end());
            return Err(format!(
                "slope {slope:.3} is outside {min} to {max}; check the points and the resistors"
            ));
        }
        if offset.abs() > MAX_OFFSET {
            return Err(format!(
                "offset {offset:.1} °C is beyond {MAX_OFFSET} °C; check the points and r_fixed"
            ));
        }
        Ok(Line { slope, offset })
    }
}

/// Greatest number of calibration points.
const MAX_POINTS: usize = 16;
/// Range of a calibration temperature, °C: what an NTC can read.
const CAL_MIN: f64 = -100.0;
const CAL_MAX: f64 = 500.0;

/// Points as `{x, y}` or `{raw_temp, true_temp}`.
struct CalPoints;

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
            "at most {MAX_POINTS} of {{x, y}}; slope {} to {}, offset within {MAX_OFFSET} °C",
            SLOPE.start(),
            SLOPE.end()
        );
        Shape::new("list of points", range, "°C", schema)
    }
}

/// Channel "0" to "3" to its sensor, patched channel by channel.
pub(crate) struct Sensors;

impl Spec<[SensorConfig; CHANNELS], [SensorConfigPatch; CHANNELS]> for Sensors {
    fn read(
        &self,
        value: &Value,
        how: Leniency,
        path: &str,
        errors: &mut Vec<Issue>,
    ) -> Option<[SensorConfigPatch; CHANNELS]> {
        let mut patches = <[SensorConfigPatch; CHANNELS]>::default();
        for (key, value) in object(value, path, errors)? {
            let path = join(path, key);
            let Some(channel) = CHANNEL_KEYS.iter().position(|known| known == key) else {
                errors.push(Issue::new(path, "unknown channel; there are \"0\" to \"3\""));
                continue;
            };
            if let Some(map) = object(value, &path, errors) {
                patches[channel] = SensorConfig::patch_from(map, how, &path, errors);
            }
        }
        Some(patches)
    }

    fn merge(&self, current: &mut [SensorConfig; CHANNELS], patch: &[SensorConfigPatch; CHANNELS]) {
        for (sensor, patch) in current.iter_mut().zip(patch) {
            sensor.apply(patch);
        }
    }

    fn write(&self, value: &[SensorConfig; CHANNELS]) -> Value {
        let members: Map<String, Value> =
            CHANNEL_KEYS.iter().zip(value).map(|(k, s)| ((*k).to_owned(), s.to_json())).collect();
        Value::Object(members)
    }

    fn recheck(&self, value: &[SensorConfig; CHANNELS], key: &str, errors: &mut Vec<Issue>) {
        for (channel, sensor) in CHANNEL_KEYS.iter().zip(value) {
            below(key, errors, |errors| {
                below(channel, errors, |errors| sensor.recheck(errors));
            });
        }
    }

    fn shape(&self) -> Shape {
        let channel = Spec::<SensorConfig, SensorConfigPatch>::shape(&sub::<SensorConfig>());
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "properties": CHANNEL_KEYS.iter()
                .map(|k| ((*k).to_owned(), channel.schema.clone()))
                .collect::<Map<_, _>>(),
        });
        let fields: Vec<Descriptor> = SensorConfig::fields();
        Shape { fields, ..Shape::new("object of channel", "0 to 3".to_owned(), "", schema) }
    }
}
