//! The extruder controller: pure, deterministic, without I/O, clock or threads.
//!
//! # Theory of operation
//!
//! ```text
//!             ┌───────────────────────── Controller::step(now, &Inputs) ───────────────────────┐
//!  Inputs ──▶ │ contacts ──▶ sensors ──▶ watch ──▶ sequence ──▶ heat ──▶ motors ──▶ compose    │ ──▶ Outputs
//!             │              judge each  rules     START/STOP   PID,     ramps      gate by    │
//!             │              sample      with a    buttons      tune                alarms,    │
//!             │                          history                                    lamps      │
//!             └────────────────────────────────────────────────────────────────────────────────┘
//!  Command ──▶ Controller::command(now, Command) ──▶ Reply or Refusal
//! ```
//!
//! Six parts own the state, each its own: `Sensors`, `Thermal`, `Motion`, `Alarms`, `Supervisor` and
//! `Outlets`. The controller hands what one says to the next, and lets them carry out what an alarm
//! demands.
//!
//! Time is an argument. The same inputs and commands give the same outputs bit for bit on every
//! platform: transcendental functions come from `libm`, maps are ordered, nothing reads a clock.
//! [`Controller::step`] does not allocate.
//!
//! The last stage composes the outputs from nothing each tick and gates them by the latched
//! alarms, so that no earlier stage can energise what an alarm forbids.

mod alarm;
mod alarms;
#[cfg(feature = "state")]
mod array_state;
mod capabilities;
mod command;
mod contactor;
mod controller;
mod motion;
mod outlets;
mod permissives;
mod prepare;
mod proposal;
mod refusal;
mod sensors;
mod snapshot;
mod supervisor;
mod thermal;
mod tune;

pub use alarm::{
    About, AlarmCode, AlarmEvent, AlarmRecord, AlarmRow, Cause, ClearRule, Evidence, Reaction,
    RestoredAlarm, Scope, Severity, Subject, UnreadName, alarms_markdown,
};
pub use capabilities::{Capabilities, HARDWARE_PWM_PINS, MAX_PULSE_RATE, THREAD_PULSE_RATE};
pub use command::{
    AlarmSelector, Command, CommandKind, CommandRow, Effect, Endpoint, LoggingHealth, Mode, Param,
    PinMode, Relay, Reply, Shape, commands_markdown, control_kind, gpio_kind, lenient_json,
    parse_control, parse_gpio, parse_named, parse_tune_start, random_value,
};
pub use controller::{Controller, Restored, Unclean};
pub use permissives::{Condition, ConditionKind, Conditions, Permissives};
pub use prepare::carry_out;
pub use proposal::Proposal;
pub use refusal::{Refusal, RefusalClass, RefusalCode};
pub use sensors::{celsius, ohms, share, volts};
pub use snapshot::{ActiveAlarms, MAX_ACTIVE_ALARMS, PinView, Snapshot, Status};
pub use supervisor::{Press, Pressed};
pub use thermal::{Pid, PidInput};
pub use tune::{TuneMethod, TuneResult, TuneStatus, TuneView};
