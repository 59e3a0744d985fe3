//! The past: one element of the reply of `GET /api/history/sensors`.

use crate::named::{self, Named};
use crate::state::{MachineStatus, ModeName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The machine at one second of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistorySample {
    /// Milliseconds since the Unix epoch.
    pub t: i64,
    /// Temperatures by sensor, °C; `null` where the sensor was bad.
    #[schema(value_type = BTreeMap<String, Option<f64>>)]
    pub temps: Named<Option<f64>>,
    /// What was switched on.
    #[schema(value_type = BTreeMap<String, bool>)]
    pub relays: Named<bool>,
    /// Speeds as set by motor, rpm.
    #[schema(value_type = BTreeMap<String, f64>)]
    pub motors: Named<f64>,
    /// Duty by channel name, %.
    #[schema(value_type = BTreeMap<String, f64>)]
    pub pwm: Named<f64>,
    /// What the machine was doing.
    pub status: MachineStatus,
    /// Who decided the duty.
    pub mode: ModeName,
    /// `target_{zone}`: target of each zone, °C.
    #[serde(flatten, deserialize_with = "named::targets")]
    #[schema(ignore)]
    pub targets: Named<f64>,
    /// `heater_duty_{zone}`: duty of each zone, %.
    #[serde(flatten, deserialize_with = "named::heater_duties")]
    #[schema(ignore)]
    pub heater_duties: Named<f64>,
}
