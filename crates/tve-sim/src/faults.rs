//! Faults as values: what is broken, from when, until when.
//!
//! A kind has one spelling (`ssr_stuck_on z1`), used by scenario files, with the names that the
//! machine's configuration gives its zones and sensors. [`FaultKind::parse_on`] and
//! [`FaultKind::text_on`] are each other's inverse.

use tve_config::MachineConfig;
use tve_hal::{Id, Sensor, Zone};
use tve_units::Micros;

/// The table of faults: variant, spelling, what it takes.
macro_rules! faults {
    ($(
        $(#[$doc:meta])* $kind:ident $name:literal
        $(($($argument:ty),*))? $({$($(#[$of:meta])* $field:ident: $type:ty,)*})?;
    )*) => {
        /// One thing that can be broken about the machine.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub enum FaultKind {
            $($(#[$doc])* $kind $(($($argument),*))? $({$($(#[$of])* $field: $type,)*})?,)*
        }

        /// The faults without what they take.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultName {
            $($(#[$doc])* $kind,)*
        }

        impl FaultName {
            /// Every one, in the order of [`FaultKind`].
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Its spelling.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }
        }

        impl FaultKind {
            /// Which fault it is.
            pub const fn name(self) -> FaultName {
                match self { $(Self::$kind { .. } => FaultName::$kind),* }
            }
        }
    };
}

faults! {
    /// The sensor's wire is broken.
    SensorOpen "sensor_open" (Sensor);
    /// The sensor's wires touch.
    SensorShorted "sensor_shorted" (Sensor);
    /// The sensor's code stands still.
    SensorFrozen "sensor_frozen" (Sensor);
    /// The sensor hangs in the air: it reads ambient, through its lag.
    SensorFallenOut "sensor_fallen_out" (Sensor);
    /// The sensor sits loose: of the difference between its zone and the room it shows this share, 0
    /// (hanging in the air) to 1.
    SensorLoose "sensor_loose" (Sensor, f64);
    /// The sensor reads 50 °C too high and too low in turn, sample by sample.
    SensorJumping "sensor_jumping" (Sensor);
    /// The sensor reads this much too high, °C, -200 to 200: an alloy that has aged, a cold junction
    /// in the sun.
    SensorOffset "sensor_offset" (Sensor, f64);
    /// The plugs of the sensors of this zone and of the next one are exchanged.
    SensorsSwapped "sensors_swapped" (Zone);
    /// The supply of the dividers is off by this many percent of nominal, -50 to 50.
    RailOff "rail_off" {
        /// Signed deviation, %.
        percent: f64,
    };
    /// The zone's solid-state relay conducts whatever is asked of it.
    SsrStuckOn "ssr_stuck_on" (Zone);
    /// The zone's relay conducts this share of the time when it should not at all, 0 to 1: 0.5 is one
    /// thyristor of the pair that has failed closed.
    SsrLeaks "ssr_leaks" (Zone, f64);
    /// The zone's heater band is burnt out.
    HeaterDead "heater_dead" (Zone);
    /// The zone's heater gives this share of its power, 0 to 2.
    HeaterPower "heater_power" (Zone, f64);
    /// The converter does not answer.
    AdcGone "adc_gone";
    /// The converter answers but converts nothing new.
    AdcStopped "adc_stopped";
    /// Writes to the PWM expander do not arrive.
    PwmWriteLost "pwm_write_lost";
    /// The drive of the screw reports a fault and does not turn.
    DriveAlarm "drive_alarm";
    /// The screw motor's winding is driven to 90 °C.
    MotorHot "motor_hot";
    /// The feed throat is driven to 100 °C.
    FeedThroatHot "feed_throat_hot";
    /// The emergency-stop button is pressed or its loop is broken: the contact leaves its healthy
    /// position.
    EstopOpen "estop_open";
    /// The main contactor stays closed, whatever is asked of it.
    ContactorWelded "contactor_welded";
    /// The start button is held.
    ButtonStart "button_start";
    /// The stop button is held.
    ButtonStop "button_stop";
    /// A draught takes heat from every zone.
    DoorDraught "door_draught" {
        /// Extra loss, as °C that a barrel held at 200 °C (177 °C above its surroundings) would
        /// sink by at unchanged power if its other losses stayed the same; 0 to 500.
        celsius: f64,
    };
    /// The mains voltage; heater power goes with its square.
    MainsVoltage "mains_voltage" {
        /// Voltage in percent of nominal, 50 to 150.
        percent: f64,
    };
}

/// A fault with its time of life: active while `from <= plant time < until`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// What is broken.
    pub kind: FaultKind,
    /// Plant time of its start.
    pub from: Micros,
    /// Plant time of its end; `None` lasts for ever.
    pub until: Option<Micros>,
}

impl Fault {
    /// A fault from the start of plant time, for ever.
    pub const fn always(kind: FaultKind) -> Self {
        Self { kind, from: Micros::ZERO, until: None }
    }

    /// A fault between two plant times.
    pub const fn between(kind: FaultKind, from: Micros, until: Micros) -> Self {
        Self { kind, from, until: Some(until) }
    }

    pub(crate) fn is_active(&self, at: Micros) -> bool {
        self.from <= at && !self.is_over(at)
    }

    pub(crate) fn is_over(&self, at: Micros) -> bool {
        self.until.is_some_and(|until| at >= until)
    }
}

/// Why a fault's text was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParseFaultError {
    /// No fault has this name.
    #[error("no fault is called {name:?}; known are {}", known())]
    UnknownName {
        /// The word given.
        name: String,
    },
    /// The fault takes another number of arguments.
    #[error("{name} takes {expected} argument(s), not {given}")]
    ArgumentCount {
        /// The fault.
        name: String,
        /// How many it takes.
        expected: usize,
        /// How many were given.
        given: usize,
    },
    /// An argument cannot be what the fault needs.
    #[error("{name} needs {expected}, not {given:?}")]
    Argument {
        /// The fault.
        name: String,
        /// What belongs there.
        expected: String,
        /// The word given.
        given: String,
    },
}

fn known() -> String {
    FaultName::ALL.iter().map(|name| name.text()).collect::<Vec<_>>().join(", ")
}

/// The zone at the feed side.
const FIRST: Zone = Zone::at(0);

/// What the zones and sensors of a machine are called, in the order of their ids.
struct Roll {
    zones: Vec<String>,
    sensors: Vec<String>,
}

impl Roll {
    fn of(machine: &MachineConfig) -> Self {
        Self {
            zones: machine.zones.iter().map(|zone| zone.name.to_string()).collect(),
            sensors: machine.sensors.iter().map(|point| point.name.to_string()).collect(),
        }
    }

    fn sensor(&self, sensor: Sensor) -> &str {
        self.sensors.get(sensor.index()).map_or("?", String::as_str)
    }

    fn zone(&self, zone: Zone) -> &str {
        self.zones.get(zone.index()).map_or("?", String::as_str)
    }
}

impl FaultKind {
    /// The fault that `text` names on `machine`.
    ///
    /// # Errors
    /// Which word is wrong, and what belongs there.
    pub fn parse_on(text: &str, machine: &MachineConfig) -> Result<Self, ParseFaultError> {
        Self::parse(text, &Roll::of(machine))
    }

    /// The spelling of the fault on `machine`.
    pub fn text_on(self, machine: &MachineConfig) -> String {
        self.text(&Roll::of(machine))
    }

    fn text(self, roll: &Roll) -> String {
        let name = self.name().text();
        match self {
            Self::SensorOpen(s)
            | Self::SensorShorted(s)
            | Self::SensorFrozen(s)
            | Self::SensorFallenOut(s)
            | Self::SensorJumping(s) => format!("{name} {}", roll.sensor(s)),
            Self::SensorOffset(s, x) | Self::SensorLoose(s, x) => {
                format!("{name} {} {x}", roll.sensor(s))
            }
            Self::SsrStuckOn(z) | Self::HeaterDead(z) => format!("{name} {}", roll.zone(z)),
            Self::HeaterPower(z, share) | Self::SsrLeaks(z, share) => {
                format!("{name} {} {share}", roll.zone(z))
            }
            Self::RailOff { percent: x }
            | Self::DoorDraught { celsius: x }
            | Self::MainsVoltage { percent: x } => format!("{name} {x}"),
            // Where no zone is named, the first two are meant.
            Self::SensorsSwapped(z) if z == FIRST => name.to_owned(),
            Self::SensorsSwapped(z) => format!("{name} {}", roll.zone(z)),
            Self::AdcGone
            | Self::AdcStopped
            | Self::PwmWriteLost
            | Self::DriveAlarm
            | Self::MotorHot
            | Self::FeedThroatHot
            | Self::EstopOpen
            | Self::ContactorWelded
            | Self::ButtonStart
            | Self::ButtonStop => name.to_owned(),
        }
    }
}

/// The words behind the name of a fault.
struct Arguments<'a> {
    name: &'a str,
    words: Vec<&'a str>,
    roll: &'a Roll,
}

impl Arguments<'_> {
    fn expect(&self, expected: usize) -> Result<(), ParseFaultError> {
        if self.words.len() == expected {
            Ok(())
        } else {
            let name = self.name.to_owned();
            Err(ParseFaultError::ArgumentCount { name, expected, given: self.words.len() })
        }
    }

    fn wrong(&self, index: usize, expected: String) -> ParseFaultError {
        let given = self.words[index].to_owned();
        ParseFaultError::Argument { name: self.name.to_owned(), expected, given }
    }

    fn none(&self, kind: FaultKind) -> Result<FaultKind, ParseFaultError> {
        self.expect(0).map(|()| kind)
    }

    fn sensor(&self, count: usize) -> Result<Sensor, ParseFaultError> {
        self.one_of(&self.roll.sensors, "a sensor", count)
    }

    fn zone(&self, count: usize) -> Result<Zone, ParseFaultError> {
        self.one_of(&self.roll.zones, "a zone", count)
    }

    /// The first of `count` words as one of `known`.
    fn one_of<I: Id>(
        &self,
        known: &[String],
        what: &str,
        count: usize,
    ) -> Result<I, ParseFaultError> {
        self.expect(count)?;
        match known.iter().position(|name| *name == self.words[0]) {
            Some(index) => Ok(I::at(index)),
            None => Err(self.wrong(0, format!("{what} ({})", known.join(", ")))),
        }
    }

    fn number(&self, index: usize, min: f64, max: f64, of: &str) -> Result<f64, ParseFaultError> {
        self.expect(index + 1)?;
        match self.words[index].parse::<f64>() {
            // NaN is outside every range.
            Ok(x) if (min..=max).contains(&x) => Ok(x),
            _ => Err(self.wrong(index, format!("{of} between {min} and {max}"))),
        }
    }
}

impl FaultKind {
    fn parse(text: &str, roll: &Roll) -> Result<Self, ParseFaultError> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let args = Arguments { name, words: words.collect(), roll };
        let Some(name) = FaultName::ALL.iter().find(|known| known.text() == name) else {
            return Err(ParseFaultError::UnknownName { name: name.to_owned() });
        };
        match name {
            FaultName::SensorOpen => args.sensor(1).map(Self::SensorOpen),
            FaultName::SensorShorted => args.sensor(1).map(Self::SensorShorted),
            FaultName::SensorFrozen => args.sensor(1).map(Self::SensorFrozen),
            FaultName::SensorFallenOut => args.sensor(1).map(Self::SensorFallenOut),
            FaultName::SensorLoose => {
                let sensor = args.sensor(2)?;
                args.number(1, 0.0, 1.0, "a share of contact")
                    .map(|contact| Self::SensorLoose(sensor, contact))
            }
            FaultName::SensorJumping => args.sensor(1).map(Self::SensorJumping),
            FaultName::SensorOffset => {
                let sensor = args.sensor(2)?;
                args.number(1, -200.0, 200.0, "an error in °C")
                    .map(|celsius| Self::SensorOffset(sensor, celsius))
            }
            FaultName::SensorsSwapped if args.words.is_empty() => Ok(Self::SensorsSwapped(FIRST)),
            FaultName::SensorsSwapped => args.zone(1).map(Self::SensorsSwapped),
            FaultName::RailOff => args
                .number(0, -50.0, 50.0, "a deviation in %")
                .map(|percent| Self::RailOff { percent }),
            FaultName::SsrStuckOn => args.zone(1).map(Self::SsrStuckOn),
            FaultName::HeaterDead => args.zone(1).map(Self::HeaterDead),
            FaultName::SsrLeaks => {
                let zone = args.zone(2)?;
                args.number(1, 0.0, 1.0, "a share of the time")
                    .map(|share| Self::SsrLeaks(zone, share))
            }
            FaultName::HeaterPower => {
                let zone = args.zone(2)?;
                args.number(1, 0.0, 2.0, "a share of full power")
                    .map(|share| Self::HeaterPower(zone, share))
            }
            FaultName::AdcGone => args.none(Self::AdcGone),
            FaultName::AdcStopped => args.none(Self::AdcStopped),
            FaultName::PwmWriteLost => args.none(Self::PwmWriteLost),
            FaultName::DriveAlarm => args.none(Self::DriveAlarm),
            FaultName::MotorHot => args.none(Self::MotorHot),
            FaultName::FeedThroatHot => args.none(Self::FeedThroatHot),
            FaultName::EstopOpen => args.none(Self::EstopOpen),
            FaultName::ContactorWelded => args.none(Self::ContactorWelded),
            FaultName::ButtonStart => args.none(Self::ButtonStart),
            FaultName::ButtonStop => args.none(Self::ButtonStop),
            FaultName::DoorDraught => args
                .number(0, 0.0, 500.0, "an extra loss in °C")
                .map(|celsius| Self::DoorDraught { celsius }),
            // The range refuses a deviation (10, -10) given in place of the voltage (110, 90).
            FaultName::MainsVoltage => args
                .number(0, 50.0, 150.0, "a voltage in % of nominal")
                .map(|percent| Self::MainsVoltage { percent }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;
    use std::sync::Arc;
    use tve_config::Config;

    fn machine() -> Arc<MachineConfig> {
        Config::embedded().machine()
    }

    fn every_kind(machine: &MachineConfig, noise: &mut Noise) -> Vec<FaultKind> {
        let mut all = vec![
            FaultKind::RailOff { percent: noise.standard() * 10.0 },
            FaultKind::AdcGone,
            FaultKind::AdcStopped,
            FaultKind::PwmWriteLost,
            FaultKind::DriveAlarm,
            FaultKind::MotorHot,
            FaultKind::FeedThroatHot,
            FaultKind::EstopOpen,
            FaultKind::ContactorWelded,
            FaultKind::ButtonStart,
            FaultKind::ButtonStop,
            FaultKind::DoorDraught { celsius: noise.standard().abs() * 100.0 },
            FaultKind::MainsVoltage { percent: 100.0 + noise.standard() * 10.0 },
        ];
        for s in machine.sensors.ids() {
            all.push(FaultKind::SensorOpen(s));
            all.push(FaultKind::SensorShorted(s));
            all.push(FaultKind::SensorFrozen(s));
            all.push(FaultKind::SensorFallenOut(s));
            all.push(FaultKind::SensorLoose(s, noise.standard().abs().min(1.0)));
            all.push(FaultKind::SensorJumping(s));
            all.push(FaultKind::SensorOffset(s, noise.standard() * 10.0));
        }
        for z in machine.zones.ids() {
            all.push(FaultKind::SensorsSwapped(z));
            all.push(FaultKind::SsrStuckOn(z));
            all.push(FaultKind::SsrLeaks(z, noise.standard().abs().min(1.0)));
            all.push(FaultKind::HeaterDead(z));
            all.push(FaultKind::HeaterPower(z, noise.standard().abs() / 2.0));
        }
        all
    }

    #[test]
    fn every_fault_reads_back_from_its_own_text() {
        let seed = 42;
        let mut noise = Noise::new(seed);
        let mut names = std::collections::BTreeSet::new();
        let machine = machine();
        for _ in 0..200 {
            for kind in every_kind(&machine, &mut noise) {
                let text = kind.text_on(&machine);
                let read = FaultKind::parse_on(&text, &machine);
                assert_eq!(read, Ok(kind), "{text:?}, seed {seed}");
                names.insert(kind.name());
            }
        }
        assert_eq!(
            names,
            FaultName::ALL.iter().copied().collect(),
            "every name is tested and listed"
        );
    }

    #[test]
    fn scenario_spellings_mean_what_they_say() {
        let machine = machine();
        let t2 = machine.sensor_named("t2").unwrap();
        let z2 = machine.zone_named("z2").unwrap();
        for (text, kind) in [
            ("sensor_open t2", FaultKind::SensorOpen(t2)),
            ("  rail_off   3 ", FaultKind::RailOff { percent: 3.0 }),
            ("heater_power z2 0.5", FaultKind::HeaterPower(z2, 0.5)),
        ] {
            assert_eq!(FaultKind::parse_on(text, &machine), Ok(kind));
        }
    }

    #[test]
    fn a_wrong_text_is_refused_with_what_belongs_there() {
        for (text, message) in [
            ("rail_of 3", "no fault is called \"rail_of\"; known are sensor_open, "),
            ("", "no fault is called \"\""),
            ("sensor_open", "sensor_open takes 1 argument(s), not 0"),
            ("adc_gone t2", "adc_gone takes 0 argument(s), not 1"),
            ("sensor_open z1", "sensor_open needs a sensor (t1, t2, t3, motor), not \"z1\""),
            ("ssr_stuck_on t2", "ssr_stuck_on needs a zone (z1, z2), not \"t2\""),
            ("heater_power z1", "heater_power takes 2 argument(s), not 1"),
            ("rail_off NaN", "rail_off needs a deviation in % between -50 and 50, not \"NaN\""),
            ("mains_voltage -10", "mains_voltage needs a voltage in % of nominal between 50"),
            ("mains_voltage 10", "mains_voltage needs a voltage in % of nominal between 50"),
        ] {
            let error = FaultKind::parse_on(text, &machine()).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text:?}: {error}");
        }
    }
}
