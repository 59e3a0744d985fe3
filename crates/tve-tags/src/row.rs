//! What the fields of a row of the table can say.

use serde::Serialize;
use tve_config::MachineConfig;
use tve_control::{AlarmCode, Snapshot};
use tve_machine::{Motor, Sensor, Zone};

/// Channels of the PWM board.
pub const PWM_CHANNELS: usize = 16;

/// A channel of the PWM board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(pub u8);

/// The machine that a tag is read from.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// What it does.
    pub snapshot: &'a Snapshot,
    /// What it is.
    pub machine: &'a MachineConfig,
}

/// What a tag says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A quantity; `None` where it cannot be known.
    Number(Option<f64>),
    /// On or off.
    Switch(bool),
    /// One of the names of [`Shape::Name`].
    Name(&'static str),
    /// Only grows while the process lives.
    Counter(u64),
}

impl Value {
    /// The quantity, where there is one and JSON can hold it.
    #[inline]
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => number.filter(|x| x.is_finite()),
            Self::Switch(on) => Some(f64::from(u8::from(on))),
            Self::Name(_) => None,
            Self::Counter(count) => Some(count as f64),
        }
    }

    /// Whether it is on, or above zero.
    #[inline]
    pub fn is_on(self) -> bool {
        match self {
            Self::Switch(on) => on,
            Self::Number(_) | Self::Name(_) | Self::Counter(_) => {
                self.number().is_some_and(|x| x > 0.0)
            }
        }
    }
}

/// Unit of a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// °C.
    Celsius,
    /// Per cent.
    Percent,
    /// Turns a minute; the sign is the direction.
    Rpm,
    /// cm.
    Centimetres,
    /// A number of things.
    Count,
}

impl Unit {
    /// As people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Celsius => "°C",
            Self::Percent => "%",
            Self::Rpm => "rpm",
            Self::Centimetres => "cm",
            Self::Count => "",
        }
    }
}

/// What values a tag can have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// A quantity.
    Number {
        /// Its unit.
        unit: Unit,
        /// Lowest value.
        min: f64,
        /// Highest value.
        max: f64,
        /// Smallest step that means something.
        resolution: f64,
    },
    /// On or off.
    Switch,
    /// One of these names.
    Name(&'static [&'static str]),
    /// A count that only grows while the process lives.
    Counter,
}

/// What one tag is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The machine as a whole.
    Machine,
    /// A zone.
    Zone(Zone),
    /// A sensor.
    Sensor(Sensor),
    /// A motor.
    Motor(Motor),
    /// A channel of the PWM board.
    Channel(Channel),
    /// An alarm.
    Alarm(AlarmCode),
}

/// Category of an `io_update`; today's HMI spreads any category that it gets into an object, so
/// there are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// `misc`.
    Misc,
    /// `motors`.
    Motors,
    /// `pwm`.
    Pwm,
    /// `relays`.
    Relays,
    /// `temps`.
    Temps,
}

impl Category {
    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Misc => "misc",
            Self::Motors => "motors",
            Self::Pwm => "pwm",
            Self::Relays => "relays",
            Self::Temps => "temps",
        }
    }
}

/// Where in a reply of the API a tag stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In `temps`.
    Temps,
    /// In `motors`.
    Motors,
    /// In `motors_actual`.
    MotorsActual,
    /// In `motors_held`, which is there while some motor is held.
    MotorsHeld,
    /// In `relays`.
    Relays,
    /// In `pwm`.
    Pwm,
    /// A field `target_{zone}`.
    Targets,
    /// A field `manual_duty_{zone}`.
    ManualDuties,
    /// A field `heater_duty_{zone}`.
    HeaterDuties,
    /// A field of the machine as a whole.
    Fields,
}

impl Place {
    /// Every place.
    pub const ALL: [Self; 10] = [
        Self::Temps,
        Self::Motors,
        Self::MotorsActual,
        Self::MotorsHeld,
        Self::Relays,
        Self::Pwm,
        Self::Targets,
        Self::ManualDuties,
        Self::HeaterDuties,
        Self::Fields,
    ];

    /// The category in which changes are told; `None` for what is not told.
    pub const fn category(self) -> Option<Category> {
        match self {
            Self::Temps => Some(Category::Temps),
            Self::Motors => Some(Category::Motors),
            Self::MotorsActual | Self::MotorsHeld => None,
            Self::Relays => Some(Category::Relays),
            Self::Pwm => Some(Category::Pwm),
            Self::Targets | Self::ManualDuties | Self::HeaterDuties | Self::Fields => {
                Some(Category::Misc)
            }
        }
    }

    /// The object of the reply, empty for fields beside each other.
    pub const fn object(self) -> &'static str {
        match self {
            Self::Temps => "temps",
            Self::Motors => "motors",
            Self::MotorsActual => "motors_actual",
            Self::MotorsHeld => "motors_held",
            Self::Relays => "relays",
            Self::Pwm => "pwm",
            Self::Targets | Self::ManualDuties | Self::HeaterDuties | Self::Fields => "",
        }
    }
}

/// A figure of the page of metrics; its labels follow from the subject, its help is the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// The value; absent while it cannot be known.
    Value(&'static str),
    /// A line for each name, 1 for the present one; the label is called like the metric.
    Names(&'static str),
}

impl Metric {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Value(name) | Self::Names(name) => name,
        }
    }
}

/// How exactly the history keeps a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// In single precision, four bytes.
    Single,
    /// In hundredths from 0 to 655, two bytes.
    Hundredths,
    /// In halves from 0 to 127, one byte.
    Halves,
    /// One bit.
    Bit,
}

/// Decimals in a run file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decimals {
    /// That many.
    Fixed(u8),
    /// One for the sensor of a motor, two for the others.
    OfSensor,
    /// As many as the number needs to be read back.
    Shortest,
}

/// A column of the run files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunColumn {
    /// Header, with the subject's name in braces in the case of the word there.
    pub header: &'static str,
    /// The first headers on the machine of two zones, screw and feeder, where they differ.
    pub original: &'static [&'static str],
    /// Decimals.
    pub decimals: Decimals,
}

/// What the recorder keeps of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// How exactly the history keeps it.
    pub form: Form,
    /// Its column of the run files.
    pub column: Option<RunColumn>,
}

/// Where clients of the original find the tag.
#[derive(Debug, Clone, Copy)]
pub struct DropIn {
    /// Places in the replies, which are those in the events too, with the key there.
    pub wire: &'static [(Place, &'static str)],
    /// The figure.
    pub metric: Option<Metric>,
    /// What the recorder keeps.
    pub kept: Option<Kept>,
}

impl DropIn {
    /// Nowhere: the tag is new.
    pub const NONE: Self = Self { wire: &[], metric: None, kept: None };
}
