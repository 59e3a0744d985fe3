//! The alarms as data: what a row of the table says, the table, and what is kept of a raised one.
//!
//! *Trip*: the machine (or one zone) goes to its safe state at once and stays there until the
//! alarm is cleared. *Latch*: an alarm stays after its cause is gone. *First-out*: the order of the
//! active alarms is the order in which they were raised.

mod docs;
mod heat_fault;
mod record;
mod table;

pub use docs::alarms_markdown;
pub(crate) use heat_fault::HeatFault;
pub use record::{About, AlarmEvent, AlarmRecord, Cause, RestoredAlarm, Subject, UnreadName};
pub use table::AlarmCode;

/// How loudly an alarm speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Production may suffer.
    Warning,
    /// Someone must act.
    Critical,
}

impl Severity {
    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
        }
    }
}

/// What the machine does when an alarm is raised, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reaction {
    /// Nothing stops.
    Note,
    /// Feed to zero, then the screw, within 2 s; heat goes on.
    Stop,
    /// One zone's heater off, motors as [`Reaction::Stop`]; the other zone holds.
    ZoneTrip,
    /// Every heater, pulse, drive and the Peltier off at once.
    Trip,
}

impl Reaction {
    /// Name in reports and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "NOTE",
            Self::Stop => "STOP",
            Self::ZoneTrip => "ZONE TRIP",
            Self::Trip => "TRIP",
        }
    }
}

/// What there can be one active alarm of a code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The machine as a whole.
    Machine,
    /// Each zone.
    Zone,
    /// Each motor.
    Motor,
}

impl Scope {
    /// Name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Zone => "zone",
            Self::Motor => "motor",
        }
    }
}

/// When CLEAR_ALARM may take an alarm away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearRule {
    /// As soon as the controller no longer sees this.
    While(Evidence),
    /// Always: it reports an event that is over, or something that stops nothing.
    Always,
    /// After somebody has acknowledged it.
    Acknowledged,
    /// The same, and until then it stays without standing in the way of CLEAR_ALARM: it stops nothing.
    Seen,
    /// Not by CLEAR_ALARM: by RELEASE_ZONE of an engineer.
    Released,
    /// Never by command: a new configuration and a restart are needed.
    Never,
}

/// What the controller looks at to see whether the cause of an alarm still stands. *Zone* means the
/// zone that the alarm is about, or any where it is about none; *motor* likewise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The emergency-stop contact asks for a stop.
    EstopContact,
    /// The sensor of the zone gives no temperature, and that is a fault.
    ZoneSensorBad,
    /// No fresh word from the sensor of some zone.
    ZoneSensorSilent,
    /// The zone reads above `safety.over_temperature`, or its sensor is bad.
    ZoneTooHot,
    /// The zone reads below `safety.under_temperature`, is at the cold end of its divider, or its
    /// sensor is bad. Whether it is heated does not count: the trip has ended that.
    ZoneTooCold,
    /// The zone goes on rising, or nobody can see whether it does.
    ZoneRises,
    /// The motor reads above `safety.motor_max`, or its sensor is bad.
    MotorTooHot,
    /// The sensor of the motor is bad.
    MotorSensorBad,
    /// The feed throat reads above `safety.feed_throat_max`, or its sensor is bad.
    ThroatTooHot,
    /// The sensor of the feed throat is bad.
    ThroatSensorBad,
    /// Nobody has released the motors at the panel that its stop button has locked.
    LockedAtPanel,
    /// The auxiliary contact of the main contactor reads closed, though it is held open.
    ContactorCloses,
    /// The alarm input of a stepper drive.
    DriveInput,
    /// A PWM register differs from what was written.
    PwmReadBack,
    /// The configuration says of the sensor of the zone what cannot be.
    SensorDoubted,
    /// A setting of `safety` takes away what it is there for.
    SafetyWeak,
    /// The recorder says that it cannot write.
    RecorderFails,
    /// The recorder says that space is short.
    DiskLow,
}

impl Evidence {
    /// What must be gone, in words, for documents.
    pub const fn text(self) -> &'static str {
        match self {
            Self::EstopContact => "the emergency-stop contact is released",
            Self::ZoneSensorBad => "the sensor of the zone reads again",
            Self::ZoneSensorSilent => "every zone sensor gives fresh samples again",
            Self::ZoneTooHot => "the zone reads at most `safety.over_temperature`",
            Self::ZoneTooCold => "the zone reads at least `safety.under_temperature`",
            Self::ZoneRises => "the zone is seen to rise no more",
            Self::MotorTooHot => "the motor reads at most `safety.motor_max`",
            Self::MotorSensorBad => "the sensor of the motor reads again",
            Self::ThroatTooHot => "the feed throat reads at most `safety.feed_throat_max`",
            Self::ThroatSensorBad => "the sensor of the feed throat reads again",
            Self::LockedAtPanel => "the start button of the panel has been pressed",
            Self::ContactorCloses => "the auxiliary contact of the contactor reads open",
            Self::DriveInput => "the drive reports no fault",
            Self::PwmReadBack => "the PWM registers hold what was written",
            Self::SensorDoubted => "the sensor of the zone is set up as one that can be",
            Self::SafetyWeak => "no setting of `safety` is weak",
            Self::RecorderFails => "the recorder writes again",
            Self::DiskLow => "the disk has `logging.min_free_mb` again",
        }
    }
}

impl ClearRule {
    /// When CLEAR_ALARM takes the alarm away, in words, for documents.
    pub const fn text(self) -> &'static str {
        match self {
            Self::While(evidence) => evidence.text(),
            Self::Always => "always",
            Self::Acknowledged | Self::Seen => "somebody has acknowledged it",
            Self::Released => "an engineer has released the zone (RELEASE_ZONE)",
            Self::Never => "never: only by a new start",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlarmRow {
    /// The code.
    pub code: AlarmCode,
    /// Its name on the wire (`type`).
    pub name: &'static str,
    /// What the machine does.
    pub reaction: Reaction,
    /// What there can be one of it for.
    pub scope: Scope,
    /// When it may be cleared.
    pub clear: ClearRule,
    /// Longest time from the first sample that shows the cause to the reaction, in seconds, as a
    /// limit of the certificate; 20 ms of polling come on top. Zero where the configuration sets it.
    pub within_s: f64,
    /// The cause in a sentence, for documents.
    pub cause: &'static str,
    /// What a message says where the numbers of the cause do not say it.
    pub headline: &'static str,
    /// What a person should do.
    pub remedy: &'static str,
}

impl AlarmRow {
    /// Severity follows from the reaction.
    pub const fn severity(&self) -> Severity {
        match self.reaction {
            Reaction::Trip | Reaction::ZoneTrip => Severity::Critical,
            Reaction::Stop | Reaction::Note => Severity::Warning,
        }
    }
}

impl AlarmCode {
    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The code of a name from the journal (the milder one where two share a name).
    pub fn from_name(name: &str, reaction: Reaction) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.name() == name && c.row().reaction == reaction)
    }
}
