//! The table of tags itself: one row a tag. What a row lacks does not compile.
//!
//! Run files and the page of figures follow the order of the rows.

use crate::row::{
    At, Channel, Decimals, DropIn, Form, Kept, Metric, PWM_CHANNELS, Place, RunColumn, Shape,
    Subject, Unit, Value,
};
use tve_control::{AlarmCode as Alarm, Mode, Status, TuneStatus};
use tve_machine::{MAX_MOTORS, MAX_SENSORS, MAX_ZONES, Motor, Sensor, Zone};
use tve_units::{Celsius, Duty, Rpm};

/// The tags that a row stands for.
#[derive(Debug, Clone, Copy)]
pub enum Each {
    /// Just one.
    Machine(Tag),
    /// One a zone.
    Zone(fn(Zone) -> Tag),
    /// One a sensor.
    Sensor(fn(Sensor) -> Tag),
    /// One a motor.
    Motor(fn(Motor) -> Tag),
    /// One a named channel of the PWM board.
    Channel(fn(Channel) -> Tag),
    /// One an alarm of the table of alarms.
    Alarm(fn(Alarm) -> Tag),
}

impl Each {
    /// The word for what there is one of.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Machine(_) => "machine",
            Self::Zone(_) => "zone",
            Self::Sensor(_) => "sensor",
            Self::Motor(_) => "motor",
            Self::Channel(_) => "PWM channel",
            Self::Alarm(_) => "alarm",
        }
    }

    /// Most tags that the row can stand for.
    const fn most(&self) -> usize {
        match self {
            Self::Machine(_) => 1,
            Self::Zone(_) => MAX_ZONES,
            Self::Sensor(_) => MAX_SENSORS,
            Self::Motor(_) => MAX_MOTORS,
            Self::Channel(_) => PWM_CHANNELS,
            Self::Alarm(_) => Alarm::ALL.len(),
        }
    }
}

/// What all tags of a kind have in common.
#[derive(Debug, Clone, Copy)]
pub struct TagRow {
    /// The tags.
    pub each: Each,
    /// Id, with the subject's name in braces.
    pub pattern: &'static str,
    /// What it says, as a sentence.
    pub doc: &'static str,
    /// Its values.
    pub shape: Shape,
    /// Where clients of the original find it.
    pub drop_in: DropIn,
}

macro_rules! each {
    ($variant:ident) => {
        Each::Machine(Tag::$variant)
    };
    ($variant:ident $subject:ident) => {
        Each::$subject(Tag::$variant)
    };
}

macro_rules! subject {
    () => {
        Subject::Machine
    };
    ($subject:ident $id:ident) => {
        Subject::$subject($id)
    };
}

macro_rules! tags {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident $(($id:ident: $subject:ident))? = $pattern:literal, $shape:expr,
        read: $read:expr, $drop_in:expr;
    )+) => {
        /// Something that can be observed of a machine.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Tag {
            $($(#[doc = $doc])+ $variant $(($subject))?,)+
        }

        /// Every row, in the order of the columns of a run file.
        pub const TAGS: &[TagRow] = &[$(
            TagRow {
                each: each!($variant $($subject)?),
                pattern: $pattern,
                doc: concat!($($doc),+),
                shape: $shape,
                drop_in: $drop_in,
            },
        )+];

        impl Tag {
            /// What all tags of its kind have in common.
            pub const fn row(self) -> &'static TagRow {
                enum Row {
                    $($variant,)+
                }
                &TAGS[match self {
                    $(Self::$variant { .. } => Row::$variant as usize,)+
                }]
            }

            /// What it is about.
            pub const fn subject(self) -> Subject {
                match self {
                    $(Self::$variant $(($id))? => subject!($($subject $id)?),)+
                }
            }

            /// What it says.
            #[inline]
            pub fn read(self, at: &At<'_>) -> Value {
                match self {
                    $(Self::$variant $(($id))? => {
                        let read: fn(&At<'_> $(, $subject)?) -> Value = $read;
                        read(at $(, $id)?)
                    })+
                }
            }
        }
    };
}

/// A temperature that one sensor measures.
const TEMPERATURE: Shape =
    Shape::Number { unit: Unit::Celsius, min: Celsius::MIN, max: Celsius::MAX, resolution: 0.01 };
const TARGET: Shape =
    Shape::Number { unit: Unit::Celsius, min: 0.0, max: Celsius::MAX, resolution: 0.1 };
const DUTY: Shape =
    Shape::Number { unit: Unit::Percent, min: Duty::MIN, max: Duty::MAX, resolution: 0.01 };
const SPEED: Shape =
    Shape::Number { unit: Unit::Rpm, min: Rpm::MIN, max: Rpm::MAX, resolution: 0.01 };
/// As SET_FILL_TARGET takes it.
const LEVEL: Shape =
    Shape::Number { unit: Unit::Centimetres, min: 0.0, max: 1000.0, resolution: 0.1 };

