//! The sensors by channel, and their calibration.

use crate::field::{
    Choice, Descriptor, Flag, Leniency, Scalar, Shape, Spec, choice, int, num, ohm,
};
use crate::issue::{Issue, join, shown, unknown};
use crate::section::{Section, below, object, section, sub};
use crate::sections::layout::NameText;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};
use tve_machine::{MAX_SENSORS, Name};
use tve_units::Bcm;

/// Channels of the first converter, which every machine was made with.
const FIRST: usize = 4;
/// What the first channels measure unless the file says otherwise.
const FIRST_NAMES: [&str; FIRST] = ["t1", "t2", "motor", "t3"];

choice! {
    /// What kind of sensor it is.
    pub enum SensorKind {
        /// A thermistor in a divider, on an input of a converter.
        Thermistor = "thermistor",
        /// A thermocouple on a MAX31856 of its own.
        Max31856 = "max31856",
    }
}

choice! {
    /// The pair of metals of a thermocouple.
    pub enum Couple {
        /// Type B.
        B = "B",
        /// Type E.
        E = "E",
        /// Type J.
        J = "J",
        /// Type K.
        K = "K",
        /// Type N.
        N = "N",
        /// Type R.
        R = "R",
        /// Type S.
        S = "S",
        /// Type T.
        T = "T",
    }
}

/// A thermocouple and the MAX31856 that it hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thermocouple {
    /// Number of the SPI bus.
    pub spi: u8,
    /// Chip select of the bus.
    pub chip_select: u8,
    /// Its pair of metals.
    pub couple: Couple,
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
    /// A sensor: a thermistor, or a thermocouple on a converter of its own.
    pub struct SensorConfig / SensorConfigPatch, shown hide_other_kind {
        /// Whether a sensor is connected.
        enabled: bool = true, Flag;
        /// What it measures: the name by which zones and motors refer to it. Channel 0 defaults to t1, 1 to t2, 2 to motor, 3 to t3, N to sN.
        logical: Name = channel_name(0), NameText;
        /// What kind of sensor it is. A thermistor has channel N on input N mod 4 of converter N / 4; any free number does for a thermocouple.
        kind: SensorKind = SensorKind::Thermistor, Choice;
        /// SPI bus of a thermocouple's converter.
        spi: u8 = 0, int(0, 6, "");
        /// Chip select of a thermocouple's converter.
        chip_select: u8 = 0, int(0, 2, "");
        /// Pair of metals of a thermocouple.
        thermocouple: Couple = Couple::K, Choice;
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

impl Thermocouple {
    /// The header pins of its bus: chip select, data in, data out, clock. Only the buses of every
    /// Raspberry Pi are known, 0 and 1.
    pub fn pins(self) -> impl Iterator<Item = Bcm> {
        let (selects, wires): (&[u8], &[u8]) = match self.spi {
            0 => (&[8, 7], &[9, 10, 11]),
            1 => (&[18, 17, 16], &[19, 20, 21]),
            _ => (&[], &[]),
        };
        let select = selects.get(usize::from(self.chip_select));
        wires.iter().chain(select).filter_map(|pin| Bcm::new(*pin).ok())
    }
}

/// Keys that only a thermistor has, and that only a thermocouple has.
const OF_THERMISTOR: [&str; 5] = ["r_fixed", "r_25", "beta", "v_ref", "wiring"];
const OF_THERMOCOUPLE: [&str; 4] = ["kind", "spi", "chip_select", "thermocouple"];

/// A thermistor is shown as it always was; a thermocouple has no divider.
fn hide_other_kind(sensor: &SensorConfig, map: &mut Map<String, Value>) {
    let hidden: &[&str] = match sensor.kind {
        SensorKind::Thermistor => &OF_THERMOCOUPLE,
        SensorKind::Max31856 => &OF_THERMISTOR,
    };
    for key in hidden {
        map.remove(*key);
    }
}

/// What a channel measures unless the file says otherwise.
fn channel_name(channel: u8) -> Name {
    let text = match FIRST_NAMES.get(usize::from(channel)) {
        Some(name) => (*name).to_owned(),
        None => format!("s{channel}"),
    };
    Name::new(&text).unwrap_or_default()
}

/// Bounds of a calibration line.
struct Bounds {
    slope: std::ops::RangeInclusive<f64>,
    /// Greatest offset either way, °C.
    offset: f64,
}

/// What an honest sensor can need: no calibration beyond these is taken from anybody.
const HONEST: Bounds = Bounds { slope: 0.95..=1.05, offset: 5.0 };
/// What files of before hold: such a line goes on, and its zone is limited.
const OF_OLD: Bounds = Bounds { slope: 0.8..=1.25, offset: 15.0 };
/// Nearest two readings that still define a line, °C.
const MIN_SPAN: f64 = 1e-3;

impl SensorConfig {
    /// The default of a channel.
    fn of_channel(channel: u8) -> Self {
        Self { logical: channel_name(channel), ..Self::default() }
    }

    /// The thermocouple and its converter, where it is one.
    pub fn as_thermocouple(&self) -> Option<Thermocouple> {
        let Self { spi, chip_select, thermocouple: couple, .. } = *self;
        match self.kind {
            SensorKind::Thermistor => None,
            SensorKind::Max31856 => Some(Thermocouple { spi, chip_select, couple }),
        }
    }

    /// The least-squares line through `cal_points`; the identity without points.
    ///
    /// # Errors
    /// Why the points are no calibration: fewer than two distinct readings, a slope outside
    /// 0.8 to 1.25, or an offset beyond 15 °C.
    pub fn calibration(&self) -> Result<Line, String> {
        self.line_within(&OF_OLD)
    }

    /// The same for a calibration that somebody enters now.
    ///
    /// # Errors
    /// Also a slope outside 0.95 to 1.05, or an offset beyond 5 °C.
    pub fn honest_calibration(&self) -> Result<Line, String> {
        self.line_within(&HONEST)
    }

    fn line_within(&self, bounds: &Bounds) -> Result<Line, String> {
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
            "at most {MAX_POINTS} of {{x, y}}; slope {} to {}, offset within {} °C",
            HONEST.slope.start(),
            HONEST.slope.end(),
            HONEST.offset
        );
        Shape::new("list of points", range, "°C", schema)
    }
}

