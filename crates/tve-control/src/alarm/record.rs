//! A raised alarm: which, why, since when, and the sentence that an operator reads.

use super::{AlarmCode, Scope};
use core::fmt;
use tve_config::{Doubt, MachineConfig, Serves, Weak};
use tve_hal::{Motor, Reading, Sensor, Zone};
use tve_machine::Name;
use tve_units::{Micros, WallMillis};

/// The numbers behind an alarm; they become a sentence when somebody reads it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Cause {
    /// The code says it all.
    #[default]
    Plain,
    /// A sensor is bad in this way.
    Sensor(Sensor, Reading),
    /// A sensor reads beyond its limit, °C.
    Limit {
        /// Which sensor.
        sensor: Sensor,
        /// Reading, °C.
        reading: f64,
        /// Limit, °C.
        limit: f64,
    },
    /// A zone does not follow its heater.
    Rate {
        /// Which zone.
        zone: Zone,
        /// Expected gain in the last minute, °C.
        expected: f64,
        /// Actual gain in the last minute, °C.
        actual: f64,
    },
    /// It is about a zone, and the code says the rest.
    Zone(Zone),
    /// A zone rises without heat, or far above its target.
    Runaway {
        /// Which zone.
        zone: Zone,
        /// Reading, °C.
        reading: f64,
        /// Target, °C.
        target: f64,
    },
    /// Heat was given to one zone and the other rose.
    Swapped {
        /// The heated zone.
        heated: Zone,
        /// Its neighbour, which rose.
        other: Zone,
        /// Its rise, °C.
        own_rise: f64,
        /// The rise of the other, °C.
        other_rise: f64,
    },
    /// A sensor fell faster than metal can cool.
    Fell {
        /// Which sensor.
        sensor: Sensor,
        /// Reading, °C.
        reading: f64,
        /// What its metal is at least, °C.
        coldest: f64,
    },
    /// A sensor cannot be what the configuration says of it.
    Doubted(Sensor, Doubt),
    /// A setting is weak, and how many more are.
    Weak(Weak, u8),
    /// A span of time, seconds.
    Seconds(f64),
    /// Restored from the journal; the original sentence is in the history.
    Restored(About),
    /// Latched in the journal under a name, or with a reaction, that no row of the table has; or
    /// what of the journal is damaged.
    Unread(UnreadName),
    /// A zone cannot be seen and could be beyond its limit, °C.
    Unseen {
        /// The sensor that failed.
        sensor: Sensor,
        /// What full duty could have made of the zone, °C.
        could_be: f64,
        /// Limit, °C.
        limit: f64,
    },
}

/// A name that the journal holds and the table does not, or what of the journal cannot be read: its
/// beginning, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct UnreadName {
    bytes: [u8; UnreadName::ROOM],
    len: u8,
}

impl UnreadName {
    /// Characters that are kept: the longest name of the table.
    const ROOM: usize = 24;

    /// The beginning of `name`; what is neither printable ASCII nor a space becomes a question mark.
    pub fn new(name: &str) -> Self {
        let mut kept = Self::default();
        for (slot, c) in kept.bytes.iter_mut().zip(name.chars()) {
            *slot = if c.is_ascii_graphic() || c == ' ' { c as u8 } else { b'?' };
            kept.len += 1;
        }
        kept
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or(&self.bytes);
        core::str::from_utf8(bytes).unwrap_or("?")
    }
}

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum About {
    /// The machine, or nobody knows what of it.
    #[default]
    Machine,
    /// A zone.
    Zone(Zone),
    /// A motor.
    Motor(Motor),
}

/// Whom an alarm is about, by the names that held when it was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Subject {
    /// The zone or motor.
    pub about: About,
    /// Name of that zone or motor.
    pub about_name: Name,
    /// Name of the sensor or zone that the sentence speaks of.
    pub name: Name,
    /// Name of the other zone that it speaks of.
    pub other: Name,
}