const STATUSES: &[&str] = &{
    let mut names = [""; Status::ALL.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = Status::ALL[i].name();
        i += 1;
    }
    names
};
const MODES: &[&str] = &[Mode::Auto.name(), Mode::Manual.name()];
const TUNES: &[&str] = &[
    TuneStatus::Idle.name(),
    TuneStatus::Starting.name(),
    TuneStatus::Heating.name(),
    TuneStatus::Cooling.name(),
    TuneStatus::Done.name(),
    TuneStatus::Failed.name(),
];

const NONE: DropIn = DropIn::NONE;
const BIT: Option<Kept> = Some(Kept { form: Form::Bit, column: None });

const fn kept(form: Form, header: &'static str, decimals: Decimals) -> Kept {
    Kept { form, column: Some(RunColumn { header, original: &[], decimals }) }
}

tags! {
    /// What the machine is doing: 1 for the present state.
    Status = "machine.status", Shape::Name(STATUSES),
        read: |at| Value::Name(at.snapshot.status.name()),
        DropIn {
            wire: &[(Place::Fields, "status")],
            metric: Some(Metric::Names("system_state_enum")),
            ..NONE
        };
    /// Who decides the heater duty.
    Mode = "machine.mode", Shape::Name(MODES),
        read: |at| Value::Name(at.snapshot.mode.name()),
        DropIn { wire: &[(Place::Fields, "mode")], ..NONE };
    /// Whether anything that can heat or move is on, or will be by a standing setpoint.
    Energised = "machine.energised", Shape::Switch,
        read: |at| Value::Switch(at.snapshot.energised),
        NONE;
    /// Whether the screw may turn.
    ScrewPermitted = "machine.screw_permitted", Shape::Switch,
        read: |at| Value::Switch(at.snapshot.permissives.granted()),
        NONE;
    /// Ticks of the controller since it started.
    Ticks = "machine.ticks", Shape::Counter,
        read: |at| Value::Counter(at.snapshot.tick),
        NONE;
    /// Changes of the configuration since the controller started.
    ConfigRevision = "machine.config_revision", Shape::Counter,
        read: |at| Value::Counter(at.snapshot.config_revision),
        NONE;
    /// Published temperature; absent while its sensor is bad.
    SensorTemperature(sensor: Sensor) = "sensor.{sensor}.temperature", TEMPERATURE,
        read: temperature,
        DropIn {
            wire: &[(Place::Temps, "{sensor}")],
            metric: Some(Metric::Value("tve_temperature_celsius")),
            kept: Some(Kept {
                form: Form::Single,
                column: Some(RunColumn {
                    header: "T_{Sensor}",
                    original: &["T1_Feed", "T2_Mid", "T3_Nozzle", "T_Motor"],
                    decimals: Decimals::OfSensor,
                }),
            }),
        };
    /// Whether the newest reading of the sensor can be used.
    SensorGood(sensor: Sensor) = "sensor.{sensor}.good", Shape::Switch,
        read: |at, sensor| {
            Value::Switch(at.snapshot.readings.get(sensor).is_some_and(|r| r.value().is_some()))
        },
        DropIn { metric: Some(Metric::Value("tve_sensor_good")), ..NONE };
    /// Published temperature of the zone's sensor; absent while it is bad.
    ZoneTemperature(zone: Zone) = "zone.{zone}.temperature", TEMPERATURE,
        read: |at, zone| match at.machine.zones.get(zone) {
            Some(own) => temperature(at, own.sensor),
            None => Value::Number(None),
        },
        NONE;
    /// Target of a zone, 0 is off.
    ZoneTarget(zone: Zone) = "zone.{zone}.target", TARGET,
        read: |at, zone| Value::Number(at.snapshot.targets.get(zone).map(|t| t.get())),
        DropIn {
            wire: &[(Place::Targets, "target_{zone}")],
            metric: Some(Metric::Value("tve_target_celsius")),
            kept: Some(kept(Form::Single, "Target_{ZONE}", Decimals::Fixed(1))),
        };
    /// Duty in force.
    ZoneDuty(zone: Zone) = "zone.{zone}.duty", DUTY,
        read: |at, zone| Value::Number(at.snapshot.heater_duty.get(zone).map(|d| d.get())),
        DropIn {
            wire: &[(Place::HeaterDuties, "heater_duty_{zone}"), (Place::Pwm, "{zone}")],
            metric: Some(Metric::Value("tve_heater_duty_percent")),
            kept: Some(kept(Form::Hundredths, "Pwr_{ZONE}_%", Decimals::Fixed(1))),
        };
    /// Duty of the zone in MANUAL.
    ZoneManualDuty(zone: Zone) = "zone.{zone}.manual_duty", DUTY,
        read: |at, zone| Value::Number(at.snapshot.manual_duty.get(zone).map(|d| d.get())),
        DropIn { wire: &[(Place::ManualDuties, "manual_duty_{zone}")], ..NONE };
    /// Peltier of the feed throat.
    PeltierDuty = "peltier.duty", DUTY,
        read: |at| Value::Number(Some(at.snapshot.peltier.get())),
        DropIn {
            wire: &[(Place::Fields, "peltier_duty")],
            metric: Some(Metric::Value("tve_peltier_duty_percent")),
            ..NONE
        };
    /// Speed as set.
    MotorSetpoint(motor: Motor) = "motor.{motor}.setpoint", SPEED,
        read: |at, motor| Value::Number(at.snapshot.motors.get(motor).map(|r| r.get())),
        DropIn {
            wire: &[(Place::Motors, "{motor}")],
            metric: Some(Metric::Value("tve_motor_setpoint_rpm")),
            kept: Some(kept(Form::Single, "RPM_{Motor}", Decimals::Shortest)),
        };
    /// Speed that the ramp has reached.
    MotorSpeed(motor: Motor) = "motor.{motor}.speed", SPEED,
        read: |at, motor| Value::Number(at.snapshot.motors_actual.get(motor).map(|r| r.get())),
        DropIn {
            wire: &[(Place::MotorsActual, "{motor}")],
            metric: Some(Metric::Value("tve_motor_actual_rpm")),
            ..NONE
        };
    /// Whether the setpoint of a feeder waits for a screw that turns.
    MotorHeld(motor: Motor) = "motor.{motor}.held", Shape::Switch,
        read: |at, motor| Value::Switch(at.snapshot.held.get(motor).is_some_and(|held| *held)),
        DropIn { wire: &[(Place::MotorsHeld, "{motor}")], ..NONE };
    /// Whether a counted move is under way.
    MotorJogging(motor: Motor) = "motor.{motor}.jogging", Shape::Switch,
        read: |at, motor| Value::Switch(at.snapshot.jogging.get(motor).is_some_and(|on| *on)),
        NONE;
    /// Cooling fan.
    Fan = "relay.fan", Shape::Switch,
        read: |at| Value::Switch(at.snapshot.relays[0]),
        DropIn { wire: &[(Place::Relays, "fan")], kept: BIT, ..NONE };
    /// Pump.
    Pump = "relay.pump", Shape::Switch,
        read: |at| Value::Switch(at.snapshot.relays[1]),
        DropIn { wire: &[(Place::Relays, "pump")], kept: BIT, ..NONE };
    /// Whether the heater of the zone conducts.
    ZoneHeaterOn(zone: Zone) = "zone.{zone}.heater_on", Shape::Switch,
        read: |at, zone| Value::Switch(at.snapshot.heater_on.get(zone).is_some_and(|on| *on)),
        DropIn { wire: &[(Place::Relays, "ssr_{zone}")], kept: BIT, ..NONE };
    /// Duty of a channel of the PWM board.
    PwmDuty(channel: Channel) = "pwm.{channel}.duty", DUTY,
        read: |at, channel| {
            Value::Number(at.snapshot.pwm.get(usize::from(channel.0)).map(|d| d.get()))
        },
        DropIn {
            wire: &[(Place::Pwm, "{channel}")],
            kept: Some(Kept { form: Form::Halves, column: None }),
            ..NONE
        };
    /// Level of the hopper; absent without a level sensor.
    HopperLevel = "level.hopper", LEVEL,
        read: |at| Value::Number(at.snapshot.fill_level),
        DropIn { wire: &[(Place::Fields, "fill_level")], ..NONE };
    /// Wanted level of the hopper; absent without a level sensor.
    HopperTarget = "level.hopper_target", LEVEL,
        read: |at| {
            Value::Number(at.snapshot.fill_level.map(|_| at.snapshot.target_fill_level))
        },
        DropIn { wire: &[(Place::Fields, "target_fill_level")], ..NONE };
    /// Where an autotune stands.
    TuneStatus = "tune.status", Shape::Name(TUNES),
        read: |at| Value::Name(at.snapshot.tune.status.name()),
        DropIn { wire: &[(Place::Fields, "autotune_status")], ..NONE };
    /// How many alarms are in force.
    Alarms = "alarm.count", Shape::Number {
            unit: Unit::Count,
            min: 0.0,
            max: tve_control::MAX_ACTIVE_ALARMS as f64,
            resolution: 1.0,
        },
        read: |at| Value::Number(Some(at.snapshot.alarms.len() as f64)),
        NONE;
    /// Whether an alarm of that type and reaction is in force.
    AlarmActive(alarm: Alarm) = "alarm.{alarm}.active", Shape::Switch,
        read: |at, alarm| Value::Switch(at.snapshot.alarms.iter().any(|a| a.code == alarm)),
        DropIn { metric: Some(Metric::Value("tve_alarm_active")), ..NONE };
}

#[inline]
fn temperature(at: &At<'_>, sensor: Sensor) -> Value {
    Value::Number(at.snapshot.temps.get(sensor).copied().flatten().map(Celsius::get))
}

/// Most values that the recorder keeps of any machine.
pub const MAX_KEPT: usize = {
    let mut most = 0;
    let mut row = 0;
    while row < TAGS.len() {
        if TAGS[row].drop_in.kept.is_some() {
            most += TAGS[row].each.most();
        }
        row += 1;
    }
    most
};
