//! The sensors by channel, and their calibration.

use crate::field::{
    Choice, Descriptor, Flag, Leniency, Nullable, Shape, Spec, choice, int, num, ohm,
};
use crate::issue::{Issue, join};
use crate::section::{Section, below, object, section, sub};
use crate::sections::calibration::{CalPoint, CalPoints, HONEST, Line, OF_OLD, line_through};
use crate::sections::layout::NameText;
use crate::sections::thermistor::{Curve, Part, RtPoint, RtPoints};
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
        /// Name of a known thermistor, whose maker's table then goes before r_25 and beta; null for none.
        thermistor: Option<Part> = None, Nullable(Choice);
        /// Three points of the maker's table of a thermistor that has no name here, as {t, r} in °C and ohm; empty for none.
        rt_points: Vec<RtPoint> = Vec::new(), RtPoints;
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
const OF_THERMISTOR: [&str; 7] =
    ["r_fixed", "r_25", "beta", "v_ref", "wiring", "thermistor", "rt_points"];
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
    // Files and clients of before know neither.
    if sensor.thermistor.is_none() {
        map.remove("thermistor");
    }
    if sensor.rt_points.is_empty() {
        map.remove("rt_points");
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

impl SensorConfig {
    /// How the resistance of its thermistor goes: by its points, else by its name, else by its beta.
    pub fn curve(&self) -> Curve {
        match (self.rt_points.as_slice(), self.thermistor) {
            (&[cold, middle, hot], _) => Curve::through([cold, middle, hot]),
            (_, Some(part)) => Curve::through(part.points()),
            (_, None) => Curve::Beta { r_25: self.r_25, beta: self.beta },
        }
    }

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
        line_through(&self.cal_points, &OF_OLD)
    }

    /// The same for a calibration that somebody enters now.
    ///
    /// # Errors
    /// Also a slope outside 0.95 to 1.05, or an offset beyond 5 °C.
    pub fn honest_calibration(&self) -> Result<Line, String> {
        line_through(&self.cal_points, &HONEST)
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
                sensor.thermistor = default.thermistor;
                sensor.rt_points = default.rt_points;
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