/// Sensors by channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensors {
    by_channel: BTreeMap<u8, SensorConfig>,
}

/// Changes to [`Sensors`], channel by channel.
pub type SensorsPatch = BTreeMap<u8, SensorConfigPatch>;

impl Default for Sensors {
    fn default() -> Self {
        let channels = 0..FIRST as u8;
        Self { by_channel: channels.map(|n| (n, SensorConfig::of_channel(n))).collect() }
    }
}

impl Sensors {
    /// No sensor at all.
    pub(crate) const fn none() -> Self {
        Self { by_channel: BTreeMap::new() }
    }

    /// Each channel with its sensor, in order.
    pub fn channels(&self) -> impl Iterator<Item = (u8, &SensorConfig)> {
        self.by_channel.iter().map(|(channel, sensor)| (*channel, sensor))
    }

    /// The sensor of a channel.
    pub fn get(&self, channel: u8) -> Option<&SensorConfig> {
        self.by_channel.get(&channel)
    }

    /// The sensors in the order of their channels.
    pub fn iter(&self) -> impl Iterator<Item = &SensorConfig> {
        self.by_channel.values()
    }

    /// One more than the greatest channel.
    pub fn len(&self) -> usize {
        self.by_channel.last_key_value().map_or(0, |(channel, _)| usize::from(*channel) + 1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_channel.is_empty()
    }

    /// Changes the sensor of a channel, which comes into being where it is not there. What belongs
    /// to the other kind of sensor means nothing and is not shown, so it is not kept either.
    pub fn calibrate(&mut self, channel: u8, patch: &SensorConfigPatch) {
        let sensor = &mut self[usize::from(channel)];
        sensor.apply(patch);
        let default = SensorConfig::default();
        match sensor.kind {
            SensorKind::Thermistor => {
                sensor.spi = default.spi;
                sensor.chip_select = default.chip_select;
                sensor.thermocouple = default.thermocouple;
            }
            SensorKind::Max31856 => {
                sensor.r_fixed = default.r_fixed;
                sensor.r_25 = default.r_25;
                sensor.beta = default.beta;
                sensor.v_ref = default.v_ref;
                sensor.wiring = default.wiring;
            }
        }
    }
}

impl Index<usize> for Sensors {
    type Output = SensorConfig;

