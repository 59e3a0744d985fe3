//! The machine as published each tick: one plain value, copied without allocation.

use crate::alarm::{AlarmRecord, Reaction};
use crate::command::Mode;
use crate::permissives::Permissives;
use crate::tune::TuneView;
use tve_config::MachineConfig;
use tve_hal::{PWM_CHANNELS, PerMotor, PerSensor, PerZone, Pull, Reading};
use tve_units::{Bcm, Celsius, Duty, Micros, Rpm, WallMillis};

/// Most alarms that can be active at once: each code is active at most once for each thing of its
/// [`Scope`](crate::Scope), and a dozen of them is about zones.
pub const MAX_ACTIVE_ALARMS: usize = 144;

/// What the machine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Nothing moves.
    #[default]
    Ready,
    /// The start sequence runs.
    Starting,
    /// A motor turns.
    Running,
    /// The stop sequence runs.
    Stopping,
    /// A trip or stop alarm is latched.
    Alarm,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] =
        [Self::Ready, Self::Starting, Self::Running, Self::Stopping, Self::Alarm];

    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::Alarm => "ALARM",
        }
    }
}

/// The active alarms, first-out order, in place.
#[derive(Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct ActiveAlarms {
    #[cfg_attr(feature = "state", serde(with = "crate::array_state"))]
    slots: [Option<AlarmRecord>; MAX_ACTIVE_ALARMS],
    len: usize,
}

impl Default for ActiveAlarms {
    fn default() -> Self {
        Self { slots: [None; MAX_ACTIVE_ALARMS], len: 0 }
    }
}

impl core::fmt::Debug for ActiveAlarms {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for ActiveAlarms {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl ActiveAlarms {
    /// In the order of raising.
    pub fn iter(&self) -> impl Iterator<Item = &AlarmRecord> {
        self.slots[..self.len].iter().flatten()
    }

    /// Takes over those of another list; what stays empty is not looked at.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        let used = self.len.max(other.len);
        self.slots[..used].copy_from_slice(&other.slots[..used]);
        self.len = other.len;
    }

    /// For marking as acknowledged.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut AlarmRecord> {
        self.slots[..self.len].iter_mut().flatten()
    }

    /// How many are active.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The harshest reaction among them.
    pub fn worst(&self) -> Option<Reaction> {
        self.iter().map(|a| a.code.row().reaction).max()
    }

    /// Adds one; `false` when the table is full (every code is then active already).
    pub(crate) fn push(&mut self, record: AlarmRecord) -> bool {
        let Some(slot) = self.slots.get_mut(self.len) else {
            return false;
        };
        *slot = Some(record);
        self.len += 1;
        true
    }

    /// Keeps those for which `keep` holds, in order.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&AlarmRecord) -> bool) {
        let mut kept = 0;
        for i in 0..self.len {
            if let Some(record) = self.slots[i].take()
                && keep(&record)
            {
                self.slots[kept] = Some(record);
                kept += 1;
            }
        }
        self.len = kept;
    }
}

/// A header pin as shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PinView {
    /// `true` for an output.
    pub output: bool,
    /// `true` for high.
    pub high: bool,
    /// Pull resistor of an input.
    pub pull: Pull,
}

/// The whole machine at one tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Snapshot {
    /// Monotonic time of the tick.
    pub now: Micros,
    /// Wall-clock label of the tick.
    pub wall: WallMillis,
    /// Ticks since start.
    pub tick: u64,
    /// What the machine is doing.
    pub status: Status,
    /// Who decides the duty.
    pub mode: Mode,
    /// Raw judgement by sensor.
    pub readings: PerSensor<Reading>,
    /// Published temperatures by sensor, averaged and rounded as `temp_settings` says.
    pub temps: PerSensor<Option<Celsius>>,
    /// Monotonic time of the newest sample.
    pub temps_at: Micros,
    /// Targets by zone, °C; zero is off.
    pub targets: PerZone<Celsius>,
    /// Manual duties by zone.
    pub manual_duty: PerZone<Duty>,
    /// Duties in force by zone.
    pub heater_duty: PerZone<Duty>,
    /// Heater conducting during this tick, by zone.
    pub heater_on: PerZone<bool>,
    /// Setpoints by motor.
    pub motors: PerMotor<Rpm>,
    /// Commanded speed of the ramp by motor.
    pub motors_actual: PerMotor<Rpm>,
    /// Setpoints that wait for the screw to turn, by motor.
    pub held: PerMotor<bool>,
    /// Fan, pump.
    pub relays: [bool; 2],
    /// Duty by PWM channel.
    pub pwm: [Duty; PWM_CHANNELS],
    /// Peltier.
    pub peltier: Duty,
    /// Hopper level, cm.
    pub fill_level: Option<f64>,
    /// Wanted hopper level, cm.
    pub target_fill_level: f64,
    /// Wall-clock start of the running sequence.
    pub sequence_started: Option<WallMillis>,
    /// Autotune.
    pub tune: TuneView,
    /// Active alarms.
    pub alarms: ActiveAlarms,
    /// Counted moves under way, by motor.
    pub jogging: PerMotor<bool>,
    /// Conditions for the screw.
    pub permissives: Permissives,
    /// Header pins.
    pub pins: [PinView; Bcm::COUNT],
    /// The stop button of the panel is pressed.
    pub stop_pressed: bool,
    /// Anything that can heat or move is on, or will be by a standing setpoint.
    pub energised: bool,
    /// Grows with every change of the configuration.
    pub config_revision: u64,
}

impl Default for Snapshot {
    /// Of a machine of nothing.
    fn default() -> Self {
        Self::unread(0, 0, 0)
    }
}

impl Snapshot {
    /// Everything off and nothing known, on the machine of `config`.
    pub fn of(config: &MachineConfig) -> Self {
        Self::unread(config.zones.len(), config.motors.len(), config.sensors.len())
    }

    fn unread(zones: usize, motors: usize, sensors: usize) -> Self {
        Self {
            now: Micros::ZERO,
            wall: WallMillis::default(),
            tick: 0,
            status: Status::default(),
            mode: Mode::default(),
            readings: PerSensor::new(sensors),
            temps: PerSensor::new(sensors),
            temps_at: Micros::ZERO,
            targets: PerZone::new(zones),
            manual_duty: PerZone::new(zones),
            heater_duty: PerZone::new(zones),
            heater_on: PerZone::new(zones),
            motors: PerMotor::new(motors),
            motors_actual: PerMotor::new(motors),
            held: PerMotor::new(motors),
            relays: [false; 2],
            pwm: [Duty::ZERO; PWM_CHANNELS],
            peltier: Duty::ZERO,
            fill_level: None,
            target_fill_level: 0.0,
            sequence_started: None,
            tune: TuneView::default(),
            alarms: ActiveAlarms::default(),
            jogging: PerMotor::new(motors),
            permissives: Permissives::unmet(zones, motors),
            pins: [PinView::default(); Bcm::COUNT],
            stop_pressed: false,
            energised: false,
            config_revision: 0,
        }
    }
}
