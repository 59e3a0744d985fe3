//! Serde types of every request and reply of the HTTP API, shared by server, load tests and tests.
//!
//! Field names are the ones on the wire and never change; units stand in the documentation of each
//! field. Every number is finite: what cannot be known is `null`.

mod config;
mod control;
mod gpio;
mod health;
mod history;
mod log;
mod named;
mod state;

pub use config::{
    AuditPage, ConfigChanged, ConfigGeneration, ConfigGenerations, ConfirmRequest, RestoreRequest,
};
pub use control::{ControlRequest, Refused, Success, TuneStartRequest};
pub use gpio::{GpioPin, GpioStatus, PinDirection, PullName};
pub use health::{Condition, Health, Permissives, Ready};
pub use history::HistorySample;
pub use log::{IncidentList, LogStatus, RunFile};
pub use named::Named;
pub use state::{
    Alarm, AlarmSeverity, AutotuneResult, Data, IoUpdate, MachineStatus, ModeName, State, Status,
};