    /// # Panics
    /// When there is no such channel.
    fn index(&self, channel: usize) -> &SensorConfig {
        &self.by_channel[&(channel as u8)]
    }
}

impl IndexMut<usize> for Sensors {
    /// A channel that was not there comes into being with its defaults.
    fn index_mut(&mut self, channel: usize) -> &mut SensorConfig {
        let channel = channel as u8;
        self.by_channel.entry(channel).or_insert_with(|| SensorConfig::of_channel(channel))
    }
}

/// Channel "0" to "15" to its sensor, patched channel by channel.
pub(crate) struct ByChannel;

/// The channel of a key; "07" and "+7" would be second spellings of one.
fn channel_of(key: &str) -> Option<u8> {
    (0..MAX_SENSORS as u8).find(|channel| channel.to_string() == key)
}

impl Spec<Sensors, SensorsPatch> for ByChannel {
    fn read(
        &self,
        value: &Value,
        how: Leniency,
        path: &str,
        errors: &mut Vec<Issue>,
    ) -> Option<SensorsPatch> {
        let mut patches = SensorsPatch::new();
        for (key, value) in object(value, path, errors)? {
            let path = join(path, key);
            let Some(channel) = channel_of(key) else {
                let last = MAX_SENSORS - 1;
                let reason = format!("unknown channel; there are \"0\" to \"{last}\"");
                errors.push(Issue::new(path, reason));
                continue;
            };
            if let Some(map) = object(value, &path, errors) {
                let patch = SensorConfig::patch_from(map, how, &path, errors);
                if patch.kind == Some(SensorKind::Max31856)
                    && let Some(key) = OF_THERMISTOR.iter().find(|key| map.contains_key(**key))
                {
                    errors.push(Issue::new(join(&path, key), "a thermocouple has no divider"));
                }
                patches.insert(channel, patch);
            }
        }
        Some(patches)
    }

    fn merge(&self, current: &mut Sensors, patch: &SensorsPatch) {
        for (channel, patch) in patch {
            current.calibrate(*channel, patch);
        }
    }

    fn write(&self, value: &Sensors) -> Value {
        let member =
            |(channel, sensor): (u8, &SensorConfig)| (channel.to_string(), sensor.to_json());
        Value::Object(value.channels().map(member).collect())
    }

    fn recheck(&self, value: &Sensors, key: &str, errors: &mut Vec<Issue>) {
        for (channel, sensor) in value.channels() {
            below(key, errors, |errors| {
                below(&channel.to_string(), errors, |errors| sensor.recheck(errors));
            });
        }
    }

    fn shape(&self) -> Shape {
        let channel = Spec::<SensorConfig, SensorConfigPatch>::shape(&sub::<SensorConfig>());
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "patternProperties": {"^([0-9]|1[0-5])$": channel.schema},
        });
        let fields: Vec<Descriptor> = SensorConfig::fields();
        let range = format!("0 to {}", MAX_SENSORS - 1);
        Shape { fields, prefix: "N.", ..Shape::new("object of channel", range, "", schema) }
    }
}
