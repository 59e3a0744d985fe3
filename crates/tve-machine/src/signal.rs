//! The signals of the header and of the PWM board: one row each, read by all who wire them.
//!
//! *Signal*: what a header pin does. *Row*: what all signals of a kind have in common; a row with a
//! subject, such as `ssr_{zone}`, stands for one signal a zone. *Active*: the sense in which a
//! signal does something; whether that is a high or a low level is its polarity. *At rest*: not
//! active.

use crate::ids::{Motor, Zone};
use crate::name::Name;
use crate::per::{PerMotor, PerZone};

/// A panel lamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Lamp {
    /// Blinks with the state of the machine.
    Status,
    /// Alarm.
    Red,
    /// Heating.
    Yellow,
    /// All zones in band.
    Green,
}

impl Lamp {
    /// Every lamp.
    pub const ALL: [Self; 4] = [Self::Status, Self::Red, Self::Yellow, Self::Green];

    /// Its part of a name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Red => "red",
            Self::Yellow => "yellow",
            Self::Green => "green",
        }
    }
}

/// Who moves the level of a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mover {
    /// The control thread, each tick, as the outputs say.
    Tick,
    /// The pulse generator of a motor, between ticks.
    Pulses,
    /// The world: the pin is read.
    World,
}

/// A level of a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// 0 V.
    Low,
    /// 3.3 V.
    High,
}

/// Whose names stand in the signals of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Names {
    /// Zones, feed side first.
    pub zones: PerZone<Name>,
    /// Motors.
    pub motors: PerMotor<Name>,
}

impl Names {
    /// The zone with a name.
    pub fn zone(&self, name: &str) -> Option<Zone> {
        self.zones.entries().find(|(_, known)| **known == *name).map(|(zone, _)| zone)
    }

    /// The motor with a name.
    pub fn motor(&self, name: &str) -> Option<Motor> {
        self.motors.entries().find(|(_, known)| **known == *name).map(|(motor, _)| motor)
    }
}

/// The signals that a row stands for.
#[derive(Debug, Clone, Copy)]
pub enum Each<S> {
    /// Just one.
    One(S),
    /// One a zone.
    Zone(fn(Zone) -> S),
    /// One a motor.
    Motor(fn(Motor) -> S),
    /// One a lamp.
    Lamp(fn(Lamp) -> S),
}

/// `{zone}`, `{motor}` and `{lamp}` in the name of a row stand for the subject's name.
const fn subject<S>(each: &Each<S>) -> &'static str {
    match each {
        Each::One(_) => "",
        Each::Zone(_) => "{zone}",
        Each::Motor(_) => "{motor}",
        Each::Lamp(_) => "{lamp}",
    }
}

/// Every signal of a row with its name, on a machine of these names.
fn instances<S: Copy>(
    each: Each<S>,
    pattern: &'static str,
    names: &Names,
) -> impl Iterator<Item = (String, S)> + use<S> {
    let named = |name: &str| pattern.replace(subject(&each), name);
    match each {
        Each::One(signal) => vec![(pattern.to_owned(), signal)],
        Each::Zone(of) => {
            names.zones.entries().map(|(zone, name)| (named(name.as_str()), of(zone))).collect()
        }
        Each::Motor(of) => {
            names.motors.entries().map(|(motor, name)| (named(name.as_str()), of(motor))).collect()
        }
        Each::Lamp(of) => Lamp::ALL.map(|lamp| (named(lamp.name()), of(lamp))).into(),
    }
    .into_iter()
}

macro_rules! kind {
    ($table:ident :: $variant:ident) => {
        Each::One($table::$variant)
    };
    ($table:ident :: $variant:ident Zone) => {
        Each::Zone($table::$variant)
    };
    ($table:ident :: $variant:ident Motor) => {
        Each::Motor($table::$variant)
    };
    ($table:ident :: $variant:ident Lamp) => {
        Each::Lamp($table::$variant)
    };
}