/// One raised alarm.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct AlarmRecord {
    /// Grows by one per alarm, also across restarts.
    pub id: u64,
    /// What.
    pub code: AlarmCode,
    /// Why.
    pub cause: Cause,
    /// About whom.
    pub subject: Subject,
    /// Monotonic time of raising.
    pub raised_at: Micros,
    /// Wall-clock label.
    pub wall: WallMillis,
    /// Somebody has seen it.
    pub acknowledged: bool,
    /// It is over.
    pub cleared: bool,
}

impl AlarmRecord {
    /// The zone that the alarm is about.
    pub const fn zone(&self) -> Option<Zone> {
        self.subject.zone()
    }

    /// Whether it is the alarm that `code` would be about `subject`: what is not known to be about
    /// one zone or motor stands for all of them.
    pub(crate) fn is_of(&self, code: AlarmCode, subject: &Subject) -> bool {
        self.code == code
            && match code.row().scope {
                Scope::Machine => true,
                Scope::Zone | Scope::Motor => {
                    self.subject.about == subject.about || self.subject.about == About::Machine
                }
            }
    }

    /// What is left of the cause after a restart: what it is about, not its numbers.
    #[must_use]
    pub const fn restored_cause(&self) -> Cause {
        match self.cause {
            Cause::Unread(name) => Cause::Unread(name),
            Cause::Plain
            | Cause::Zone(_)
            | Cause::Sensor(..)
            | Cause::Limit { .. }
            | Cause::Rate { .. }
            | Cause::Fell { .. }
            | Cause::Runaway { .. }
            | Cause::Swapped { .. }
            | Cause::Doubted(..)
            | Cause::Weak(..)
            | Cause::Seconds(_)
            | Cause::Restored(_)
            | Cause::Unseen { .. } => Cause::Restored(self.subject.about),
        }
    }
}

impl Subject {
    /// The zone, where it is about one.
    pub const fn zone(&self) -> Option<Zone> {
        match self.about {
            About::Zone(zone) => Some(zone),
            About::Machine | About::Motor(_) => None,
        }
    }

    /// Whom `cause` is about on the machine of `config`.
    pub fn of(cause: &Cause, config: &MachineConfig) -> Self {
        let name_of = |about: About| match about {
            About::Machine => None,
            About::Zone(zone) => config.names.zones.get(zone).copied(),
            About::Motor(motor) => config.names.motors.get(motor).copied(),
        };
        let about = |about: About| {
            let name = name_of(about).unwrap_or_default();
            Self { about, about_name: name, name, other: Name::default() }
        };
        match *cause {
            Cause::Sensor(sensor, _)
            | Cause::Doubted(sensor, _)
            | Cause::Limit { sensor, .. }
            | Cause::Fell { sensor, .. }
            | Cause::Unseen { sensor, .. } => {
                let point = &config.sensors[sensor];
                let served = match point.serves {
                    Serves::Zone(zone) => About::Zone(zone),
                    Serves::Motor(motor) => About::Motor(motor),
                    Serves::FeedThroat | Serves::Display => About::Machine,
                };
                Self { name: point.name, ..about(served) }
            }
            Cause::Zone(zone) | Cause::Rate { zone, .. } | Cause::Runaway { zone, .. } => {
                about(About::Zone(zone))
            }
            Cause::Swapped { heated, other, .. } => {
                let other = name_of(About::Zone(other)).unwrap_or_default();
                Self { other, ..about(About::Zone(heated)) }
            }
            Cause::Restored(what) => about(what),
            Cause::Plain | Cause::Weak(..) | Cause::Seconds(_) | Cause::Unread(_) => {
                Self::default()
            }
        }
    }
}

