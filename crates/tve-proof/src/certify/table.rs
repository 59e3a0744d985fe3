//! A row of the fault table: what breaks, where it can, what must follow and how soon.
//!
//! *Cause instant*: the first sample or input that shows the fault; bounds count from it.

use super::states::State;
use tve_config::MachineConfig;
use tve_control::{AlarmCode as A, Reaction};
use tve_hal::{Sensor, Zone};
use tve_sim::FaultKind as F;

/// What happens to the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Stimulus {
    /// Something breaks and stays broken.
    Breaks(F),
    /// Something breaks for this many milliseconds.
    BreaksFor(F, u64),
    /// Something breaks, and the operator asks for this target in every zone, °C.
    BreaksThenTarget(F, f64),
    /// Something breaks under this manual duty in every zone, %.
    BreaksThenDuty(F, f64),
    /// The barrel is driven to a temperature from outside, °C, as fast as a sensor may follow.
    Barrel(f64),
    /// The heaters are switched off, and the barrel is driven to a temperature from outside, °C, as
    /// fast as metal cools.
    BarrelUnheated(f64),
    /// The same, while the screw turns by a counted move that does not end by itself.
    BarrelUnheatedJogging(f64),
    /// A command without a value.
    Command(&'static str),
    /// The control loop stands still for this many milliseconds.
    Stall(u64),
    /// The process dies; something was energised at its last record.
    KilledEnergised,
    /// The process dies with everything off.
    KilledIdle,
    /// The process restarts on a configuration that is refused.
    BadConfiguration,
    /// The recorder reports that it cannot write.
    DiskFails,
    /// The recorder reports too little space.
    DiskFull,
    /// Nothing happens; time passes.
    Nothing,
}

/// Where the cause instant comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Source {
    /// The moment of the event itself.
    Event,
    /// The first sample of a sensor after the event.
    Sample(Sensor),
    /// The first sample of a thermocouple whose converter says that its wires are at fault: it tests
    /// them only now and then.
    Wires(Sensor),
    /// The last sample before the zone sensors went silent, of the one that was sampled earlier.
    LastSample,
    /// The first of an unbroken run of samples of a sensor above a temperature, °C.
    Above(Sensor, f64),
    /// The first of an unbroken run of samples of a sensor below a temperature, °C.
    Below(Sensor, f64),
    /// The first look at the emergency-stop contact that shows it.
    Contact,
    /// The first look at the drive's alarm input that shows it.
    DriveInput,
    /// The first read-back of a PWM register that differs.
    ReadBack,
    /// The sample at which a healthy twin of the sensor has moved by 10 LSB since the event.
    TwinMoved(Sensor),
    /// The first tick in which a heater conducts.
    FirstHeat,
}

impl Source {
    /// In words, for reports about `machine`.
    pub fn text(self, machine: &MachineConfig) -> String {
        let name = |sensor: Sensor| machine.sensors[sensor].name;
        match self {
            Self::Event => "the event".to_owned(),
            Self::Sample(s) | Self::Wires(s) => {
                format!("first sample of {} that shows it", name(s))
            }
            Self::LastSample => "last sample of a zone sensor".to_owned(),
            Self::Above(s, t) => format!("first sample of {} above {t} °C", name(s)),
            Self::Below(s, t) => format!("first sample of {} below {t} °C", name(s)),
            Self::Contact => "first look at the open contact".to_owned(),
            Self::DriveInput => "first look at the drive's input".to_owned(),
            Self::ReadBack => "first read-back that differs".to_owned(),
            Self::TwinMoved(s) => format!("a healthy {} has moved by 10 LSB", name(s)),
            Self::FirstHeat => "first conducting tick of a heater".to_owned(),
        }
    }
}

/// What must follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expected {
    /// One of these alarms within the row's bound, with the reaction of its table row.
    Alarm(&'static [A]),
    /// No alarm at all.
    Nothing,
}

impl Expected {
    /// In words, for reports.
    pub fn text(self) -> String {
        match self {
            Self::Nothing => "no alarm".to_owned(),
            Self::Alarm(codes) => {
                let names: Vec<&str> = codes.iter().map(|c| c.name()).collect();
                let reaction = codes.first().map_or(Reaction::Note, |c| c.row().reaction);
                format!("{}, {}", names.join(" or "), reaction.name())
            }
        }
    }
}

/// How much time the reaction may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// As long as the alarm's own row says: the longest of those that may follow.
    Own,
    /// Less, or more, than that by so much, s, and why.
    Shifted(f64, &'static str),
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What the rows of one fault have in common, such as `open` of `open-t2`.
    pub family: &'static str,
    /// Short name.
    pub id: String,
    /// The fault in words.
    pub fault: String,
    /// Where it can strike.
    pub states: &'static [State],
    /// What must follow.
    pub expected: Expected,
    /// The zone that the alarm must be about.
    pub zone: Option<Zone>,
    /// From the cause instant to the reaction; 20 ms of polling come on top.
    pub bound: Bound,
    /// Where the cause instant comes from.
    pub source: Source,
    /// The case is given up this long after the event, s: the bound and the time that the cause
    /// may need to show.
    pub(crate) watch_s: f64,
    pub(crate) stimulus: Stimulus,
}

impl Row {
    /// From the cause instant to the reaction, s, without the 20 ms of polling; `None` where nothing
    /// has to follow.
    pub fn bound_s(&self) -> Option<f64> {
        let Expected::Alarm(codes) = self.expected else {
            return None;
        };
        let own = codes.iter().map(|code| code.row().within_s).fold(0.0, f64::max);
        Some(match self.bound {
            Bound::Own => own,
            Bound::Shifted(by, _) => own + by,
        })
    }
}