macro_rules! table {
    (
        $(#[doc = $tdoc:literal])+
        pub enum $table:ident, $rows:ident : $row:ident;
        $(
            $(#[doc = $doc:literal])+
            $variant:ident $(($subject:ident))? = $pattern:literal $(, $key:ident: $value:expr)* ;
        )+
    ) => {
        $(#[doc = $tdoc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
        pub enum $table {
            $($(#[doc = $doc])+ $variant $(($subject))?,)+
        }

        #[doc = concat!("The rows of [`", stringify!($table), "`], in their order.")]
        pub const $rows: &[$row] = &[$(
            $row {
                each: kind!($table::$variant $($subject)?),
                pattern: $pattern,
                doc: concat!($($doc),+),
                $($key: $value,)*
            },
        )+];

        impl $table {
            /// What all signals of its kind have in common.
            pub const fn row(self) -> &'static $row {
                enum Place {
                    $($variant,)+
                }
                &$rows[match self {
                    $(Self::$variant { .. } => Place::$variant as usize,)+
                }]
            }

            /// Every signal of a machine with its name, in the order of the rows.
            pub fn all(names: &Names) -> impl Iterator<Item = (String, Self)> + use<'_> {
                $rows.iter().flat_map(|row| instances(row.each, row.pattern, names))
            }

            /// The signal with a name, on a machine of these names.
            pub fn from_name(name: &str, names: &Names) -> Option<Self> {
                Self::all(names).find(|(known, _)| known == name).map(|(_, signal)| signal)
            }
        }
    };
}

/// What all signals of a kind have in common.
#[derive(Debug, Clone, Copy)]
pub struct SignalRow {
    /// The signals.
    pub each: Each<Signal>,
    /// Name in `pins`, with `{zone}`, `{motor}` or `{lamp}` for the subject.
    pub pattern: &'static str,
    /// Who moves the pin.
    pub mover: Mover,
    /// The level while active.
    pub active: Level,
    /// What it does, as a sentence.
    pub doc: &'static str,
}

table! {
    /// What a header pin does. Outputs come first, in the order in which they are switched off:
    /// what cuts the most power goes first.
    pub enum Signal, SIGNALS: SignalRow;
    /// Output enable of the PWM board: while it is at rest the board drives nothing.
    PwmEnable = "pca_oe", mover: Mover::Tick, active: Level::Low;
    /// Main contactor.
    Contactor = "contactor", mover: Mover::Tick, active: Level::High;
    /// Solid-state relay of a zone's heater.
    Heater(Zone) = "ssr_{zone}", mover: Mover::Tick, active: Level::High;
    /// Enable of a motor's drive.
    Enable(Motor) = "en_{motor}", mover: Mover::Tick, active: Level::Low;
    /// Step pulses of a motor.
    Step(Motor) = "step_{motor}", mover: Mover::Pulses, active: Level::High;
    /// Direction of a motor; active is backwards.
    Direction(Motor) = "dir_{motor}", mover: Mover::Pulses, active: Level::High;
    /// Peltier of the feed throat.
    Peltier = "peltier", mover: Mover::Tick, active: Level::High;
    /// Cooler of a zone, a blower or a valve.
    Cooler(Zone) = "cooler_{zone}", mover: Mover::Tick, active: Level::High;
    /// Fan relay.
    Fan = "ssr_fan", mover: Mover::Tick, active: Level::High;
    /// Pump relay.
    Pump = "ssr_pump", mover: Mover::Tick, active: Level::High;
    /// Panel lamp.
    Lamp(Lamp) = "led_{lamp}", mover: Mover::Tick, active: Level::High;
    /// Emergency-stop loop; active is a closed contact.
    EmergencyStop = "btn_emergency", mover: Mover::World, active: Level::Low;
    /// Auxiliary contact of the main contactor; active is a closed contact.
    ContactorFeedback = "contactor_feedback", mover: Mover::World, active: Level::Low;
    /// Start button.
    Start = "btn_start", mover: Mover::World, active: Level::Low;
    /// Stop button.
    Stop = "btn_stop", mover: Mover::World, active: Level::Low;
    /// Fault output of a motor's drive, an open collector.
    DriveAlarm(Motor) = "alm_{motor}", mover: Mover::World, active: Level::Low;
}

impl Signal {
    /// Whether the pin is read.
    pub const fn is_input(self) -> bool {
        match self.row().mover {
            Mover::World => true,
            Mover::Tick | Mover::Pulses => false,
        }
    }

    /// The level, `true` for high, of a signal that is to be active or not; of an input, the level
    /// that it reads.
    pub const fn level(self, active: bool) -> bool {
        match self.row().active {
            Level::High => active,
            Level::Low => !active,
        }
    }

    /// The level while the machine is off, `true` for high.
    pub const fn at_rest(self) -> bool {
        self.level(false)
    }

    /// Whether a controller of two zones and two motors knew it: these are shown and saved even
    /// when no pin serves them, as they always were.
    pub fn is_classic(self) -> bool {
        match self {
            Self::Cooler(_) | Self::ContactorFeedback => false,
            Self::DriveAlarm(motor) => motor.index() == 0,
            Self::PwmEnable
            | Self::Contactor
            | Self::Heater(_)
            | Self::Enable(_)
            | Self::Step(_)
            | Self::Direction(_)
            | Self::Peltier
            | Self::Fan
            | Self::Pump
            | Self::Lamp(_)
            | Self::EmergencyStop
            | Self::Start
            | Self::Stop => true,
        }
    }
}

/// What all named outputs of the PWM board of a kind have in common.
#[derive(Debug, Clone, Copy)]
pub struct PwmRow {
    /// The outputs.
    pub each: Each<PwmOutput>,
    /// Name in `pwm.channels`, with `{zone}` or `{lamp}` for the subject.
    pub pattern: &'static str,
    /// What it does, as a sentence.
    pub doc: &'static str,
}

table! {
    /// What a channel of the PWM board does for the controller; channels of other names are free.
    pub enum PwmOutput, PWM_OUTPUTS: PwmRow;
    /// Fan.
    Fan = "fan";
    /// Pump.
    Pump = "pump";
    /// Peltier of the feed throat.
    Peltier = "peltier";
    /// Heater of a zone, in whole slots.
    Heater(Zone) = "{zone}";
    /// Cooler of a zone.
    Cooler(Zone) = "cooler_{zone}";
    /// Panel lamp.
    Lamp(Lamp) = "led_{lamp}";
}

impl PwmOutput {
    /// Whether it can heat, or cool the throat: what must be off when a machine is made safe.
    pub const fn has_power(self) -> bool {
        match self {
            Self::Heater(_) | Self::Peltier => true,
            Self::Fan | Self::Pump | Self::Cooler(_) | Self::Lamp(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let name = |text: &str| Name::new(text).unwrap();
        Names {
            zones: PerZone::from_fn(2, |z| name(["z1", "die"][z.index()])),
            motors: PerMotor::from_fn(2, |m| name(["main", "puller"][m.index()])),
        }
    }

    #[test]
    fn a_name_is_found_again_and_means_one_signal() {
        let all: Vec<_> = Signal::all(&names()).collect();
        for (name, signal) in &all {
            assert_eq!(Signal::from_name(name, &names()), Some(*signal), "{name}");
            assert_eq!(all.iter().filter(|(other, _)| other == name).count(), 1, "{name}");
        }
        assert_eq!(Signal::from_name("ssr_die", &names()), Some(Signal::Heater(Zone::at(1))));
        assert_eq!(Signal::from_name("ssr_z2", &names()), None);
        assert_eq!(PwmOutput::from_name("die", &names()), Some(PwmOutput::Heater(Zone::at(1))));
    }

    #[test]
    fn each_signal_has_the_row_that_made_it() {
        for row in SIGNALS {
            let mut made = instances(row.each, row.pattern, &names());
            assert!(made.all(|(_, signal)| signal.row().pattern == row.pattern), "{}", row.pattern);
        }
    }

    #[test]
    fn what_cuts_the_most_power_is_switched_off_first_and_inputs_come_last() {
        let order: Vec<Signal> = Signal::all(&names()).map(|(_, signal)| signal).collect();
        assert_eq!(order[..3], [Signal::PwmEnable, Signal::Contactor, Signal::Heater(Zone::at(0))]);
        let first_input = order.iter().position(|signal| signal.is_input()).unwrap();
        assert!(order[first_input..].iter().all(|signal| signal.is_input()));
    }

    #[test]
    fn only_enables_rest_high_among_the_outputs() {
        for (name, signal) in Signal::all(&names()).filter(|(_, signal)| !signal.is_input()) {
            let expected = matches!(signal, Signal::Enable(_) | Signal::PwmEnable);
            assert_eq!(signal.at_rest(), expected, "{name}");
        }
    }
}