/// The sentence that an operator reads: what, with which numbers, what to do.
impl fmt::Display for AlarmRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Subject { name, other, .. } = self.subject;
        match self.cause {
            Cause::Zone(_) => write!(f, "Zone {name}: {}", self.code.row().headline)?,
            Cause::Plain => write!(f, "{}", self.code.row().headline)?,
            Cause::Sensor(_, reading) => {
                write!(f, "Sensor {name} is {}", reading.name().replace('_', " "))?;
            }
            Cause::Limit { reading, limit, .. } => {
                write!(f, "{name} reads {reading:.1} °C, limit {limit:.1} °C")?;
            }
            Cause::Rate { expected, actual, .. } => write!(
                f,
                "Zone {name} gained {actual:.1} °C in the last minute, {expected:.1} °C expected"
            )?,
            Cause::Runaway { reading, target, .. } => write!(
                f,
                "Zone {name} is at {reading:.1} °C and rising by itself, target {target:.1} °C"
            )?,
            Cause::Swapped { own_rise, other_rise, .. } => write!(
                f,
                "Zone {name} was heated and rose {own_rise:.1} °C while zone {other} rose \
                 {other_rise:.1} °C"
            )?,
            Cause::Fell { reading, coldest, .. } => write!(
                f,
                "{name} fell to {reading:.1} °C, faster than metal cools: its zone is still at \
                 {coldest:.0} °C or above"
            )?,
            Cause::Doubted(_, doubt) => {
                write!(f, "Sensor {name}: {doubt}; its zone heats at 30 % at most")?;
            }
            Cause::Weak(weak, others) => {
                write!(f, "{} is {}", weak.path(), weak.reason())?;
                if others > 0 {
                    write!(f, " (and {others} more)")?;
                }
            }
            Cause::Seconds(s) => write!(f, "{} ({s:.1} s)", self.code.row().headline)?,
            Cause::Unseen { could_be, limit, .. } => write!(
                f,
                "{name} has failed for so long that a relay that sticks could have brought its \
                 zone to {could_be:.0} °C, limit {limit:.1} °C"
            )?,
            Cause::Unread(unread) => {
                write!(f, "{}: {}", self.code.row().headline, unread.as_str())?;
            }
            Cause::Restored(_) => {
                write!(f, "{}, latched before the restart", self.code.row().headline)?;
            }
        }
        write!(f, ". {}.", self.code.row().remedy)
    }
}

/// A latched alarm found in the journal at start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestoredAlarm {
    /// Its id then.
    pub id: u64,
    /// What.
    pub code: AlarmCode,
    /// What is left of its cause: [`AlarmRecord::restored_cause`], or the name that could not be read.
    pub cause: Cause,
    /// When.
    pub wall: WallMillis,
    /// Whether somebody had seen it.
    pub acknowledged: bool,
}

/// A change in the life of an alarm, for the journal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AlarmEvent {
    /// Raised now.
    Raised(AlarmRecord),
    /// Seen by somebody.
    Acknowledged {
        /// Which.
        id: u64,
    },
    /// Over.
    Cleared {
        /// Which.
        id: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_numbers_and_the_remedy() {
        let machine = tve_config::Config::embedded().machine();
        let sensor = machine.sensor_named("t2").unwrap();
        let cause = Cause::Limit { sensor, reading: 281.25, limit: 280.0 };
        let record = AlarmRecord {
            id: 1,
            code: AlarmCode::HeaterOverTemperature,
            subject: Subject::of(&cause, &machine),
            cause,
            raised_at: Micros::ZERO,
            wall: WallMillis::new(0),
            acknowledged: false,
            cleared: false,
        };
        let text = record.to_string();
        assert!(
            text.starts_with("t2 reads 281.2 °C, limit 280.0 °C. Let the barrel cool"),
            "{text}"
        );
    }

    #[test]
    fn a_name_from_the_journal_is_kept_as_far_as_there_is_room() {
        assert_eq!(
            UnreadName::new("HEATER_UNDER_TEMPERATURE").as_str(),
            "HEATER_UNDER_TEMPERATURE"
        );
        assert_eq!(UnreadName::new(&"X".repeat(99)).as_str(), "X".repeat(24));
        assert_eq!(UnreadName::new("ä\nb").as_str(), "??b");
        assert_eq!(UnreadName::new("").as_str(), "");
    }
}
