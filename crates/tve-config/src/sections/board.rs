//! The I2C devices: PWM expander and converter.

use crate::field::{Flag, Leniency, OneOf, Scalar, Shape, Spec, int};
use crate::issue::{Issue, join, shown};
use crate::section::{Section, object, section, sub};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Inputs of an ADS1115.
pub const CONVERTER_INPUTS: usize = 4;
/// ADS1115 on a bus: the chip has four addresses.
pub const MAX_CONVERTERS: usize = 4;
/// Outputs of the PCA9685.
const CHANNELS: u8 = 16;
/// Longest channel name in characters: what a metric label and a display line take.
const NAME_CHARS: usize = 32;

section! {
    /// The PCA9685 PWM board.
    pub struct Pwm / PwmPatch {
        /// Whether the board is fitted.
        enabled: bool = true, Flag;
        /// Number of the I2C bus.
        bus: u8 = 1, int(0, 10, "");
        /// Address on the bus.
        address: u8 = 64, int(0x08, 0x77, "");
        /// PWM frequency in Hz.
        frequency: u32 = 60, int(24, 1526, "Hz");
        /// Output channel by name. The names `fan`, `pump`, `peltier`, those of the zones, `cooler_` with the name of a zone, `led_status`, `led_red`, `led_green` and `led_yellow` are driven by the controller, others are free outputs.
        channels: BTreeMap<String, u8> = default_channels(), Channels;
    }
}

/// The wiring of the machines in the field.
fn default_channels() -> BTreeMap<String, u8> {
    [("fan", 0), ("fan_nozzle", 1), ("pump", 2), ("led_status", 4)]
        .map(|(name, channel)| (name.to_owned(), channel))
        .into()
}

impl Pwm {
    /// The channel of a name, when the board is fitted.
    pub fn channel(&self, name: &str) -> Option<u8> {
        if self.enabled { self.channels.get(name).copied() } else { None }
    }
}

/// Name to channel; a patch replaces the map.
struct Channels;

impl Spec<BTreeMap<String, u8>> for Channels {
    fn read(
        &self,
        value: &Value,
        how: Leniency,
        path: &str,
        errors: &mut Vec<Issue>,
    ) -> Option<BTreeMap<String, u8>> {
        let mut channels = BTreeMap::new();
        for (name, value) in object(value, path, errors)? {
            let path = join(path, name);
            let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || name.len() > NAME_CHARS || !name.chars().all(legal) {
                let reason = format!("a name must be 1 to {NAME_CHARS} letters, digits or \"_\"");
                errors.push(Issue::new(path, reason));
                continue;
            }
            let spec = int(0, u64::from(CHANNELS) - 1, "");
            if let Some(channel) = Spec::<u8>::read(&spec, value, how, &path, errors) {
                channels.insert(name.clone(), channel);
            }
        }
        Some(channels)
    }

    fn merge(&self, current: &mut BTreeMap<String, u8>, patch: &BTreeMap<String, u8>) {
        current.clone_from(patch);
    }

    fn write(&self, value: &BTreeMap<String, u8>) -> Value {
        let members: Map<String, Value> =
            value.iter().map(|(name, channel)| (name.clone(), json!(channel))).collect();
        Value::Object(members)
    }

    fn shape(&self) -> Shape {
        let channel: Shape = Scalar::<u8>::describe(&int(0, u64::from(CHANNELS) - 1, ""));
        let schema = json!({
            "type": "object",
            "maxProperties": CHANNELS,
            "propertyNames": {"pattern": format!("^[A-Za-z0-9_]{{1,{NAME_CHARS}}}$")},
            "additionalProperties": channel.schema,
        });
        Shape::new("object of name to channel", channel.range, "", schema)
    }
}

section! {
    /// The ADS1115 converter, and further ones.
    pub struct Adc / AdcPatch : Copy, shown hide_none {
        /// Whether the converter is fitted.
        enabled: bool = true, Flag;
        /// Number of the I2C bus.
        bus: u8 = 1, int(0, 10, "");
        /// Address on the bus; the chip has four.
        address: u8 = 72, int(0x48, 0x4B, "");
        /// Full-scale range in V.
        fsr: f64 = 4.096, OneOf { choices: &[0.256, 0.512, 1.024, 2.048, 4.096, 6.144], unit: "V" };
        /// Further converters, at most three, for channels 4 to 15.
        more: MoreAdcs = MoreAdcs::default(), Further;
    }
}

/// A machine with one converter is shown as it always was.
fn hide_none(adc: &Adc, map: &mut Map<String, Value>) {
    if adc.more.as_slice().is_empty() {
        map.remove("more");
    }
}

section! {
    /// A further ADS1115.
    pub struct MoreAdc / MoreAdcPatch : Copy {
        /// Number of the I2C bus.
        bus: u8 = 1, int(0, 10, "");
        /// Address on the bus; the chip has four.
        address: u8 = 73, int(0x48, 0x4B, "");
        /// Full-scale range in V.
        fsr: f64 = 4.096, OneOf { choices: &[0.256, 0.512, 1.024, 2.048, 4.096, 6.144], unit: "V" };
    }
}

/// Converters beside the first.
const FURTHER: usize = MAX_CONVERTERS - 1;

/// Up to three further converters, in place.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MoreAdcs {
    items: [MoreAdc; FURTHER],
    len: usize,
}

impl MoreAdcs {
    /// The converters in order.
    pub fn as_slice(&self) -> &[MoreAdc] {
        &self.items[..self.len]
    }
}

/// A list of further converters; a patch replaces it.
struct Further;

impl Spec<MoreAdcs> for Further {
    fn read(
        &self,
        value: &Value,
        how: Leniency,
        path: &str,
        errors: &mut Vec<Issue>,
    ) -> Option<MoreAdcs> {
        let Some(list) = value.as_array().filter(|list| list.len() <= FURTHER) else {
            let reason =
                format!("must be a list of at most {FURTHER} converters, not {}", shown(value));
            errors.push(Issue::new(path, reason));
            return None;
        };
        let mut more = MoreAdcs { len: list.len(), ..MoreAdcs::default() };
        for (i, (value, adc)) in list.iter().zip(&mut more.items).enumerate() {
            let path = format!("{path}[{i}]");
            let patch = MoreAdc::patch_from(object(value, &path, errors)?, how, &path, errors);
            adc.apply(&patch);
        }
        Some(more)
    }

    fn merge(&self, current: &mut MoreAdcs, patch: &MoreAdcs) {
        *current = *patch;
    }

    fn write(&self, value: &MoreAdcs) -> Value {
        value.as_slice().iter().map(MoreAdc::to_json).collect()
    }

    fn shape(&self) -> Shape {
        let each = Spec::<MoreAdc, MoreAdcPatch>::shape(&sub::<MoreAdc>());
        let schema = json!({"type": "array", "maxItems": FURTHER, "items": each.schema});
        let keys: Vec<&str> = MoreAdc::fields().iter().map(|field| field.key).collect();
        let kind = format!("list of {{{}}}", keys.join(", "));
        Shape::new(&kind, format!("at most {FURTHER}"), "", schema)
    }
}
